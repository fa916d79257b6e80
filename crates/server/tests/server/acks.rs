//! Acknowledgements, in both directions.

use std::time::Duration;

use sockeye::{Ack, AckError, EmitError, Raw, Rest, Server, Socket};

use crate::{client::Client, millis, serve, sockets};

/// A server, a connected client, and both ends of its socket.
async fn pair(builder: sockeye::ServerBuilder) -> (Server, Client, Socket) {
    let (io, addr) = serve(builder).await;
    let mut sockets = sockets(&io);
    let client = Client::connect(addr).await;
    let socket = sockets.next().await;
    (io, client, socket)
}

#[tokio::test]
async fn an_answer_is_read_as_the_type_that_is_asked_for() {
    let (_io, mut client, socket) = pair(Server::builder()).await;
    let one = socket.emit_with_ack::<String>("one", ());
    let two = socket.emit_with_ack::<(String, u8, Option<u8>)>("two", (1, 2));
    let all = socket.emit_with_ack::<Rest<u8>>("all", ());
    let raw = socket.emit_with_ack::<Raw>("raw", ());
    let none = socket.emit_with_ack::<()>("none", ());
    assert_eq!(socket.pending_acks(), 5);
    client.expect(r#"420["one"]"#).await;
    client.expect(r#"421["two",1,2]"#).await;
    client.expect(r#"422["all"]"#).await;
    client.expect(r#"423["raw"]"#).await;
    client.expect(r#"424["none"]"#).await;
    // In any order, and more than was asked for.
    client.send("434[]").await;
    client.send(r#"433[{"a" : 1}]"#).await;
    client.send("432[1,2,3]").await;
    client.send(r#"431["x",7]"#).await;
    client.send(r#"430["x",7]"#).await;
    assert_eq!(one.await, Ok("x".to_owned()));
    assert_eq!(two.await, Ok(("x".to_owned(), 7, None)));
    assert_eq!(all.await, Ok(Rest(vec![1, 2, 3])));
    assert_eq!(raw.await.unwrap().as_json(), r#"{"a" : 1}"#);
    assert_eq!(none.await, Ok(()));
    assert_eq!(socket.pending_acks(), 0);
}

#[tokio::test]
async fn an_answer_may_have_attachments() {
    let (_io, mut client, socket) = pair(Server::builder()).await;
    let answer = socket.emit_with_ack::<bytes::Bytes>("photo?", ());
    client.expect(r#"420["photo?"]"#).await;
    client.send(r#"461-0[{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(b"photo").await;
    assert_eq!(answer.await.unwrap(), "photo");
}

#[tokio::test]
async fn an_answer_of_another_type_is_an_error() {
    let (_io, mut client, socket) = pair(Server::builder()).await;
    let answer = socket.emit_with_ack::<u8>("e", ());
    client.expect(r#"420["e"]"#).await;
    client.send(r#"430["text"]"#).await;
    let error = answer.await.unwrap_err();
    assert!(matches!(error, AckError::Reply(_)), "{error}");
}

#[tokio::test]
async fn an_answer_that_does_not_come_times_out() {
    let (_io, mut client, socket) = pair(Server::builder()).await;
    let answer = socket.timeout(millis(20)).emit_with_ack::<u8>("e", ()).await;
    assert_eq!(answer, Err(AckError::TimedOut));
    assert_eq!(socket.pending_acks(), 0, "the entry is freed");
    client.expect(r#"420["e"]"#).await;
}

#[tokio::test]
async fn the_server_has_a_timeout_for_acknowledgements() {
    let (_io, _client, socket) = pair(Server::builder().ack_timeout(millis(20))).await;
    assert_eq!(socket.emit_with_ack::<u8>("e", ()).await, Err(AckError::TimedOut));
}

#[tokio::test]
async fn the_timeout_of_the_server_can_be_switched_off() {
    let (_io, client, socket) = pair(Server::builder().ack_timeout(None::<Duration>)).await;
    let answer = socket.emit_with_ack::<u8>("e", ());
    client.close().await;
    assert_eq!(answer.await, Err(AckError::Disconnected));
}

#[tokio::test]
async fn a_late_answer_is_ignored() {
    let (io, mut client, socket) = pair(Server::builder()).await;
    io.on("e", || "still here");
    let answer = socket.timeout(millis(1)).emit_with_ack::<u8>("e", ()).await;
    assert_eq!(answer, Err(AckError::TimedOut));
    client.expect(r#"420["e"]"#).await;
    client.send("430[1]").await;
    client.send(r#"420["e"]"#).await;
    client.expect(r#"430["still here"]"#).await;
}

#[tokio::test]
async fn a_second_answer_and_one_to_nothing_are_ignored() {
    let (io, mut client, socket) = pair(Server::builder()).await;
    io.on("e", || "still here");
    let answer = socket.emit_with_ack::<u8>("e", ());
    client.expect(r#"420["e"]"#).await;
    for text in ["430[1]", "430[2]", "4399[3]", "43[4]", "4318446744073709551615[5]"] {
        client.send(text).await;
    }
    assert_eq!(answer.await, Ok(1));
    client.send(r#"420["e"]"#).await;
    client.expect(r#"430["still here"]"#).await;
}

#[tokio::test]
async fn an_answer_from_a_socket_that_was_not_asked_is_ignored() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("e", || "still here");
    let mut sockets = sockets(&io);
    let [mut asked, mut other] = [Client::connect(addr).await, Client::connect(addr).await];
    let socket = sockets.next().await;
    let answer = socket.emit_with_ack::<String>("question", ());
    asked.expect(r#"420["question"]"#).await;
    other.send(r#"430["forged"]"#).await;
    other.send(r#"420["e"]"#).await;
    other.expect(r#"430["still here"]"#).await;
    assert_eq!(socket.pending_acks(), 1);
    asked.send(r#"430["true"]"#).await;
    assert_eq!(answer.await, Ok("true".to_owned()));
}

#[tokio::test]
async fn a_disconnect_ends_all_waiting_at_once() {
    let (_io, mut client, socket) = pair(Server::builder()).await;
    let one = socket.timeout(Duration::MAX).emit_with_ack::<u8>("e", ());
    let two = socket.timeout(Duration::MAX).emit_with_ack::<u8>("e", ());
    client.send("41").await;
    assert_eq!(one.await, Err(AckError::Disconnected));
    assert_eq!(two.await, Err(AckError::Disconnected));
    let after = socket.emit_with_ack::<u8>("e", ()).await;
    assert_eq!(after, Err(AckError::Disconnected));
    assert_eq!(socket.pending_acks(), 0);
}

#[tokio::test]
async fn dropping_the_future_frees_the_entry() {
    let (_io, mut client, socket) = pair(Server::builder()).await;
    let answer = socket.emit_with_ack::<u8>("e", ());
    assert_eq!(socket.pending_acks(), 1);
    drop(answer);
    assert_eq!(socket.pending_acks(), 0);
    client.expect(r#"420["e"]"#).await;
}

#[tokio::test]
async fn a_client_owes_max_pending_acks_at_most() {
    let (_io, mut client, socket) = pair(Server::builder().max_pending_acks(2)).await;
    let one = socket.emit_with_ack::<u8>("one", ());
    let two = socket.emit_with_ack::<u8>("two", ());
    let three = socket.emit_with_ack::<u8>("three", ()).await;
    assert_eq!(three, Err(AckError::TooManyPending(2)));
    drop(one);
    let four = socket.emit_with_ack::<u8>("four", ());
    client.expect(r#"420["one"]"#).await;
    client.expect(r#"421["two"]"#).await;
    client.expect(r#"423["four"]"#).await;
    client.send("431[2]").await;
    client.send("433[4]").await;
    assert_eq!((two.await, four.await), (Ok(2), Ok(4)));
}

#[tokio::test]
async fn an_event_that_cannot_be_emitted_is_not_waited_for() {
    let (_io, _client, socket) = pair(Server::builder()).await;
    let error = socket.emit_with_ack::<u8>("connect", ()).await;
    assert_eq!(error, Err(EmitError::ReservedName("connect".to_owned()).into()));
    assert_eq!(socket.pending_acks(), 0);
}

#[tokio::test]
async fn the_first_answer_of_a_handler_wins() {
    let (io, mut client, _socket) = pair(Server::builder()).await;
    io.on("e", |ack: Ack| {
        ack.clone().send("first");
        ack.send("second");
        "third"
    });
    io.on("e", || "fourth");
    io.on("nothing", |ack: Ack| ack.send(()));
    client.send(r#"420["e"]"#).await;
    client.expect(r#"430["first"]"#).await;
    client.send(r#"421["nothing"]"#).await;
    client.expect("431[]").await;
}

#[tokio::test]
async fn what_was_not_asked_is_not_answered() {
    let (io, mut client, _socket) = pair(Server::builder()).await;
    io.on("e", |socket: Socket, ack: Ack| {
        ack.send("answer");
        socket.emit("asked", ack.is_requested());
    });
    client.send(r#"42["e"]"#).await;
    client.expect(r#"42["asked",false]"#).await;
    client.send(r#"427["e"]"#).await;
    client.expect(r#"437["answer"]"#).await;
    client.expect(r#"42["asked",true]"#).await;
}

#[tokio::test]
async fn an_ack_may_be_kept_and_answered_later_or_never() {
    let (io, mut client, socket) = pair(Server::builder()).await;
    let (tell, mut acks) = crate::channel();
    io.on("e", move |ack: Ack| {
        let _ = tell.send(ack);
    });
    client.send(r#"420["e"]"#).await;
    client.send(r#"421["e"]"#).await;
    let _never = acks.next().await;
    acks.next().await.send("later");
    client.expect(r#"431["later"]"#).await;
    client.send(r#"422["e"]"#).await;
    let too_late = acks.next().await;
    socket.disconnect();
    too_late.send("nobody hears this");
    client.expect("41").await;
    client.join("/", "").await;
}
