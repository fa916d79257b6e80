//! What goes wrong in handlers.

use std::fmt;

use sockeye_event::{ArgumentError, HandlerError};

use crate::Sid;

/// An event came to no good end on this server. It is logged, and told to the hook given to
/// [`ServerBuilder::on_error`](crate::ServerBuilder::on_error). The socket stays connected.
#[derive(Debug)]
pub struct EventError {
    pub(crate) socket: Sid,
    pub(crate) namespace: Box<str>,
    pub(crate) event: String,
    pub(crate) kind: EventErrorKind,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventErrorKind {
    /// The arguments do not fit the handler, which did not run. A client that asked for an
    /// acknowledgement gets `{"error":"argument 2: …"}`.
    #[error(transparent)]
    Arguments(ArgumentError),
    /// The handler returned an `Err`, or something that cannot be sent.
    #[error(transparent)]
    Handler(HandlerError),
    /// The handler panicked.
    #[error("the handler panicked: {0}")]
    Panic(String),
}

impl EventError {
    /// The socket whose event it was.
    pub fn socket(&self) -> Sid {
        self.socket
    }

    /// The socket's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of the event; `connection` and `disconnect` stand for the handlers of those.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// What went wrong.
    pub fn kind(&self) -> &EventErrorKind {
        &self.kind
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event `{}` of socket {}{}", self.event, self.namespace, self.socket)?;
        write!(f, ": {}", self.kind)
    }
}

impl std::error::Error for EventError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            EventErrorKind::Arguments(error) => Some(error),
            EventErrorKind::Handler(error) => Some(error),
            EventErrorKind::Panic(_) => None,
        }
    }
}
