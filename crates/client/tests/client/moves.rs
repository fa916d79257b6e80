//! What everybody does with a client.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sockeye::Server;
use sockeye_client::{Ack, EventName, Raw, Rest, Socket};

use crate::{WAYS, channel, client, serve, within};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i64,
    photo: Bytes,
}

/// Says every event back, and asks when asked to.
async fn echo() -> (Server, std::net::SocketAddr) {
    let (io, address) = serve(Server::builder()).await;
    io.on(
        "echo",
        |socket: sockeye::Socket, args: Rest<Raw>, ack: Ack| {
            if ack.is_requested() { ack.send(args) } else { socket.emit("echo", args) }
        },
    );
    io.on("ask me", |socket: sockeye::Socket, args: Rest<Raw>| async move {
        let reply = socket.emit_with_ack::<Rest<Raw>>("question", args).await;
        match reply {
            Ok(reply) => socket.emit("you said", reply),
            Err(error) => socket.emit("no answer", error.to_string()),
        }
    });
    (io, address)
}

#[tokio::test]
async fn events_and_answers_go_both_ways_over_each_transport() {
    let (io, address) = echo().await;
    for transports in WAYS {
        let (tell, mut told) = channel();
        let client = client(address).transports(transports.iter().copied()).build().unwrap();
        let point = Point { x: -1, photo: Bytes::from_static(&[0, 1, 255]) };
        client.on("echo", {
            let tell = tell.clone();
            move |text: String, number: i64, point: Point| tell.send((text, number, point)).unwrap()
        });
        client.on("question", |text: String, point: Point| (text, 2, point));
        client.on("you said", move |text: String, number: i64, point: Point| {
            tell.send((text, number, point)).unwrap();
        });
        within("connect", client.connect()).await.unwrap();
        assert!(client.connected() && client.active());
        assert_eq!(client.id().map(|id| id.len()), Some(20));

        client.emit("echo", ("a", 1, &point));
        assert_eq!(told.next().await, ("a".to_owned(), 1, point.clone()));
        let answer = client.emit_with_ack::<(String, Point)>("echo", ("b", &point));
        assert_eq!(within("answer", answer).await.unwrap(), ("b".to_owned(), point.clone()));
        client.emit("ask me", ("c", &point));
        assert_eq!(told.next().await, ("c".to_owned(), 2, point.clone()));
        let nothing: () = within("answer", client.emit_with_ack("echo", ())).await.unwrap();
        assert_eq!(nothing, ());
        within("close", client.close()).await;
        assert!(!client.connected() && !client.active());
    }
    io.close().await;
}

