//! What is too much.

use bytes::Bytes;
use sockeye::Server;
use sockeye_client::{DisconnectReason, EmitError, Transport};

use crate::{channel, client, serve, within};

#[tokio::test]
async fn a_payload_over_the_servers_limit_breaks_the_connection_and_it_is_made_again() {
    let (io, address) = serve(Server::builder().max_payload(1000)).await;
    io.on("size", |text: String| text.len());
    let expected = [
        (Transport::Polling, DisconnectReason::TransportError),
        (Transport::WebSocket, DisconnectReason::TransportError),
    ];
    for (transport, expected) in expected {
        let (tell, mut told) = channel();
        let client = client(address).transports([transport]).build().unwrap();
        client.on_disconnect(move |reason: DisconnectReason| tell.send(reason).unwrap());
        client.connect().await.unwrap();
        client.emit("size", "x".repeat(10_000));
        assert_eq!(told.next().await, expected, "{transport}");
        let size: usize = within("answer", client.emit_with_ack("size", "x")).await.unwrap();
        assert_eq!(size, 1);
        client.close().await;
    }
}

#[tokio::test]
async fn what_fits_together_leaves_together_and_the_rest_in_other_bodies() {
    let (io, address) = serve(Server::builder().max_payload(1000)).await;
    let (tell, mut told) = channel();
    io.on("n", move |number: u32, _: String| tell.send(number).unwrap());
    let client = client(address).transports([Transport::Polling]).build().unwrap();
    for number in 0..50 {
        client.emit("n", (number, "x".repeat(300)));
    }
    client.connect().await.unwrap();
    for number in 0..50 {
        assert_eq!(told.next().await, number);
    }
    client.close().await;
}

#[tokio::test]
async fn a_message_over_the_clients_limit_breaks_the_connection() {
    let (io, address) = serve(Server::builder()).await;
    io.on("give", |socket: sockeye::Socket| socket.emit("take", "x".repeat(10_000)));
    for transport in [Transport::Polling, Transport::WebSocket] {
        let (tell, mut told) = channel();
        let client =
            client(address).transports([transport]).max_message_bytes(1000).build().unwrap();
        client.on_disconnect(move |reason: DisconnectReason| tell.send(reason).unwrap());
        client.connect().await.unwrap();
        client.emit("give", ());
        assert_eq!(told.next().await, DisconnectReason::TransportError);
        client.close().await;
    }
}

#[tokio::test]
async fn a_handler_that_is_too_slow_breaks_the_connection() {
    let (io, address) = serve(Server::builder()).await;
    io.on("give", |socket: sockeye::Socket| {
        (0..10).for_each(|_| socket.emit("take", "x".repeat(500)));
    });
    let (tell, mut told) = channel();
    let client = client(address).max_backlog_bytes(2000).build().unwrap();
    client.on("take", |_: String| std::future::pending::<()>());
    client.on_disconnect(move |reason: DisconnectReason| tell.send(reason).unwrap());
    client.connect().await.unwrap();
    client.emit("give", ());
    assert_eq!(told.next().await, DisconnectReason::EventBacklog);
    client.close().await;
}

#[tokio::test]
async fn what_waits_is_bounded() {
    let (_io, address) = serve(Server::builder()).await;
    let client = client(address).max_waiting_bytes(1000).build().unwrap();
    client.emit("x", "y".repeat(900));
    let full = EmitError::BufferFull(1000);
    assert_eq!(client.try_emit("x", "y".repeat(900)), Err(full.clone()));
    let answer = client.emit_with_ack::<()>("x", "y".repeat(900)).await;
    assert_eq!(answer, Err(sockeye_client::AckError::Emit(full)));
    client.close().await;
}

#[tokio::test]
async fn large_attachments_go_both_ways() {
    let (io, address) =
        serve(Server::builder().max_payload(8_000_000).max_waiting_bytes(16_000_000)).await;
    io.on("echo", |bytes: sockeye::Raw| bytes);
    for transport in [Transport::Polling, Transport::WebSocket] {
        let client = client(address).transports([transport]).connect().await.unwrap();
        let bytes: Bytes = (0..3_000_000_u32).map(|index| index as u8).collect();
        let answer =
            client.timeout(std::time::Duration::MAX).emit_with_ack::<Bytes>("echo", &bytes);
        assert_eq!(within("answer", answer).await.unwrap(), bytes);
        client.close().await;
    }
}
