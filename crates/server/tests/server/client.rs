//! A client that knows only bytes: what goes over the wire is written out in the tests.

use std::{future::Future, net::SocketAddr, time::Duration};

use bytes::{Bytes, BytesMut};
use sockeye_websocket::{Decoder, Limits, Message, Opcode, Role, encode_frame};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// Any key will do here.
const MASK: Option<[u8; 4]> = Some([1, 2, 3, 4]);

const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// Waits for what must happen.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// Waits for a condition that nobody announces.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(what, wait).await;
}

/// What a WebSocket brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(String),
    Binary(Bytes),
    Pong,
    /// A close frame, with its code if it has one.
    Close(Option<u16>),
    /// The connection has ended.
    End,
}

/// One WebSocket.
pub(crate) struct Client {
    stream: TcpStream,
    unread: BytesMut,
    decoder: Decoder,
    /// The session's id.
    pub(crate) sid: String,
    /// The id of the socket in `/`, once it has joined.
    pub(crate) id: String,
}

impl Client {
    /// Connects and joins `/`.
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let mut client = Self::open(addr).await;
        client.id = client.join("/", "").await;
        client
    }

    /// Connects and joins nothing.
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        Self::try_open(addr, "").await.expect("the WebSocket is let in")
    }

    /// The same with headers; `Err` is the server's refusal.
    pub(crate) async fn try_open(addr: SocketAddr, headers: &str) -> Result<Self, Response> {
        let mut client = Self::upgrade(addr, WEBSOCKET, headers).await?;
        let open = client.text().await;
        assert!(open.starts_with(r#"0{"sid":""#), "no handshake: {open}");
        client.sid = field(&open, "sid");
        Ok(client)
    }

    /// Asks for a WebSocket at this path and query.
    pub(crate) async fn upgrade(
        addr: SocketAddr,
        target: &str,
        headers: &str,
    ) -> Result<Self, Response> {
        let mut stream = TcpStream::connect(addr).await.expect("somebody listens");
        let request = upgrade_to(addr, target, headers);
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        let mut unread = BytesMut::new();
        let head = read_head(&mut stream, &mut unread).await;
        if !head.starts_with("HTTP/1.1 101 ") {
            return Err(read_response(&mut stream, &head, unread).await);
        }
        let decoder = Decoder::new(Role::Client, &Limits::default().max_message_bytes(64 << 20));
        Ok(Self { stream, unread, decoder, sid: String::new(), id: String::new() })
    }

    /// Joins a namespace with an `auth`, which may be empty, and returns the socket's id.
    pub(crate) async fn join(&mut self, namespace: &str, auth: &str) -> String {
        let prefix = if namespace == "/" { String::new() } else { format!("{namespace},") };
        self.send(&format!("40{prefix}{auth}")).await;
        let answer = self.text().await;
        assert!(answer.starts_with(&format!("40{prefix}{{")), "not let in: {answer}");
        field(&answer, "sid")
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.send_frame(Opcode::Text, text.as_bytes()).await;
    }

    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) {
        self.send_frame(Opcode::Binary, bytes).await;
    }

    pub(crate) async fn send_frame(&mut self, opcode: Opcode, payload: &[u8]) {
        let mut frame = BytesMut::new();
        encode_frame(&mut frame, opcode, payload, MASK);
        self.send_raw(&frame).await;
    }

    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        // The server may have closed already; then the test sees that in what comes back.
        let _ = self.stream.write_all(bytes).await;
    }

    pub(crate) async fn next(&mut self) -> Frame {
        within("a frame", async {
            loop {
                match self.decoder.decode(&mut self.unread).expect("the server keeps the rules") {
                    Some(Message::Text(text)) => {
                        return Frame::Text(String::from_utf8(text.into()).expect("checked"));
                    }
                    Some(Message::Binary(bytes)) => return Frame::Binary(bytes),
                    Some(Message::Pong(_)) => return Frame::Pong,
                    Some(Message::Close(close)) => {
                        return Frame::Close(close.map(|close| close.code.as_u16()));
                    }
                    Some(Message::Ping(_)) => panic!("the server sends no WebSocket pings"),
                    None => match self.stream.read_buf(&mut self.unread).await {
                        Ok(1..) => (),
                        _ => return Frame::End,
                    },
                }
            }
        })
        .await
    }

    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Frame::Text(text) => text,
            other => panic!("expected text, got {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, text: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let expected = Frame::Text(text.to_owned());
        async move {
            let frame = self.next().await;
            assert!(frame == expected, "{caller}: expected {expected:?}, got {frame:?}");
        }
    }

    pub(crate) async fn expect_binary(&mut self, bytes: &[u8]) {
        assert_eq!(self.next().await, Frame::Binary(Bytes::copy_from_slice(bytes)));
    }

    /// The server closes, with this code if it gives one.
    pub(crate) async fn expect_close(&mut self, code: Option<u16>) {
        assert_eq!(self.next().await, Frame::Close(code));
    }

    /// The connection under the WebSocket.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Leaves as a client does that closes its WebSocket in good order.
    pub(crate) async fn close(mut self) {
        self.send_frame(Opcode::Close, &[]).await;
        while !matches!(self.next().await, Frame::End) {}
    }
}

