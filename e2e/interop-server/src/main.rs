//! A server for tests in other languages: it is configured by environment variables and serves one
//! profile, a fixed set of namespaces and events. `e2e/README.md` lists both.
//!
//! It prints `listening <port>` and nothing else to stdout. A variable that asks for what this
//! server cannot do is an error, never ignored.

mod api;
mod config;
mod engine;
mod http;
mod profiles;
mod websocket;

use std::{error::Error, sync::Arc};

use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let config = Config::from_env()?;
    let address = (config.host.as_str(), config.port);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
    };
    match config.profile.as_str() {
        "ws-echo" => {
            let listener = tokio::net::TcpListener::bind(address).await?;
            println!("listening {}", listener.local_addr()?.port());
            tokio::select! {
                () = websocket::serve(listener) => (),
                () = stop => (),
            }
        }
        "engine-echo" | "engine-chatter" => {
            let application = engine::application(&config.profile);
            let engine = sockeye_engine::Engine::new(config.engine()?, application);
            let counted = engine.clone();
            let counts = move || {
                format!(r#"{{"sessions":{},"sockets":0,"rooms":0}}"#, counted.sessions_count())
            };
            let service = http::Fallback::new(Arc::new(counts));
            let listening = engine.listen_with(address, service).await?;
            println!("listening {}", listening.local_addr().port());
            stop.await;
            let _ = tokio::time::timeout(http::GRACE, engine.close()).await;
        }
        profile => {
            let io = config.server()?;
            profiles::register(&io, profile, &config)?;
            let counted = io.clone();
            let counts = move || {
                let counts = counted.counts();
                let (sessions, sockets, rooms) = (counts.sessions, counts.sockets, counts.rooms);
                format!(r#"{{"sessions":{sessions},"sockets":{sockets},"rooms":{rooms}}}"#)
            };
            let service = http::Fallback::new(Arc::new(counts));
            let listening = io.listen_with(address, service).await?;
            println!("listening {}", listening.local_addr().port());
            stop.await;
            let _ = tokio::time::timeout(http::GRACE, io.close()).await;
        }
    }
    Ok(())
}
