//! The eight moves of Socket.IO in one small server. The page beside it, in `page/`, makes them.
//!
//! `cargo xtask demo` starts both.

use std::{env, error::Error};

use serde_json::Value;
use sockeye::{Ack, Cors, Raw, Rest, Server, Socket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let port = env::var("PORT").unwrap_or_else(|_| "8080".to_owned()).parse::<u16>()?;
    let origin = env::var("ORIGIN").unwrap_or_else(|_| "http://localhost:5173".to_owned());

    // 1. Start, and let the front end in, which comes from another origin.
    let io = Server::builder().cors(Cors::origin(origin)).build()?;

    // 2. A client connects and has an id.
    io.on_connection(|socket: Socket| println!("connected: {}", socket.id()));
    io.on_disconnect(|socket: Socket, reason: String| {
        println!("disconnected: {} ({reason})", socket.id());
    });

    // 3. To everyone, the sender included. Whoever asks for an acknowledgement gets one.
    io.on("message", |io: Server, args: Rest<Raw>, ack: Ack| {
        io.emit("message", args);
        ack.send("message received");
    });

    // 4. Several arguments, each with its type, in and out.
    io.on("client-data", |socket: Socket, letter: String, number: f64, object: Value| {
        println!("{letter} {number} {object}");
        socket.emit("client-data-received", (letter, number, object));
    });

    // 5. To everyone but the sender.
    io.on("broadcast-message", |socket: Socket, args: Rest<Raw>| {
        socket.broadcast().emit("message", args);
    });

    // 6. To one other client, by its id; 8. or with an acknowledgement instead.
    io.on("send-message", |socket: Socket, message: Raw, client_id: Option<String>, ack: Ack| {
        if let Some(client_id) = client_id {
            socket.to(client_id).emit("received-message", message);
        }
        ack.send("message received");
    });

    // 7. Join a room, and speak to it: without the sender, or with.
    io.on("join-room", |socket: Socket, room: String| socket.join(room));
    io.on("send-message-to-room", |socket: Socket, room: String, message: Raw| {
        socket.to(room).emit("received-message", message);
    });
    io.on("send-message-in-room", |socket: Socket, room: String, message: Raw| {
        socket.within(room).emit("received-message", message);
    });
    io.on("send-message-to-ourgroup", |socket: Socket, message: Raw| {
        socket.to("ourgroup").emit("received-message", message);
    });

    let listening = io.listen(("127.0.0.1", port)).await?;
    println!("listening on http://localhost:{}", listening.local_addr().port());
    tokio::signal::ctrl_c().await?;
    listening.shutdown().await;
    Ok(())
}
