//! What a handler returns, as an acknowledgement.

use std::error::Error;

use serde::ser::{Impossible, Serialize};

use crate::{
    Ack, HandlerError,
    encode::is_unit,
    error::{MAX_FAILURE, quote},
    top_level::{Serializer, Stop, TopLevel},
};

/// What a handler can return. `M` is always inferred.
///
/// - `()` sends nothing by itself; the handler may use an [`Ack`].
/// - A value that implements `Serialize` is sent if the peer asked for an acknowledgement, a tuple
///   as several arguments. It is not serialised if nobody asked.
/// - `Result` of those: an `Err` is no answer, but a [`HandlerError::Failed`]. The error is a
///   `std::error::Error`, a `Box<dyn Error>`, an `anyhow::Error` (with the feature `anyhow`), or
///   anything that implements `Serialize`, as `String` and `serde_json::Value` do. The message is
///   the error's with its sources, or the string that it serialises to, or else its JSON text.
/// - A handler that never returns is fine as well.
///
/// A plain handler that returns a future is an async one, and the future's output is what counts.
///
/// If an error type implements both `Error` and `Serialize`, the compiler cannot choose ("type
/// annotations needed"). Say which of the two you mean: `.map_err(|error| error.to_string())`, or
/// `.map_err(Box::<dyn std::error::Error + Send + Sync>::from)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be returned from an event handler",
    label = "not an answer to an event",
    note = "a handler returns nothing, a value that implements `serde::Serialize`, or a `Result` of those whose error implements `std::error::Error` or `serde::Serialize`"
)]
pub trait IntoReply<M> {
    /// Sends what there is to send, or says why the handler failed.
    ///
    /// # Errors
    /// The handler failed, or its answer does not serialise.
    fn into_reply(self, ack: &Ack) -> Result<(), HandlerError>;
}

/// Marks what serialises, a `Result` of such types included.
pub struct Plain(());

/// Marks a `Result` with an error type of the usual kind.
pub struct Fallible(());

/// Marks a `Result` with a boxed error, which is no `Error` itself.
pub struct Boxed(());

/// Marks a `Result` with an `anyhow::Error`, which is no `Error` either.
#[cfg(feature = "anyhow")]
pub struct Anyhow(());

/// Marks what never returns.
pub struct Diverging(());

impl<T: Serialize> IntoReply<Plain> for T {
    fn into_reply(self, ack: &Ack) -> Result<(), HandlerError> {
        let mut outcome = Ok(());
        match self.serialize(Serializer(ResultOnly { ack, outcome: &mut outcome })) {
            Err(Stop::Unclaimed) => answer(ack, &self),
            _ => outcome,
        }
    }
}

impl<T: Serialize, E: Error + 'static> IntoReply<Fallible> for Result<T, E> {
    fn into_reply(self, ack: &Ack) -> Result<(), HandlerError> {
        answer(ack, &self.map_err(|error| failed(&error))?)
    }
}

macro_rules! impl_boxed {
    ($($error:ty)*) => {
        $(impl<T: Serialize> IntoReply<Boxed> for Result<T, Box<$error>> {
            fn into_reply(self, ack: &Ack) -> Result<(), HandlerError> {
                answer(ack, &self.map_err(|error| failed(&*error))?)
            }
        })*
    };
}

impl_boxed!(dyn Error dyn Error + Send dyn Error + Send + Sync);

#[cfg(feature = "anyhow")]
impl<T: Serialize> IntoReply<Anyhow> for anyhow::Result<T> {
    fn into_reply(self, ack: &Ack) -> Result<(), HandlerError> {
        answer(ack, &self.map_err(|error| failed(error.as_ref()))?)
    }
}

impl IntoReply<Diverging> for Never {
    fn into_reply(self, _: &Ack) -> Result<(), HandlerError> {
        self
    }
}

/// The type `!`, which stable Rust lets us use but not name.
type Never = <fn() -> ! as Output>::Type;

/// Only to name [`Never`].
pub trait Output {
    /// What the function returns.
    type Type;
}

impl<T> Output for fn() -> T {
    type Type = T;
}

fn answer<T: Serialize + ?Sized>(ack: &Ack, value: &T) -> Result<(), HandlerError> {
    if is_unit::<T>() {
        return Ok(());
    }
    ack.answer(value).map_err(HandlerError::Reply)
}

/// An error's message, and those of its sources where they add something.
fn failed(error: &(dyn Error + 'static)) -> HandlerError {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        // Many errors end with their source's message already.
        if !message.ends_with(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = error.source();
    }
    HandlerError::Failed(quote(&message, MAX_FAILURE))
}

/// Claims a `Result`, by the form in which serde serialises it. An enum of the same form is treated
/// alike, which is what someone who writes one will expect.
struct ResultOnly<'a> {
    ack: &'a Ack,
    /// Where the verdict goes.
    outcome: &'a mut Result<(), HandlerError>,
}

impl TopLevel for ResultOnly<'_> {
    type Elements = Impossible<(), Stop>;

    fn newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        *self.outcome = match (name, variant) {
            ("Result", "Ok") => answer(self.ack, value),
            ("Result", "Err") => Err(HandlerError::Failed(quote(&error_text(value), MAX_FAILURE))),
            _ => return Err(Stop::Unclaimed),
        };
        Ok(())
    }
}

/// An error value as a message: the string that it is, or else its JSON text.
fn error_text<T: Serialize + ?Sized>(error: &T) -> String {
    match serde_json::to_string(error) {
        Ok(json) => serde_json::from_str::<String>(&json).unwrap_or(json),
        Err(_) => String::from("an error that does not serialise"),
    }
}
