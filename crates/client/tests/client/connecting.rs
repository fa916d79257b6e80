//! Auth, refusals, and what a client knows about itself.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};
use sockeye::Server;
use sockeye_client::{ConnectError, ConnectErrorKind, Error, Socket};

use crate::{channel, client, serve, until, within};

/// A server that wants a token, and says what it got.
async fn guarded() -> (Server, std::net::SocketAddr) {
    let (io, address) = serve(Server::builder()).await;
    io.middleware(|socket: sockeye::Socket| {
        let auth: Value = socket.auth().unwrap();
        if auth["token"] == "wrong" {
            return Err(sockeye::ConnectError::new("unauthorized").data(json!({ "code": 401 })));
        }
        Ok(())
    });
    io.on("auth", |socket: sockeye::Socket| socket.auth::<Value>().unwrap());
    (io, address)
}

#[tokio::test]
async fn a_refusal_says_why_and_is_final() {
    let (_io, address) = guarded().await;
    let (tell, mut told) = channel();
    let client = client(address).auth(json!({ "token": "wrong" })).build().unwrap();
    client.on_connect_error(move |socket: Socket, error: ConnectError| {
        tell.send((socket.active(), error.to_string(), error.data::<Value>())).unwrap();
    });
    let error = within("connect", client.connect()).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Refused);
    assert_eq!(error.to_string(), "unauthorized");
    assert_eq!(error.data::<Value>(), Some(json!({ "code": 401 })));
    assert!(!error.will_retry() && !client.active() && !client.connected());
    let expected = (false, "unauthorized".to_owned(), Some(json!({ "code": 401 })));
    assert_eq!(told.next().await, expected);

    client.set_auth(json!({ "token": "right" })).unwrap();
    within("connect", client.connect()).await.unwrap();
    let auth: Value = client.emit_with_ack("auth", ()).await.unwrap();
    assert_eq!(auth, json!({ "token": "right" }));
    client.close().await;
}

#[tokio::test]
async fn an_unknown_namespace_is_a_refusal() {
    let (_io, address) = guarded().await;
    let client = client(address).connect().await.unwrap();
    let error = within("connect", client.socket("/nowhere").connect()).await.unwrap_err();
    assert_eq!(error.to_string(), "Invalid namespace");
    assert!(client.connected());
    client.close().await;
}

#[tokio::test]
async fn auth_is_made_anew_for_each_connection_and_may_fail_at_first() {
    let (_io, address) = guarded().await;
    let calls = Arc::new(AtomicU32::new(0));
    let (tell, mut told) = channel();
    let client = client(address)
        .auth_with(move || {
            let number = calls.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::task::yield_now().await;
                if number == 0 { Err("not yet") } else { Ok(json!({ "number": number })) }
            }
        })
        .build()
        .unwrap();
    client.on_connect_error(move |error: ConnectError| tell.send(error).unwrap());
    within("connect", client.connect()).await.unwrap();
    let error = told.next().await;
    assert_eq!(error.kind(), ConnectErrorKind::Auth);
    assert!(error.will_retry() && error.to_string().contains("not yet"));
    let auth: Value = client.emit_with_ack("auth", ()).await.unwrap();
    assert_eq!(auth, json!({ "number": 1 }));
    client.disconnect();
    within("connect", client.connect()).await.unwrap();
    let auth: Value = client.emit_with_ack("auth", ()).await.unwrap();
    assert_eq!(auth, json!({ "number": 2 }));
    client.close().await;
}

#[tokio::test]
async fn handlers_that_are_registered_first_see_the_first_event() {
    let (io, address) = serve(Server::builder()).await;
    io.middleware(|socket: sockeye::Socket| {
        socket.emit("early", 1);
        Ok::<(), sockeye::ConnectError>(())
    });
    io.on_connection(|socket: sockeye::Socket| socket.emit("first", 2));
    let (tell, mut told) = channel();
    let client = client(address).build().unwrap();
    for name in ["early", "first", "connect"] {
        let tell = tell.clone();
        client.on(name, move |socket: Socket| tell.send((name, socket.connected())).unwrap());
    }
    client.connect().await.unwrap();
    assert_eq!(told.next().await, ("early", true));
    assert_eq!(told.next().await, ("connect", true));
    assert_eq!(told.next().await, ("first", true));
    client.close().await;
}

#[tokio::test]
async fn connecting_ends_when_this_end_gives_it_up() {
    let (io, address) = serve(Server::builder()).await;
    io.middleware(|| async { std::future::pending::<Result<(), sockeye::ConnectError>>().await });
    let client = client(address).build().unwrap();
    let socket = (*client).clone();
    let connecting = tokio::spawn(async move { socket.connect().await });
    until("the middleware", || io.counts().sockets == 1).await;
    client.disconnect();
    let error = within("connect", connecting).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::Left);
    client.close().await;
    assert_eq!(client.connect().await.unwrap_err().kind(), ConnectErrorKind::Left);
}

#[tokio::test]
async fn without_reconnection_the_first_failure_is_final() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = within("connect", client(address).reconnection(false).connect()).await.unwrap_err();
    let Error::Connect(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), ConnectErrorKind::Unreachable);
    assert!(error.to_string().contains("refused"), "{error}");
}
