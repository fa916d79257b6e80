//! What can go wrong, in words that help.

use std::fmt;

use serde::de::DeserializeOwned;
use sockeye_event::{ArgumentError, EncodeError, HandlerError};
use sockeye_protocol::{
    client::{AckFailure, ConnectFailure, NotSent},
    engine::Failure,
    socket::UnfitPacket,
};

/// A socket could not be connected. The text says why, and what is likely to be wrong.
///
/// A handler of [`on_connect_error`](crate::Socket::on_connect_error) takes it as a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectError {
    cause: Cause,
    will_retry: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    Failure(ConnectFailure),
    /// This end has given it up.
    Left,
}

/// Whose fault it is that a socket could not be connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The server said no: a middleware refused, or there is no such namespace.
    Refused,
    /// The server cannot be reached.
    Unreachable,
    /// No secure connection could be made: a certificate is wrong, as a rule.
    Tls,
    /// The proxy did not make the connection.
    Proxy,
    /// The HTTP request was answered with this status: the path may be wrong, or a proxy in the way.
    Http(u16),
    /// What answers there does not speak Socket.IO.
    NotSocketIo,
    /// The server speaks a version of Socket.IO that this client does not.
    UnsupportedVersion,
    /// Something took too long.
    TimedOut,
    /// The connection was lost before the server had let the socket in.
    Lost,
    /// The function that makes the auth failed.
    Auth,
    /// This end disconnected the socket, or closed the client, while it was being connected.
    Left,
}

impl ConnectError {
    pub(crate) fn new(failure: ConnectFailure, will_retry: bool) -> Self {
        Self { cause: Cause::Failure(failure), will_retry }
    }

    pub(crate) fn left() -> Self {
        Self { cause: Cause::Left, will_retry: false }
    }

    /// Whose fault it is.
    pub fn kind(&self) -> ConnectErrorKind {
        let Cause::Failure(failure) = &self.cause else { return ConnectErrorKind::Left };
        match failure {
            ConnectFailure::Transport(failure) => match failure {
                Failure::Tls(_) => ConnectErrorKind::Tls,
                Failure::Proxy(_) => ConnectErrorKind::Proxy,
                Failure::Refused { code: Some(5), .. } | Failure::OldRevision => {
                    ConnectErrorKind::UnsupportedVersion
                }
                Failure::Refused { status, .. } => ConnectErrorKind::Http(*status),
                Failure::NotEngineIo | Failure::Protocol(_) => ConnectErrorKind::NotSocketIo,
                Failure::TimedOut => ConnectErrorKind::TimedOut,
                _ => ConnectErrorKind::Unreachable,
            },
            ConnectFailure::Refused { .. } => ConnectErrorKind::Refused,
            ConnectFailure::OldProtocol => ConnectErrorKind::UnsupportedVersion,
            ConnectFailure::Auth(_) => ConnectErrorKind::Auth,
            ConnectFailure::TimedOut => ConnectErrorKind::TimedOut,
            _ => ConnectErrorKind::Lost,
        }
    }

    /// The data that the server gave with its no; none if it gave none, or if it does not have this
    /// type.
    pub fn data<T: DeserializeOwned>(&self) -> Option<T> {
        match &self.cause {
            Cause::Failure(ConnectFailure::Refused { data: Some(data), .. }) => {
                serde_json::from_str(data).ok()
            }
            _ => None,
        }
    }

    /// Whether it is tried again without being asked to.
    pub fn will_retry(&self) -> bool {
        self.will_retry
    }
}

/// The server's message, if it said no; otherwise an explanation.
impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Failure(failure) => failure.fmt(f),
            Cause::Left => f.write_str("the socket was disconnected while it was being connected"),
        }
    }
}

impl std::error::Error for ConnectError {}

/// An event was not emitted, and will not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The name means something to the library itself, as `connect` does.
    #[error("\"{0}\" is a reserved event name")]
    ReservedName(String),
    /// A value has no form on the wire.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The client's [parser](crate::ClientBuilder::parser) has no form for it.
    #[error(transparent)]
    Parser(#[from] UnfitPacket),
    /// The socket is not connected, and the event was to fail in that case.
    #[error("the socket is not connected")]
    Disconnected,
    /// The event is volatile, and could not leave at once.
    #[error("a volatile event could not leave at once")]
    Volatile,
    /// More bytes wait to be sent than `max_waiting_bytes` allows.
    #[error("more than {0} bytes wait to be sent, which is the limit")]
    BufferFull(usize),
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
}

impl From<NotSent> for EmitError {
    fn from(reason: NotSent) -> Self {
        match reason {
            NotSent::Disconnected => Self::Disconnected,
            NotSent::Volatile => Self::Volatile,
            NotSent::BufferFull(limit) => Self::BufferFull(limit),
            _ => Self::Closed,
        }
    }
}

/// Why there is no acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// The server did not answer in time.
    #[error("operation has timed out")]
    TimedOut,
    /// The connection was lost. Whether the server saw the event is not known.
    #[error("socket has been disconnected")]
    Disconnected,
    /// The event did not leave in the time that it had for it.
    #[error("the event was not sent in time")]
    Expired,
    /// The answer does not have the type that was asked for.
    #[error("the acknowledgement does not fit: {0}")]
    Reply(#[from] ArgumentError),
    /// The event was not sent.
    #[error(transparent)]
    Emit(#[from] EmitError),
}

impl From<AckFailure> for AckError {
    fn from(failure: AckFailure) -> Self {
        match failure {
            AckFailure::TimedOut => Self::TimedOut,
            AckFailure::Expired => Self::Expired,
            _ => Self::Disconnected,
        }
    }
}

/// The auth cannot be sent: it is no JSON object.
#[derive(Debug, thiserror::Error)]
#[error("the auth must be a JSON object: {0}")]
pub struct AuthError(pub(crate) String);

/// An event came to no good end on this client. It is logged, and told to the hook given to
/// [`ClientBuilder::on_error`](crate::ClientBuilder::on_error). The socket stays connected.
#[derive(Debug)]
pub struct EventError {
    pub(crate) namespace: String,
    pub(crate) event: String,
    pub(crate) kind: EventErrorKind,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EventErrorKind {
    /// The arguments do not fit the handler, which did not run. A server that asked for an
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
    /// The socket's namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name of the event.
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
        write!(f, "event `{}` of {}: {}", self.event, self.namespace, self.kind)
    }
}

impl std::error::Error for EventError {}
