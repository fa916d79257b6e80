//! Auth, refusals, and what a client knows about itself.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};
use sockeye::Server;
use sockeye_client::{Client, ConnectError, ConnectErrorKind, Error, Socket};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{Told, channel, client, serve, until, within};

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

/// A server that sets a cookie and offers an upgrade, answers nothing else, and tells the heads of
/// all requests.
async fn setting_cookies() -> (std::net::SocketAddr, Told<String>) {
    let open = r#"0{"sid":"s","upgrades":["websocket"],"pingInterval":9000,"pingTimeout":9000}"#;
    let cookies = "Set-Cookie: lb=7; Path=/; HttpOnly\r\nSet-Cookie: old=1; Max-Age=0\r\n";
    let head = format!("HTTP/1.1 200 OK\r\n{cookies}Content-Length: {}\r\n\r\n", open.len());
    let answer = head + open;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tell, answer) = (tell.clone(), answer.clone());
            tokio::spawn(async move {
                let mut stream = tokio::io::BufReader::new(stream);
                loop {
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") {
                        if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    let is_first = !head.contains("sid=");
                    let _ = tell.send(head.to_lowercase());
                    if is_first {
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                }
            });
        }
    });
    (address, told)
}

#[tokio::test]
async fn cookies_that_the_server_sets_go_along_with_every_later_request() {
    for keeps in [true, false] {
        let (address, mut told) = setting_cookies().await;
        let client = client(address).cookies(keeps).header("cookie", "own=1").build().unwrap();
        client.open();
        let first = told.next().await;
        assert!(first.contains("cookie: own=1\r\n"), "{first}");
        // The next poll, the packet that joins, and the WebSocket, in whichever order.
        for _ in 0..3 {
            let head = told.next().await;
            assert_eq!(head.contains("cookie: own=1; lb=7\r\n"), keeps, "{head}");
            assert!(!head.contains("old="), "{head}");
        }
    }
}

#[tokio::test]
async fn without_reconnection_the_first_failure_is_final() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = within("connect", client(address).reconnection(false).connect()).await.unwrap_err();
    let Error::Connect(error) = error else { panic!("{error}") };
    assert_eq!(error.kind(), ConnectErrorKind::Unreachable);
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn making_the_auth_anew_ends_what_made_it_before() {
    let (_io, address) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    let made = Arc::new(());
    let making = made.clone();
    let client = client(address)
        .auth_with(move || {
            tell.send(()).unwrap();
            let held = making.clone();
            async move {
                std::future::pending::<()>().await;
                drop(held);
                Ok::<_, String>(serde_json::json!({}))
            }
        })
        .build()
        .unwrap();
    client.open();
    for _ in 0..5 {
        told.0.recv().await.unwrap();
    }
    // The function's own, the test's, and those of attempts: one that runs, one that is ended.
    assert!(Arc::strong_count(&made) <= 4, "{}", Arc::strong_count(&made));
    client.close().await;
}

#[tokio::test]
async fn an_auth_of_the_wrong_kind_is_not_repeated() {
    let error = Client::builder("http://x").auth("a secret").build().unwrap_err();
    assert_eq!(error.to_string(), "the auth must be a JSON object: it is a string");
}
