//! How to test a server of one's own: start it on a port that the system picks, and speak to it as
//! its clients do.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use client_examples::link::{Link, Status};
use sockeye::{ConnectError, Server, State};
use sockeye_client::{Client, Error};

/// What is ordered, in order. It outlives the server, as a database would.
#[derive(Clone, Default)]
struct Shop {
    seen: Arc<Mutex<HashSet<String>>>,
    orders: Arc<Mutex<Vec<String>>>,
}

/// The server under test.
async fn serve(shop: Shop, address: SocketAddr) -> (Server, SocketAddr) {
    let io = Server::builder().state(shop).build().unwrap();
    io.middleware(|socket: sockeye::Socket| match socket.handshake().query().get("banned") {
        Some(_) => Err(ConnectError::new("banned")),
        None => Ok(()),
    });
    io.on("order", |State(shop): State<Shop>, id: String, item: String, ack: sockeye::Ack| {
        if shop.seen.lock().unwrap().insert(id) {
            shop.orders.lock().unwrap().push(item);
        }
        ack.send(());
    });
    io.on("stock", |item: String| item.len());
    let listening = io.listen(address).await.unwrap();
    (io, listening.local_addr())
}

fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

#[tokio::test]
async fn a_customer_is_told_what_is_in_stock() {
    let (_io, address) = serve(Shop::default(), any_port()).await;
    let client = Client::builder(format!("http://{address}")).connect().await.unwrap();
    let stock: usize = client.emit_with_ack("stock", "tea").await.unwrap();
    assert_eq!(stock, 3);
}

#[tokio::test]
async fn who_is_banned_is_told_so() {
    let (_io, address) = serve(Shop::default(), any_port()).await;
    let client = Client::builder(format!("http://{address}?banned=1"));
    let Err(Error::Connect(error)) = client.connect().await else { panic!("it got in") };
    assert_eq!(error.to_string(), "banned");
}

#[tokio::test]
async fn every_order_takes_effect_once_through_a_restart() {
    let shop = Shop::default();
    let (io, address) = serve(shop.clone(), any_port()).await;
    let link = Link::open(&format!("http://{address}")).unwrap();
    let mut status = link.status();
    status.wait_for(|status| *status == Status::Online).await.unwrap();
    link.order("tea");
    io.close().await;
    status.wait_for(|status| matches!(status, Status::Offline(_))).await.unwrap();
    link.order("bread");
    link.suspend();
    link.order("salt");
    let (_io, _) = serve(shop.clone(), address).await;
    link.resume();
    while link.pending() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(*shop.orders.lock().unwrap(), ["tea", "bread", "salt"]);
    link.close().await;
}
