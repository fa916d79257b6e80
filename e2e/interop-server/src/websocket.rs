//! The profile `ws-echo`: the library's WebSocket codec and nothing else, for conformance fuzzers.

use std::io;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use sockeye_websocket::{
    Decoder, Limits, Message, Opcode, Role, close_frame, encode_frame, handshake,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const MAX_MESSAGE: usize = 16 << 20;
const MAX_HEAD: usize = 16 << 10;

pub(crate) async fn serve(listener: TcpListener) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = BytesMut::new();
    let Some(head) = read_head(&mut stream, &mut input).await? else { return Ok(()) };
    let answer = match accept(&head) {
        Some(accept) => format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ),
        None => "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into(),
    };
    stream.write_all(answer.as_bytes()).await?;

    let limits = Limits::default().max_message_bytes(MAX_MESSAGE).max_fragments(1 << 20);
    let mut decoder = Decoder::new(Role::Server, &limits);
    let mut output = BytesMut::new();
    while !decoder.is_finished() {
        loop {
            match decoder.decode(&mut input) {
                Ok(None) => break,
                Ok(Some(Message::Text(text))) => {
                    encode_frame(&mut output, Opcode::Text, &text, None);
                }
                Ok(Some(Message::Binary(data))) => {
                    encode_frame(&mut output, Opcode::Binary, &data, None);
                }
                Ok(Some(Message::Ping(data))) => {
                    encode_frame(&mut output, Opcode::Pong, &data, None);
                }
                Ok(Some(Message::Pong(_))) => (),
                Ok(Some(Message::Close(close))) => {
                    output.extend_from_slice(&close_frame(close.map(|close| close.code), None));
                }
                Err(error) => {
                    output.extend_from_slice(&close_frame(Some(error.close_code()), None));
                }
            }
        }
        stream.write_all_buf(&mut output).await?;
        if !decoder.is_finished() && stream.read_buf(&mut input).await? == 0 {
            break;
        }
    }
    stream.shutdown().await?;
    // Until the peer closes too: unread data would reset the connection.
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}

/// The head of the request, without the empty line that ends it.
async fn read_head(stream: &mut TcpStream, input: &mut BytesMut) -> io::Result<Option<String>> {
    loop {
        if let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = input.split_to(end + 4);
            return Ok(Some(String::from_utf8_lossy(&head[..end]).into_owned()));
        }
        if input.len() > MAX_HEAD || stream.read_buf(input).await? == 0 {
            return Ok(None);
        }
    }
}

/// The value of `Sec-WebSocket-Accept`, if the request may become a WebSocket.
fn accept(head: &str) -> Option<String> {
    let mut lines = head.split("\r\n");
    let method = lines.next()?.split(' ').next()?.parse::<Method>().ok()?;
    let headers: HeaderMap = lines
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            let name = name.parse::<HeaderName>().ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        })
        .collect();
    let accept = handshake::accept(&method, Version::HTTP_11, &headers).ok()?;
    accept.to_str().ok().map(str::to_owned)
}
