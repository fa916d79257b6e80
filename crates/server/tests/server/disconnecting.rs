//! The end of a socket while it still is in its rooms.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use sockeye::{DisconnectReason, Server, Socket};

use crate::{
    channel,
    client::{Client, eventually},
    rooms::three,
    serve, sockets,
};

fn names(socket: &Socket) -> BTreeSet<String> {
    let rooms = socket.rooms().into_iter().filter(|room| **room != *socket.id());
    rooms.map(|room| room.to_string()).collect()
}

#[tokio::test]
async fn the_rooms_are_still_there_when_a_socket_is_disconnecting() {
    let (io, [a, mut ab, mut b], _sockets) = three().await;
    let (tell, mut told) = channel();
    let tell_too = tell.clone();
    io.on_disconnecting(move |socket: Socket, reason: DisconnectReason| {
        let seen = (names(&socket), members(&socket), socket.connected());
        let _ = tell.send(("disconnecting", reason, seen));
        for room in socket.rooms() {
            socket.to(room).emit("left", socket.id().as_str());
        }
    });
    io.on_disconnect(move |socket: Socket, reason: DisconnectReason| {
        let seen = (names(&socket), members(&socket), socket.connected());
        let _ = tell_too.send(("disconnect", reason, seen));
    });
    let id = a.id.clone();
    a.close().await;
    let rooms = BTreeSet::from(["a".to_owned()]);
    let reason = DisconnectReason::TransportClose;
    assert_eq!(told.next().await, ("disconnecting", reason, (rooms.clone(), 3, false)));
    assert_eq!(told.next().await, ("disconnect", reason, (rooms, 2, false)));
    ab.expect(&format!(r#"42["left","{id}"]"#)).await;
    io.emit("end", ());
    ab.expect(r#"42["end"]"#).await;
    b.expect(r#"42["end"]"#).await;
}

/// How many sockets the adapter knows.
fn members(socket: &Socket) -> usize {
    let mut found = pin!(socket.namespace().fetch_sockets());
    match found.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(found) => found.unwrap().len(),
        Poll::Pending => panic!("the in-memory adapter knows at once"),
    }
}

#[tokio::test]
async fn who_is_sent_away_gets_nothing_more_while_it_is_disconnecting() {
    let (io, addr) = serve(Server::builder()).await;
    let mut sockets = sockets(&io);
    let mut client = Client::connect(addr).await;
    let socket = sockets.next().await;
    socket.join("room");
    let (tell, mut told) = channel();
    socket.on_disconnecting(move |socket: Socket| {
        socket.within("room").emit("not for itself", ());
        socket.emit("nor this", ());
        let _ = tell.send(names(&socket));
    });
    socket.disconnect();
    assert_eq!(told.next().await, BTreeSet::from(["room".to_owned()]));
    client.expect("41").await;
    client.join("/", "").await;
    eventually("the rooms' end", || io.counts().rooms == 0).await;
}

#[tokio::test]
async fn rooms_are_left_as_soon_as_a_handler_waits() {
    let (io, addr) = serve(Server::builder()).await;
    let mut sockets = sockets(&io);
    let mut client = Client::connect(addr).await;
    let socket = sockets.next().await;
    socket.join("room");
    let (tell, mut told) = channel();
    socket.on_disconnecting(std::future::pending::<()>);
    socket.on_disconnect(move |socket: Socket| {
        let _ = tell.send((socket.server().counts().rooms, names(&socket)));
    });
    client.send("41").await;
    assert_eq!(told.next().await, (0, BTreeSet::from(["room".to_owned()])));
}

#[tokio::test]
async fn who_leaves_before_it_was_greeted_leaves_its_rooms_at_once() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    let (release, wait) = tokio::sync::watch::channel(false);
    io.on_connection(move |socket: Socket| {
        let mut wait = wait.clone();
        async move {
            socket.join("room");
            let _ = wait.wait_for(|released| *released).await;
        }
    });
    io.on_disconnecting(move |socket: Socket| {
        let _ = tell.send(names(&socket));
    });
    let mut client = Client::connect(addr).await;
    eventually("the room", || io.counts().rooms == 1).await;
    client.send("41").await;
    eventually("the rooms' end", || io.counts().rooms == 0).await;
    assert_eq!(told.rest(), []);
    release.send(true).unwrap();
    assert_eq!(told.next().await, BTreeSet::from(["room".to_owned()]));
}

#[tokio::test]
async fn both_ends_have_javascripts_names_too() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    for name in ["disconnect", "disconnecting"] {
        let tell = tell.clone();
        io.on(name, move |reason: String| {
            let _ = tell.send((name, reason));
        });
    }
    let mut client = Client::connect(addr).await;
    client.send("41").await;
    let reason = "client namespace disconnect".to_owned();
    assert_eq!(told.next().await, ("disconnecting", reason.clone()));
    assert_eq!(told.next().await, ("disconnect", reason));
}
