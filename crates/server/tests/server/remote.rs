//! Sockets as other nodes see them, and what is done to many at once.

use std::collections::BTreeSet;

use sockeye::{
    AckError, DisconnectReason, EmitError, RemoteSocket, Server, Socket,
    adapter::{FetchError, Room},
};

use crate::{
    client::{Client, eventually},
    millis, reasons,
    rooms::three,
    serve, sockets,
    spy::spy,
};

fn names<'a>(rooms: impl IntoIterator<Item = &'a Room>) -> BTreeSet<String> {
    rooms.into_iter().map(|room| room.to_string()).collect()
}

/// The one socket of a server, as others see it.
async fn fetch_one(io: &Server) -> RemoteSocket {
    let mut found = io.fetch_sockets().await.unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[tokio::test]
async fn sockets_are_fetched_by_their_rooms() {
    let (io, _clients, [a, ab, b]) = three().await;
    let ids = |found: Result<Vec<RemoteSocket>, FetchError>| {
        found.unwrap().iter().map(RemoteSocket::id).collect::<BTreeSet<_>>()
    };
    assert_eq!(ids(io.fetch_sockets().await), BTreeSet::from([a.id(), ab.id(), b.id()]));
    assert_eq!(ids(io.to(["a", "b"]).except("a").fetch_sockets().await), BTreeSet::from([b.id()]));
    assert_eq!(ids(io.of("/").to(ab.id()).fetch_sockets().await), BTreeSet::from([ab.id()]));
    assert_eq!(ids(ab.to("a").fetch_sockets().await), BTreeSet::from([a.id()]));
    assert_eq!(ids(io.to("nobody").fetch_sockets().await), BTreeSet::new());
    assert_eq!(ids(io.of("/other").fetch_sockets().await), BTreeSet::new());
}

#[tokio::test]
async fn a_fetched_socket_has_handshake_rooms_and_data() {
    let (io, addr) = serve(Server::builder()).await;
    io.on_connection(|socket: Socket| {
        socket.join(["a", "b"]);
        socket.set_data(("ann", 7)).unwrap();
    });
    let query = "/socket.io/?EIO=4&transport=websocket&a=1&b=x%20y&a=2";
    let headers =
        "X-One: 1\r\nx-one: 2\r\nOrigin: http://LOCAL\r\n".replace("LOCAL", &addr.to_string());
    let mut client = Client::upgrade(addr, query, &headers).await.unwrap();
    client.text().await;
    let id = client.join("/", r#"{"token":[1]}"#).await;
    let socket = fetch_one(&io).await;
    assert_eq!(socket.id(), *id);
    assert_eq!(socket.rooms()[0], id.as_str().into());
    assert_eq!(names(&socket.rooms()[1..]), names(&["a".into(), "b".into()]));
    assert_eq!(socket.data::<(String, u8)>().unwrap(), ("ann".to_owned(), 7));
    assert!(socket.data::<bool>().is_err());

    let handshake = serde_json::to_value(socket.handshake()).unwrap();
    assert_eq!(handshake["headers"]["x-one"], "1, 2");
    assert_eq!(handshake["query"]["a"], "2");
    assert_eq!(handshake["query"]["b"], "x y");
    assert_eq!(handshake["url"], query);
    assert_eq!(handshake["auth"], serde_json::json!({ "token": [1] }));
    assert_eq!(handshake["address"], "127.0.0.1");
    assert_eq!((&handshake["xdomain"], &handshake["secure"]), (&true.into(), &false.into()));
    assert!(handshake["issued"].as_u64().unwrap() > 1_700_000_000_000);
    assert!(handshake["time"].as_str().unwrap().ends_with("GMT+0000 (Coordinated Universal Time)"));
    assert_eq!(serde_json::from_value(handshake).ok().as_ref(), Some(socket.handshake()));
}

#[tokio::test]
async fn a_socket_without_auth_and_data_has_empty_ones() {
    let (io, addr) = serve(Server::builder()).await;
    let _client = Client::connect(addr).await;
    let socket = fetch_one(&io).await;
    assert_eq!(socket.handshake().auth, serde_json::json!({}));
    assert_eq!(socket.data::<Option<u8>>().unwrap(), None);
}

#[tokio::test]
async fn a_fetched_socket_can_be_spoken_to() {
    let (io, addr) = serve(Server::builder()).await;
    let [mut client, mut other] = [Client::connect(addr).await, Client::connect(addr).await];
    let found = io.to(client.id.as_str()).fetch_sockets().await.unwrap();
    let socket = &found[0];
    socket.emit("hello", (1, 2));
    client.expect(r#"42["hello",1,2]"#).await;
    let error = socket.try_emit("disconnect", ()).unwrap_err();
    assert!(matches!(error, EmitError::ReservedName(_)));
    let answer = socket.emit_with_ack::<u8>("question", ());
    client.expect(r#"420["question"]"#).await;
    client.send("430[7]").await;
    assert_eq!(answer.await, Ok(7));
    let late = socket.timeout(millis(1)).emit_with_ack::<u8>("question", ()).await;
    assert_eq!(late, Err(AckError::TimedOut));
    let error = socket.emit_with_ack::<u8>("connect", ()).await;
    assert!(matches!(error, Err(AckError::Emit(_))));
    io.emit("end", ());
    other.expect(r#"42["end"]"#).await;
}

#[tokio::test]
async fn rooms_of_a_fetched_socket_are_joined_and_left() {
    let (io, addr) = serve(Server::builder()).await;
    let mut sockets = sockets(&io);
    let _client = Client::connect(addr).await;
    let local = sockets.next().await;
    let socket = fetch_one(&io).await;
    socket.join(["a", "b"]);
    assert_eq!(names(&local.rooms()[1..]), names(&["a".into(), "b".into()]));
    socket.leave("a");
    assert_eq!(names(&local.rooms()[1..]), names(&["b".into()]));
    assert_eq!(socket.rooms().len(), 1, "what was fetched stays as it was");
}

#[tokio::test]
async fn a_fetched_socket_is_disconnected_alone_or_with_its_connection() {
    let (io, addr) = serve(Server::builder()).await;
    io.of("/other");
    let mut reasons = reasons(&io);
    let mut client = Client::connect(addr).await;
    client.join("/other", "").await;
    fetch_one(&io).await.disconnect();
    client.expect("41").await;
    assert_eq!(reasons.next().await, DisconnectReason::ServerNamespaceDisconnect);
    let gone = io.of("/other").fetch_sockets().await.unwrap();
    client.join("/", "").await;
    gone[0].disconnect_all();
    client.expect("41/other,").await;
    client.expect("41").await;
    client.expect_close(None).await;
    assert_eq!(reasons.next().await, DisconnectReason::ServerNamespaceDisconnect);
    gone[0].emit("nothing", ());
    assert_eq!(gone[0].emit_with_ack::<u8>("e", ()).await, Err(AckError::Disconnected));
}

#[tokio::test]
async fn many_sockets_join_and_leave_at_once() {
    let (io, _clients, [a, ab, b]) = three().await;
    io.to("a").except("b").sockets_join(["c", "d"]);
    io.sockets_join("all");
    io.of("/").sockets_leave("b");
    ab.to("a").sockets_leave("c");
    let rooms = |socket: &Socket| names(&socket.rooms()[1..]);
    assert_eq!(rooms(&a), names(&["a".into(), "all".into(), "d".into()]));
    assert_eq!(rooms(&ab), names(&["a".into(), "all".into()]));
    assert_eq!(rooms(&b), names(&["all".into()]));
}

#[tokio::test]
async fn many_sockets_are_disconnected_at_once() {
    let (io, [mut a, mut ab, mut b], _sockets) = three().await;
    let mut reasons = reasons(&io);
    io.to("a").except("b").disconnect_sockets(false);
    a.expect("41").await;
    assert_eq!(reasons.next().await, DisconnectReason::ServerNamespaceDisconnect);
    a.join("/", "").await;
    io.to("b").disconnect_sockets(true);
    for client in [&mut ab, &mut b] {
        client.expect("41").await;
        client.expect_close(None).await;
    }
    io.disconnect_sockets(false);
    a.expect("41").await;
    eventually("an empty namespace", || io.sockets().is_empty()).await;
}

#[tokio::test]
async fn it_is_an_error_if_another_node_does_not_tell_its_sockets() {
    let (adapter, _flags) = spy();
    let (io, _) = serve(Server::builder().adapter(adapter)).await;
    let error = io.fetch_sockets().await.unwrap_err();
    assert_eq!(error.to_string(), "node 2 does not answer");
}
