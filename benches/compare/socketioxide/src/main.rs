//! The contract of `benches/compare` in socketioxide, on hyper without a framework between, which is
//! the leanest of the forms that its documentation shows.

#[path = "../../order.rs"]
mod order;

use std::{env, error::Error, time::Duration};

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef},
};
use tokio::{net::TcpListener, runtime};

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
    let (service, io) = SocketIo::builder().ping_interval(interval).build_svc();

    io.ns("/", async |socket: SocketRef| {
        socket.on("echo", async |socket: SocketRef, Data::<Value>(d)| {
            socket.emit("echo", &d).ok();
        });
        socket.on("echo-struct", async |socket: SocketRef, Data::<Order>(d)| {
            socket.emit("echo-struct", &d).ok();
        });
        socket.on("ack", async |Data::<Value>(d), ack: AckSender| {
            ack.send(&d).ok();
        });
        socket.on("bin", async |socket: SocketRef, Data::<Bytes>(buffer)| {
            socket.emit("bin", &buffer).ok();
        });
        socket.on("broadcast", async |io: SocketIo, Data::<Value>(d)| {
            io.emit("message", &d).await.ok();
        });
        socket.on("join", async |socket: SocketRef, Data::<String>(room)| socket.join(room));
        socket.on("to-room", async |io: SocketIo, Data::<(String, Value)>((room, d))| {
            io.to(room).emit("message", &d).await.ok();
        });
    });

    let listener = TcpListener::bind(format!("127.0.0.1:{}", variable("PORT", "3000"))).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        // Its documentation leaves this out; without it, the kernel holds small packets back.
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            connection.with_upgrades().await.ok();
        });
    }
}

fn variable(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}
