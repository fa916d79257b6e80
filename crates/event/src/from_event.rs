//! What a handler's parameters are made from.

use serde::de::DeserializeOwned;
use sockeye_protocol::socket::Payload;

use crate::{Ack, Args, ArgumentError, FromArg, Raw, Rest};

/// An event on its way into a handler.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    name: &'a str,
    args: Args<'a>,
    ack: Ack,
}

impl<'a> Event<'a> {
    /// The event called `name` whose array, `["chat","hi"]`, is in `payload`.
    pub fn new(name: &'a str, payload: &'a Payload, ack: Ack) -> Self {
        Self { name, args: Args::new(payload, 1), ack }
    }

    /// An event that comes from no packet, as `connect` and `disconnect` do.
    pub fn without_args(name: &'a str) -> Self {
        Self { name, args: Args::none(), ack: Ack::none() }
    }

    /// The name of the event.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The arguments that no parameter has taken yet.
    pub fn args(&mut self) -> &mut Args<'a> {
        &mut self.args
    }

    /// The acknowledgement, asked for or not.
    pub fn ack(&self) -> &Ack {
        &self.ack
    }
}

/// What can be a parameter of a handler, where `C` is what the server or the client knows about the
/// event.
///
/// A parameter is either the next argument that the peer sent (any `T: DeserializeOwned`, or
/// [`Raw`]; [`Rest`] takes all that are left), or something around the event that takes none:
/// [`Ack`], [`EventName`], and what the server or the client adds. They can be in any order.
///
/// An attachment that is read as `Bytes` is copied once, since serde has no other way; to pass large
/// ones on, take [`Raw`].
///
/// # Examples
/// Only a type of one's own can be something around the event, and it must not be `Deserialize`:
/// ```
/// use sockeye_event::{ArgumentError, Event, FromEvent};
///
/// # struct Context { sid: String }
/// struct Sid(String);
///
/// impl FromEvent<Context> for Sid {
///     fn from_event(cx: &Context, _: &mut Event<'_>) -> Result<Self, ArgumentError> {
///         Ok(Self(cx.sid.clone()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a parameter of an event handler",
    label = "neither an argument nor something around the event",
    note = "a parameter is the next argument (any type that implements `serde::Deserialize` and borrows nothing, as `String` but not `&str`; or `Raw`, `Rest<T>`), or something around the event, as `Ack` is"
)]
pub trait FromEvent<C>: Sized {
    /// Makes the parameter.
    ///
    /// # Errors
    /// The next argument does not fit. The handler will not run.
    fn from_event(cx: &C, event: &mut Event<'_>) -> Result<Self, ArgumentError>;
}

impl<C, T: DeserializeOwned> FromEvent<C> for T {
    fn from_event(_: &C, event: &mut Event<'_>) -> Result<Self, ArgumentError> {
        event.args.next()
    }
}

impl<C> FromEvent<C> for Raw {
    fn from_event(_: &C, event: &mut Event<'_>) -> Result<Self, ArgumentError> {
        event.args.next()
    }
}

impl<C, T: FromArg> FromEvent<C> for Rest<T> {
    fn from_event(_: &C, event: &mut Event<'_>) -> Result<Self, ArgumentError> {
        Rest::from_args(&mut event.args)
    }
}

impl<C> FromEvent<C> for Ack {
    fn from_event(_: &C, event: &mut Event<'_>) -> Result<Self, ArgumentError> {
        Ok(event.ack.clone())
    }
}

/// The name of the event, for handlers of more than one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventName(pub String);

impl<C> FromEvent<C> for EventName {
    fn from_event(_: &C, event: &mut Event<'_>) -> Result<Self, ArgumentError> {
        Ok(Self(event.name.to_owned()))
    }
}
