//! The public API against a real listener, driven by a client that knows only bytes.

mod acks;
mod broadcast_acks;
mod catch_all;
mod client;
mod closing;
mod disconnecting;
mod disconnects;
mod dynamic;
mod event_middleware;
mod handlers;
mod lifetimes;
mod limits;
mod middleware;
mod moves;
mod order;
mod origins;
mod parser;
mod pressure;
mod remote;
mod rooms;
mod spy;

use std::{fmt::Debug, net::SocketAddr, time::Duration};

use sockeye::{DisconnectReason, Server, ServerBuilder, Socket};
use tokio::sync::mpsc;

use crate::client::within;

/// Builds a server that listens on a port of its own.
async fn serve(builder: ServerBuilder) -> (Server, SocketAddr) {
    let io = builder.build().expect("the options fit each other");
    let listening = io.listen("127.0.0.1:0").await.expect("a port is free");
    (io, listening.local_addr())
}

/// What handlers tell a test, in order.
struct Told<T>(mpsc::UnboundedReceiver<T>);

fn channel<T>() -> (mpsc::UnboundedSender<T>, Told<T>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (sender, Told(receiver))
}

impl<T: Debug> Told<T> {
    async fn next(&mut self) -> T {
        within("what a handler tells", self.0.recv()).await.expect("somebody can still tell")
    }

    /// What has been told and not been read.
    fn rest(&mut self) -> Vec<T> {
        std::iter::from_fn(|| self.0.try_recv().ok()).collect()
    }
}

/// A server builder whose error hook tells the event and what went wrong with it.
fn with_hook() -> (ServerBuilder, Told<(String, String)>) {
    let (tell, errors) = channel();
    let builder = Server::builder().on_error(move |error| {
        let _ = tell.send((error.event().to_owned(), error.kind().to_string()));
    });
    (builder, errors)
}

/// Why sockets of `/` leave.
fn reasons(io: &Server) -> Told<DisconnectReason> {
    let (tell, told) = channel();
    io.on_disconnect(move |reason: DisconnectReason| {
        let _ = tell.send(reason);
    });
    told
}

/// The sockets that join `/`.
fn sockets(io: &Server) -> Told<Socket> {
    let (tell, told) = channel();
    io.on_connection(move |socket: Socket| {
        let _ = tell.send(socket);
    });
    told
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
