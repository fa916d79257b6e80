//! What comes out of a manager.

use std::fmt;

use crate::{
    engine::{ClientOutput, CloseReason, Failure, Transport},
    socket::{Event, Payload},
};

/// Names one of a manager's sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u32);

/// Names one of a manager's sessions; each has request and WebSocket ids of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u32);

/// What is to be done or told. `W` is what waits for an acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<W> {
    /// Do this for a session. `Event(Opened)` and `Event(Closed)` are passed on, for a driver that
    /// wants to know the session's id, or to let go of what belongs to it; other events are not.
    Io(SessionId, ClientOutput),
    /// A socket is about to join its namespace and wants its auth; answer with
    /// [`Manager::provide_auth`](super::Manager::provide_auth) and this number.
    AuthWanted(SocketId, u32),
    /// An acknowledgement came, or will not come.
    Ack(W, Result<Payload, AckFailure>),
    /// A socket is in its namespace. Events that came early have been told before.
    Connected {
        /// The socket.
        socket: SocketId,
        /// Whether the server has restored what the socket had before, missed events included.
        recovered: bool,
    },
    /// A socket could not be connected.
    ConnectError {
        /// The socket.
        socket: SocketId,
        /// Why.
        failure: ConnectFailure,
        /// Whether it is tried again without being asked to.
        will_retry: bool,
    },
    /// A socket that was connected is not any more.
    Disconnected {
        /// The socket.
        socket: SocketId,
        /// Why.
        reason: DisconnectReason,
        /// Whether it will be connected again without being asked to.
        will_reconnect: bool,
    },
    /// An event came for a socket. `connection` counts the socket's connections: an
    /// acknowledgement belongs to the one in which the event came.
    Event {
        /// The socket.
        socket: SocketId,
        /// Which of the socket's connections it came in.
        connection: u32,
        /// The event.
        event: Event,
    },
    /// The session is open, on this transport.
    Opened(Transport),
    /// The session moved to a WebSocket.
    Upgraded,
    /// The session that was open is over.
    Closed(DisconnectReason),
    /// The attempt of this number to reconnect starts; the first is 1.
    ReconnectAttempt(u32),
    /// The attempt of this number has opened a session.
    Reconnected(u32),
    /// The attempt of this number has failed.
    ReconnectError(u32, Failure),
    /// All attempts have failed, and there will be no other.
    ReconnectFailed,
}

/// What a socket says about itself when it joins: a JSON object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// Always the same: the text of a JSON object.
    Json(String),
    /// Made anew for each connection, see [`Output::AuthWanted`].
    Ask,
}

/// Why a socket could not be connected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectFailure {
    /// There is no connection to the server.
    Transport(Failure),
    /// The connection was lost before the server had let the socket in.
    Lost {
        /// How it ended.
        reason: DisconnectReason,
        /// What went wrong, if it was neither end that wanted it.
        failure: Option<Failure>,
    },
    /// The server did not let the socket in: a middleware said no, or there is no such namespace.
    Refused {
        /// The server's message.
        message: String,
        /// The JSON text of the data that came with it, if any did.
        data: Option<String>,
    },
    /// The server let the socket in without giving it an id, as those of Socket.IO 2 do.
    OldProtocol,
    /// The auth could not be made: what the application says about it.
    Auth(String),
    /// The server did not let the socket in in time, or the auth was not made in time.
    TimedOut,
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(failure) => failure.fmt(f),
            Self::Lost { reason, failure: None } => {
                write!(f, "the connection was lost: {reason}")
            }
            Self::Lost { reason, failure: Some(failure) } => {
                write!(f, "the connection was lost ({reason}): {failure}")
            }
            Self::Refused { message, .. } => f.write_str(message),
            Self::OldProtocol => f.write_str(
                "the server speaks Socket.IO 2: it let the socket in without giving it an id",
            ),
            Self::Auth(message) => write!(f, "the auth could not be made: {message}"),
            Self::TimedOut => f.write_str("timeout"),
        }
    }
}

impl std::error::Error for ConnectFailure {}

/// Why a socket was disconnected. The texts are JavaScript's; the last one has no counterpart
/// there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// `io server disconnect`: the server has sent the socket away. It is not connected again by
    /// itself.
    IoServerDisconnect,
    /// `io client disconnect`: this end has left. It is not connected again by itself.
    IoClientDisconnect,
    /// `ping timeout`: the server was silent for too long.
    PingTimeout,
    /// `transport close`: the server closed the connection, or it was lost.
    TransportClose,
    /// `transport error`: the connection broke.
    TransportError,
    /// `parse error`: what came is no packet.
    ParseError,
    /// `forced close`: this end closed the connection itself.
    ForcedClose,
    /// `event backlog`: more events wait for a handler than the limit allows.
    EventBacklog,
}

impl DisconnectReason {
    /// The text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IoServerDisconnect => "io server disconnect",
            Self::IoClientDisconnect => "io client disconnect",
            Self::PingTimeout => "ping timeout",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
            Self::EventBacklog => "event backlog",
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<CloseReason> for DisconnectReason {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::TransportClose => Self::TransportClose,
            CloseReason::ParseError => Self::ParseError,
            CloseReason::PingTimeout => Self::PingTimeout,
            CloseReason::ForcedClose => Self::ForcedClose,
            _ => Self::TransportError,
        }
    }
}

/// Why there is no acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AckFailure {
    /// The server did not answer in time.
    #[error("operation has timed out")]
    TimedOut,
    /// The connection was lost. Whether the server saw the event is not known.
    #[error("socket has been disconnected")]
    Disconnected,
    /// The event was not sent in the time that it had for it.
    #[error("the event was not sent in time")]
    Expired,
}

/// Why an event was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSent {
    /// The socket is not connected, and the event was to fail in that case.
    #[error("the socket is not connected")]
    Disconnected,
    /// The event is volatile and could not leave at once.
    #[error("a volatile event could not leave at once")]
    Volatile,
    /// Too much waits already: the limit, in bytes.
    #[error("more than {0} bytes wait to be sent, which is the limit")]
    BufferFull(usize),
    /// The manager is closed for good.
    #[error("the client is closed")]
    Closed,
}
