//! The server that is counted: a process of its own, with one thread.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use serde_json::Value;
use sockeye::{Raw, Server, Socket};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime, task,
};

use crate::{allocator, payload::Document};

/// Serves until the control connection is closed. `count`: whether the allocator counts.
pub(crate) fn main(count: bool) -> Result<(), Box<dyn Error>> {
    if count {
        allocator::start();
    }
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve())
}

/// Handlers as a user writes them, on the default configuration, but for heartbeats, which would
/// fall into one count and not into the next.
async fn serve() -> Result<(), Box<dyn Error>> {
    let io = Server::builder().ping_interval(Duration::from_secs(3600)).build()?;

    io.on("echo", |socket: Socket, d: Value| socket.emit("echo", d));
    io.on("echo-struct", |socket: Socket, d: Document| socket.emit("echo-struct", d));
    io.on("echo-raw", |socket: Socket, d: Raw| socket.emit("echo-raw", d));
    io.on("ack", |d: Value| d);
    io.on("bin", |socket: Socket, buffer: Bytes| socket.emit("bin", buffer));
    io.on("broadcast", |io: Server, d: Value| io.emit("message", d));
    io.on("join", |socket: Socket, room: String| socket.join(room));

    let listening = io.listen("127.0.0.1:0").await?;
    let control = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {}", listening.local_addr(), control.local_addr()?);
    let (control, _) = control.accept().await?;
    control_by(control).await?;
    // At once: to take everything down would be counted as well.
    std::process::exit(0)
}

/// Answers every byte with the allocator's numbers, and allocates nothing for it.
async fn control_by(mut control: TcpStream) -> Result<(), Box<dyn Error>> {
    let mut answer = vec![0; 8 * allocator::NUMBERS];
    while control.read(&mut [0]).await? > 0 {
        // The tasks that gave the last answers may not have ended yet.
        for _ in 0..100 {
            task::yield_now().await;
        }
        for (index, bytes) in answer.chunks_exact_mut(8).enumerate() {
            bytes.copy_from_slice(&allocator::number(index).to_le_bytes());
        }
        control.write_all(&answer).await?;
    }
    Ok(())
}
