//! Engine.IO over real I/O, the server's side: HTTP long-polling and WebSocket on hyper, and the
//! upgrade from one to the other.
//!
//! The rules live in [`sockeye_protocol`]; this crate moves bytes and keeps time. Applications use
//! it through the crate `sockeye`; who wants Engine.IO alone gives an [`Engine`] an
//! [`Application`] of their own:
//!
//! ```
//! use std::{sync::Arc, time::Instant};
//! use sockeye_engine::{Application, CloseReason, Config, Connection, Engine, Message, Outgoing, Session};
//!
//! /// Says everything back.
//! struct Echo;
//!
//! impl Application for Echo {
//!     fn open(&self, session: &Session) -> Box<dyn Connection> {
//!         Box::new(EchoConnection(session.clone()))
//!     }
//! }
//!
//! struct EchoConnection(Session);
//!
//! impl Connection for EchoConnection {
//!     fn handle_message(&mut self, _now: Instant, message: Message) {
//!         self.0.send([Outgoing::message(&message)]);
//!     }
//!
//!     fn handle_close(&mut self, _reason: CloseReason) {}
//! }
//!
//! let engine = Engine::new(Config::default().path("/engine.io/"), Arc::new(Echo));
//! let service = engine.service(); // a tower service; `engine.layer()` puts it before another one
//! ```

mod config;
mod cors;
mod handshake;
mod http;
mod listen;
mod polling;
mod service;
mod session;
mod stall;
mod timers;
mod websocket;

pub use self::{
    config::{Config, ConfigError},
    cors::Cors,
    handshake::{Handshake, RemoteAddr},
    http::Engine,
    listen::{Listening, Served},
    service::{EngineLayer, EngineService, LayerService},
    session::{Application, Connection, Session},
};
pub use sockeye_protocol::{
    Sid,
    engine::{CloseReason, Message, Outgoing, Query, Revision, Transport, Transports},
};
