//! What can go wrong between a payload and a handler, and who is to blame.

use std::fmt;

/// A parameter of a handler could not be made: an argument of the peer is missing or does not have
/// the type that was asked for, or something around the event is not there.
///
/// ```text
/// argument 1: invalid type: string "x", expected i64
/// argument 2 is missing: expected struct Point
/// the server has no state of type Counter
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentError {
    fault: Fault,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Unfit { index: usize },
    Missing { index: usize },
    Context,
}

impl ArgumentError {
    /// For implementations of [`FromEvent`](crate::FromEvent) and [`FromArg`](crate::FromArg):
    /// the argument at `index`, counted from 0, is there but does not fit.
    pub fn new(index: usize, message: impl Into<String>) -> Self {
        Self { fault: Fault::Unfit { index }, message: message.into() }
    }

    /// For implementations of [`FromEvent`](crate::FromEvent): what the parameter stands for is
    /// not there, and that is no fault of the peer's.
    pub fn context(message: impl Into<String>) -> Self {
        Self { fault: Fault::Context, message: message.into() }
    }

    pub(crate) fn missing(index: usize, message: String) -> Self {
        Self { fault: Fault::Missing { index }, message }
    }

    /// Which argument, counted from 0, the event's name left out; the message counts from 1.
    /// `None` if it is no argument that is at fault.
    pub fn index(&self) -> Option<usize> {
        match self.fault {
            Fault::Unfit { index } | Fault::Missing { index } => Some(index),
            Fault::Context => None,
        }
    }

    /// Whether the peer sent fewer arguments.
    pub fn is_missing(&self) -> bool {
        matches!(self.fault, Fault::Missing { .. })
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::Unfit { index } => write!(f, "argument {}: ", index + 1)?,
            Fault::Missing { index } => write!(f, "argument {} is missing: ", index + 1)?,
            Fault::Context => (),
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ArgumentError {}

/// A value of ours cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The value's `Serialize` failed, or the value has no form in JSON, as a map whose keys are
    /// structs.
    #[error("argument {} does not serialise: {message}", .index + 1)]
    Serialize {
        /// Which argument, counted from 0.
        index: usize,
        /// What serde has to say.
        message: String,
    },
    /// Beside real attachments, the arguments hold an object `{"_placeholder":true,"num":0}` that
    /// stands for none. The peer would put the wrong bytes in its place, or refuse the packet.
    #[error("an object in the arguments looks like the placeholder of an attachment")]
    ForgedPlaceholder,
}

/// Why a handler did not come to a good end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandlerError {
    /// The peer's arguments do not fit the handler's parameters, and the handler did not run.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// The handler returned an `Err` with this message.
    #[error("{0}")]
    Failed(String),
    /// What the handler returned cannot be sent as the acknowledgement.
    #[error("the acknowledgement was not sent")]
    Reply(#[source] EncodeError),
}
