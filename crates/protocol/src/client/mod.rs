//! A client's connection as a whole: the manager, which opens sessions and opens them again, and
//! its sockets, one for each namespace.
//!
//! ```text
//! application ── emit, open, disconnect ──▶ Manager ── Output ──▶ application
//!                                              │ ▲
//!                              ClientOutput ───▼ │─── ClientInput
//!                                            the network
//! ```
//!
//! [`Manager`] takes commands as one ordered stream and answers with outputs: I/O that a driver
//! does, and events for the application. It holds the engine's
//! [`ClientSession`](crate::engine::ClientSession) itself, so a driver has one machine to feed and
//! one deadline to keep.

mod acks;
mod backoff;
mod buffer;
mod config;
mod event;
mod manager;
mod recovery;
mod retry;
mod socket;

pub use config::Config;
pub use event::{
    AckFailure, Auth, ConnectFailure, DisconnectReason, NotSent, Output, SessionId, SocketId,
};
pub use manager::{AckRequest, Emit, Manager, Policy, State};
