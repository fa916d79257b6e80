//! The contract of `benches/compare` in Sockeye: handlers as a user writes them, on the default
//! configuration.

#[path = "../../order.rs"]
mod order;

use std::{env, error::Error, time::Duration};

use bytes::Bytes;
use serde_json::Value;
use sockeye::{Raw, Server, Socket};
use tokio::runtime;

use self::order::Order;

fn main() -> Result<(), Box<dyn Error>> {
    let mut runtime = match variable("RT", "ct").as_str() {
        "ct" => runtime::Builder::new_current_thread(),
        "mt" => runtime::Builder::new_multi_thread(),
        other => return Err(format!("RT is `ct` or `mt`, not `{other}`").into()),
    };
    runtime.enable_all().build()?.block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let interval = Duration::from_millis(variable("PING_INTERVAL_MS", "25000").parse()?);
    let io = Server::builder().ping_interval(interval).build()?;

    io.on("echo", |socket: Socket, d: Value| socket.emit("echo", d));
    io.on("echo-struct", |socket: Socket, d: Order| socket.emit("echo-struct", d));
    io.on("echo-raw", |socket: Socket, d: Raw| socket.emit("echo-raw", d));
    io.on("ack", |d: Value| d);
    io.on("bin", |socket: Socket, buffer: Bytes| socket.emit("bin", buffer));
    io.on("broadcast", |io: Server, d: Value| io.emit("message", d));
    io.on("join", |socket: Socket, room: String| socket.join(room));
    io.on("to-room", |io: Server, room: String, d: Value| io.to(room).emit("message", d));

    let address = format!("127.0.0.1:{}", variable("PORT", "3000"));
    let listening = io.listen(address).await?;
    println!("listening on {}", listening.local_addr());
    listening.wait().await;
    Ok(())
}

fn variable(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}