/// A request for a WebSocket that opens a session.
pub(crate) fn upgrade_request(addr: SocketAddr) -> String {
    upgrade_to(addr, WEBSOCKET, "")
}

fn upgrade_to(addr: SocketAddr, target: &str, headers: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {addr}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

/// A session on long-polling. Each request has a connection of its own.
pub(crate) struct Polling {
    pub(crate) addr: SocketAddr,
    pub(crate) sid: String,
}

impl Polling {
    /// Opens a session and joins nothing.
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        let response = get(addr, "/socket.io/?EIO=4&transport=polling", "").await;
        assert_eq!(response.status, 200, "no handshake: {}", response.body);
        Self { addr, sid: field(&response.body, "sid") }
    }

    /// Opens a session and joins `/`.
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let session = Self::open(addr).await;
        assert_eq!(session.post("40").await.body, "ok");
        let joined = session.poll().await;
        assert!(joined.starts_with(r#"40{"sid":""#), "not let in: {joined}");
        session
    }

    pub(crate) fn target(&self) -> String {
        format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid)
    }

    pub(crate) async fn poll(&self) -> String {
        get(self.addr, &self.target(), "").await.body
    }

    /// Opens a poll and does not read its answer.
    pub(crate) async fn start_poll(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.expect("somebody listens");
        let request = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", self.target());
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        stream
    }

    pub(crate) async fn post(&self, body: &str) -> Response {
        let length = format!("Content-Length: {}\r\n", body.len());
        request(self.addr, "POST", &self.target(), &length, body).await
    }

    /// Moves the session to a WebSocket.
    pub(crate) async fn upgrade(&self) -> Client {
        let mut client = self.probe().await;
        client.send("5").await;
        client
    }

    /// The first half of an upgrade.
    pub(crate) async fn probe(&self) -> Client {
        let target = format!("{WEBSOCKET}&sid={}", self.sid);
        let mut client = Client::upgrade(self.addr, &target, "").await.expect("it is let in");
        client.send("2probe").await;
        client.expect("3probe").await;
        client
    }
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Everything before the body, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

pub(crate) async fn get(addr: SocketAddr, target: &str, headers: &str) -> Response {
    request(addr, "GET", target, headers, "").await
}

/// One request over a connection of its own.
pub(crate) async fn request(
    addr: SocketAddr,
    method: &str,
    target: &str,
    headers: &str,
    body: &str,
) -> Response {
    let mut stream = TcpStream::connect(addr).await.expect("somebody listens");
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n{headers}\r\n{body}"
    );
    // A server that refuses by the head alone need not read the rest.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut unread = BytesMut::new();
    let head = read_head(&mut stream, &mut unread).await;
    read_response(&mut stream, &head, unread).await
}

/// Reads up to the empty line; what came behind it stays in `unread`.
async fn read_head(stream: &mut TcpStream, unread: &mut BytesMut) -> String {
    within("the head of a response", async {
        loop {
            if let Some(end) = unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                return String::from_utf8_lossy(&unread.split_to(end + 4)).into_owned();
            }
            let count = stream.read_buf(unread).await.expect("the connection holds");
            assert!(count > 0, "the server answered nothing but {unread:?}");
        }
    })
    .await
}

async fn read_response(stream: &mut TcpStream, head: &str, mut body: BytesMut) -> Response {
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    within("the body of a response", async {
        while let Ok(1..) = stream.read_buf(&mut body).await {}
    })
    .await;
    Response {
        status: status.expect("a status"),
        head: head.to_lowercase(),
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

/// The string under a key in some JSON.
fn field(json: &str, key: &str) -> String {
    let (_, rest) = json.split_once(&format!("\"{key}\":\"")).expect("the key is there");
    rest.split_once('"').expect("a string").0.to_owned()
}
