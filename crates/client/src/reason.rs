//! Why a socket was disconnected.

use std::fmt;

use sockeye_protocol::client as core;

/// Why a socket was disconnected. The texts are JavaScript's; the last one has no counterpart
/// there.
///
/// A handler of [`on_disconnect`](crate::Socket::on_disconnect) takes it as a parameter.
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
    /// `event backlog`: more events wait for a handler than `max_backlog_bytes` allows.
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

/// The core's reasons are a type of another crate, which cannot be a handler's parameter.
impl From<core::DisconnectReason> for DisconnectReason {
    fn from(reason: core::DisconnectReason) -> Self {
        match reason {
            core::DisconnectReason::IoServerDisconnect => Self::IoServerDisconnect,
            core::DisconnectReason::IoClientDisconnect => Self::IoClientDisconnect,
            core::DisconnectReason::PingTimeout => Self::PingTimeout,
            core::DisconnectReason::TransportClose => Self::TransportClose,
            core::DisconnectReason::ParseError => Self::ParseError,
            core::DisconnectReason::ForcedClose => Self::ForcedClose,
            core::DisconnectReason::EventBacklog => Self::EventBacklog,
            // The enum may grow; what breaks a transport in a new way is an error of it.
            _ => Self::TransportError,
        }
    }
}
