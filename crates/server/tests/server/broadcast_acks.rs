//! Events that many clients are to answer.

use std::time::Duration;

use sockeye::{AckError, BroadcastAckError, EmitError, Server, Sid, adapter::Flags};

use crate::{
    client::{Client, Polling, eventually},
    millis,
    rooms::three,
    serve, sockets,
    spy::spy,
};

/// Whose answers are missing, and why, in the order of their ids.
fn failures<R>(outcome: Result<Vec<R>, BroadcastAckError<R>>) -> (Vec<R>, Vec<(Sid, AckError)>) {
    match outcome {
        Err(BroadcastAckError::Incomplete { replies, mut failures }) => {
            failures.sort_by_key(|(id, _)| *id);
            (replies, failures)
        }
        Err(error) => panic!("expected missing answers, got {error}"),
        Ok(_) => panic!("expected missing answers, got all"),
    }
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort_unstable();
    list
}

#[tokio::test]
async fn all_answers_to_a_broadcast_are_gathered() {
    let (io, mut clients, _sockets) = three().await;
    let answers = io.emit_with_ack::<(u8, u8)>("question", "ready?");
    for (client, answer) in clients.iter_mut().zip(["[1,10]", "[2,20]", "[3,30,300]"]) {
        client.expect(r#"420["question","ready?"]"#).await;
        client.send(&format!("430{answer}")).await;
    }
    assert_eq!(sorted(answers.await.unwrap()), [(1, 10), (2, 20), (3, 30)]);
}

#[tokio::test]
async fn only_those_in_the_room_are_asked_and_others_are_not_heard() {
    let (io, [mut a, mut ab, mut b], _sockets) = three().await;
    let answers = io.to("a").except("b").emit_with_ack::<String>("question", ());
    a.expect(r#"420["question"]"#).await;
    for stranger in [&mut ab, &mut b] {
        stranger.send(r#"430["forged"]"#).await;
        stranger.send("41").await;
    }
    eventually("the strangers' end", || io.sockets().len() == 1).await;
    a.send(r#"430["true"]"#).await;
    a.send(r#"430["twice"]"#).await;
    assert_eq!(answers.await.unwrap(), ["true"]);
}

#[tokio::test]
async fn a_broadcast_to_nobody_is_answered_at_once() {
    let (io, _clients, [socket, ..]) = three().await;
    assert_eq!(io.to("nobody").emit_with_ack::<u8>("e", ()).await.unwrap(), [0; 0]);
    assert_eq!(socket.to(socket.id()).emit_with_ack::<u8>("e", ()).await.unwrap(), [0; 0]);
}

#[tokio::test]
async fn the_deadline_tells_who_has_not_answered() {
    let (io, mut clients, [a, ab, b]) = three().await;
    let answers = io.timeout(millis(1)).emit_with_ack::<u8>("e", ());
    clients[1].expect(r#"420["e"]"#).await;
    clients[1].send("430[7]").await;
    // What has come counts, even if nobody has asked for it before the deadline.
    eventually("the answer", || ab.pending_acks() == 0).await;
    let outcome = answers.await;
    let text = outcome.as_ref().unwrap_err().to_string();
    assert_eq!(text, "2 of 3 clients did not answer");
    let (replies, failures) = failures(outcome);
    assert_eq!(replies, [7]);
    let late = sorted(vec![a.id(), b.id()]).into_iter().map(|id| (id, AckError::TimedOut));
    assert_eq!(failures, late.collect::<Vec<_>>());
    for socket in [a, ab, b] {
        assert_eq!(socket.pending_acks(), 0, "the entry is freed");
    }
}

#[tokio::test]
async fn the_timeout_of_the_server_holds_for_broadcasts_too() {
    let (io, addr) = serve(Server::builder().ack_timeout(millis(20))).await;
    let client = Client::connect(addr).await;
    let (replies, failures) = failures(io.emit_with_ack::<u8>("e", ()).await);
    assert_eq!(replies, [0; 0]);
    assert_eq!(failures, [(client.id.parse().unwrap(), AckError::TimedOut)]);
}

#[tokio::test]
async fn who_leaves_is_not_waited_for() {
    let (io, [mut a, ab, mut b], [_, socket, _]) = three().await;
    let answers = io.timeout(Duration::MAX).emit_with_ack::<u8>("e", ());
    ab.close().await;
    for client in [&mut a, &mut b] {
        client.expect(r#"420["e"]"#).await;
        client.send("430[1]").await;
    }
    let (replies, failures) = failures(answers.await);
    assert_eq!(replies, [1, 1]);
    assert_eq!(failures, [(socket.id(), AckError::Disconnected)]);
}

#[tokio::test]
async fn an_answer_that_does_not_fit_spoils_no_other() {
    let (io, mut clients, [a, ..]) = three().await;
    let answers = io.emit_with_ack::<u8>("e", ());
    for (client, answer) in clients.iter_mut().zip([r#"["text"]"#, "[2]", "[3]"]) {
        client.expect(r#"420["e"]"#).await;
        client.send(&format!("430{answer}")).await;
    }
    let (replies, failures) = failures(answers.await);
    assert_eq!(sorted(replies), [2, 3]);
    assert!(matches!(&failures[..], [(id, AckError::Reply(_))] if *id == a.id()), "{failures:?}");
}

#[tokio::test]
async fn dropping_the_future_of_a_broadcast_frees_all_entries() {
    let (io, mut clients, sockets) = three().await;
    let answers = io.emit_with_ack::<u8>("e", ());
    assert!(sockets.iter().all(|socket| socket.pending_acks() == 1));
    drop(answers);
    assert!(sockets.iter().all(|socket| socket.pending_acks() == 0));
    clients[0].expect(r#"420["e"]"#).await;
    clients[0].send("430[1]").await;
    let next = io.to("a").except("b").emit_with_ack::<u8>("e", ());
    clients[0].expect(r#"421["e"]"#).await;
    clients[0].send("431[2]").await;
    assert_eq!(next.await.unwrap(), [2], "the late answer did no harm");
}

#[tokio::test]
async fn who_owes_too_many_answers_is_not_asked() {
    let (io, addr) = serve(Server::builder().max_pending_acks(1)).await;
    let mut sockets = sockets(&io);
    let mut client = Client::connect(addr).await;
    let id = sockets.next().await.id();
    let first = io.emit_with_ack::<u8>("first", ());
    let (_, failures) = failures(io.emit_with_ack::<u8>("second", ()).await);
    assert_eq!(failures, [(id, AckError::TooManyPending(1))]);
    client.expect(r#"420["first"]"#).await;
    client.send("430[1]").await;
    assert_eq!(first.await.unwrap(), [1]);
}

#[tokio::test]
async fn a_volatile_question_that_is_dropped_is_not_waited_for() {
    let (io, addr) = serve(Server::builder()).await;
    let mut sockets = sockets(&io);
    let polling = Polling::connect(addr).await;
    let socket = sockets.next().await;
    let all = io.volatile().timeout(Duration::MAX).emit_with_ack::<u8>("all", ()).await;
    assert_eq!(failures(all).1, [(socket.id(), AckError::Dropped)]);
    let one = socket.volatile().timeout(Duration::MAX).emit_with_ack::<u8>("one", ());
    assert_eq!(one.await, Err(AckError::Dropped));
    assert_eq!(socket.pending_acks(), 0);
    socket.volatile().emit("nothing", ());
    socket.emit("end", ());
    assert_eq!(polling.poll().await, r#"42["end"]"#);
}

#[tokio::test]
async fn a_broadcast_that_cannot_be_emitted_is_not_waited_for() {
    let (io, _clients, _sockets) = three().await;
    let error = io.emit_with_ack::<u8>("connect", ()).await.unwrap_err();
    assert!(matches!(error, BroadcastAckError::Emit(EmitError::ReservedName(_))), "{error}");
}

#[tokio::test]
async fn an_adapter_is_told_what_is_volatile_and_what_is_local() {
    let (adapter, mut told) = spy();
    let (io, addr) = serve(Server::builder().adapter(adapter)).await;
    let mut sockets = sockets(&io);
    let mut client = Client::connect(addr).await;
    let socket = sockets.next().await;
    io.emit("everywhere", ());
    io.local().emit("here", ());
    io.to(socket.id()).volatile().local().emit("both", ());
    socket.local().emit("others here", ());
    assert_eq!(told.next().await, Flags::default());
    assert_eq!(told.next().await, Flags { local: true, volatile: false });
    assert_eq!(told.next().await, Flags { local: true, volatile: true });
    assert_eq!(told.next().await, Flags { local: true, volatile: false });
    for text in [r#"42["everywhere"]"#, r#"42["here"]"#, r#"42["both"]"#] {
        client.expect(text).await;
    }
    // To ask and to find goes by what the adapter has to begin with.
    let answers = io.emit_with_ack::<u8>("question", ());
    client.expect(r#"420["question"]"#).await;
    client.send("430[5]").await;
    assert_eq!(answers.await.unwrap(), [5]);
}
