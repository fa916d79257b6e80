//! Why a socket left.

use std::fmt;

use sockeye_engine::CloseReason;

/// Why a socket was disconnected. The texts are JavaScript's; the last two have no counterpart
/// there.
///
/// A `disconnect` handler takes it as a parameter: `|socket: Socket, reason: DisconnectReason|`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// `client namespace disconnect`: the client called `disconnect`.
    ClientNamespaceDisconnect,
    /// `server namespace disconnect`: this server called [`Socket::disconnect`](crate::Socket::disconnect).
    ServerNamespaceDisconnect,
    /// `server shutting down`: [`Server::close`](crate::Server::close) was called.
    ServerShuttingDown,
    /// `ping timeout`: the client did not answer a ping in time.
    PingTimeout,
    /// `transport close`: the client closed the connection, or it was lost.
    TransportClose,
    /// `transport error`: the connection broke, or what came on it broke the rules.
    TransportError,
    /// `parse error`: what came is no Engine.IO packet.
    ParseError,
    /// `forced close`: what came is no Socket.IO packet.
    ForcedClose,
    /// `forced server close`: a packet that is not allowed at its place, such as an event for a
    /// namespace that was not joined.
    ForcedServerClose,
    /// `slow consumer`: more waits for the client than `max_waiting_bytes` allows.
    SlowConsumer,
    /// `event backlog`: more events wait for a handler than `max_backlog_bytes` allows.
    EventBacklog,
}

impl DisconnectReason {
    /// The text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientNamespaceDisconnect => "client namespace disconnect",
            Self::ServerNamespaceDisconnect => "server namespace disconnect",
            Self::ServerShuttingDown => "server shutting down",
            Self::PingTimeout => "ping timeout",
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
            Self::ForcedClose => "forced close",
            Self::ForcedServerClose => "forced server close",
            Self::SlowConsumer => "slow consumer",
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
            CloseReason::SlowConsumer => Self::SlowConsumer,
            // The enum may grow; what breaks a transport in a new way is an error of it.
            _ => Self::TransportError,
        }
    }
}
