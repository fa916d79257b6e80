//! Every limit: what is within it goes through, what is over it does what the option says.

use std::{future::pending, time::Duration};

use sockeye::{DisconnectReason, Server, Socket};
use sockeye_websocket::Opcode;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    client::{Client, Frame, Polling, eventually, get, request, within},
    millis, reasons, serve,
};

const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";

/// An event that is so many bytes long, the `4` in front included.
fn event(bytes: usize) -> String {
    format!(r#"420["e","{}"]"#, "x".repeat(bytes - r#"420["e",""]"#.len()))
}

#[tokio::test]
async fn max_payload_bounds_a_message_on_a_websocket() {
    let (io, addr) = serve(Server::builder().max_payload(1000)).await;
    io.on("e", |text: String| text.len());
    let mut reasons = reasons(&io);
    let mut client = Client::connect(addr).await;
    client.send(&event(1000)).await;
    client.expect("430[989]").await;
    client.send(&event(1001)).await;
    client.expect_close(Some(1009)).await;
    assert_eq!(reasons.next().await, DisconnectReason::TransportError);
}

#[tokio::test]
async fn max_payload_bounds_the_body_of_a_post() {
    let (io, addr) = serve(Server::builder().max_payload(1000)).await;
    io.on("e", |text: String| text.len());
    let client = Polling::connect(addr).await;
    assert_eq!(client.post(&event(1000)).await.status, 200);
    assert_eq!(client.poll().await, "430[989]");
    assert_eq!(client.post(&event(1001)).await.status, 413);
    // The length need not be announced.
    let body = format!("3e9\r\n{}\r\n0\r\n\r\n", event(1001));
    let chunked = "Transfer-Encoding: chunked\r\n";
    assert_eq!(request(addr, "POST", &client.target(), chunked, &body).await.status, 413);
    assert_eq!(client.post(&event(1000)).await.status, 200, "the session lives on");
}

#[tokio::test]
async fn max_payload_is_told_to_clients() {
    let (_io, addr) = serve(Server::builder().max_payload(1234)).await;
    let handshake = get(addr, HANDSHAKE, "").await.body;
    assert!(handshake.ends_with(r#""maxPayload":1234}"#), "{handshake}");
}

/// A frame of one letter, masked with zeros: `opcode` 0 continues a message.
fn fragment(is_final: bool, opcode: u8) -> [u8; 7] {
    [u8::from(is_final) << 7 | opcode, 0x81, 0, 0, 0, 0, b'4']
}

#[tokio::test]
async fn max_fragments_bounds_the_frames_of_a_message() {
    let (io, addr) = serve(Server::builder().max_fragments(3)).await;
    let mut reasons = reasons(&io);
    let mut client = Client::connect(addr).await;
    // `444`: an error that the server refuses as such, once it has put it together.
    client.send_raw(&[fragment(false, 1), fragment(false, 0), fragment(true, 0)].concat()).await;
    client.expect_close(None).await;
    assert_eq!(reasons.next().await, DisconnectReason::ForcedClose);
    let mut client = Client::connect(addr).await;
    let too_many = [fragment(false, 1), fragment(false, 0), fragment(false, 0), fragment(false, 0)];
    client.send_raw(&too_many.concat()).await;
    client.expect_close(Some(1008)).await;
    assert_eq!(reasons.next().await, DisconnectReason::TransportError);
}

#[tokio::test]
async fn max_depth_bounds_the_nesting_of_a_payload() {
    let (io, addr) = serve(Server::builder().max_depth(3)).await;
    io.on("e", || "heard");
    let mut reasons = reasons(&io);
    let mut client = Client::connect(addr).await;
    client.send(r#"420["e",[{}]]"#).await;
    client.expect(r#"430["heard"]"#).await;
    client.send(r#"420["e",[{"a":[]}]]"#).await;
    client.expect_close(None).await;
    assert_eq!(reasons.next().await, DisconnectReason::ForcedClose);
}

#[tokio::test]
async fn max_attachments_bounds_those_of_a_packet() {
    let (io, addr) = serve(Server::builder().max_attachments(2)).await;
    io.on("e", || "heard");
    let mut reasons = reasons(&io);
    let mut client = Client::connect(addr).await;
    let two = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    client.send(&format!(r#"452-0["e",{two}]"#)).await;
    client.send_binary(b"one").await;
    client.send_binary(b"two").await;
    client.expect(r#"430["heard"]"#).await;
    client.send(&format!(r#"453-0["e",{two}]"#)).await;
    client.expect_close(None).await;
    assert_eq!(reasons.next().await, DisconnectReason::ForcedClose);
}

#[tokio::test]
async fn max_namespaces_bounds_those_of_a_connection() {
    let (io, addr) = serve(Server::builder().max_namespaces(2)).await;
    for name in ["/a", "/b"] {
        io.of(name);
    }
    let mut reasons = reasons(&io);
    let mut client = Client::connect(addr).await;
    client.join("/a", "").await;
    client.send("41/a,").await;
    client.join("/b", "").await;
    client.send("40/a,").await;
    client.expect_close(None).await;
    assert_eq!(reasons.next().await, DisconnectReason::ForcedServerClose);
}

#[tokio::test]
async fn max_namespaces_counts_those_left_whose_handlers_or_middlewares_still_run() {
    let (io, addr) = serve(Server::builder().max_namespaces(5)).await;
    io.of("/handlers").on_connection(|_: Socket| pending::<()>());
    io.of("/farewell").on_disconnect(|_: Socket| pending::<()>());
    io.of("/middleware").middleware(|_: Socket| pending::<Result<(), String>>());
    io.of("/idle");
    for name in ["/handlers", "/farewell", "/middleware"] {
        let mut client = Client::connect(addr).await;
        for _ in 0..5 {
            client.send(&format!("40{name},")).await;
            client.send(&format!("41{name},")).await;
        }
        while let Frame::Text(_) = client.next().await {}
    }
    let mut client = Client::connect(addr).await;
    for _ in 0..20 {
        client.join("/idle", "").await;
        client.send("41/idle,").await;
    }
    eventually("the end of those that left", || io.counts().sessions == 1).await;
}

#[tokio::test]
async fn max_connections_bounds_the_sessions() {
    let (io, addr) = serve(Server::builder().max_connections(2)).await;
    let one = Client::connect(addr).await;
    let _two = Polling::open(addr).await;
    let refused = get(addr, HANDSHAKE, "").await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.body, r#"{"code":4,"message":"Too many connections"}"#);
    let refused = Client::try_open(addr, "").await.err().expect("it is refused");
    assert_eq!((refused.status, &*refused.body), (400, "Too many connections"));
    one.close().await;
    eventually("the end of one", || io.counts().sessions == 1).await;
    Client::connect(addr).await;
}

#[tokio::test]
async fn max_connections_holds_when_many_come_at_once() {
    let (io, addr) = serve(Server::builder().max_connections(3)).await;
    let attempts: Vec<_> = (0..20).map(|_| tokio::spawn(Client::try_open(addr, ""))).collect();
    let mut clients = Vec::new();
    for attempt in attempts {
        clients.extend(attempt.await.unwrap().ok());
    }
    assert_eq!((clients.len(), io.counts().sessions), (3, 3));
}

#[tokio::test]
async fn max_header_bytes_bounds_the_head_of_a_request() {
    let (_io, addr) = serve(Server::builder().max_header_bytes(8 << 10)).await;
    let header = |bytes: usize| format!("X-Long: {}\r\n", "x".repeat(bytes));
    assert_eq!(get(addr, HANDSHAKE, &header(4 << 10)).await.status, 200);
    assert_eq!(get(addr, HANDSHAKE, &header(9 << 10)).await.status, 431);
}

#[tokio::test]
async fn header_timeout_bounds_the_time_for_the_head_of_a_request() {
    let (_io, addr) = serve(Server::builder().header_timeout(millis(20))).await;
    for beginning in ["", "GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: "] {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = within("the connection's end", stream.read_to_end(&mut answer)).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
}

#[tokio::test]
async fn body_timeout_bounds_the_time_for_the_body_of_a_post() {
    let (io, addr) = serve(Server::builder().body_timeout(millis(20))).await;
    let mut reasons = reasons(&io);
    let client = Polling::connect(addr).await;
    let length = "Content-Length: 100\r\n";
    let response = request(addr, "POST", &client.target(), length, "42[").await;
    assert_eq!(response.status, 400);
    assert_eq!(reasons.next().await, DisconnectReason::TransportError);
    eventually("the session's end", || io.counts().sessions == 0).await;
}

#[tokio::test]
async fn upgrade_timeout_bounds_an_upgrade_and_spares_the_session() {
    let (io, addr) = serve(Server::builder().upgrade_timeout(millis(20))).await;
    let session = Polling::connect(addr).await;
    let mut client = session.probe().await;
    client.expect_close(None).await;
    io.emit("still there", ());
    assert_eq!(session.poll().await, r#"42["still there"]"#);
}

#[tokio::test]
async fn a_socket_that_is_busy_for_ever_bounds_nothing_else() {
    let (io, addr) = serve(Server::builder().max_backlog_bytes(100)).await;
    io.on("stuck", |_: Socket| pending::<()>());
    io.of("/other").on("e", || "heard");
    let mut client = Client::connect(addr).await;
    client.join("/other", "").await;
    client.send(r#"42["stuck"]"#).await;
    for n in 0..100 {
        client.send(&format!(r#"42/other,{n}["e"]"#)).await;
        client.expect(&format!(r#"43/other,{n}["heard"]"#)).await;
    }
    client.send_frame(Opcode::Ping, b"").await;
    assert_eq!(client.next().await, Frame::Pong);
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let refusal = |builder: sockeye::ServerBuilder| builder.build().unwrap_err().to_string();
    let builder = Server::builder;
    let zero = millis(0);
    assert_eq!(
        refusal(builder().max_payload(1001).max_waiting_bytes(2001)),
        "max_waiting_bytes of 2001 bytes is less than twice the max_payload of 1001 bytes"
    );
    assert_eq!(
        refusal(builder().max_header_bytes(8191)),
        "max_header_bytes of 8191 bytes is less than 8192 bytes"
    );
    assert_eq!(refusal(builder().max_depth(129)), "max_depth of 129 levels is over 128 levels");
    assert_eq!(refusal(builder().ping_interval(zero)), "ping_interval is zero");
    assert_eq!(refusal(builder().ping_timeout(zero)), "ping_timeout is zero");
    assert_eq!(refusal(builder().upgrade_timeout(zero)), "upgrade_timeout is zero");
    assert_eq!(refusal(builder().connect_timeout(zero)), "connect_timeout is zero");
    assert_eq!(refusal(builder().header_timeout(zero)), "header_timeout is zero");
    assert_eq!(refusal(builder().body_timeout(zero)), "body_timeout is zero");
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    for builder in [
        builder().ping_timeout(Duration::MAX),
        builder().body_timeout(Duration::MAX),
        builder().connect_timeout(Duration::MAX),
        builder().attachment_timeout(year + millis(1)),
        builder().ack_timeout(Duration::MAX),
    ] {
        assert!(refusal(builder).ends_with(" s is over one year"));
    }
    assert!(builder().ack_timeout(None).connect_timeout(year).build().is_ok());
    assert!(builder().max_payload(1000).max_waiting_bytes(2000).max_depth(128).build().is_ok());
}
