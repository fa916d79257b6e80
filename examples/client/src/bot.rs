//! A bot for the chat example: it greets the room, answers `!ping` and `!echo …`, and stays through
//! restarts of the server.
//!
//! `cargo run -p chat` in one terminal, `cargo run -p client-examples --bin bot` in another.

use std::{env, error::Error};

use sockeye_client::{Client, ConnectError, DisconnectReason, Socket};

/// What the bot says to a message, if anything.
fn answer(message: &str) -> Option<String> {
    // Its own answers come back as well: none of them is a command.
    match message.split_once(' ').unwrap_or((message, "")) {
        ("!ping", _) => Some("pong".to_owned()),
        ("!echo", text) => Some(text.trim_start_matches('!').to_owned()),
        _ => None,
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let url = env::args().nth(1).unwrap_or_else(|| "http://localhost:8080".to_owned());

    // Handlers that are there before it connects see everything.
    let client = Client::builder(url).build()?;
    client.on_connect(|socket: Socket| {
        println!("connected as {}", socket.id().unwrap_or_default());
        socket.emit("message", "Hello, I am a bot. Try !ping.");
    });
    client.on_connect_error(|error: ConnectError| println!("not connected: {error}"));
    client.on_disconnect(|reason: DisconnectReason| println!("disconnected: {reason}"));
    client.on("message", |socket: Socket, message: String| {
        if let Some(answer) = answer(&message) {
            socket.emit("message", answer);
        }
    });

    client.connect().await?;
    let receipt: String = client.emit_with_ack("message", "Here I am.").await?;
    println!("the server says: {receipt}");
    tokio::signal::ctrl_c().await?;
    client.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_answered_and_answers_are_no_commands() {
        assert_eq!(answer("!ping").as_deref(), Some("pong"));
        assert_eq!(answer("!echo !echo hi").as_deref(), Some("echo hi"));
        assert_eq!(answer("hello"), None);
    }
}
