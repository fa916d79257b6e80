//! Starting and stopping.

use std::{collections::HashSet, net::SocketAddr};

use sockeye::{DisconnectReason, Server, Socket};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    channel,
    client::{Client, Polling, eventually, get, within},
    reasons, serve, sockets,
};

const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";

#[tokio::test]
async fn closing_ends_every_socket_and_every_connection() {
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = reasons(&io);
    let mut websocket = Client::connect(addr).await;
    let polling = Polling::connect(addr).await;
    let poll = tokio::spawn(async move { polling.poll().await });
    let mut sockets = io.sockets();
    // The poll is open as soon as a volatile event is not dropped.
    while !poll.is_finished() {
        io.volatile().emit("open", ());
        tokio::task::yield_now().await;
    }
    let clients = async {
        while websocket.next().await != crate::client::Frame::Close(None) {}
        websocket.close().await;
    };
    within("the end", async { tokio::join!(io.close(), clients) }).await;
    assert_eq!(reasons.next().await, DisconnectReason::ServerShuttingDown);
    assert_eq!(reasons.next().await, DisconnectReason::ServerShuttingDown);
    assert!(sockets.iter().all(|socket| !socket.connected()));
    sockets.clear();
    eventually("the sockets' end", || io.counts().sockets == 0).await;
}

#[tokio::test]
async fn the_handlers_of_a_polling_client_are_told_that_the_server_closes() {
    let (io, addr) = serve(Server::builder()).await;
    let mut namespace = reasons(&io);
    let (tell, mut socket) = channel();
    io.on_connection(move |socket: Socket| {
        let tell = tell.clone();
        socket.on_disconnect(move |reason: DisconnectReason| {
            let _ = tell.send(reason);
        });
    });
    let _client = Polling::connect(addr).await;
    io.close().await;
    assert_eq!(socket.next().await, DisconnectReason::ServerShuttingDown);
    assert_eq!(namespace.next().await, DisconnectReason::ServerShuttingDown);
}

#[tokio::test]
async fn events_that_wait_are_still_handled_when_the_server_closes() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    let open = std::sync::Arc::new(tokio::sync::Notify::new());
    let gate = open.clone();
    io.on("e", move |n: u8| {
        let (open, tell) = (open.clone(), tell.clone());
        async move {
            let _ = tell.send(n);
            open.notified().await;
        }
    });
    let client = Polling::connect(addr).await;
    client.post("42[\"e\",1]\u{1e}42[\"e\",2]").await;
    assert_eq!(told.next().await, 1);
    io.close().await;
    gate.notify_one();
    assert_eq!(told.next().await, 2);
}

#[tokio::test]
async fn a_server_that_closes_takes_no_new_sessions() {
    // It is mounted in another one, which goes on to listen.
    let io = Server::builder().build().unwrap();
    let front = Server::builder().path("/front").build().unwrap();
    let listening = front.listen_with("127.0.0.1:0", io.service()).await.unwrap();
    let addr = listening.local_addr();
    drop(Client::connect(addr).await);
    io.close().await;
    let refused = get(addr, HANDSHAKE, "").await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.body, r#"{"code":4,"message":"Server shutting down"}"#);
    let refused = Client::try_open(addr, "").await.err().expect("it is refused");
    assert_eq!((refused.status, &*refused.body), (400, "Server shutting down"));
}

#[tokio::test]
async fn a_websocket_that_is_on_its_way_in_is_not_let_in_while_the_server_closes() {
    // The server is closed at every point of the way once.
    for steps in 0..300 {
        let (io, addr) = serve(Server::builder()).await;
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(crate::client::upgrade_request(addr).as_bytes()).await.unwrap();
        for _ in 0..steps {
            tokio::task::yield_now().await;
        }
        let client = async {
            let mut answer = vec![];
            // The connection ends, whatever was said on it before.
            let _ = within("the connection's end", stream.read_to_end(&mut answer)).await;
            drop(stream);
            answer
        };
        let ((), answer) = tokio::join!(io.close(), client);
        let answer = String::from_utf8_lossy(&answer);
        eventually(&format!("the session's end: {answer}"), || io.counts().sessions == 0).await;
    }
}

