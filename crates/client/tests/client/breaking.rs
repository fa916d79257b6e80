//! A network that breaks in the middle of everything.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sockeye::Server;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{WAYS, channel, client, serve, until};

/// A way to a server on which each connection breaks after so many bytes from the server, as many
/// connections as there are numbers. Later ones hold.
async fn breaking(server: SocketAddr, after: Vec<usize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let next = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let limit = after.get(next.fetch_add(1, Ordering::Relaxed)).copied();
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(server).await else { return };
                carry(client, server, limit.unwrap_or(usize::MAX)).await;
            });
        }
    });
    address
}

async fn carry(client: TcpStream, server: TcpStream, mut limit: usize) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let up = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
    let down = async {
        let mut buffer = [0; 16];
        while limit > 0 {
            let most = limit.min(buffer.len());
            let count = from_server.read(&mut buffer[..most]).await?;
            if count == 0 {
                break;
            }
            to_client.write_all(&buffer[..count]).await?;
            limit = limit.saturating_sub(count);
        }
        Ok::<(), std::io::Error>(())
    };
    // Whichever ends first takes the other with it.
    tokio::select! {
        _ = up => (),
        _ = down => (),
    }
}

#[tokio::test]
async fn with_retries_everything_arrives_once_and_in_order_through_a_network_that_breaks() {
    for transports in WAYS {
        let (io, server) = serve(Server::builder()).await;
        let (tell, mut told) = channel();
        let seen = std::sync::Mutex::new(std::collections::HashSet::new());
        io.on("n", move |number: u32, ack: sockeye::Ack| {
            if seen.lock().unwrap().insert(number) {
                tell.send(number).unwrap();
            }
            ack.send(number);
        });
        // In the middle of a handshake, of an upgrade, of a head, of a frame.
        let after = (0..60).map(|index| index * 37 % 1500).collect();
        let address = breaking(server, after).await;
        let client = client(address)
            .transports(transports.iter().copied())
            .retries(u32::MAX)
            .reconnection_delay(Duration::from_millis(1))
            .reconnection_delay_max(Duration::from_millis(5))
            .ack_timeout(Duration::from_millis(500))
            .build()
            .unwrap();
        client.open();
        for number in 0..100 {
            client.emit("n", number);
        }
        for number in 0..100 {
            assert_eq!(told.next().await, number, "{transports:?}");
        }
        until("the last answer", || client.pending_acks() == 0).await;
        client.close().await;
    }
}

#[tokio::test]
async fn without_retries_nothing_comes_twice_or_out_of_order_through_a_network_that_breaks() {
    for transports in WAYS {
        let (io, server) = serve(Server::builder()).await;
        let (tell, mut told) = channel();
        io.on("n", move |number: u32| tell.send(number).unwrap());
        let after = (0..40).map(|index| 200 + index * 61 % 1500).collect();
        let address = breaking(server, after).await;
        let client = client(address)
            .transports(transports.iter().copied())
            .reconnection_delay(Duration::from_millis(1))
            .reconnection_delay_max(Duration::from_millis(5))
            .build()
            .unwrap();
        client.open();
        for number in 0..300 {
            client.emit("n", number);
            // So that events leave in many connections.
            tokio::time::sleep(Duration::from_micros(300)).await;
        }
        until("a connection", || client.connected()).await;
        let mut last = None;
        // The network holds from some time on, so the last one arrives, if it is emitted often.
        while last != Some(u32::MAX) {
            client.volatile().emit("n", u32::MAX);
            let number = told.next_within(Duration::from_millis(20)).await;
            let Some(number) = number else { continue };
            assert!(last.is_none_or(|last| last < number), "{number} after {last:?}");
            last = Some(number);
        }
        client.close().await;
    }
}
