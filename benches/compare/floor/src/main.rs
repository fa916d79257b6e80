//! What a complete server could at best approach: one thread, one buffer that everybody's input is
//! read into, one write for all answers to one read, a broadcast framed once, and no allocation per
//! message. It knows the messages of the contract of `benches/compare` by their first bytes, parses
//! no JSON, and trusts its clients: it must never be reachable by any but the load generator.
//!
//! It has no rooms and no upgrades, broadcasts to WebSockets only, and does not end sessions that
//! have stopped to answer its pings.

mod connection;
mod frame;
mod heartbeats;
mod http;
mod packet;
mod server;

use std::{env, error::Error, io::Write, net::SocketAddr, time::Duration};

use mio::net::TcpListener;

use self::server::Server;

fn main() -> Result<(), Box<dyn Error>> {
    let port = variable("PORT", 3000)?;
    let ping_interval = Duration::from_millis(variable("PING_INTERVAL_MS", 25_000)?);
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)))?;
    println!("listening on {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    Server::new(listener, ping_interval)?.run()?;
    Ok(())
}

fn variable<T: std::str::FromStr>(name: &str, default: T) -> Result<T, Box<dyn Error>> {
    match env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name}={text} is not a number").into()),
        Err(_) => Ok(default),
    }
}
