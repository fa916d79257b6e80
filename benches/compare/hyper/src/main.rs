//! What hyper takes of what every server on it takes: polling echo, and WebSockets that are opened
//! and closed, with sessions and messages as simple as the floor's. It pings nobody and knows no
//! broadcasts.

#[path = "../../floor/src/frame.rs"]
#[expect(dead_code, reason = "this needs less than the floor")]
mod frame;
#[path = "../../floor/src/packet.rs"]
mod packet;

use std::{
    convert::Infallible,
    env,
    error::Error,
    io,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime,
    sync::Notify,
};

use self::packet::Message;

const SEPARATOR: u8 = 0x1e;

/// The handshake, after the id.
const HANDSHAKE: &str =
    r#"","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

/// A polling session.
#[derive(Default)]
struct Session {
    /// Packets that wait for a poll.
    queue: Mutex<Vec<u8>>,
    filled: Notify,
}

type Sessions = Arc<Mutex<Vec<Arc<Session>>>>;

fn main() -> Result<(), Box<dyn Error>> {
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve())
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    let sessions = Sessions::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let sessions = sessions.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let sessions = sessions.clone();
                async move { Ok::<_, Infallible>(answer(request, &sessions).await) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // A connection that ends otherwise than it should is the generator's to count.
            let _ = connection.with_upgrades().await;
        });
    }
}

async fn answer(mut request: Request<Incoming>, sessions: &Sessions) -> Response<Full<Bytes>> {
    if let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) {
        let accept = accept(key);
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let Ok(upgraded) = upgrade.await else { return };
            let parts = upgraded.downcast::<TokioIo<TcpStream>>().expect("it is what we served");
            let _ = websocket(parts.io.into_inner()).await;
        });
        return switch(accept);
    }
    let sid = request.uri().query().and_then(|query| query.split_once("sid=")).map(|(_, sid)| sid);
    let Some(sid) = sid else {
        let mut sessions = sessions.lock().expect("nobody panics with it");
        sessions.push(Arc::default());
        return ok(open(sessions.len() - 1));
    };
    let digits = sid.split('&').next().unwrap_or_default();
    let session = digits.parse().ok().and_then(|index: usize| {
        sessions.lock().expect("nobody panics with it").get(index).cloned()
    });
    let Some(session) = session else { return bad_request() };
    if request.method() == Method::GET {
        return ok(session.poll().await);
    }
    let Ok(body) = request.into_body().collect().await else { return bad_request() };
    session.post(&body.to_bytes());
    ok("ok".into())
}

impl Session {
    /// All packets, once there are any.
    async fn poll(&self) -> Vec<u8> {
        loop {
            let packets = std::mem::take(&mut *self.queue.lock().expect("nobody panics with it"));
            if !packets.is_empty() {
                return packets;
            }
            self.filled.notified().await;
        }
    }

    fn post(&self, body: &[u8]) {
        let mut queue = self.queue.lock().expect("nobody panics with it");
        for packet in body.split(|byte| *byte == SEPARATOR) {
            let answer: &[u8] = match packet::parse(packet) {
                Message::Connect => br#"40{"sid":"00000000000000000000"}"#,
                Message::Echo => packet,
                _ => continue,
            };
            if !queue.is_empty() {
                queue.push(SEPARATOR);
            }
            queue.extend_from_slice(answer);
        }
        drop(queue);
        self.filled.notify_one();
    }
}

/// Joins, echoes, and closes when it is told to.
async fn websocket(mut stream: TcpStream) -> io::Result<()> {
    let (mut input, mut output) = (Vec::new(), Vec::new());
    frame::append(&mut output, frame::TEXT, &[&open(0)]);
    loop {
        stream.write_all(&output).await?;
        output.clear();
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        while let Ok(Some(frame)) = frame::take(&mut input) {
            let payload = &input[frame.start..frame.end];
            match (frame.opcode, packet::parse(payload)) {
                (frame::CLOSE, _) => {
                    frame::append(&mut output, frame::CLOSE, &[payload]);
                    return stream.write_all(&output).await;
                }
                (_, Message::Connect) => {
                    let answer = br#"40{"sid":"00000000000000000000"}"#;
                    frame::append(&mut output, frame::TEXT, &[answer]);
                }
                (opcode, _) => frame::append(&mut output, opcode, &[payload]),
            }
            input.drain(..frame.end);
        }
    }
}

fn open(session: usize) -> Vec<u8> {
    [&b"0{\"sid\":\""[..], &packet::id(session), HANDSHAKE.as_bytes()].concat()
}

fn accept(key: &HeaderValue) -> HeaderValue {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    HeaderValue::try_from(STANDARD.encode(hash.finalize())).expect("Base64 is a header's value")
}

fn switch(accept: HeaderValue) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

fn ok(body: Vec<u8>) -> Response<Full<Bytes>> {
    Response::new(Full::new(body.into()))
}

fn bad_request() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}
