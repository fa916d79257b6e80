//! Handlers of all events, in both directions, and the order of handlers.

use std::time::Duration;

use sockeye::{Ack, EventName, Raw, Rest, Server, Socket};
use tokio::sync::mpsc::UnboundedSender;

use crate::{Told, channel, client::Client, rooms::three, serve, sockets, with_hook};

type Heard = (String, String);

/// What tells a test the name and the arguments of an event, and under which label.
fn teller(
    tell: &UnboundedSender<(&'static str, Heard)>,
    label: &'static str,
) -> impl Fn(EventName, Rest<Raw>) + Send + Sync + 'static {
    let tell = tell.clone();
    move |name, args| {
        let args: Vec<_> = args.0.iter().map(|arg| arg.as_json().to_owned()).collect();
        let _ = tell.send((label, (name.0, args.join(","))));
    }
}

fn labels(told: &mut Told<(&'static str, Heard)>) -> Vec<&'static str> {
    told.rest().into_iter().map(|(label, _)| label).collect()
}

/// Waits until everything that was sent before has been handled.
async fn settle(client: &mut Client) {
    client.send(r#"4299["settle"]"#).await;
    client.expect("4399[]").await;
}

#[tokio::test]
async fn every_event_is_heard_first_by_those_who_hear_all() {
    let (tell, mut told) = channel();
    let (io, addr) = serve(Server::builder()).await;
    io.on("e", teller(&tell, "namespace"));
    io.on_any(teller(&tell, "namespace any"));
    let mut sockets = sockets(&io);
    let mut client = Client::connect(addr).await;
    let socket = sockets.next().await;
    socket.on("e", teller(&tell, "own"));
    socket.on_any(teller(&tell, "own any"));
    client.send(r#"42["e",1,"x"]"#).await;
    let heard = ("e".to_owned(), r#"1,"x""#.to_owned());
    for label in ["namespace any", "own any", "namespace", "own"] {
        assert_eq!(told.next().await, (label, heard.clone()));
    }
    client.send(r#"42["nobody else handles this"]"#).await;
    assert_eq!(told.next().await.0, "namespace any");
    assert_eq!(told.next().await.0, "own any");
}

#[tokio::test]
async fn who_hears_all_may_answer_and_see_attachments() {
    let (io, addr) = serve(Server::builder()).await;
    io.on_any(|name: EventName, data: bytes::Bytes, ack: Ack| {
        ack.send((name.0, data.len()));
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"451-0["photo",{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(&[1, 2, 3]).await;
    client.expect(r#"430["photo",3]"#).await;
}

#[tokio::test]
async fn handlers_can_be_put_before_the_others() {
    let (tell, mut told) = channel();
    let (io, addr) = serve(Server::builder()).await;
    io.on("settle", |ack: Ack| ack.send(()));
    let mut sockets = sockets(&io);
    let mut client = Client::connect(addr).await;
    let socket = sockets.next().await;
    io.on("e", teller(&tell, "2"));
    io.prepend("e", teller(&tell, "1"));
    io.on("e", teller(&tell, "3"));
    socket.on("e", teller(&tell, "5"));
    socket.prepend("e", teller(&tell, "4"));
    io.on_any(teller(&tell, "any 2"));
    io.prepend_any(teller(&tell, "any 1"));
    socket.on_any(teller(&tell, "any 4"));
    socket.prepend_any(teller(&tell, "any 3"));
    client.send(r#"42["e"]"#).await;
    for label in ["any 1", "any 2", "any 3", "any 4", "1", "2", "3", "4", "5"] {
        assert_eq!(told.next().await.0, label);
    }
    settle(&mut client).await;
}

#[tokio::test]
async fn who_hears_all_can_stop_to() {
    let (tell, mut told) = channel();
    let (io, addr) = serve(Server::builder()).await;
    io.on("settle", |ack: Ack| ack.send(()));
    let mut sockets = sockets(&io);
    let mut client = Client::connect(addr).await;
    let socket = sockets.next().await;
    let stays = io.on_any(teller(&tell, "stays"));
    let goes = io.on_any(teller(&tell, "goes"));
    let own = socket.on_any(teller(&tell, "own"));
    assert!(io.off_listener(goes) && !io.off_listener(goes) && !io.off_listener(own));
    settle(&mut client).await;
    assert_eq!(labels(&mut told), ["stays", "own"]);
    assert!(socket.off_listener(own) && !socket.off_any());
    settle(&mut client).await;
    assert_eq!(labels(&mut told), ["stays"]);
    assert!(io.off_any() && !io.off_any() && !io.off_listener(stays));
    settle(&mut client).await;
    assert_eq!(labels(&mut told), [""; 0]);
}

#[tokio::test]
async fn who_hears_all_hears_no_connection_and_no_end() {
    let (tell, mut told) = channel();
    let (io, addr) = serve(Server::builder()).await;
    io.on_any(teller(&tell, "any"));
    let (gone, mut ends) = channel();
    io.on_disconnect(move || gone.send(()).is_ok());
    let mut client = Client::connect(addr).await;
    client.send("41").await;
    ends.next().await;
    assert_eq!(told.rest(), []);
}

#[tokio::test]
async fn what_is_emitted_is_heard_in_its_order() {
    let (tell, mut told) = channel();
    let (io, [mut client, ..], [socket, ..]) = three().await;
    socket.on_any_outgoing(teller(&tell, "own"));
    socket.prepend_any_outgoing(teller(&tell, "own first"));
    for index in 0..100 {
        if index % 2 == 0 { socket.emit("e", index) } else { io.to("a").emit("e", index) }
    }
    for index in 0..100 {
        let heard = ("e".to_owned(), index.to_string());
        assert_eq!(told.next().await, ("own first", heard.clone()));
        assert_eq!(told.next().await, ("own", heard));
        client.expect(&format!(r#"42["e",{index}]"#)).await;
    }
}

#[tokio::test]
async fn what_goes_to_many_is_heard_once_for_each() {
    let (tell, mut told) = channel();
    let (io, _clients, [_, ab, b]) = three().await;
    io.prepend_any_outgoing(move |socket: Socket, name: EventName, data: Raw| {
        let size = data.as_bytes().map(bytes::Bytes::len);
        let _ = tell.send((socket.id(), name.0, size));
    });
    io.to(["a", "b"]).except("a").emit("photo", bytes::Bytes::from_static(&[1, 2, 3]));
    assert_eq!(told.next().await, (b.id(), "photo".to_owned(), Some(3)));
    drop(ab.timeout(Duration::MAX).emit_with_ack::<u8>("question", ()));
    assert_eq!(told.next().await, (ab.id(), "question".to_owned(), None));
    drop(io.to("a").except("b").emit_with_ack::<u8>("to many", ()));
    assert_eq!(told.next().await.1, "to many");
    assert!(io.off_any_outgoing() && !io.off_any_outgoing());
    io.emit("unheard", ());
    io.on_any_outgoing(|| ());
    assert_eq!(told.rest(), []);
}

#[tokio::test]
async fn answers_and_farewells_are_not_heard_as_emitted() {
    let (tell, mut told) = channel();
    let (io, addr) = serve(Server::builder()).await;
    io.on_any_outgoing(teller(&tell, "any"));
    io.on("question", || "answer");
    let mut sockets = sockets(&io);
    let mut client = Client::connect(addr).await;
    client.send(r#"420["question"]"#).await;
    client.expect(r#"430["answer"]"#).await;
    let socket = sockets.next().await;
    socket.emit("last", ());
    socket.disconnect();
    socket.emit("too late", ());
    assert_eq!(told.next().await.1.0, "last");
    client.expect(r#"42["last"]"#).await;
    client.expect("41").await;
    client.join("/", "").await;
    sockets.next().await.emit("end", ());
    assert_eq!(told.next().await.1.0, "end");
}

#[tokio::test]
async fn who_hears_what_is_emitted_may_wait_and_may_fail() {
    let (builder, mut errors) = with_hook();
    let (io, addr) = serve(builder).await;
    let mut sockets = sockets(&io);
    let _client = Client::connect(addr).await;
    let socket = sockets.next().await;
    let (tell, mut told) = channel();
    socket.on_any_outgoing(move |number: u8| {
        let tell = tell.clone();
        async move {
            tokio::task::yield_now().await;
            let _ = tell.send(number);
        }
    });
    socket.emit("e", 1);
    socket.emit("e", "no number");
    socket.emit("e", 2);
    assert_eq!((told.next().await, told.next().await), (1, 2));
    let (event, error) = errors.next().await;
    assert_eq!(event, "e");
    assert!(error.starts_with("argument 1: "), "{error}");
}

#[tokio::test]
async fn what_waits_to_be_heard_is_bounded() {
    let (io, addr) = serve(Server::builder().max_backlog_bytes(8000)).await;
    let mut sockets = sockets(&io);
    let mut client = Client::connect(addr).await;
    let socket = sockets.next().await;
    let (tell, mut told) = channel();
    let (release, wait) = tokio::sync::watch::channel(false);
    socket.on_any_outgoing(move |number: u8| {
        let (tell, mut wait) = (tell.clone(), wait.clone());
        async move {
            let _ = tell.send(number);
            let _ = wait.wait_for(|released| *released).await;
        }
    });
    socket.emit("e", 0);
    assert_eq!(told.next().await, 0);
    let long = "x".repeat(1000);
    (1..20).for_each(|number| socket.emit("e", (number, &long)));
    release.send(true).unwrap();
    client.expect(r#"42["e",0]"#).await;
    for number in 1..20 {
        client.expect(&format!(r#"42["e",{number},"{long}"]"#)).await;
    }
    // Of a thousand bytes and a few, with what surrounds them, seven fit.
    for number in 1..=7 {
        assert_eq!(told.next().await, number);
    }
    socket.emit("e", 200);
    assert_eq!(told.next().await, 200, "the rest was not told");
}
