//! The client without tokio: the server of these tests runs in a runtime of its own.
#![cfg(feature = "blocking")]

use std::{sync::mpsc, time::Duration};

use sockeye::Server;
use sockeye_client::{AckError, Client, blocking};

/// A server, and the runtime that it lives in.
fn serve() -> (tokio::runtime::Runtime, String) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = runtime.block_on(async {
        let io = Server::builder().build().unwrap();
        io.on("echo", |socket: sockeye::Socket, number: u32, ack: sockeye::Ack| {
            if ack.is_requested() { ack.send(number) } else { socket.emit("echo", number) }
        });
        io.on("ask me", |socket: sockeye::Socket, number: u32| async move {
            let answer = socket.emit_with_ack::<u32>("question", number).await;
            socket.emit("answer", answer.ok());
        });
        io.on("never", |ack: sockeye::Ack| std::mem::forget(ack));
        io.of("/admin").on("double", |number: u32| number * 2);
        io.listen("127.0.0.1:0").await.unwrap().local_addr()
    });
    (runtime, format!("http://{address}"))
}

#[test]
fn everything_works_without_async() {
    let (_server, url) = serve();
    let client = Client::builder(url).build_blocking().unwrap();
    let (tell, told) = mpsc::channel();
    client.on_any_outgoing(|| ());
    client.emit("echo", 0);
    client.on("answer", move |answer: Option<u32>| tell.send(answer).unwrap());
    // A handler that blocks for what its own client's thread has to do. It asks another socket of
    // the server's, which has its hands full with this one.
    let admin = client.socket("/admin");
    client.on("question", {
        let admin = admin.clone();
        move |_: blocking::Socket, number: u32| admin.emit_with_ack::<u32>("double", number)
    });
    let mut events = client.events::<u32>("echo");
    client.connect().unwrap();
    admin.connect().unwrap();
    assert_eq!(events.next(), Some(Ok(0)));
    assert_eq!(client.emit_with_ack::<u32>("echo", 7), Ok(7));
    client.emit("ask me", 1);
    assert_eq!(told.recv_timeout(Duration::from_secs(20)), Ok(Some(2)));
    client.emit("echo", 8);
    assert_eq!(events.next(), Some(Ok(8)));
    assert_eq!(admin.emit_with_ack::<u32>("double", 4), Ok(8));
    let never = client.timeout(Duration::from_millis(20)).emit_with_ack::<()>("never", ());
    assert_eq!(client.wait(never), Err(AckError::TimedOut));
    client.close();
    assert_eq!(events.next(), None);
    assert!(!client.connected());
}

#[test]
fn it_may_be_used_and_dropped_inside_a_runtime() {
    let (_server, url) = serve();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = Client::builder(url).connect_blocking().unwrap();
        assert_eq!(client.emit_with_ack::<u32>("echo", 7), Ok(7));
    });
}

#[test]
fn dropping_it_says_what_was_emitted_before() {
    let (server, url) = serve();
    let (tell, told) = mpsc::channel();
    let address = server.block_on(async {
        let io = Server::builder().build().unwrap();
        io.on("last", move |word: String| tell.send(word).unwrap());
        io.listen("127.0.0.1:0").await.unwrap().local_addr()
    });
    drop(url);
    let client = Client::builder(format!("http://{address}")).connect_blocking().unwrap();
    client.emit("last", "goodbye");
    drop(client);
    assert_eq!(told.recv_timeout(Duration::from_secs(20)).as_deref(), Ok("goodbye"));
}
