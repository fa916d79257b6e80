//! A Socket.IO client for Rust, for servers of version 2, 3 and 4 in any language.
//!
//! ```no_run
//! use sockeye_client::{Client, DisconnectReason, Socket};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("http://localhost:3000").build()?;
//!
//! client.on("message", |from: String, text: String| println!("{from}: {text}"));
//! client.on("are you there?", |question: String| async move { format!("{question} Yes.") });
//! client.on_connect(|socket: Socket| socket.emit("join-room", "lobby"));
//! client.on_disconnect(|reason: DisconnectReason| println!("disconnected: {reason}"));
//!
//! client.connect().await?;
//! client.emit("message", ("me", "hello"));
//! let answer: String = client.emit_with_ack("question", "ready?").await?;
//!
//! let admin = client.socket("/admin");
//! admin.set_auth(serde_json::json!({ "token": "secret" }))?;
//! admin.connect().await?;
//!
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Handlers
//!
//! A handler takes an event's arguments one after another, each by its type: anything that
//! implements `serde::Deserialize`, [`Bytes`](bytes::Bytes) for an attachment, [`Raw`] for one that
//! is passed on undecoded, [`Rest`] for all that are left. Between them it may ask for what is not
//! an argument: [`Socket`], [`Ack`], [`EventName`], [`DisconnectReason`], [`ConnectError`]. It is a
//! closure or a function, async or plain. What it returns is the acknowledgement.
//!
//! The events of one socket are handled one at a time, in the order in which they were sent; a
//! handler that waits holds up the later events of its socket, and nothing else: acknowledgements,
//! streams and other sockets go on. A handler must not block its thread: use
//! `tokio::task::spawn_blocking` for that.
//!
//! # What is promised
//!
//! - What is emitted while there is no connection waits, in order, within a bound of bytes. What has
//!   left when the connection is lost may be lost; [`retries`](ClientBuilder::retries) send it
//!   again.
//! - Every [`AckFuture`] ends: with the answer, at its deadline, or when the connection is lost.
//! - Dropping the last [`Client`] closes the connection and lets go of everything.

mod ack;
#[cfg(feature = "blocking")]
pub mod blocking;
mod builder;
mod client;
mod context;
mod driver;
mod emitter;
mod engine;
mod error;
mod handling;
mod inbox;
mod listener;
mod reason;
mod shared;
mod socket;
mod stream;

#[cfg(feature = "tls")]
pub use self::engine::{Tls, TlsError};
pub use self::{
    ack::AckFuture,
    builder::{BuildError, ClientBuilder, Error},
    client::{Client, ManagerEvent},
    context::Context,
    emitter::Emitter,
    engine::UrlError,
    error::{
        AckError, AuthError, ConnectError, ConnectErrorKind, EmitError, EventError, EventErrorKind,
    },
    listener::ListenerId,
    reason::DisconnectReason,
    socket::Socket,
    stream::{EventStream, StreamError},
};
pub use sockeye_event::{
    Ack, ArgumentError, EncodeError, Event, EventName, FromArg, FromEvent, FromReply, Handler,
    HandlerError, IntoReply, Raw, Rest,
};
pub use sockeye_protocol::engine::{Revision, Transport};

/// The form of packets on the wire, and what it takes to give them another one.
pub mod parser {
    #[cfg(feature = "msgpack")]
    pub use sockeye_protocol::socket::MessagePack;
    pub use sockeye_protocol::{
        engine::{Message, Outgoing},
        socket::{
            Ack, Decode, DecodeError, EncodedPacket, Event, Limits, Packet, Parser, Payload,
            UnfitPacket,
        },
    };
}
