//! What can go wrong between a payload and a handler, and who is to blame.

/// An argument of the peer is missing or does not have the type that was asked for.
///
/// ```text
/// argument 1: invalid type: string "x", expected i64
/// argument 2 is missing: expected struct Point
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("argument {}{}{message}", .index + 1, if *.missing { " is missing: " } else { ": " })]
pub struct ArgumentError {
    index: usize,
    missing: bool,
    message: String,
}

impl ArgumentError {
    /// For implementations of [`FromEvent`](crate::FromEvent) and [`FromArg`](crate::FromArg):
    /// the argument at `index`, counted from 0, is there but does not fit.
    pub fn new(index: usize, message: impl Into<String>) -> Self {
        Self { index, missing: false, message: message.into() }
    }

    pub(crate) fn missing(index: usize, message: String) -> Self {
        Self { index, missing: true, message }
    }

    /// Which argument, counted from 0, the event's name left out. The message counts from 1.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Whether the peer sent fewer arguments.
    pub fn is_missing(&self) -> bool {
        self.missing
    }
}

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
