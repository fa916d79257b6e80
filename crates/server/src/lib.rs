//! Socket.IO for Rust: a server that speaks to every Socket.IO client of version 3 and 4, in any
//! language, over long-polling and WebSocket.
//!
//! ```no_run
//! use serde::{Deserialize, Serialize};
//! use sockeye::{Ack, Cors, Server, Socket};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Point { x: f64, y: f64 }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let io = Server::builder().cors(Cors::origin("http://localhost:5173")).build()?;
//!
//! io.on_connection(|socket: Socket| {
//!     println!("connected: {}", socket.id());
//!
//!     socket.on("client-data", |socket: Socket, letter: String, number: i64, point: Point| {
//!         socket.emit("client-data-received", (letter, number, point));
//!     });
//!     socket.on("send-message", |socket: Socket, message: String, client_id: String| {
//!         socket.to(client_id).emit("received-message", message);
//!     });
//!     socket.on("join-room", |socket: Socket, room: String| socket.join(room));
//!     socket.on("question", |question: String| async move { format!("{question}? Yes.") });
//! });
//!
//! let listening = io.listen("127.0.0.1:8080").await?;
//! println!("listening on {}", listening.local_addr());
//! listening.wait().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Handlers
//!
//! A handler takes an event's arguments one after another, each by its type: anything that
//! implements `serde::Deserialize`, [`Bytes`](bytes::Bytes) for an attachment, [`Raw`] for one that
//! is passed on undecoded, [`Rest`] for all that are left. Between them it may ask for what is not
//! an argument: [`Socket`], [`Server`], [`Ack`], [`State`], [`Extension`]. It is a closure or a
//! function, async or plain. What it returns is the acknowledgement.
//!
//! The events of one socket are handled one at a time, in the order in which they were sent; a
//! handler that waits holds up the later events of its socket, and nothing else. The handlers of
//! the connection count as the first event: to do something for as long as a socket lives, spawn
//! a task. A handler must not block its thread: use `tokio::task::spawn_blocking` for that.
//!
//! # Mounting
//!
//! [`Server::listen`] needs no other crate. [`Server::layer`] and [`Server::service`] are for axum
//! and everything else that is made of tower services.

mod ack;
mod broadcast;
mod broadcast_ack;
mod builder;
mod connect_error;
mod connection;
mod emit;
mod error;
mod extensions;
mod extract;
mod inbox;
mod listener;
mod middleware;
mod namespace;
mod parent;
mod reason;
mod remote;
mod room;
mod seat;
mod server;
mod socket;

pub use self::{
    ack::{AckError, AckFuture},
    broadcast::Broadcast,
    broadcast_ack::{BroadcastAckError, BroadcastAckFuture},
    builder::{BuildError, ServerBuilder},
    connect_error::{ConnectError, IntoConnectError},
    emit::EmitError,
    error::{EventError, EventErrorKind},
    extensions::Extensions,
    extract::{Context, Extension, State},
    listener::ListenerId,
    middleware::{Middleware, Refused, Verdict},
    namespace::Namespace,
    parent::{ParentBroadcast, ParentNamespace},
    reason::DisconnectReason,
    remote::{RemoteAckFuture, RemoteSocket},
    room::IntoRooms,
    server::{Counts, Listening, Server},
    socket::{Socket, SocketEmitter, TooManyRooms},
};
/// The form of packets on the wire, and what it takes to give them another one.
pub mod parser {
    #[cfg(feature = "msgpack")]
    pub use sockeye_protocol::socket::MessagePack;
    pub use sockeye_protocol::{
        engine::Message,
        socket::{
            Ack, Decode, DecodeError, EncodedPacket, Event, Limits, Packet, Parser, Payload,
            UnfitPacket,
        },
    };
}

pub use sockeye_adapter as adapter;
pub use sockeye_engine::{
    Cors, EngineLayer, EngineService, Handshake, LayerService, Query, RemoteAddr, Revision, Served,
    Sid, Transport, Transports,
};
pub use sockeye_event::{
    Ack, ArgumentError, EncodeError, Event, EventName, FromArg, FromEvent, FromReply, Handler,
    HandlerError, IntoReply, Raw, Rest,
};
