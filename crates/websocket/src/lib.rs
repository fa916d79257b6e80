//! A strict [RFC 6455] codec for both roles, without I/O.
//!
//! Bytes go in, messages come out; the caller owns the socket, the clock and the random source.
//! What a message looks like on the wire, from a client and from a server:
//!
//! ```text
//! 81 85 37 fa 21 3d 7f 9f 4d 51 58      "Hello", masked with 37 fa 21 3d
//! 81 05 48 65 6c 6c 6f                  "Hello"
//! │  │  └ payload
//! │  └ mask bit and length: up to 125, or 126 / 127 and a length of 2 / 8 bytes
//! └ final bit, three reserved bits, opcode
//! ```
//!
//! - [`Decoder`] takes [`Message`]s off a read buffer. It never reserves memory for what a peer
//!   merely announced, and [`Limits`] bound what it keeps of an unfinished message.
//! - [`encode_frame`] writes a whole frame; [`frame_header`] makes only the header, for a payload
//!   that is shared between many receivers and written next to it.
//! - [`handshake`] checks the HTTP requests and responses that lead here.
//!
//! Sending fragmented messages is not supported, nor is any extension.
//!
//! # Examples
//!
//! ```
//! use bytes::BytesMut;
//! use sockeye_websocket::{Decoder, Limits, Message, Opcode, Role, encode_frame};
//!
//! let mut wire = BytesMut::new();
//! encode_frame(&mut wire, Opcode::Text, b"Hello", Some([0x37, 0xfa, 0x21, 0x3d]));
//! encode_frame(&mut wire, Opcode::Ping, b"", Some([1, 2, 3, 4]));
//!
//! let mut decoder = Decoder::new(Role::Server, &Limits::default());
//! while let Some(message) = decoder.decode(&mut wire)? {
//!     match message {
//!         Message::Text(text) => assert_eq!(text, "Hello"),
//!         Message::Ping(payload) => assert!(payload.is_empty()),
//!         other => unreachable!("{other:?} was not sent"),
//!     }
//! }
//! assert!(wire.is_empty() && decoder.is_idle());
//! # Ok::<(), sockeye_websocket::DecodeError>(())
//! ```
//!
//! [RFC 6455]: https://www.rfc-editor.org/rfc/rfc6455

mod decoder;
mod error;
mod frame;
pub mod handshake;
mod message;

pub use decoder::{Decoder, Limits, Role};
pub use error::DecodeError;
pub use frame::{FrameHeader, MAX_HEADER_BYTES, Opcode, close_frame, encode_frame, frame_header};
pub use message::{Close, CloseCode, Message};
