//! Engine.IO: what carries Socket.IO's packets over long-polling and WebSocket.
//!
//! Both ends speak revision 4 of the protocol (`EIO=4`), the one of Socket.IO since version 3, and
//! [`Revision::V3`] with older peers. The bytes are described in `docs/protocol/engine-io.md`.

mod client;
mod failure;
mod handshake;
mod heartbeat;
mod outbox;
mod outgoing;
mod packet;
pub mod payload;
mod payload_v3;
mod request;
mod revision;
mod session;
mod transport;

pub(crate) use client::later;
pub use client::{ClientConfig, ClientEvent, ClientInput, ClientOutput, ClientSession};
pub use failure::Failure;
pub use handshake::{Handshake, HandshakeError};
pub use outgoing::{Kind, Outgoing};
pub use packet::{Message, Packet, PacketError};
pub use request::{Method, Query, Refusal, RequestLine, Wanted, check};
pub use revision::{Dialect, Revision};
pub use session::{
    CloseReason, Config, Event, Input, RequestId, Response, Session, WebSocketId, WebSocketState,
};
pub use transport::{Transport, Transports};
