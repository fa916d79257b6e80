//! A connection in the background of an app, as in a Tauri app or a device: the user interface gives
//! it orders and looks at its status, and never waits for the network.
//!
//! Orders survive lost connections and restarts of the server: each is sent again until the server
//! has acknowledged it, under an id of its own, by which the server drops those that it knows.

use std::{env, error::Error, time::Duration};

use client_examples::link::Link;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let url = env::args().nth(1).unwrap_or_else(|| "http://localhost:8080".to_owned());
    let link = Link::open(&url)?;

    let mut status = link.status();
    tokio::spawn(async move {
        while status.changed().await.is_ok() {
            println!("{:?}", *status.borrow_and_update());
        }
    });

    // What the user does meanwhile.
    for item in ["tea", "bread", "apples"] {
        link.order(item);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    // The app goes to the background, and comes back.
    link.suspend();
    link.order("salt");
    tokio::time::sleep(Duration::from_secs(1)).await;
    link.resume();
    tokio::signal::ctrl_c().await?;
    link.close().await;
    Ok(())
}
