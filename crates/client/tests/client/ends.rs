//! What is left when a client is gone: nothing.

use std::{sync::Arc, time::Duration};

use sockeye::Server;
use sockeye_client::{AckError, Client, ConnectErrorKind, DisconnectReason, EmitError, Socket};

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

#[tokio::test]
async fn a_socket_that_is_made_after_the_end_is_at_its_end() {
    let (_io, address) = serve(Server::builder()).await;
    let client = client(address).connect().await.unwrap();
    client.close().await;
    let late = client.socket("/late");
    let error = within("connect", late.connect()).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Left);
    assert_eq!(within("the stream's end", late.events::<u32>("n").next()).await, None);
    let held = Arc::new(());
    let captured = (held.clone(), late.clone());
    late.on("never", move || drop(captured.clone()));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[tokio::test]
async fn an_answer_is_waited_for_no_longer_than_asked_before_the_client_is_opened_as_well() {
    let client = Client::builder("http://127.0.0.1:1").build().unwrap();
    let answer = client.timeout(Duration::from_millis(10)).emit_with_ack::<()>("x", ());
    assert_eq!(within("answer", answer).await, Err(AckError::TimedOut));
    assert!(!client.active());
}

#[test]
fn with_its_runtime_a_client_ends() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let (client, _io) = first.block_on(async {
        let (io, address) = serve(Server::builder()).await;
        (client(address).connect().await.unwrap(), io)
    });
    let answer = client.emit_with_ack::<()>("unknown", ());
    let mut stream = client.events::<u32>("n");
    drop(first);
    runtime().block_on(async {
        assert_eq!(within("answer", answer).await, Err(AckError::Disconnected));
        assert_eq!(within("the stream's end", stream.next()).await, None);
        assert!(!client.connected());
        within("close", client.close()).await;
    });
}

#[tokio::test]
async fn an_observer_or_a_hook_that_panics_ends_nothing() {
    let (io, address) = serve(Server::builder()).await;
    io.on("give", |socket: sockeye::Socket| {
        socket.emit("take", "no number");
        socket.emit("take", 1);
    });
    let (tell, mut told) = channel();
    let client = client(address).on_error(|_| panic!("in the hook")).build().unwrap();
    client.on_manager_event(|_| panic!("in the observer"));
    client.on("take", move |number: u32| tell.send(number).unwrap());
    within("connect", client.connect()).await.unwrap();
    client.emit("give", ());
    assert_eq!(told.next().await, 1);
    within("close", client.close()).await;
}
