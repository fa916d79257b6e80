//! What is left when a client is gone: nothing.

use std::sync::Arc;

use sockeye::Server;
use sockeye_client::{AckError, DisconnectReason, EmitError, Socket};

use crate::{WAYS, channel, client, serve, until, within};

#[tokio::test]
async fn dropping_the_client_closes_the_connection_and_frees_its_handlers() {
    for transports in WAYS {
        let (io, address) = serve(Server::builder()).await;
        let (tell, mut told) = channel();
        io.on_disconnect(move |reason: sockeye::DisconnectReason| tell.send(reason).unwrap());
        let client = client(address).transports(transports.iter().copied()).build().unwrap();
        let held = Arc::new(());
        let captured = (held.clone(), (*client).clone());
        client.on("never", move || drop(captured.clone()));
        client.connect().await.unwrap();
        let socket = client.socket("/");
        let second = client.clone();
        drop(client);
        assert!(socket.connected(), "a clone is left");
        drop(second);
        assert_eq!(told.next().await, sockeye::DisconnectReason::ClientNamespaceDisconnect);
        until("the release", || Arc::strong_count(&held) == 1).await;
        assert!(!socket.connected() && !socket.active());
        assert_eq!(socket.try_emit("x", ()), Err(EmitError::Closed));
    }
}

#[tokio::test]
async fn closing_says_what_was_emitted_before_and_waits_for_it() {
    for transports in WAYS {
        let (io, address) = serve(Server::builder()).await;
        let (tell, mut told) = channel();
        io.on("n", move |number: u32| tell.send(number).unwrap());
        let client =
            client(address).transports(transports.iter().copied()).connect().await.unwrap();
        for number in 0..100 {
            client.emit("n", number);
        }
        within("close", client.close()).await;
        for number in 0..100 {
            assert_eq!(told.next().await, number);
        }
        within("close again", client.close()).await;
    }
}

#[tokio::test]
async fn a_client_that_never_connected_closes_as_well() {
    let (_io, address) = serve(Server::builder()).await;
    let client = client(address).build().unwrap();
    let held = Arc::new(());
    let captured = (held.clone(), (*client).clone());
    client.on("never", move || drop(captured.clone()));
    let answer = client.emit_with_ack::<()>("waits", ());
    within("close", client.close()).await;
    assert_eq!(within("answer", answer).await, Err(AckError::Disconnected));
    assert_eq!(Arc::strong_count(&held), 1);

    let client = crate::client(address).build().unwrap();
    let captured = (held.clone(), (*client).clone());
    client.on("never", move || drop(captured.clone()));
    drop(client);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test]
async fn handlers_of_the_end_are_called_and_streams_end() {
    let (_io, address) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    let client = client(address).build().unwrap();
    client.on_disconnect(move |_: Socket, reason: DisconnectReason| tell.send(reason).unwrap());
    let mut stream = client.events::<u32>("n");
    client.connect().await.unwrap();
    let answer = client.emit_with_ack::<()>("unknown", ());
    client.close().await;
    assert_eq!(told.next().await, DisconnectReason::IoClientDisconnect);
    told.end().await;
    assert_eq!(within("the stream's end", stream.next()).await, None);
    assert_eq!(within("answer", answer).await, Err(AckError::Disconnected));
}
