//! The client against Sockeye's server, over real sockets, and against servers that are none.

mod breaking;
mod connecting;
mod ends;
mod explaining;
mod limits;
mod moves;
#[cfg(feature = "msgpack")]
mod parsers;
mod proxies;
mod reconnecting;
mod streams;
#[cfg(feature = "tls")]
mod tls;

use std::{fmt::Debug, net::SocketAddr, time::Duration};

use sockeye::{Server, ServerBuilder};
use sockeye_client::{Client, ClientBuilder, Transport};
use tokio::sync::mpsc;

/// Every way to connect.
const WAYS: [&[Transport]; 3] =
    [&[Transport::Polling], &[Transport::WebSocket], &[Transport::Polling, Transport::WebSocket]];

/// Builds a server that listens on a port of its own.
async fn serve(builder: ServerBuilder) -> (Server, SocketAddr) {
    serve_at(builder, "127.0.0.1:0".parse().unwrap()).await
}

async fn serve_at(builder: ServerBuilder, address: SocketAddr) -> (Server, SocketAddr) {
    let io = builder.build().expect("the options fit each other");
    let listening = io.listen(address).await.expect("the port is free");
    (io, listening.local_addr())
}

/// A client that is quick to try again.
fn client(address: SocketAddr) -> ClientBuilder {
    Client::builder(format!("http://{address}"))
        .reconnection_delay(Duration::from_millis(20))
        .reconnection_delay_max(Duration::from_millis(100))
}

/// Waits for what must happen soon.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(value) => value,
        Err(_) => panic!("in vain: {what}"),
    }
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    within(what, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
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

    /// The same, if it comes soon enough.
    async fn next_within(&mut self, patience: Duration) -> Option<T> {
        tokio::time::timeout(patience, self.0.recv()).await.ok().flatten()
    }

    /// Nobody can tell any more.
    async fn end(&mut self) {
        let more = within("the end of what handlers tell", self.0.recv()).await;
        assert!(more.is_none(), "{more:?}");
    }
}
