//! In which order things happen, and what waits for what.

use std::sync::Arc;

use sockeye::{DisconnectReason, Server, Socket};
use tokio::sync::{Notify, oneshot};

use crate::{
    channel,
    client::{Client, Polling},
    serve,
};

/// A handler for `slow` that waits until the test lets it go on.
fn gate(io: &Server) -> Arc<Notify> {
    let gate = Arc::new(Notify::new());
    let opened = gate.clone();
    io.on("slow", move |socket: Socket| {
        let opened = opened.clone();
        async move {
            opened.notified().await;
            socket.emit("slow is done", ());
        }
    });
    io.on("quick", |socket: Socket| socket.emit("quick is done", ()));
    gate
}

#[tokio::test]
async fn a_pending_handler_holds_up_later_events_of_its_own_socket_only() {
    let (io, addr) = serve(Server::builder()).await;
    let gate = gate(&io);
    let [mut a, mut b] = [Client::connect(addr).await, Client::connect(addr).await];
    a.send(r#"42["slow"]"#).await;
    a.send(r#"42["quick"]"#).await;
    a.send(r#"42["slow"]"#).await;
    b.send(r#"42["quick"]"#).await;
    b.expect(r#"42["quick is done"]"#).await;
    io.emit("nothing before this", ());
    a.expect(r#"42["nothing before this"]"#).await;
    gate.notify_one();
    a.expect(r#"42["slow is done"]"#).await;
    a.expect(r#"42["quick is done"]"#).await;
    gate.notify_one();
    a.expect(r#"42["slow is done"]"#).await;
}

#[tokio::test]
async fn another_namespace_of_the_same_connection_goes_on() {
    let (io, addr) = serve(Server::builder()).await;
    let gate = gate(&io);
    io.of("/other").on("quick", || "done");
    let mut client = Client::connect(addr).await;
    client.join("/other", "").await;
    client.send(r#"42["slow"]"#).await;
    client.send(r#"42/other,0["quick"]"#).await;
    client.expect(r#"43/other,0["done"]"#).await;
    gate.notify_one();
    client.expect(r#"42["slow is done"]"#).await;
}

#[tokio::test]
async fn all_handlers_of_an_event_start_before_one_is_waited_for() {
    let (io, addr) = serve(Server::builder()).await;
    let gate = gate(&io);
    io.on("slow", |socket: Socket| socket.emit("the second has started", ()));
    let mut client = Client::connect(addr).await;
    client.send(r#"42["slow"]"#).await;
    client.expect(r#"42["the second has started"]"#).await;
    gate.notify_one();
    client.expect(r#"42["slow is done"]"#).await;
}

#[tokio::test]
async fn a_handler_that_waits_for_an_acknowledgement_gets_it() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("ask", |socket: Socket| async move {
        let answer: u8 =
            socket.timeout(std::time::Duration::MAX).emit_with_ack("question", ()).await.unwrap();
        socket.emit("answer", answer);
    });
    io.on("after", |socket: Socket| socket.emit("after", ()));
    let mut client = Client::connect(addr).await;
    client.send(r#"42["ask"]"#).await;
    client.send(r#"42["after"]"#).await;
    client.expect(r#"420["question"]"#).await;
    client.send("430[7]").await;
    client.expect(r#"42["answer",7]"#).await;
    client.expect(r#"42["after"]"#).await;
}

#[tokio::test]
async fn heartbeats_go_on_while_a_handler_is_pending() {
    let (io, addr) = serve(Server::builder().ping_interval(crate::millis(20))).await;
    let gate = gate(&io);
    let mut client = Client::connect(addr).await;
    client.send(r#"42["slow"]"#).await;
    for _ in 0..3 {
        client.expect("2").await;
        client.send("3").await;
    }
    gate.notify_one();
    client.expect(r#"42["slow is done"]"#).await;
}

#[tokio::test]
async fn the_connection_handlers_finish_before_the_first_event() {
    let (io, addr) = serve(Server::builder()).await;
    let opened = Arc::new(Notify::new());
    let gate = opened.clone();
    io.on_connection(move |socket: Socket| {
        let opened = opened.clone();
        async move {
            opened.notified().await;
            socket.on("e", || "heard");
        }
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"420["e"]"#).await;
    io.emit("nothing before this", ());
    client.expect(r#"42["nothing before this"]"#).await;
    gate.notify_one();
    client.expect(r#"430["heard"]"#).await;
}

#[tokio::test]
async fn events_before_a_disconnect_are_still_handled_in_order() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    let (open, opened) = oneshot::channel::<()>();
    let opened = std::sync::Mutex::new(Some(opened));
    let teller = tell.clone();
    io.on("slow", move || {
        let opened = opened.lock().unwrap().take();
        let tell = teller.clone();
        async move {
            opened.unwrap().await.unwrap();
            let _ = tell.send("slow".to_owned());
        }
    });
    let teller = tell.clone();
    io.on("e", move |socket: Socket, n: u8| {
        assert!(!socket.connected());
        let _ = teller.send(format!("event {n}"));
    });
    io.on_disconnect(move || {
        let _ = tell.send("disconnect".to_owned());
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"42["slow"]"#).await;
    client.send(r#"42["e",1]"#).await;
    client.send(r#"42["e",2]"#).await;
    client.send("41").await;
    assert_eq!(told.next().await, "disconnect", "it starts at once");
    open.send(()).unwrap();
    assert_eq!(told.next().await, "slow");
    assert_eq!(told.next().await, "event 1");
    assert_eq!(told.next().await, "event 2");
}

#[tokio::test]
async fn what_is_emitted_before_a_disconnect_arrives_before_it() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("leave", |socket: Socket| {
        socket.emit("goodbye", ());
        socket.disconnect();
        socket.emit("too late", ());
    });
    io.on("leave all", |socket: Socket| {
        socket.emit("goodbye", ());
        socket.disconnect_all();
    });
    io.on("cut", |socket: Socket| {
        socket.emit("goodbye", ());
        socket.close_connection();
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"42["leave"]"#).await;
    client.expect(r#"42["goodbye"]"#).await;
    client.expect("41").await;
    client.join("/", "").await;
    client.send(r#"42["leave all"]"#).await;
    client.expect(r#"42["goodbye"]"#).await;
    client.expect("41").await;
    client.expect_close(None).await;
    let mut client = Client::connect(addr).await;
    client.send(r#"42["cut"]"#).await;
    client.expect(r#"42["goodbye"]"#).await;
    client.expect_close(None).await;
}

#[tokio::test]
async fn a_polling_client_gets_what_was_emitted_before_it_is_disconnected() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("leave", |socket: Socket| {
        socket.emit("goodbye", ());
        socket.disconnect_all();
    });
    let client = Polling::connect(addr).await;
    client.post(r#"42["leave"]"#).await;
    assert_eq!(client.poll().await, "42[\"goodbye\"]\u{1e}41");
    assert_eq!(client.poll().await, "6\u{1e}1");
}

#[tokio::test]
async fn events_keep_their_order_across_the_upgrade() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    io.on("e", move |socket: Socket, n: u8| {
        socket.emit("e", n);
        let _ = tell.send(n);
    });
    let session = Polling::connect(addr).await;
    session.post("42[\"e\",1]\u{1e}42[\"e\",2]").await;
    let mut client = session.probe().await;
    session.post("42[\"e\",3]").await;
    client.send("5").await;
    client.send(r#"42["e",4]"#).await;
    for n in 1..=4 {
        assert_eq!(told.next().await, n);
        client.expect(&format!(r#"42["e",{n}]"#)).await;
    }
}

#[tokio::test]
async fn a_pending_handler_outlives_the_request_that_brought_its_event() {
    let (io, addr) = serve(Server::builder()).await;
    let gate = gate(&io);
    let client = Polling::connect(addr).await;
    assert_eq!(client.post("42[\"slow\"]\u{1e}42[\"quick\"]").await.body, "ok");
    gate.notify_one();
    let mut received = client.poll().await;
    if !received.contains("quick") {
        received = format!("{received}\u{1e}{}", client.poll().await);
    }
    assert_eq!(received, "42[\"slow is done\"]\u{1e}42[\"quick is done\"]");
}

#[tokio::test]
async fn a_running_handler_is_finished_when_its_socket_has_gone() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    let left = Arc::new(Notify::new());
    let gone = left.clone();
    io.on("slow", move |socket: Socket| {
        let (left, tell) = (left.clone(), tell.clone());
        async move {
            left.notified().await;
            let _ = tell.send(socket.connected());
        }
    });
    io.on_disconnect(move |reason: DisconnectReason| {
        assert_eq!(reason, DisconnectReason::TransportClose);
        gone.notify_one();
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"42["slow"]"#).await;
    client.close().await;
    assert!(!told.next().await);
}