#[tokio::test]
async fn listening_ends_with_the_server() {
    let io = Server::builder().build().unwrap();
    let listening = io.listen("127.0.0.1:0").await.unwrap();
    let addr = listening.local_addr();
    let client = Client::connect(addr).await;
    let (_, ()) = tokio::join!(listening.shutdown(), client.close());
    assert!(TcpStream::connect(addr).await.is_err(), "nobody listens");
    assert_eq!(io.counts(), Default::default());
}

#[tokio::test]
async fn whoever_waits_for_the_end_learns_of_it() {
    let io = Server::builder().build().unwrap();
    let listening = io.listen("127.0.0.1:0").await.unwrap();
    let waiting = tokio::spawn(listening.wait());
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    io.close().await;
    within("the end", waiting).await.unwrap();
}

#[tokio::test]
async fn a_handler_may_close_the_server() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    io.on("close", move |io: Server| {
        let tell = tell.clone();
        async move {
            io.close().await;
            let _ = tell.send("closed");
        }
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"42["close"]"#).await;
    client.expect_close(None).await;
    client.close().await;
    assert_eq!(told.next().await, "closed");
    eventually("the sockets' end", || io.counts() == Default::default()).await;
}

#[tokio::test]
async fn closing_twice_is_no_mistake() {
    let (io, addr) = serve(Server::builder()).await;
    let client = Client::connect(addr).await;
    tokio::join!(io.close(), io.close(), client.close());
    io.close().await;
}

#[tokio::test]
async fn a_server_listens_at_two_addresses() {
    let io = Server::builder().build().unwrap();
    let one = io.listen("127.0.0.1:0").await.unwrap();
    let two = io.listen("127.0.0.1:0").await.unwrap();
    assert_ne!(one.local_addr(), two.local_addr());
    let mut a = Client::connect(one.local_addr()).await;
    let mut b = Client::connect(two.local_addr()).await;
    io.emit("to both", ());
    a.expect(r#"42["to both"]"#).await;
    b.expect(r#"42["to both"]"#).await;
    tokio::join!(io.close(), a.close(), b.close());
    within("both ends", async { tokio::join!(one.wait(), two.wait()) }).await;
}

#[tokio::test]
async fn the_next_server_may_have_the_same_port_at_once() {
    let mut addr = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut seen = HashSet::new();
    for _ in 0..3 {
        let io = Server::builder().build().unwrap();
        let listening = io.listen(addr).await.expect("the port is free again");
        addr = listening.local_addr();
        seen.insert(addr);
        // The server closes first, so its end of the connection stays in TIME_WAIT.
        let client = Client::connect(addr).await;
        let (_, ()) = tokio::join!(listening.shutdown(), client.close());
    }
    assert_eq!(seen.len(), 1);
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let (io, addr) = serve(Server::builder()).await;
    let error = io.listen(addr).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn other_paths_are_answered_by_the_service_behind_or_with_404() {
    let (_io, addr) = serve(Server::builder().path("custom")).await;
    assert_eq!(get(addr, "/", "").await.status, 404);
    assert_eq!(get(addr, HANDSHAKE, "").await.status, 404);
    assert_eq!(get(addr, "/custom/?EIO=4&transport=polling", "").await.status, 200);
}

#[tokio::test]
async fn a_transport_that_is_switched_off_is_unknown() {
    let builder = Server::builder().transports([sockeye::Transport::WebSocket]);
    let (io, addr) = serve(builder).await;
    let mut sockets = sockets(&io);
    let refused = get(addr, HANDSHAKE, "").await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.body, r#"{"code":0,"message":"Transport unknown"}"#);
    let _client = Client::connect(addr).await;
    assert_eq!(sockets.next().await.transport(), sockeye::Transport::WebSocket);
}
