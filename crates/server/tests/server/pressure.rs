//! Peers that send or take more or less than they should.

use sockeye::{Server, Socket};
use sockeye_websocket::{Opcode, encode_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    client::{Client, Polling, within},
    reasons, serve,
};

/// Frames as a client sends them.
fn frames(text: &str, count: usize) -> Vec<u8> {
    let mut frames = bytes::BytesMut::new();
    (0..count)
        .for_each(|_| encode_frame(&mut frames, Opcode::Text, text.as_bytes(), Some([1, 2, 3, 4])));
    frames.to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_without_a_pause_is_answered_meanwhile() {
    const ROUNDS: usize = 64;
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = reasons(&io);
    io.on("echo", |socket: Socket, text: String| socket.emit("echo", text));
    let client = Client::connect(addr).await;
    let event = format!(r#"42["echo","{}"]"#, "x".repeat(16_000));
    let chunk = frames(&event, 64);
    let (mut reader, mut writer) = client.into_stream().into_split();
    let sent = tokio::spawn(async move {
        for _ in 0..ROUNDS {
            writer.write_all(&chunk).await.expect("the server reads on");
        }
        writer
    });
    let mut missing = ROUNDS * 64 * (event.len() + 4);
    let mut buffer = vec![0; 1 << 16];
    while missing > 0 {
        let read = within("an answer", reader.read(&mut buffer)).await.expect("it is connected");
        assert_ne!(read, 0, "the server went on answering");
        missing -= read.min(missing);
    }
    assert!(reasons.rest().is_empty());
    drop(sent.await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_on_a_websocket_waits_in_the_network_while_a_body_is_handled() {
    let (io, addr) = serve(Server::builder()).await;
    let (entered, mut is_in) = crate::channel();
    let (leave, may_leave) = std::sync::mpsc::channel::<()>();
    let may_leave = std::sync::Mutex::new(may_leave);
    io.on("block", move || {
        let _ = entered.send(());
        // It must not, and it does: the worst that an application can do to its own sockets.
        let _ = may_leave.lock().unwrap().recv();
    });
    io.on("count", |number: u32| number);
    let client = Polling::connect(addr).await;
    let websocket = client.probe().await;
    let body = r#"42["block"]"#.to_owned() + &"\u{1e}42[\"count\",0]".repeat(1000);
    let posting = tokio::spawn(async move { client.post(&body).await });
    is_in.next().await;

    let mut stream = websocket.into_stream();
    stream.write_all(&frames("5", 1)).await.expect("the server reads the upgrade");
    let flood = frames(&format!(r#"42["count","{}"]"#, "x".repeat(1000)), 1000);
    let mut written = 0;
    // The system's buffers take some megabytes, and then nothing more.
    let stalled = tokio::time::timeout(crate::millis(500), async {
        loop {
            stream.write_all(&flood).await.expect("the connection stands");
            written += flood.len();
        }
    });
    assert!(stalled.await.is_err());
    assert!(written < 64 << 20, "{written} bytes were read and kept");
    let _ = leave.send(());
    assert_eq!(within("the answer to the body", posting).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_poll_whose_answer_is_never_read_is_cut() {
    let builder = Server::builder().body_timeout(crate::millis(200));
    let io = builder.build().expect("the options fit each other");
    let listening = io.listen("127.0.0.1:0").await.expect("a port is free");
    let client = Polling::connect(listening.local_addr()).await;
    io.emit("chunk", "x".repeat(15 << 20));
    let mut stalled = client.start_poll().await;
    let mut beginning = [0; 100];
    within("the answer", stalled.read_exact(&mut beginning)).await.expect("it comes");
    // The answer is larger than what the system takes, so the server could not end while it waits.
    within("the end of all connections", listening.shutdown()).await;
    drop(stalled);
}
