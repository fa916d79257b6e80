//! Socket.IO: namespaces, events, acknowledgements and attachments inside Engine.IO messages.
//!
//! Revision 5 of the protocol, the one of clients since version 3, with its default parser. The
//! bytes are described in `docs/protocol/socket-io.md`.

mod connection;
mod decode;
mod encode;
pub mod json;
#[cfg(feature = "msgpack")]
mod msgpack;
mod packet;
mod parser;
mod payload;
mod placeholder;

pub use connection::{Action, Connection, Member, Standing, Violation};
pub use decode::{DecodeError, Decoder, Limits};
pub use encode::{
    EncodedPacket, PacketBuilder, connect, connect_error, connect_request, disconnect,
};
#[cfg(feature = "msgpack")]
pub use msgpack::MessagePack;
pub use packet::{Ack, Event, Packet};
pub(crate) use parser::AnyDecoder;
pub use parser::{Decode, Parser, UnfitPacket};
pub use payload::Payload;

/// Names of events that applications may neither emit nor receive: they mean something to the
/// libraries themselves.
pub const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Whether `name` is one of [`RESERVED_EVENTS`].
pub fn is_reserved(name: &str) -> bool {
    RESERVED_EVENTS.contains(&name)
}
