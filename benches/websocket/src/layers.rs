//! The seam: a layer turns a connection into a future that echoes every text message and sends
//! what the application pushes. When the peer breaks a rule, it writes what the layer says on its
//! own, and ends.

use std::pin::Pin;

use crate::wire::Io;

mod bare;
mod fastwebsockets;
mod sockeye;
mod streams;

/// The largest message in bytes, for every layer.
pub const MAX_MESSAGE: usize = 1_000_000;

/// One connection, as a task would hold it.
pub type Connection = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Takes bytes for messages: what the harness itself costs.
    Bare,
    Sockeye,
    /// tokio-tungstenite with buffers as they are set by default.
    Tungstenite,
    /// tokio-tungstenite with the size of buffers that its docs name for many connections.
    SmallTungstenite,
    TokioWebsockets,
    Fastwebsockets,
}

impl Layer {
    pub const ALL: [Self; 6] = [
        Self::Bare,
        Self::Sockeye,
        Self::Tungstenite,
        Self::SmallTungstenite,
        Self::TokioWebsockets,
        Self::Fastwebsockets,
    ];

    pub fn name(self) -> String {
        match self {
            Self::Bare => "harness alone".to_owned(),
            Self::Sockeye => "ours".to_owned(),
            Self::Tungstenite => versioned("tokio-tungstenite"),
            Self::SmallTungstenite => "the same, 4 KiB buffers".to_owned(),
            Self::TokioWebsockets => versioned("tokio-websockets"),
            Self::Fastwebsockets => versioned("fastwebsockets"),
        }
    }

    pub fn open(self, io: Io) -> Connection {
        match self {
            Self::Bare => Box::pin(bare::run(io)),
            Self::Sockeye => Box::pin(sockeye::Driver::new(io)),
            Self::Tungstenite => Box::pin(streams::tungstenite(io, None)),
            Self::SmallTungstenite => Box::pin(streams::tungstenite(io, Some(4 << 10))),
            Self::TokioWebsockets => Box::pin(streams::tokio_websockets(io)),
            Self::Fastwebsockets => Box::pin(fastwebsockets::run(io)),
        }
    }
}

/// A crate's name with the version that is built in.
fn versioned(name: &str) -> String {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let version = include_str!("../Cargo.lock").split_once(&entry).map(|(_, rest)| rest);
    let version = version.and_then(|rest| rest.split('"').next()).unwrap_or_default();
    format!("{name} {version}")
}
