//! The eight moves of Socket.IO.

use serde::{Deserialize, Serialize};
use sockeye::{Ack, Cors, Server, Socket};

use crate::{
    channel,
    client::{Client, get},
    serve, sockets,
};

#[derive(Serialize, Deserialize)]
struct Point {
    x: f64,
    y: f64,
}

#[tokio::test]
async fn a_server_lets_a_page_of_the_named_origin_in() {
    let cors = Cors::origin("http://localhost:5173");
    let (_io, addr) = serve(Server::builder().cors(cors)).await;
    let origin = "Origin: http://localhost:5173\r\n";
    let response = get(addr, "/socket.io/?EIO=4&transport=polling", origin).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("access-control-allow-origin"), Some("http://localhost:5173"));
}

#[tokio::test]
async fn a_client_connects_and_both_ends_know_its_id() {
    let (io, addr) = serve(Server::builder()).await;
    let mut connected = sockets(&io);
    let client = Client::connect(addr).await;
    let socket = connected.next().await;
    assert_eq!(socket.id(), *client.id);
    assert_eq!(client.id.len(), 20);
    assert_ne!(client.id, client.sid, "the session's id is a secret");
    assert!(socket.connected());
}

#[tokio::test]
async fn several_arguments_come_and_go_each_with_its_type() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("client-data", |socket: Socket, letter: String, number: i64, point: Point| {
        socket.emit("client-data-received", (letter, number + 1, point));
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"42["client-data","a",1,{"x":0.5,"y":2}]"#).await;
    client.expect(r#"42["client-data-received","a",2,{"x":0.5,"y":2.0}]"#).await;
}

#[tokio::test]
async fn an_event_for_everyone_reaches_its_sender_too() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("message", |io: Server, text: String| io.emit("message", text));
    let [mut a, mut b] = [Client::connect(addr).await, Client::connect(addr).await];
    a.send(r#"42["message","hello"]"#).await;
    a.expect(r#"42["message","hello"]"#).await;
    b.expect(r#"42["message","hello"]"#).await;
}

#[tokio::test]
async fn an_event_for_everyone_else_spares_its_sender() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("message", |socket: Socket, text: String| {
        socket.broadcast().emit("message", text);
        socket.emit("sent", ());
    });
    let [mut a, mut b] = [Client::connect(addr).await, Client::connect(addr).await];
    a.send(r#"42["message","hello"]"#).await;
    a.expect(r#"42["sent"]"#).await;
    b.expect(r#"42["message","hello"]"#).await;
}

#[tokio::test]
async fn one_other_client_is_reached_by_its_id() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("send-message", |socket: Socket, message: String, client_id: String| {
        socket.to(client_id).emit("received-message", message);
        socket.broadcast().emit("done", ());
    });
    let [mut a, mut b] = [Client::connect(addr).await, Client::connect(addr).await];
    let mut c = Client::connect(addr).await;
    a.send(&format!(r#"42["send-message","hi","{}"]"#, b.id)).await;
    b.expect(r#"42["received-message","hi"]"#).await;
    b.expect(r#"42["done"]"#).await;
    c.expect(r#"42["done"]"#).await;
}

#[tokio::test]
async fn a_room_is_spoken_to_without_the_sender_or_with_it() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("join-room", |socket: Socket, room: String, ack: Ack| {
        socket.join(room);
        ack.send(());
    });
    io.on("say", |socket: Socket, room: String| {
        socket.to(&room).emit("others", ());
        socket.within(&room).emit("all", ());
        socket.server().to(room).emit("everyone", ());
    });
    let [mut a, mut b] = [Client::connect(addr).await, Client::connect(addr).await];
    for client in [&mut a, &mut b] {
        client.send(r#"420["join-room","ourgroup"]"#).await;
        client.expect("430[]").await;
    }
    a.send(r#"42["say","ourgroup"]"#).await;
    a.expect(r#"42["all"]"#).await;
    a.expect(r#"42["everyone"]"#).await;
    b.expect(r#"42["others"]"#).await;
    b.expect(r#"42["all"]"#).await;
    b.expect(r#"42["everyone"]"#).await;
}

#[tokio::test]
async fn either_end_acknowledges_the_other() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    io.on("send-message", |message: String, ack: Ack| ack.send(("received", message.len())));
    io.on("ask-me", move |socket: Socket| {
        let tell = tell.clone();
        async move {
            let answer: String = socket.emit_with_ack("question", "ready?").await.unwrap();
            let _ = tell.send(answer);
        }
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"427["send-message","hello"]"#).await;
    client.expect(r#"437["received",5]"#).await;
    client.send(r#"42["ask-me"]"#).await;
    client.expect(r#"420["question","ready?"]"#).await;
    client.send(r#"430["ready!"]"#).await;
    assert_eq!(told.next().await, "ready!");
}
