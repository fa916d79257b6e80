//! What a handler may take that is not an argument of the event.

use sockeye_event::{ArgumentError, Event, FromEvent};

use crate::{ConnectError, DisconnectReason, Socket};

/// What is known around an event on this client.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) socket: Socket,
    pub(crate) reason: Option<DisconnectReason>,
    pub(crate) error: Option<ConnectError>,
}

impl FromEvent<Context> for Socket {
    fn from_event(context: &Context, _: &mut Event<'_>) -> Result<Self, ArgumentError> {
        Ok(context.socket.clone())
    }
}

impl FromEvent<Context> for DisconnectReason {
    fn from_event(context: &Context, _: &mut Event<'_>) -> Result<Self, ArgumentError> {
        let missing = "there is a DisconnectReason in `on_disconnect` only";
        context.reason.ok_or_else(|| ArgumentError::context(missing))
    }
}

impl FromEvent<Context> for ConnectError {
    fn from_event(context: &Context, _: &mut Event<'_>) -> Result<Self, ArgumentError> {
        let missing = "there is a ConnectError in `on_connect_error` only";
        context.error.clone().ok_or_else(|| ArgumentError::context(missing))
    }
}
