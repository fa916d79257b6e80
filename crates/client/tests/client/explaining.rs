//! Servers that are none, and what the client says about them.

use std::net::SocketAddr;

use sockeye::Server;
use sockeye_client::{ConnectError, ConnectErrorKind, Error, Transport};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{client, serve, within};

/// A server that gives every request this answer, and closes.
async fn answering(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    address
}

async fn error(address: SocketAddr, path: &str, transport: Transport) -> ConnectError {
    let client = client(address).path(path).transports([transport]).reconnection(false);
    match within("connect", client.connect()).await.unwrap_err() {
        Error::Connect(error) => error,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_wrong_path_is_named() {
    let (_io, address) = serve(Server::builder()).await;
    for transport in [Transport::Polling, Transport::WebSocket] {
        let error = error(address, "/wrong", transport).await;
        assert_eq!(error.kind(), ConnectErrorKind::Http(404), "{error}");
        assert!(error.to_string().contains("`path`"), "{error}");
    }
}

#[tokio::test]
async fn a_transport_that_is_switched_off_is_named() {
    let (_io, address) = serve(Server::builder().transports([Transport::Polling])).await;
    let error = error(address, "/socket.io", Transport::WebSocket).await;
    assert!(error.to_string().contains("does not offer this transport"), "{error}");
}

#[tokio::test]
async fn answers_that_are_no_socket_io_are_told_apart() {
    const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>";
    const OLD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n12:0{\"sid\":\"x\"}2";
    const VERSION: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 52\r\n\r\n\
        {\"code\":5,\"message\":\"Unsupported protocol version\"}  ";
    const MOVED: &str = "HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n";
    const GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
    let polling = [
        (PAGE, ConnectErrorKind::NotSocketIo, "no Socket.IO server"),
        (OLD, ConnectErrorKind::UnsupportedVersion, "Socket.IO 2"),
        (VERSION, ConnectErrorKind::UnsupportedVersion, "another version"),
        (MOVED, ConnectErrorKind::Http(301), "redirects"),
        (GATEWAY, ConnectErrorKind::Http(502), "proxy"),
        ("SSH-2.0-OpenSSH\r\n", ConnectErrorKind::Unreachable, "cannot be reached"),
    ];
    for (answer, kind, text) in polling {
        let error = error(answering(answer).await, "/socket.io", Transport::Polling).await;
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
    let websocket =
        [(PAGE, ConnectErrorKind::Http(200)), (VERSION, ConnectErrorKind::UnsupportedVersion)];
    for (answer, kind) in websocket {
        let error = error(answering(answer).await, "/socket.io", Transport::WebSocket).await;
        assert_eq!(error.kind(), kind, "{error}");
    }
}

/// A server that opens a session, and gives every later request this answer, or none.
async fn opening(later: Option<&'static str>) -> SocketAddr {
    const OPEN: &str = r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let close = "Connection: close\r\nContent-Length";
        let open = format!("HTTP/1.1 200 OK\r\n{close}: {}\r\n\r\n{OPEN}", OPEN.len());
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = if held.is_empty() { Some(open.as_str()) } else { later };
            // What is said first is the request, which comes in one piece.
            let _ = stream.read(&mut [0; 4096]).await;
            if let Some(answer) = answer {
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            held.push(stream);
        }
    });
    address
}

#[tokio::test]
async fn missing_sticky_sessions_are_named() {
    const UNKNOWN: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 41\r\n\r\n\
        {\"code\":1,\"message\":\"Session ID unknown\"}";
    let error = error(opening(Some(UNKNOWN)).await, "/socket.io", Transport::Polling).await;
    assert_eq!(error.kind(), ConnectErrorKind::Lost, "{error}");
    assert!(error.to_string().contains("sticky sessions"), "{error}");
}

#[tokio::test]
async fn a_post_that_is_not_answered_is_given_up() {
    let address = opening(None).await;
    let client = client(address)
        .transports([Transport::Polling])
        .request_timeout(std::time::Duration::from_millis(50))
        .reconnection(false);
    let Err(Error::Connect(error)) = within("connect", client.connect()).await else {
        panic!("nobody answers")
    };
    assert_eq!(error.kind(), ConnectErrorKind::Lost, "{error}");
    assert!(error.to_string().contains("transport error"), "{error}");
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for transport in [Transport::Polling, Transport::WebSocket] {
        let client = client(address)
            .transports([transport])
            .reconnection(false)
            .connect_timeout(std::time::Duration::from_millis(100));
        let Err(Error::Connect(error)) = within("connect", client.connect()).await else {
            panic!("nobody answers")
        };
        assert_eq!(
            (error.kind(), error.to_string()),
            (ConnectErrorKind::TimedOut, "timeout".into())
        );
    }
}
