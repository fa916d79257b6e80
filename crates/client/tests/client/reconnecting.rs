//! Connections that are lost, and what becomes of what was emitted.

use std::{collections::HashSet, sync::Mutex, time::Duration};

use sockeye::{Server, State};
use sockeye_client::{AckError, ConnectError, DisconnectReason, Error, Socket, Transport};

use crate::{WAYS, channel, client, serve, serve_at, until, within};

#[tokio::test]
async fn events_wait_for_a_server_that_restarts() {
    for transports in WAYS {
        let (io, address) = serve(Server::builder()).await;
        let (tell, mut told) = channel();
        let client = client(address).transports(transports.iter().copied()).build().unwrap();
        client.on_disconnect(move |reason: DisconnectReason| tell.send(reason).unwrap());
        within("connect", client.connect()).await.unwrap();
        until("the upgrade", || client.transport() == transports.last().copied()).await;
        let first = client.id();
        within("close", io.close()).await;
        // The latter between two polls: the next one finds nobody.
        use DisconnectReason::{TransportClose, TransportError};
        let reason = told.next().await;
        assert!(matches!(reason, TransportClose | TransportError), "{transports:?}: {reason}");
        assert!(client.active() && !client.connected());
        for number in 0..10 {
            client.emit("n", number);
        }
        let answer = client.timeout(Duration::from_secs(20)).emit_with_ack::<u32>("ask", 7);

        let (numbers, mut heard) = channel();
        let builder = Server::builder().build().unwrap();
        builder.on("n", move |number: u32| numbers.send(number).unwrap());
        builder.on("ask", |number: u32| number + 1);
        let _listening = builder.listen(address).await.unwrap();
        for number in 0..10 {
            assert_eq!(heard.next().await, number);
        }
        assert_eq!(within("answer", answer).await, Ok(8));
        assert_ne!(client.id(), first);
        client.close().await;
    }
}

/// Drops events whose id it has seen, as a server of retrying clients does.
#[derive(Default)]
struct Seen(Mutex<HashSet<u32>>);

#[tokio::test]
async fn with_retries_each_event_takes_effect_once_over_restarts() {
    let (io, address) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    // This one never answers, so that every event is sent again to the next.
    io.on("order", |_id: u32, ack: sockeye::Ack| std::mem::forget(ack));
    let client = client(address)
        .retries(100)
        .ack_timeout(Duration::from_millis(200))
        .connect()
        .await
        .unwrap();
    for id in 0..20 {
        client.emit("order", id);
    }
    within("close", io.close()).await;
    let (io, _) = serve_at(Server::builder().state(Seen::default()), address).await;
    io.on("order", move |State(seen): State<Seen>, id: u32, ack: sockeye::Ack| {
        let is_new = seen.0.lock().unwrap().insert(id);
        if is_new {
            tell.send(id).unwrap();
        }
        // Half of the first answers are lost, so that those events come twice.
        if !is_new || id % 2 == 0 {
            ack.send(());
        }
    });
    for id in 0..20 {
        assert_eq!(told.next().await, id);
    }
    until("the last answer", || client.pending_acks() == 0).await;
    assert_eq!(client.waiting_bytes(), 0);
    client.close().await;
}

#[tokio::test]
async fn attempts_can_run_out() {
    let (io, address) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    let client = client(address).reconnection_attempts(2).build().unwrap();
    client.on_manager_event({
        let tell = tell.clone();
        move |event| drop(tell.send(format!("{event:?}").split('(').next().unwrap().to_owned()))
    });
    client.on_connect_error(move |error: ConnectError| {
        tell.send(format!("connect error, will retry: {}", error.will_retry())).unwrap();
    });
    within("connect", client.connect()).await.unwrap();
    io.close().await;
    let mut news = Vec::new();
    while news.last().is_none_or(|last: &String| last != "ReconnectFailed") {
        news.push(told.next().await);
    }
    assert_eq!(news.iter().filter(|line| *line == "ReconnectAttempt").count(), 2, "{news:?}");
    assert!(!client.active());
    client.close().await;
    let Err(Error::Connect(error)) =
        within("connect", crate::client(address).reconnection_attempts(1).connect()).await
    else {
        panic!("nobody listens there")
    };
    assert!(!error.will_retry());
}

