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
    /// the argument at `index`, counted from 0, is there but does not fit. Of a message over 200
    /// characters the middle is left out, and control characters are escaped.
    pub fn new(index: usize, message: impl Into<String>) -> Self {
        Self { fault: Fault::Unfit { index }, message: quote(&message.into(), MAX_QUOTE) }
    }

    /// For implementations of [`FromEvent`](crate::FromEvent): what the parameter stands for is
    /// not there, and that is no fault of the peer's.
    pub fn context(message: impl Into<String>) -> Self {
        Self { fault: Fault::Context, message: message.into() }
    }

    pub(crate) fn missing(index: usize, message: String) -> Self {
        Self { fault: Fault::Missing { index }, message: quote(&message, MAX_QUOTE) }
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

/// How many characters of a message that may quote the peer are kept.
const MAX_QUOTE: usize = 200;

/// The same for what handlers say themselves, which may quote the peer as well.
pub(crate) const MAX_FAILURE: usize = 1000;

/// A message fit for one line of a log: of one that is longer than `max` characters the middle is
/// left out, since the end tells what was expected, and no character acts on a terminal.
pub(crate) fn quote(message: &str, max: usize) -> String {
    let mut quoted = String::new();
    let escape = |quoted: &mut String, part: &str| {
        for character in part.chars() {
            match character {
                '\u{2028}' | '\u{2029}' => quoted.extend(character.escape_unicode()),
                _ if character.is_control() => quoted.extend(character.escape_default()),
                _ => quoted.push(character),
            }
        }
    };
    let tail = max / 3;
    let start = message.char_indices().nth(max).and_then(|_| {
        let head = message.char_indices().nth(max - tail - 1)?.0;
        let tail = message.char_indices().rev().nth(tail - 1)?.0;
        Some((head, tail))
    });
    match start {
        None => escape(&mut quoted, message),
        Some((head, tail)) => {
            escape(&mut quoted, &message[..head]);
            quoted.push('…');
            escape(&mut quoted, &message[tail..]);
        }
    }
    quoted
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
    /// The handler returned an `Err` with this message. Of one over 1000 characters the middle is
    /// left out, and control characters are escaped: it may quote the peer.
    #[error("{0}")]
    Failed(String),
    /// What the handler returned cannot be sent as the acknowledgement.
    #[error("the acknowledgement was not sent")]
    Reply(#[source] EncodeError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_of_a_peer_is_short_and_on_one_line() {
        let long = format!("invalid type: string \"{}\", expected i64", "ü".repeat(1_000_000));
        let error = ArgumentError::new(0, long).to_string();
        assert_eq!(error.chars().count(), "argument 1: ".len() + MAX_QUOTE);
        assert!(error.starts_with("argument 1: invalid type: string \"üüü"), "{error}");
        assert!(error.ends_with("üüü\", expected i64") && error.contains("ü…ü"), "{error}");
        let forged = ArgumentError::new(0, "unknown field `a\n\u{1b}[2J\u{2028}`").to_string();
        assert_eq!(forged, r"argument 1: unknown field `a\n\u{1b}[2J\u{2028}`");
        assert_eq!(quote(&"x".repeat(200), 200), "x".repeat(200));
    }
}
