//! What the user interface sees of the connection.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sockeye_client::{BuildError, Client, ConnectError, DisconnectReason};
use tokio::sync::watch;

/// What the status line shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is being connected.
    Connecting,
    /// It is connected.
    Online,
    /// It is not, for this reason; it tries again by itself.
    Offline(String),
}

/// The connection. Dropping it closes it.
#[derive(Debug)]
pub struct Link {
    client: Client,
    status: watch::Receiver<Status>,
    /// Tells this run of the app from others.
    run: u64,
    orders: AtomicU64,
}

impl Link {
    /// Starts to connect, and returns at once.
    ///
    /// # Errors
    /// If the URL is none.
    pub fn open(url: &str) -> Result<Self, BuildError> {
        let client = Client::builder(url)
            .remember_upgrade(true)
            // Orders are sent again until the server has them.
            .retries(u32::MAX)
            .ack_timeout(Duration::from_secs(2))
            .build()?;
        let (sender, status) = watch::channel(Status::Connecting);
        let (offline, refused) = (sender.clone(), sender.clone());
        client.on_connect(move || {
            sender.send_replace(Status::Online);
        });
        client.on_disconnect(move |reason: DisconnectReason| {
            offline.send_replace(Status::Offline(reason.to_string()));
        });
        client.on_connect_error(move |error: ConnectError| {
            refused.send_replace(Status::Offline(error.to_string()));
        });
        client.open();
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let run = started.as_nanos() as u64;
        Ok(Self { client, status, run, orders: AtomicU64::new(0) })
    }

    /// Its status, to be watched.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Gives an order, connected or not. It arrives at least once, under one id.
    pub fn order(&self, item: &str) {
        let id = format!("{}-{}", self.run, self.orders.fetch_add(1, Ordering::Relaxed));
        self.client.emit("order", (id, item));
    }

    /// How many orders the server has not acknowledged.
    pub fn pending(&self) -> usize {
        self.client.pending_acks()
    }

    /// The app goes to the background.
    pub fn suspend(&self) {
        self.client.suspend();
    }

    /// The app is back.
    pub fn resume(&self) {
        self.client.resume();
    }

    /// Closes the connection, and waits until what was said has left.
    pub async fn close(&self) {
        self.client.close().await;
    }
}
