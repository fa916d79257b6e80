//! The program over real connections.

use std::net::SocketAddr;

use sockeye::Server;
use tokio::net::TcpListener;

#[path = "../../../crates/server/tests/server/client.rs"]
#[expect(dead_code, reason = "the server's own tests use all of it")]
mod client;

use client::{Client, Polling, get, request};

async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let io = Server::builder().build().unwrap();
    tokio::spawn(async move { axum::serve(listener, crate::app(&io)).await });
    addr
}

/// Logs in and returns the answer, which is the `auth`: `{"token":"…"}`.
async fn log_in(addr: SocketAddr, name: &str) -> String {
    let body = format!(r#"{{"name":"{name}"}}"#);
    let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let response = request(addr, "POST", "/login", &head, &body).await;
    assert_eq!(response.status, 200);
    response.body
}

#[tokio::test]
async fn who_has_logged_in_is_greeted_by_name_and_listed() {
    let addr = start().await;
    assert_eq!(get(addr, "/users", "").await.body, "[]");
    let mut client = Client::open(addr).await;
    client.join("/", &log_in(addr, "ann").await).await;
    client.expect(r#"42["hello","Hello, ann!"]"#).await;
    client.send(r#"42["say","anyone here?"]"#).await;
    client.expect(r#"42["said","ann","anyone here?"]"#).await;
    assert_eq!(get(addr, "/users", "").await.body, r#"["ann"]"#);
    assert_eq!(get(addr, "/nowhere", "").await.status, 404);
}

#[tokio::test]
async fn who_has_not_is_refused_and_told_where_to_go() {
    let addr = start().await;
    let mut client = Client::open(addr).await;
    for auth in ["", r#"{"token":"guess"}"#] {
        client.send(&format!("40{auth}")).await;
        let refusal = r#"{"message":"not authorized","data":{"code":401,"login":"/login"}}"#;
        client.expect(&format!("44{refusal}")).await;
    }
    assert_eq!(get(addr, "/users", "").await.body, "[]");
}

#[tokio::test]
async fn a_client_on_polling_is_as_welcome() {
    let addr = start().await;
    let session = Polling::open(addr).await;
    session.post(&format!("40{}", log_in(addr, "bob").await)).await;
    let mut received = session.poll().await;
    if !received.contains("hello") {
        received.push_str(&session.poll().await);
    }
    assert!(received.ends_with(r#"42["hello","Hello, bob!"]"#), "{received}");
    let mut client = session.upgrade().await;
    client.send(r#"42["say","hi"]"#).await;
    client.expect(r#"42["said","bob","hi"]"#).await;
}
