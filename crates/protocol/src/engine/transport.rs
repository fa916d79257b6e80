//! The ways in which a session can travel.

use std::fmt;

/// How a session's packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// HTTP long-polling: packets go out as the answers of GET requests, and come in as the bodies
    /// of POST requests.
    Polling,
    /// One WebSocket; a packet is a message.
    WebSocket,
}

impl Transport {
    /// The name in the `transport` parameter of a request: `polling` or `websocket`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }

    /// The transport of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Polling, Self::WebSocket].into_iter().find(|transport| transport.name() == name)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of transports: those that a server allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transports {
    polling: bool,
    websocket: bool,
}

impl Transports {
    /// Polling and WebSocket, the default.
    pub const ALL: Self = Self { polling: true, websocket: true };

    /// Whether the transport is in the set.
    pub fn contains(self, transport: Transport) -> bool {
        match transport {
            Transport::Polling => self.polling,
            Transport::WebSocket => self.websocket,
        }
    }
}

impl Default for Transports {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromIterator<Transport> for Transports {
    fn from_iter<I: IntoIterator<Item = Transport>>(transports: I) -> Self {
        let mut set = Self { polling: false, websocket: false };
        for transport in transports {
            match transport {
                Transport::Polling => set.polling = true,
                Transport::WebSocket => set.websocket = true,
            }
        }
        set
    }
}

impl<const N: usize> From<[Transport; N]> for Transports {
    fn from(transports: [Transport; N]) -> Self {
        transports.into_iter().collect()
    }
}
