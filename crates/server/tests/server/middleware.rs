//! Who may join, and what the others are told.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use sockeye::{ConnectError, Counts, Server, Socket};
use tokio::sync::Notify;

use crate::{
    channel,
    client::{Client, eventually},
    serve, with_hook,
};

#[derive(Deserialize)]
struct Auth {
    token: String,
}

#[tokio::test]
async fn middlewares_are_asked_in_order_until_one_says_no() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    for name in ["one", "two", "three"] {
        let tell = tell.clone();
        io.middleware(move |auth: Value| {
            let _ = tell.send(name);
            let no = auth["refuse"] == name;
            async move { if no { Err(format!("{name} says no")) } else { Ok(()) } }
        });
    }
    io.on_connection(move || {
        let _ = tell.send("connected");
    });
    let mut client = Client::open(addr).await;
    client.send(r#"40{"refuse":"two"}"#).await;
    client.expect(r#"44{"message":"two says no"}"#).await;
    assert_eq!(told.rest(), ["one", "two"]);
    client.join("/", "").await;
    assert_eq!(told.rest(), ["one", "two", "three", "connected"]);
}

#[tokio::test]
async fn a_refusal_carries_a_message_and_data() {
    let (io, addr) = serve(Server::builder()).await;
    io.middleware(|_: Socket| {
        let data = serde_json::json!({"code": 401});
        Err::<(), _>(ConnectError::new("not \"authorized\"").data(data))
    });
    io.of("/text").middleware(|| Err::<(), _>("plain text"));
    io.of("/string").middleware(|| async { Err::<(), String>("a string".to_owned()) });
    io.of("/error").middleware(|| {
        "no number".parse::<u8>().map_err(Box::<dyn std::error::Error + Send + Sync>::from)?;
        Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    });
    io.of("/typed").middleware(|| async { Err::<(), _>("no number".parse::<u8>().unwrap_err()) });
    io.of("/no-json").middleware(|| {
        let data = std::collections::BTreeMap::from([((1, 2), 3)]);
        Err::<(), _>(ConnectError::new("no JSON").data(data))
    });
    let mut client = Client::open(addr).await;
    client.send("40").await;
    client.expect(r#"44{"message":"not \"authorized\"","data":{"code":401}}"#).await;
    client.send("40/typed,").await;
    client.expect(r#"44/typed,{"message":"invalid digit found in string"}"#).await;
    client.send("40/no-json,").await;
    client.expect(r#"44/no-json,{"message":"no JSON"}"#).await;
    client.send("40/text,").await;
    client.expect(r#"44/text,{"message":"plain text"}"#).await;
    client.send("40/string,").await;
    client.expect(r#"44/string,{"message":"a string"}"#).await;
    client.send("40/error,").await;
    client.expect(r#"44/error,{"message":"invalid digit found in string"}"#).await;
}

#[tokio::test]
async fn a_namespace_that_does_not_exist_refuses() {
    let (io, addr) = serve(Server::builder()).await;
    io.of("without a slash");
    let mut client = Client::open(addr).await;
    client.send("40/nowhere,").await;
    client.expect(r#"44/nowhere,{"message":"Invalid namespace"}"#).await;
    client.join("/without a slash", "").await;
}

#[tokio::test]
async fn a_middleware_may_wait() {
    let (io, addr) = serve(Server::builder()).await;
    let open = Arc::new(Notify::new());
    let gate = open.clone();
    io.middleware(move |auth: Auth| {
        let open = open.clone();
        async move {
            open.notified().await;
            if auth.token == "secret" { Ok(()) } else { Err("wrong token") }
        }
    });
    let [mut a, mut b] = [Client::open(addr).await, Client::open(addr).await];
    a.send(r#"40{"token":"guess"}"#).await;
    gate.notify_one();
    a.expect(r#"44{"message":"wrong token"}"#).await;
    gate.notify_one();
    b.join("/", r#"{"token":"secret"}"#).await;
    assert_eq!(io.sockets().len(), 1);
}

#[tokio::test]
async fn an_auth_that_does_not_fit_is_refused_without_details() {
    let (io, addr) = serve(Server::builder()).await;
    io.middleware(|_: Socket, _: Auth| Ok::<(), String>(()));
    let mut client = Client::open(addr).await;
    for auth in ["", "{}", r#"{"token":1}"#] {
        client.send(&format!("40{auth}")).await;
        client.expect(r#"44{"message":"Invalid auth"}"#).await;
    }
    client.join("/", r#"{"token":"any"}"#).await;
}

#[tokio::test]
async fn the_auth_can_be_read_from_the_socket_too() {
    let (io, addr) = serve(Server::builder()).await;
    io.middleware(|socket: Socket| {
        let auth: Auth = socket.auth().map_err(|error| error.to_string())?;
        if auth.token == "secret" { Ok(()) } else { Err("wrong token".to_owned()) }
    });
    let mut client = Client::open(addr).await;
    client.send("40").await;
    client.expect(r#"44{"message":"missing field `token` at line 1 column 2"}"#).await;
    client.join("/", r#"{"token":"secret"}"#).await;
}

#[tokio::test]
async fn a_panic_in_a_middleware_refuses_and_is_told_to_the_hook() {
    let (builder, mut errors) = with_hook();
    let (io, addr) = serve(builder).await;
    io.middleware(|| -> Result<(), String> { panic!("at once") });
    io.of("/later").middleware(|| async {
        tokio::task::yield_now().await;
        if true {
            panic!("after an await");
        }
        Ok::<(), String>(())
    });
    let mut client = Client::open(addr).await;
    client.send("40").await;
    client.expect(r#"44{"message":"Internal error"}"#).await;
    assert_eq!(errors.next().await.1, "the handler panicked: at once");
    client.send("40/later,").await;
    client.expect(r#"44/later,{"message":"Internal error"}"#).await;
    assert_eq!(errors.next().await.1, "the handler panicked: after an await");
    client.close().await;
    eventually("the sockets' end", || io.counts() == Counts::default()).await;
}

#[tokio::test]
async fn a_client_that_goes_while_a_middleware_waits_leaves_nothing() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    let open = Arc::new(Notify::new());
    let gate = open.clone();
    io.middleware(move |socket: Socket| {
        socket.join("room");
        let (open, tell) = (open.clone(), tell.clone());
        async move {
            let _ = tell.send("asked");
            open.notified().await;
            let _ = tell.send("yes");
            Ok::<(), String>(())
        }
    });
    io.on_connection(|| unreachable!("it is gone"));
    io.on_disconnect(|| unreachable!("it never was there"));
    let mut client = Client::open(addr).await;
    client.send("40").await;
    assert_eq!(told.next().await, "asked");
    client.close().await;
    eventually("the session's end", || io.counts().sessions == 0).await;
    assert_eq!(io.counts().sockets, 1);
    gate.notify_one();
    assert_eq!(told.next().await, "yes");
    eventually("the socket's end", || io.counts() == Counts::default()).await;
}

#[tokio::test]
async fn a_client_may_leave_and_come_again_while_a_middleware_waits() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    let open = Arc::new(Notify::new());
    let gate = open.clone();
    io.middleware(move || {
        let (open, tell) = (open.clone(), tell.clone());
        async move {
            let _ = tell.send(());
            open.notified().await;
            Ok::<(), String>(())
        }
    });
    let mut client = Client::open(addr).await;
    client.send("40").await;
    told.next().await;
    client.send("41").await;
    client.send("40").await;
    told.next().await;
    gate.notify_waiters();
    let joined = client.text().await;
    assert!(joined.starts_with("40{"), "{joined}");
    io.emit("only one answer", ());
    client.expect(r#"42["only one answer"]"#).await;
    assert_eq!(io.sockets().len(), 1);
}

#[tokio::test]
async fn what_a_middleware_emits_arrives_before_the_client_is_connected() {
    let (io, addr) = serve(Server::builder()).await;
    io.middleware(|socket: Socket| {
        assert!(!socket.connected());
        socket.emit("early", 1);
        Ok::<(), String>(())
    });
    io.on_connection(|socket: Socket| {
        assert!(socket.connected());
        socket.emit("hello", ());
    });
    let mut client = Client::open(addr).await;
    client.send("40").await;
    client.expect(r#"42["early",1]"#).await;
    assert!(client.text().await.starts_with("40{"));
    client.expect(r#"42["hello"]"#).await;
}

#[tokio::test]
async fn a_socket_in_a_middleware_gets_no_broadcasts() {
    let (io, addr) = serve(Server::builder()).await;
    io.middleware(|socket: Socket| {
        socket.join("room");
        socket.server().emit("to all", ());
        socket.server().to("room").emit("to the room", ());
        assert!(socket.server().sockets().is_empty());
        Ok::<(), String>(())
    });
    let mut client = Client::open(addr).await;
    client.send("40").await;
    assert!(client.text().await.starts_with("40{"));
    io.to("room").emit("now", ());
    client.expect(r#"42["now"]"#).await;
}

#[tokio::test]
async fn the_rooms_of_a_refused_socket_leave_nothing() {
    let (io, addr) = serve(Server::builder()).await;
    io.middleware(|socket: Socket| {
        socket.join(["a", "b"]);
        assert_eq!(socket.rooms().len(), 3);
        Err::<(), _>("no")
    });
    let mut client = Client::open(addr).await;
    client.send("40").await;
    client.expect(r#"44{"message":"no"}"#).await;
    assert!(io.of("/").rooms().is_empty());
    client.close().await;
    eventually("the socket's end", || io.counts() == Counts::default()).await;
}

#[tokio::test]
async fn what_a_middleware_registers_and_keeps_is_there_afterwards() {
    #[derive(Clone)]
    struct User(String);

    let (io, addr) = serve(Server::builder()).await;
    io.middleware(|socket: Socket, auth: Auth| {
        socket.extensions().insert(User(auth.token));
        socket.on("who", |socket: Socket| socket.extensions().get::<User>().unwrap().0);
        Ok::<(), String>(())
    });
    let mut client = Client::open(addr).await;
    client.join("/", r#"{"token":"ann"}"#).await;
    client.send(r#"420["who"]"#).await;
    client.expect(r#"430["ann"]"#).await;
}

#[tokio::test]
async fn an_event_before_the_answer_is_a_breach_of_the_protocol() {
    let (io, addr) = serve(Server::builder()).await;
    io.middleware(std::future::pending::<Result<(), String>>);
    let mut client = Client::open(addr).await;
    client.send("40").await;
    client.send(r#"42["e"]"#).await;
    client.expect_close(None).await;
}
