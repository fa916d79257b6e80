//! Why sockets leave: one test for each reason.

use std::sync::Arc;

use sockeye::{DisconnectReason, Server, Socket, Transport};
use sockeye_websocket::Opcode;
use tokio::sync::Notify;

use crate::{
    channel,
    client::{Client, Frame, Polling, eventually, within},
    millis, reasons, serve, sockets,
};

#[tokio::test]
async fn client_namespace_disconnect_when_the_client_leaves() {
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = reasons(&io);
    let mut client = Client::connect(addr).await;
    client.send("41").await;
    assert_eq!(reasons.next().await, DisconnectReason::ClientNamespaceDisconnect);
    let id = client.join("/", "").await;
    assert_ne!(id, client.id, "it may come again, as another socket");
}

#[tokio::test]
async fn server_namespace_disconnect_when_the_server_sends_a_client_out() {
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = reasons(&io);
    let mut sockets = sockets(&io);
    io.of("/other").on("e", || "still there");
    let mut client = Client::connect(addr).await;
    client.join("/other", "").await;
    let socket = sockets.next().await;
    socket.disconnect();
    assert!(!socket.connected(), "at once");
    assert!(io.sockets().is_empty());
    client.expect("41").await;
    assert_eq!(reasons.next().await, DisconnectReason::ServerNamespaceDisconnect);
    client.send(r#"42["a client may not know yet"]"#).await;
    client.send(r#"42/other,0["e"]"#).await;
    client.expect(r#"43/other,0["still there"]"#).await;
    socket.disconnect();
    assert_eq!(reasons.rest(), []);
}

#[tokio::test]
async fn a_server_may_send_a_client_out_of_all_namespaces() {
    let (io, addr) = serve(Server::builder()).await;
    let mut root = reasons(&io);
    let (tell, mut other) = channel();
    io.of("/other").on_disconnect(move |reason: String| {
        let _ = tell.send(reason);
    });
    let mut sockets = sockets(&io);
    let mut client = Client::connect(addr).await;
    client.join("/other", "").await;
    sockets.next().await.disconnect_all();
    client.expect("41").await;
    client.expect("41/other,").await;
    client.expect_close(None).await;
    assert_eq!(root.next().await, DisconnectReason::ServerNamespaceDisconnect);
    assert_eq!(other.next().await, "server namespace disconnect");
}

#[tokio::test]
async fn transport_close_when_the_client_closes() {
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = reasons(&io);
    Client::connect(addr).await.close().await;
    assert_eq!(reasons.next().await, DisconnectReason::TransportClose);
    let mut client = Client::connect(addr).await;
    client.send("1").await;
    assert_eq!(reasons.next().await, DisconnectReason::TransportClose);
    let polling = Polling::connect(addr).await;
    polling.post("1").await;
    assert_eq!(reasons.next().await, DisconnectReason::TransportClose);
}

#[tokio::test]
async fn a_websocket_that_is_cut_is_gone_at_once() {
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = reasons(&io);
    drop(Client::connect(addr).await);
    assert_eq!(reasons.next().await, DisconnectReason::TransportClose);
}

#[tokio::test]
async fn transport_error_when_a_poll_is_given_up_or_the_rules_are_broken() {
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = reasons(&io);
    let polling = Polling::connect(addr).await;
    let poll = polling.start_poll().await;
    let mut client = Client::connect(addr).await;
    drop(poll);
    assert_eq!(reasons.next().await, DisconnectReason::TransportError);
    client.send_frame(Opcode::Text, b"\xff").await;
    client.expect_close(Some(1007)).await;
    assert_eq!(reasons.next().await, DisconnectReason::TransportError);
}

#[tokio::test]
async fn ping_timeout_when_the_client_does_not_answer() {
    let builder = Server::builder().ping_interval(millis(20)).ping_timeout(millis(20));
    let (io, addr) = serve(builder).await;
    let mut reasons = reasons(&io);
    let mut client = Client::connect(addr).await;
    let _silent_too = Polling::connect(addr).await;
    client.expect("2").await;
    client.expect_close(None).await;
    assert_eq!(reasons.next().await, DisconnectReason::PingTimeout);
    assert_eq!(reasons.next().await, DisconnectReason::PingTimeout);
}

#[tokio::test]
async fn parse_error_when_what_comes_is_no_packet_of_the_engine() {
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = reasons(&io);
    let mut client = Client::connect(addr).await;
    client.send("what?").await;
    client.expect_close(None).await;
    assert_eq!(reasons.next().await, DisconnectReason::ParseError);
    let polling = Polling::connect(addr).await;
    let response = polling.post("what?").await;
    assert_eq!((response.status, &*response.body), (200, "ok"));
    assert_eq!(reasons.next().await, DisconnectReason::ParseError);
}

#[tokio::test]
async fn forced_close_when_what_comes_is_no_packet_of_socket_io() {
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = reasons(&io);
    for message in ["4", "4x", "42", "42[]", "42{}", r#"42["e""#, "40[]", r#"451-["no binary"]"#] {
        let mut client = Client::connect(addr).await;
        client.send(message).await;
        if message.starts_with("45") {
            client.send("4text in its place").await;
        }
        client.expect_close(None).await;
        assert_eq!(reasons.next().await, DisconnectReason::ForcedClose, "{message}");
    }
    let mut client = Client::connect(addr).await;
    client.send_binary(b"nobody announced this").await;
    client.expect_close(None).await;
    assert_eq!(reasons.next().await, DisconnectReason::ForcedClose);
}

#[tokio::test]
async fn forced_server_close_when_a_packet_is_not_allowed_at_its_place() {
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = reasons(&io);
    for message in ["40", r#"42/other,["e"]"#, "43/other,0[]", r#"44{"message":"no"}"#, "41/other,"]
    {
        let mut client = Client::connect(addr).await;
        client.send(message).await;
        client.expect_close(None).await;
        assert_eq!(reasons.next().await, DisconnectReason::ForcedServerClose, "{message}");
    }
}

#[tokio::test]
async fn an_event_before_any_namespace_closes_the_connection() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("e", || unreachable!("nobody has joined"));
    let mut client = Client::open(addr).await;
    client.send(r#"42["e"]"#).await;
    client.expect_close(None).await;
}

#[tokio::test]
async fn a_connection_that_joins_nothing_in_time_is_closed() {
    let (io, addr) = serve(Server::builder().connect_timeout(millis(20))).await;
    let mut client = Client::open(addr).await;
    client.expect_close(None).await;
    eventually("the session's end", || io.counts().sessions == 0).await;
}

#[tokio::test]
async fn a_connection_that_has_joined_is_not_closed_for_that() {
    let (io, addr) = serve(Server::builder().connect_timeout(millis(20))).await;
    io.on("e", || "still there");
    let mut client = Client::connect(addr).await;
    // This one is closed; its deadline is later.
    Client::open(addr).await.expect_close(None).await;
    client.send(r#"420["e"]"#).await;
    client.expect(r#"430["still there"]"#).await;
}

#[tokio::test]
async fn forced_close_when_the_server_closes_the_connection() {
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = reasons(&io);
    let mut sockets = sockets(&io);
    let mut client = Client::connect(addr).await;
    sockets.next().await.close_connection();
    client.expect_close(None).await;
    assert_eq!(reasons.next().await, DisconnectReason::ForcedClose);
}

#[tokio::test]
async fn server_shutting_down_when_the_server_is_closed() {
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = reasons(&io);
    let websocket = Client::connect(addr).await;
    let _polling = Polling::connect(addr).await;
    let (_, ()) = tokio::join!(io.close(), websocket.close());
    assert_eq!(reasons.next().await, DisconnectReason::ServerShuttingDown);
    assert_eq!(reasons.next().await, DisconnectReason::ServerShuttingDown);
}

#[tokio::test]
async fn event_backlog_when_more_events_wait_than_max_backlog_bytes() {
    let (io, addr) = serve(Server::builder().max_backlog_bytes(1300)).await;
    let mut reasons = reasons(&io);
    let (tell, mut told) = channel();
    let open = Arc::new(Notify::new());
    let gate = open.clone();
    io.on("e", move |n: u32, _: String| {
        let (open, tell) = (open.clone(), tell.clone());
        async move {
            open.notified().await;
            let _ = tell.send(n);
        }
    });
    let filler = "x".repeat(400);
    let mut client = Client::connect(addr).await;
    for n in 0..4 {
        client.send(&format!(r#"42["e",{n},"{filler}"]"#)).await;
    }
    client.expect_close(None).await;
    assert_eq!(reasons.next().await, DisconnectReason::EventBacklog);
    assert_eq!(io.counts().event_backlogs, 1);
    // The first one runs, two have waited within the bound, and all three are handled.
    for n in 0..3 {
        gate.notify_one();
        assert_eq!(told.next().await, n);
    }
    eventually("the socket's end", || io.counts().sockets == 0).await;
}

#[tokio::test]
async fn tiny_events_count_with_what_it_takes_to_keep_them() {
    let (io, addr) = serve(Server::builder().max_backlog_bytes(10_000)).await;
    let mut reasons = reasons(&io);
    io.on("e", std::future::pending::<()>);
    let mut client = Client::connect(addr).await;
    for _ in 0..100 {
        client.send(r#"42["e"]"#).await;
    }
    client.expect_close(None).await;
    assert_eq!(reasons.next().await, DisconnectReason::EventBacklog);
}

#[tokio::test]
async fn slow_consumer_when_a_client_takes_nothing() {
    let builder = Server::builder().max_payload(10_000).max_waiting_bytes(20_000);
    let (io, addr) = serve(builder).await;
    let mut reasons = reasons(&io);
    let mut sockets = sockets(&io);
    let client = Client::connect(addr).await;
    let socket = sockets.next().await;
    // The system's own buffers take some before the client's not reading shows.
    let chunk = "x".repeat(10_000);
    while socket.connected() {
        socket.emit("chunk", &chunk);
        assert!(socket.waiting_bytes() <= 4 * 20_000);
        tokio::task::yield_now().await;
    }
    assert_eq!(reasons.next().await, DisconnectReason::SlowConsumer);
    eventually("the session's end", || io.counts().sessions == 0).await;
    assert_eq!((io.counts().slow_consumers, io.counts().event_backlogs), (1, 0));
    // Its connection is cut, though it still reads nothing: it does not hold up a shutdown.
    within("the shutdown", io.close()).await;
    drop(client);
}

#[tokio::test]
async fn a_burst_within_the_bound_reaches_a_healthy_client() {
    let builder = Server::builder().max_payload(10_000).max_waiting_bytes(20_000);
    let (io, addr) = serve(builder).await;
    let mut client = Client::connect(addr).await;
    let chunk = "x".repeat(10_000);
    for _ in 0..7 {
        io.emit("chunk", &chunk);
    }
    for _ in 0..7 {
        assert_eq!(client.text().await.len(), 10_000 + r#"42["chunk",""]"#.len());
    }
}

#[tokio::test]
async fn a_slow_client_on_polling_is_disconnected_too() {
    let builder = Server::builder().max_payload(10_000).max_waiting_bytes(20_000);
    let (io, addr) = serve(builder).await;
    let mut reasons = reasons(&io);
    let _client = Polling::connect(addr).await;
    for _ in 0..9 {
        io.emit("chunk", "x".repeat(10_000));
    }
    assert_eq!(reasons.next().await, DisconnectReason::SlowConsumer);
}

#[tokio::test]
async fn the_handlers_of_namespace_and_socket_are_told_the_reason_once() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    let teller = tell.clone();
    io.on_disconnect(move |socket: Socket, reason: DisconnectReason| {
        let _ = teller.send(format!("namespace: {} {reason}", socket.id()));
    });
    io.on_connection(move |socket: Socket| {
        let tell = tell.clone();
        socket.on_disconnect(move |reason: String| {
            let _ = tell.send(format!("socket: {reason}"));
        });
    });
    let mut client = Client::connect(addr).await;
    client.send("41").await;
    let expected = format!("namespace: {} client namespace disconnect", client.id);
    assert_eq!(told.next().await, expected);
    assert_eq!(told.next().await, "socket: client namespace disconnect");
    client.close().await;
    eventually("the session's end", || io.counts().sessions == 0).await;
    assert!(told.rest().is_empty());
}

#[tokio::test]
async fn disconnect_is_heard_under_its_name_too() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    let teller = tell.clone();
    io.on("disconnect", move |reason: String| {
        let _ = teller.send(reason);
    });
    io.on_connection(move |socket: Socket| {
        let tell = tell.clone();
        socket.on("disconnect", move |reason: DisconnectReason| {
            let _ = tell.send(reason.to_string());
        });
    });
    Client::connect(addr).await.close().await;
    assert_eq!(told.next().await, "transport close");
    assert_eq!(told.next().await, "transport close");
}

#[tokio::test]
async fn a_reason_in_another_handler_is_told_to_the_hook() {
    let (builder, mut errors) = crate::with_hook();
    let (io, addr) = serve(builder).await;
    io.on("e", |_: DisconnectReason| "not called");
    let mut client = Client::connect(addr).await;
    client.send(r#"420["e"]"#).await;
    let (event, error) = errors.next().await;
    assert_eq!((&*event, &*error), ("e", "there is a DisconnectReason in `on_disconnect` only"));
}

#[tokio::test]
async fn a_session_moves_to_a_websocket_and_knows_it() {
    let (io, addr) = serve(Server::builder()).await;
    let mut sockets = sockets(&io);
    let mut reasons = reasons(&io);
    let polling = Polling::connect(addr).await;
    let socket = sockets.next().await;
    assert_eq!(socket.transport(), Transport::Polling);
    let mut client = polling.upgrade().await;
    socket.emit("after", ());
    client.expect(r#"42["after"]"#).await;
    assert_eq!(socket.transport(), Transport::WebSocket);
    client.send_frame(Opcode::Ping, b"are you there?").await;
    assert_eq!(client.next().await, Frame::Pong);
    client.close().await;
    assert_eq!(reasons.next().await, DisconnectReason::TransportClose);
}

#[tokio::test]
async fn a_client_that_leaves_during_on_connection_misses_no_on_disconnect() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    let gone = Arc::new(Notify::new());
    let left = gone.clone();
    io.on_connection(move |socket: Socket| {
        let (left, tell) = (left.clone(), tell.clone());
        async move {
            left.notified().await;
            let _ = tell.send(format!("connected: {}", socket.connected()));
            socket.on_disconnect(move |reason: String| {
                let _ = tell.send(reason);
            });
        }
    });
    let client = Client::connect(addr).await;
    let socket = io.sockets().pop().expect("it is in");
    client.close().await;
    eventually("the end", || !socket.connected()).await;
    assert_eq!(told.rest(), Vec::<String>::new());
    gone.notify_one();
    assert_eq!(told.next().await, "connected: false");
    assert_eq!(told.next().await, "transport close");
    eventually("the release", || !socket.off("disconnect")).await;
}

#[tokio::test]
async fn on_connection_may_send_the_client_out_and_register_handlers_then() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    io.on_connection(move |socket: Socket| {
        socket.disconnect();
        let tell = tell.clone();
        socket.on_disconnect(move |reason: DisconnectReason| {
            let _ = tell.send(reason);
        });
    });
    let _client = Client::connect(addr).await;
    assert_eq!(told.next().await, DisconnectReason::ServerNamespaceDisconnect);
}
