//! The Engine.IO and Socket.IO protocols, pure: bytes and the time go in; packets, events and
//! deadlines come out. There is no socket, clock, thread, lock or random source in this crate, so
//! that every rule of the protocol can be tested without a port and without a sleep.
//!
//! What goes over the wire is described in `docs/protocol`, in samples that a test of this crate
//! checks; `docs/deviations.md` says where it differs from the reference, and why.
//!
//! * [`engine`] is Engine.IO: packets, payloads of the polling transport, the request checks, and
//!   the state machines of a session, one for each end.
//! * [`socket`] is Socket.IO on top of it: packets with namespaces, acknowledgements and binary
//!   attachments, and the state machine of one connection's namespaces.
//! * [`client`] is the client above both: the manager, which opens sessions and opens them again,
//!   and the sockets that share them.
//!
//! # The life of a packet
//!
//! ```
//! use bytes::Bytes;
//! use sockeye_protocol::{engine, socket};
//!
//! // `42["hello",1]` as it stands in a WebSocket frame or a POST body:
//! let packet = engine::Packet::decode(Bytes::from_static(b"42[\"hello\",1]")).unwrap();
//! let engine::Packet::Message(engine::Message::Text(text)) = packet else { panic!() };
//! let mut decoder = socket::Decoder::new(socket::Limits::default());
//! let Some(socket::Packet::Event(event)) = decoder.decode_text(text).unwrap() else { panic!() };
//! assert_eq!(event.name, "hello");
//! ```

pub mod client;
pub mod engine;
pub mod socket;

mod fifo;
mod sid;

pub use fifo::Fifo;
pub use sid::{InvalidSid, Sid};
