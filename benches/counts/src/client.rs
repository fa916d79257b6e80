//! Clients that know only bytes: what they send is framed once, and what comes back is known.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// What Chromium sends with a request for a WebSocket, cookie included.
const BROWSER: &str = "\
    Pragma: no-cache\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/142.0.0.0 Safari/537.36\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-US,en;q=0.9,de;q=0.8\r\n\
    Cookie: session=7f3c9a52e1b84d06a9f2c5d8e7b1a340; theme=dark\r\n";

/// Longer than any answer takes, valgrind's slowness included.
const PATIENCE: Duration = Duration::from_secs(20);

const WEBSOCKET: &str = "\
    Connection: Upgrade\r\n\
    Upgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
const CLOSE: u8 = 8;

/// One WebSocket.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Opens a session and joins nothing.
    pub(crate) fn open(address: SocketAddr) -> Self {
        let mut stream = connect(address);
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\n\
             Origin: http://{address}\r\n{WEBSOCKET}{BROWSER}\r\n"
        );
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut head = Vec::new();
        // Byte by byte: what follows is a frame.
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        let mut client = Self { stream, buffer: Vec::new() };
        let open = client.receive();
        assert!(open.starts_with(b"0{\"sid\":"), "{}", String::from_utf8_lossy(&open));
        client
    }

    /// Opens a session and joins `/`.
    pub(crate) fn join(address: SocketAddr) -> Self {
        let mut client = Self::open(address);
        client.send(&frame(TEXT, b"40"));
        let joined = client.receive();
        assert!(joined.starts_with(b"40{\"sid\":"), "{}", String::from_utf8_lossy(&joined));
        client
    }

    pub(crate) fn send(&mut self, frames: &[u8]) {
        self.stream.write_all(frames).expect("the server reads");
    }

    /// Waits for these very bytes.
    pub(crate) fn expect(&mut self, frames: &[u8]) {
        self.buffer.resize(frames.len(), 0);
        self.stream.read_exact(&mut self.buffer).expect("the server answers");
        assert!(
            self.buffer == frames,
            "expected {:?}, got {:?}",
            String::from_utf8_lossy(frames),
            String::from_utf8_lossy(&self.buffer)
        );
    }

    /// Waits for one short frame.
    fn receive(&mut self) -> Vec<u8> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head).expect("a frame");
        let length = match head[1] {
            126 => {
                self.stream.read_exact(&mut head).expect("a frame");
                u16::from_be_bytes(head).into()
            }
            length => usize::from(length),
        };
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).expect("a frame");
        payload
    }

    /// Closes in good order.
    pub(crate) fn close(mut self) {
        self.send(&frame(CLOSE, &[]));
        while self.stream.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
    }
}

/// One session on long-polling, over two connections that are kept.
pub(crate) struct Polling {
    address: SocketAddr,
    sid: String,
    polls: TcpStream,
    posts: TcpStream,
}

impl Polling {
    /// Opens a session and joins `/`. Only `polls` has been used: posting opens the other one.
    pub(crate) fn join(address: SocketAddr) -> Self {
        let mut polls = connect(address);
        let target = "/socket.io/?EIO=4&transport=polling";
        polls.write_all(request("GET", target, address, "").as_bytes()).expect("the server reads");
        let open = response(&mut polls);
        let (_, rest) = open.split_once("\"sid\":\"").expect("a handshake");
        let sid = rest.split_once('"').expect("a string").0.to_owned();
        let mut session = Self { address, sid, posts: connect(address), polls };
        let joined = session.round_trip("40");
        assert!(joined.starts_with("40{"), "{joined}");
        session
    }

    fn request(&self, method: &str, body: &str) -> String {
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={}", self.sid);
        request(method, &target, self.address, body)
    }

    /// Opens a poll, as clients do as soon as they have the answer to the last one.
    pub(crate) fn poll(&mut self) {
        let request = self.request("GET", "");
        self.polls.write_all(request.as_bytes()).expect("the server reads");
    }

    /// Posts while a poll is open, and waits for what it brings.
    pub(crate) fn round_trip(&mut self, body: &str) -> String {
        self.poll();
        let request = self.request("POST", body);
        self.posts.write_all(request.as_bytes()).expect("the server reads");
        assert_eq!(response(&mut self.posts), "ok");
        response(&mut self.polls)
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server listens");
    stream.set_nodelay(true).expect("a TCP stream");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream
}

fn request(method: &str, target: &str, address: SocketAddr, body: &str) -> String {
    let length = match method {
        "POST" => {
            format!("Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n", body.len())
        }
        _ => String::new(),
    };
    format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\n{BROWSER}{length}\r\n{body}")
}

/// The body of a response.
fn response(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).expect("the server answers");
        assert!(count > 0, "the connection ended after {:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&buffer[..count]);
        let text = std::str::from_utf8(&bytes).expect("no character is cut: answers are short");
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let head = head.to_ascii_lowercase();
        let (_, length) = head.split_once("content-length: ").expect("a length");
        let length = length.split("\r\n").next().and_then(|length| length.parse().ok());
        if Some(body.len()) == length {
            return body.to_owned();
        }
    }
}

/// A frame as a client sends it.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = unmasked(opcode, payload);
    let header = frame.len() - payload.len();
    frame[1] |= 0x80;
    frame.iter_mut().skip(header).zip(MASK.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    frame.splice(header..header, MASK);
    frame
}

/// A frame as a server sends it.
pub(crate) fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u8::try_from(payload.len()) {
        Ok(length @ ..126) => frame.push(length),
        _ => {
            let length = u16::try_from(payload.len()).expect("longer ones are not sent here");
            frame.push(126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}