#[tokio::test]
async fn either_end_can_disconnect_and_only_a_lost_connection_is_made_again() {
    let (io, address) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    io.on("kick", |socket: sockeye::Socket| socket.disconnect());
    io.on("drop", |socket: sockeye::Socket| socket.close_connection());
    io.on_disconnect({
        let tell = tell.clone();
        move |reason: sockeye::DisconnectReason| tell.send(format!("server: {reason}")).unwrap()
    });
    let client = client(address).build().unwrap();
    client.on_disconnect(move |socket: Socket, reason: DisconnectReason| {
        tell.send(format!("client: {reason}, active: {}", socket.active())).unwrap();
    });
    let mut both = async || {
        let mut news = [told.next().await, told.next().await];
        news.sort_unstable();
        news
    };
    client.connect().await.unwrap();
    client.emit("kick", ());
    let expected =
        ["client: io server disconnect, active: false", "server: server namespace disconnect"];
    assert_eq!(both().await, expected);

    client.connect().await.unwrap();
    client.disconnect();
    let expected =
        ["client: io client disconnect, active: false", "server: client namespace disconnect"];
    assert_eq!(both().await, expected);

    client.connect().await.unwrap();
    client.emit("drop", ());
    assert_eq!(both().await[0], "client: transport close, active: true");
    within("connect", client.connect()).await.unwrap();
    client.break_connection();
    assert_eq!(both().await[0], "client: forced close, active: true");
    within("connect", client.connect()).await.unwrap();
    client.close().await;
}

#[tokio::test]
async fn an_acknowledgement_fails_at_once_when_the_connection_is_lost() {
    let (io, address) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    io.on("never", move |ack: sockeye::Ack| {
        std::mem::forget(ack);
        tell.send(()).unwrap();
    });
    let client = client(address).ack_timeout(None).connect().await.unwrap();
    let answer = client.emit_with_ack::<()>("never", ());
    told.next().await;
    client.break_connection();
    assert_eq!(within("answer", answer).await, Err(AckError::Disconnected));
    let answer = client.timeout(Duration::from_millis(50)).emit_with_ack::<()>("never", ());
    assert_eq!(within("answer", answer).await, Err(AckError::TimedOut));
    assert_eq!(client.pending_acks(), 0);
    drop(client.emit_with_ack::<()>("never", ()));
    assert_eq!(client.pending_acks(), 0, "dropping the future frees the entry");
    client.close().await;
}

#[tokio::test]
async fn a_suspended_client_comes_back_when_it_is_resumed() {
    let (io, address) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    io.on("n", move |number: u32| tell.send(number).unwrap());
    let client = client(address).connect().await.unwrap();
    client.suspend();
    until("the end of the session", || io.counts().sessions == 0).await;
    assert!(client.active() && !client.connected());
    client.emit("n", 1);
    client.resume();
    assert_eq!(told.next().await, 1);
    client.close().await;
}

#[tokio::test]
async fn policies_say_what_becomes_of_events_without_a_connection() {
    let (io, address) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    io.on("n", move |number: u32| tell.send(number).unwrap());
    let client = client(address).transports([Transport::WebSocket]).build().unwrap();
    client.volatile().emit("n", 1);
    assert_eq!(
        client.only_connected().try_emit("n", 2),
        Err(sockeye_client::EmitError::Disconnected)
    );
    client.expires_after(Duration::ZERO).emit("n", 3);
    let expired = client.expires_after(Duration::ZERO).emit_with_ack::<()>("n", 4);
    client.emit("n", 5);
    client.connect().await.unwrap();
    client.volatile().emit("n", 6);
    client.only_connected().emit("n", 7);
    assert_eq!(told.next().await, 5);
    assert_eq!(told.next().await, 6);
    assert_eq!(told.next().await, 7);
    assert_eq!(within("answer", expired).await, Err(AckError::Expired));
    client.close().await;
}