#[tokio::test]
async fn order_is_kept_over_the_upgrade() {
    let (io, address) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    io.on("n", move |number: u32| tell.send(number).unwrap());
    let client = client(address).build().unwrap();
    client.open();
    for number in 0..500 {
        client.emit("n", number);
        if number % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    for number in 0..500 {
        assert_eq!(told.next().await, number);
    }
    client.close().await;
}

#[tokio::test]
async fn a_connection_moves_to_a_websocket() {
    let (_io, address) = echo().await;
    let (tell, mut told) = channel();
    let client = client(address).build().unwrap();
    client.on_manager_event(move |event| drop(tell.send(format!("{event:?}"))));
    within("connect", client.connect()).await.unwrap();
    assert_eq!(told.next().await, "Open(Polling)");
    assert_eq!(told.next().await, "Upgrade");
    assert_eq!(client.transport(), Some(sockeye_client::Transport::WebSocket));
    client.close().await;
    assert_eq!(told.next().await, "Close(ForcedClose)");
    told.end().await;
}

#[tokio::test]
async fn catch_all_handlers_see_everything_that_comes_and_goes() {
    let (_io, address) = echo().await;
    let (tell, mut told) = channel();
    let client = client(address).build().unwrap();
    let (coming, going) = (tell.clone(), tell.clone());
    client.on_any(move |EventName(name): EventName, args: Rest<Raw>| {
        coming.send(format!("in {name} {}", args.0[0].as_json())).unwrap();
    });
    client.on_any_outgoing(move |EventName(name): EventName, args: Rest<Raw>| {
        going.send(format!("out {name} {}", args.0[0].as_json())).unwrap();
    });
    client.on("echo", move |number: u32| tell.send(format!("echo {number}")).unwrap());
    client.connect().await.unwrap();
    client.emit("echo", 1);
    assert_eq!(told.next().await, "out echo 1");
    assert_eq!(told.next().await, "in echo 1");
    assert_eq!(told.next().await, "echo 1");
    client.close().await;
}

#[tokio::test]
async fn handlers_can_be_taken_back_and_called_once() {
    let (_io, address) = echo().await;
    let (tell, mut told) = channel();
    let client = client(address).build().unwrap();
    let (once, never, again) = (tell.clone(), tell.clone(), tell);
    client.once("echo", move |number: u32| once.send(number).unwrap());
    let id = client.on("echo", move |number: u32| never.send(number + 1000).unwrap());
    assert!(client.off_listener(id) && !client.off_listener(id));
    client.connect().await.unwrap();
    client.emit("echo", 1);
    client.emit("echo", 2);
    let _: u32 = client.emit_with_ack("echo", 3).await.unwrap();
    client.on("echo", move |number: u32| again.send(number).unwrap());
    client.emit("echo", 4);
    assert_eq!(told.next().await, 1);
    assert_eq!(told.next().await, 4);
    assert!(client.off("echo") && !client.off("echo"));
    client.close().await;
    told.end().await;
}

#[tokio::test]
async fn namespaces_share_a_connection() {
    let (io, address) = echo().await;
    io.of("/admin").on("who", |socket: sockeye::Socket| socket.namespace().name().to_owned());
    let client = client(address).connect().await.unwrap();
    let admin = client.socket("/admin");
    assert!(!admin.connected());
    within("connect", admin.connect()).await.unwrap();
    assert_ne!(admin.id(), client.id());
    let name: String = within("answer", admin.emit_with_ack("who", ())).await.unwrap();
    assert_eq!(name, "/admin");
    assert_eq!(io.counts().sessions, 1);
    client.disconnect();
    let name: String = within("answer", admin.emit_with_ack("who", ())).await.unwrap();
    assert_eq!(name, "/admin");
    assert!(!client.connected());
    client.close().await;
}

#[tokio::test]
async fn the_path_of_the_url_is_the_namespace_and_its_query_goes_along() {
    let (io, address) = serve(Server::builder()).await;
    io.of("/admin").on("query", |socket: sockeye::Socket| {
        let handshake = socket.handshake();
        let query = |name| handshake.query().get(name).map(str::to_owned);
        let header =
            handshake.headers().get("x-test").map(|value| value.to_str().unwrap().to_owned());
        (query("token"), query("more"), header)
    });
    for transports in WAYS {
        let client = sockeye_client::Client::builder(format!("http://{address}/admin?token=a%20b"))
            .transports(transports.iter().copied())
            .query("more", "é&=")
            .header("x-test", "yes")
            .connect()
            .await
            .unwrap();
        assert_eq!(client.namespace(), "/admin");
        let answer = client.emit_with_ack::<(String, String, String)>("query", ());
        let expected = ("a b".to_owned(), "é&=".to_owned(), "yes".to_owned());
        assert_eq!(within("answer", answer).await.unwrap(), expected);
        client.close().await;
    }
}

#[tokio::test]
async fn a_handler_that_waits_for_an_answer_does_not_wait_for_ever() {
    let (_io, address) = echo().await;
    let (tell, mut told) = channel();
    let client = client(address).build().unwrap();
    client.on("echo", move |socket: Socket, number: u32| {
        let tell = tell.clone();
        async move {
            let answer: u32 = socket.emit_with_ack("echo", number + 1).await.unwrap();
            tell.send(answer).unwrap();
        }
    });
    client.connect().await.unwrap();
    client.emit("echo", 1);
    assert_eq!(told.next().await, 2);
    client.close().await;
}

#[tokio::test]
async fn what_goes_wrong_in_handlers_is_told_and_costs_one_event() {
    let (_io, address) = echo().await;
    let (tell, mut told) = channel();
    let (answers, mut answered) = channel();
    let client = client(address)
        .on_error(move |error| tell.send(error.to_string()).unwrap())
        .build()
        .unwrap();
    client.on("question", |_: u32| ());
    client.on("echo", |kind: String| match kind.as_str() {
        "panic" => panic!("as asked"),
        other => Err::<(), String>(format!("no {other}")),
    });
    client.on("you said", move |answer: serde_json::Value| answers.send(answer).unwrap());
    client.connect().await.unwrap();
    client.emit("echo", "panic");
    assert_eq!(told.next().await, "event `echo` of /: the handler panicked: as asked");
    client.emit("echo", "way");
    assert_eq!(told.next().await, "event `echo` of /: no way");
    client.emit("ask me", "text");
    assert!(told.next().await.contains("argument 1"));
    assert!(answered.next().await["error"].as_str().unwrap().contains("argument 1"));
    client.close().await;
}
