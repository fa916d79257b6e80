//! Connections through a proxy.

use std::net::SocketAddr;

use sockeye::Server;
use sockeye_client::{ConnectErrorKind, Error};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use crate::{Told, WAYS, channel, client, serve, within};

/// A proxy that wants `user:pass`, and tells which addresses it was asked for.
async fn proxy() -> (SocketAddr, Told<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(tunnel(stream, tell.clone()));
        }
    });
    (address, told)
}

async fn tunnel(mut client: TcpStream, tell: mpsc::UnboundedSender<String>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    if !head.contains("\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n") {
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
        return client.write_all(refusal).await.unwrap();
    }
    let target = head.split(' ').nth(1).unwrap().to_owned();
    let mut server = TcpStream::connect(&target).await.unwrap();
    let _ = tell.send(target);
    client.write_all(b"HTTP/1.1 200 OK\r\nVia: test\r\n\r\n").await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}

#[tokio::test]
async fn a_proxy_makes_the_connections() {
    let (io, address) = serve(Server::builder()).await;
    io.on("echo", |text: String| text);
    for transports in WAYS {
        let (proxy, mut told) = proxy().await;
        let client = client(address)
            .transports(transports.iter().copied())
            .proxy(&format!("http://user:pass@{proxy}"));
        let client = within("connect", client.connect()).await.unwrap();
        let text: String = within("answer", client.emit_with_ack("echo", "hi")).await.unwrap();
        assert_eq!(text, "hi");
        assert_eq!(told.next().await, address.to_string());
        client.close().await;
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    let (_io, address) = serve(Server::builder()).await;
    let (proxy, _told) = proxy().await;
    for transports in WAYS {
        let client = client(address)
            .transports(transports.iter().copied())
            .proxy(&format!("http://{proxy}"))
            .reconnection(false);
        let Err(Error::Connect(error)) = within("connect", client.connect()).await else {
            panic!("the proxy wants credentials")
        };
        assert_eq!(error.kind(), ConnectErrorKind::Proxy, "{error}");
        assert!(error.to_string().contains("credentials"), "{error}");
    }
}
