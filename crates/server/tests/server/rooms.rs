//! Rooms, and who is reached through them.

use std::collections::BTreeSet;

use sockeye::{Server, Socket};

use crate::{
    channel,
    client::{Client, Polling, eventually},
    serve, sockets,
};

/// The names of the rooms of a socket, the one named by its id left out.
fn rooms_of(socket: &Socket) -> BTreeSet<String> {
    let rooms = socket.rooms().into_iter().filter(|room| **room != *socket.id());
    rooms.map(|room| room.to_string()).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_socket_joins_and_leaves_rooms() {
    let (io, addr) = serve(Server::builder()).await;
    let mut sockets = sockets(&io);
    let _client = Client::connect(addr).await;
    let socket = sockets.next().await;
    assert_eq!(socket.rooms(), [socket.id().as_str().into()], "its own room comes first");
    socket.join("a");
    socket.join(["b".to_owned(), "c".to_owned()]);
    socket.join(vec!["c", "d"]);
    socket.join(socket.id());
    assert_eq!(rooms_of(&socket), names(&["a", "b", "c", "d"]));
    socket.leave("b");
    socket.leave("not joined");
    assert_eq!(rooms_of(&socket), names(&["a", "c", "d"]));
    let all: BTreeSet<_> = io.of("/").rooms().iter().map(|room| room.to_string()).collect();
    assert_eq!(all, names(&["a", "c", "d"]));
    assert_eq!(io.counts().rooms, 3);
}

/// Three clients: `a` in room `a`, `ab` in `a` and `b`, `b` in `b`; and their sockets.
pub(crate) async fn three() -> (Server, [Client; 3], [Socket; 3]) {
    let (io, addr) = serve(Server::builder()).await;
    let mut sockets = sockets(&io);
    let mut clients = vec![];
    let mut joined = vec![];
    for rooms in [&["a"][..], &["a", "b"], &["b"]] {
        clients.push(Client::connect(addr).await);
        let socket = sockets.next().await;
        socket.join(rooms);
        joined.push(socket);
    }
    let clients = clients.try_into().unwrap_or_else(|_| unreachable!("three"));
    (io, clients, joined.try_into().expect("three"))
}

/// What each client has got before an event for everyone.
async fn received(io: &Server, clients: &mut [Client; 3]) -> [Vec<String>; 3] {
    io.emit("end", ());
    let mut received = [const { Vec::new() }; 3];
    for (client, received) in clients.iter_mut().zip(&mut received) {
        loop {
            let text = client.text().await;
            if text == r#"42["end"]"# {
                break;
            }
            let name = text.trim_start_matches(r#"42[""#).trim_end_matches(r#""]"#);
            received.push(name.to_owned());
        }
    }
    received
}

#[tokio::test]
async fn a_socket_in_several_of_the_rooms_gets_an_event_once() {
    let (io, mut clients, [a, ab, _]) = three().await;
    io.to("a").to("b").emit("x", ());
    io.to(["a", "b"]).emit("y", ());
    io.to("a").to(ab.id()).emit("z", ());
    io.to(vec![a.id(), ab.id()]).emit("ids", ());
    let [a, ab, b] = received(&io, &mut clients).await;
    assert_eq!(a, ["x", "y", "z", "ids"]);
    assert_eq!(ab, ["x", "y", "z", "ids"]);
    assert_eq!(b, ["x", "y"]);
}

#[tokio::test]
async fn except_takes_rooms_out() {
    let (io, mut clients, [a, ..]) = three().await;
    io.to("a").except("b").emit("only a", ());
    io.except(["a"]).emit("only b", ());
    io.except(a.id()).emit("not a", ());
    a.except("b").emit("nobody", ());
    let [a, ab, b] = received(&io, &mut clients).await;
    assert_eq!(a, ["only a"]);
    assert_eq!(ab, ["not a"]);
    assert_eq!(b, ["only b", "not a"]);
}

#[tokio::test]
async fn a_socket_speaks_to_others_and_within_a_room_to_itself_too() {
    let (io, mut clients, [_, socket, _]) = three().await;
    socket.broadcast().emit("broadcast", ());
    socket.to("a").emit("to", ());
    socket.within("a").emit("within", ());
    socket.broadcast().to("b").emit("broadcast to", ());
    io.within("b").emit("io within", ());
    let [a, ab, b] = received(&io, &mut clients).await;
    assert_eq!(a, ["broadcast", "to", "within"]);
    assert_eq!(ab, ["within", "io within"]);
    assert_eq!(b, ["broadcast", "broadcast to", "io within"]);
}

#[tokio::test]
async fn a_broadcast_tells_whom_it_would_reach() {
    let (io, _clients, [a, ab, b]) = three().await;
    let ids = |sockets: Vec<Socket>| sockets.iter().map(Socket::id).collect::<BTreeSet<_>>();
    assert_eq!(ids(io.sockets()), BTreeSet::from([a.id(), ab.id(), b.id()]));
    assert_eq!(ids(io.to("a").sockets()), BTreeSet::from([a.id(), ab.id()]));
    assert_eq!(ids(io.to("a").except("b").sockets()), BTreeSet::from([a.id()]));
    assert_eq!(ids(ab.to("b").sockets()), BTreeSet::from([b.id()]));
    assert_eq!(io.of("/").socket(a.id()).map(|socket| socket.id()), Some(a.id()));
}

#[tokio::test]
async fn a_broadcast_stays_in_its_namespace() {
    let (io, addr) = serve(Server::builder()).await;
    let mut client = Client::connect(addr).await;
    io.of("/admin").on_connection(|socket: Socket| socket.join("room"));
    client.join("/admin", "").await;
    io.emit("root", ());
    io.to("room").emit("nobody", ());
    io.of("admin").to("room").emit("admin", ());
    io.of("/admin").emit("all", ());
    client.expect(r#"42["root"]"#).await;
    client.expect(r#"42/admin,["admin"]"#).await;
    client.expect(r#"42/admin,["all"]"#).await;
}

#[tokio::test]
async fn rooms_can_be_read_while_the_socket_leaves_and_are_gone_then() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    io.on_connection(|socket: Socket| socket.join(["a", "b"]));
    io.on_disconnect(move |socket: Socket| {
        let tell = tell.clone();
        async move {
            tokio::task::yield_now().await;
            assert_eq!(socket.server().counts().rooms, 0, "the rooms are left already");
            let _ = tell.send((rooms_of(&socket), socket));
        }
    });
    let mut client = Client::connect(addr).await;
    assert_eq!(io.counts().rooms, 2);
    client.send("41").await;
    let (rooms, socket) = told.next().await;
    assert_eq!(rooms, names(&["a", "b"]));
    eventually("the rooms' end", || rooms_of(&socket).is_empty()).await;
}

#[tokio::test]
async fn a_socket_that_is_gone_joins_nothing() {
    let (io, addr) = serve(Server::builder()).await;
    let mut sockets = sockets(&io);
    let mut client = Client::connect(addr).await;
    let socket = sockets.next().await;
    socket.disconnect();
    socket.join("room");
    assert_eq!(socket.try_join("room"), Ok(()));
    client.expect("41").await;
    assert!(rooms_of(&socket).is_empty());
    assert_eq!(io.counts().rooms, 0);
    socket.to("room").emit("to nobody", ());
}

#[tokio::test]
async fn a_socket_is_in_max_rooms_at_most() {
    let (io, addr) = serve(Server::builder().max_rooms(2)).await;
    let mut sockets = sockets(&io);
    let _client = Client::connect(addr).await;
    let socket = sockets.next().await;
    socket.join("a");
    let error = socket.try_join(["b", "c"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "none of the rooms was joined: a socket may be in 2, which is the limit"
    );
    assert_eq!(rooms_of(&socket), names(&["a"]), "none of them is joined");
    assert_eq!(socket.try_join(["a", "b", "b"]), Ok(()));
    socket.join("c");
    assert_eq!(rooms_of(&socket), names(&["a", "b"]));
    socket.leave("a");
    assert_eq!(socket.try_join("c"), Ok(()));
    assert_eq!(rooms_of(&socket), names(&["b", "c"]));
}

#[tokio::test]
async fn a_volatile_event_is_dropped_where_no_poll_is_open() {
    let (io, addr) = serve(Server::builder()).await;
    let mut sockets = sockets(&io);
    let polling = Polling::connect(addr).await;
    let mut websocket = Client::connect(addr).await;
    io.volatile().emit("position", 1);
    io.to(sockets.next().await.id()).volatile().emit("position", 2);
    sockets.next().await.volatile().emit("position", 3);
    io.emit("end", ());
    assert_eq!(polling.poll().await, r#"42["end"]"#);
    websocket.expect(r#"42["position",1]"#).await;
    websocket.expect(r#"42["position",3]"#).await;
    websocket.expect(r#"42["end"]"#).await;
}
