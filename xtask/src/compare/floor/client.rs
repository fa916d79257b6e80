//! Clients that send the same again and again, and know to the byte what comes back.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::run::Result;

/// What is sent, and what comes back.
pub(super) struct Exchange {
    pub(super) name: &'static str,
    /// For how many messages or deliveries it counts.
    pub(super) messages: u64,
    transport: Transport,
    request: Vec<u8>,
    /// To each connection.
    response: Vec<u8>,
}

enum Transport {
    /// So many WebSockets, the first of which sends.
    WebSocket(usize),
    Polling,
}

/// Connections to a floor.
pub(super) struct Client<'a> {
    exchange: &'a Exchange,
    connections: Vec<TcpStream>,
}

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

/// How long the floor may take to answer, slow as it is under callgrind.
const PATIENCE: Duration = Duration::from_secs(20);

/// One of each kind.
pub(super) fn exchanges() -> Vec<Exchange> {
    let small = format!("42[\"echo\",\"{}\"]", "x".repeat(32));
    let large = format!("42[\"echo\",\"{}\"]", "x".repeat(1022));
    let arguments = "x".repeat(32);
    vec![
        echo("echo, 32 B, 1 in flight", 1, &[(TEXT, small.as_bytes())]),
        echo("echo, 32 B, 16 in flight", 16, &[(TEXT, small.as_bytes())]),
        echo("echo, 1 KiB, 16 in flight", 16, &[(TEXT, large.as_bytes())]),
        Exchange {
            name: "acknowledgement, 32 B, 16 in flight",
            messages: 16,
            transport: Transport::WebSocket(1),
            request: masked(TEXT, format!("4210000000[\"ack\",\"{arguments}\"]").as_bytes())
                .repeat(16),
            response: bare(TEXT, format!("4310000000[\"{arguments}\"]").as_bytes()).repeat(16),
        },
        echo(
            "binary, 1 KiB, 16 in flight",
            16,
            &[(TEXT, br#"451-["bin",{"_placeholder":true,"num":0}]"#), (BINARY, &[7; 1024])],
        ),
        Exchange {
            name: "broadcast to 100, 32 B",
            messages: 100,
            transport: Transport::WebSocket(100),
            request: masked(TEXT, format!("42[\"broadcast\",\"{arguments}\"]").as_bytes()),
            response: bare(TEXT, format!("42[\"message\",\"{arguments}\"]").as_bytes()),
        },
        Exchange {
            name: "polling echo, 32 B",
            messages: 1,
            transport: Transport::Polling,
            request: post(&small),
            response: [answer("ok"), answer(&small)].concat(),
        },
    ]
}

fn echo(name: &'static str, in_flight: usize, frames: &[(u8, &[u8])]) -> Exchange {
    let all = |frame: fn(u8, &[u8]) -> Vec<u8>| {
        let frames = frames.iter().flat_map(|(opcode, payload)| frame(*opcode, payload));
        frames.collect::<Vec<u8>>().repeat(in_flight)
    };
    Exchange {
        name,
        messages: in_flight as u64,
        transport: Transport::WebSocket(1),
        request: all(masked),
        response: all(bare),
    }
}

impl<'a> Client<'a> {
    pub(super) fn open(address: &str, exchange: &'a Exchange) -> Result<Self> {
        let connect = || {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok::<_, std::io::Error>(stream)
        };
        let mut connections = Vec::new();
        match exchange.transport {
            Transport::WebSocket(count) => {
                for _ in 0..count {
                    let mut stream = connect()?;
                    stream.write_all(UPGRADE.as_bytes())?;
                    read_until(&mut stream, b"}")?;
                    stream.write_all(&masked(TEXT, b"40"))?;
                    read_until(&mut stream, b"}")?;
                    connections.push(stream);
                }
            }
            Transport::Polling => {
                let mut stream = connect()?;
                stream.write_all(get("").as_bytes())?;
                read_until(&mut stream, b"}")?;
                connections.push(stream);
            }
        }
        Ok(Self { exchange, connections })
    }

    pub(super) fn exchange(&mut self) -> Result {
        let Exchange { transport, request, response, .. } = self.exchange;
        self.connections[0].write_all(request)?;
        if let Transport::Polling = transport {
            // One after the other, so that the floor always sees them in this order.
            let posted = answer("ok");
            expect(&mut self.connections[0], &posted)?;
            self.connections[0].write_all(get("&sid=0").as_bytes())?;
            return expect(&mut self.connections[0], &response[posted.len()..]);
        }
        self.connections.iter_mut().try_for_each(|stream| expect(stream, response))
    }
}

fn expect(stream: &mut TcpStream, expected: &[u8]) -> Result {
    let mut response = vec![0; expected.len()];
    stream.read_exact(&mut response)?;
    if response == expected {
        return Ok(());
    }
    Err(format!("the floor answered {:?}", String::from_utf8_lossy(&response)).into())
}

fn read_until(stream: &mut TcpStream, end: &[u8]) -> Result {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    while !all.ends_with(end) {
        match stream.read(&mut buffer)? {
            0 => return Err("the floor has closed the connection".into()),
            read => all.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(())
}

const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn get(query: &str) -> String {
    let path = "/socket.io/?EIO=4&transport=polling";
    format!("GET {path}{query} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

fn post(body: &str) -> Vec<u8> {
    let (path, length) = ("/socket.io/?EIO=4&transport=polling&sid=0", body.len());
    format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}")
        .into()
}

/// The floor's own answer, header and all.
fn answer(body: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: ";
    format!("{head}{}\r\n\r\n{body}", body.len()).into()
}

/// A server's frame.
fn bare(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let head = match u8::try_from(length) {
        Ok(short @ ..126) => vec![first, short],
        _ => vec![first, 126, (length >> 8) as u8, length as u8],
    };
    [&head[..], payload].concat()
}

/// A client's frame.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x17, 0x2a, 0x31, 0x5c];
    let mut frame = bare(first, payload);
    frame[1] |= 0x80;
    let start = frame.len() - payload.len();
    frame[start..].iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    frame.splice(start..start, mask);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_frame_is_the_bare_one_with_a_mask() {
        let (bare, masked) = (bare(TEXT, &[b'x'; 200]), masked(TEXT, &[b'x'; 200]));
        assert_eq!(bare[..4], [TEXT, 126, 0, 200]);
        assert_eq!(masked[..8], [TEXT, 0x80 | 126, 0, 200, 0x17, 0x2a, 0x31, 0x5c]);
        assert_eq!(masked.len(), bare.len() + 4);
        assert_eq!(masked[8] ^ 0x17, b'x');
    }
}
