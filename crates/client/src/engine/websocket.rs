//! The task of one WebSocket: opens it, reads and writes, and closes it.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{
    HeaderValue, Request, StatusCode, Version,
    header::{CONNECTION, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
    uri::InvalidUri,
};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use sockeye_protocol::engine::{
    ClientInput, Failure, Kind, Message, Outgoing, Transport, WebSocketId,
};
use sockeye_websocket::{
    CloseCode, Decoder, Limits, Message as Frame, Opcode, Role, encode_frame, handshake,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    sync::{Notify, mpsc::UnboundedReceiver, oneshot},
    time::{sleep, timeout},
};

use super::{
    Reporter, Target,
    connect::{Stream, connect},
    failure_of,
    polling::read as read_body,
};

/// How much is read at a time.
const READ_BYTES: usize = 16 << 10;

/// How long a closing WebSocket may take before it is cut.
const LINGER: Duration = Duration::from_secs(5);

/// Fragments are refused beyond so many per message.
const MAX_FRAGMENTS: usize = 100_000;

/// What the owner of a WebSocket says.
pub(super) struct Commands {
    /// What is to be written; at its end the WebSocket is closed.
    pub(super) packets: UnboundedReceiver<Outgoing>,
    /// Ready at that end, even while something is being written.
    pub(super) dropped: oneshot::Receiver<()>,
}

/// Runs until the WebSocket is over, and reports what happens. When its owner is gone, it is closed
/// after what was sent before, and cut if that takes too long.
pub(super) async fn run(
    target: &Target,
    sid: Option<&str>,
    id: WebSocketId,
    Commands { mut packets, dropped }: Commands,
    reporter: &Reporter,
) {
    let opened = tokio::select! {
        opened = open(target, sid) => opened,
        // Nothing is written before it is open, so this is the sender's end.
        None = packets.recv() => return,
    };
    let (stream, unread) = match opened {
        Ok(opened) => opened,
        Err(failure) => return reporter.report(ClientInput::WebSocketFailed(id, failure)).await,
    };
    reporter.report(ClientInput::WebSocketOpened(id)).await;
    let (reader, writer) = tokio::io::split(stream);
    let limits = Limits::default()
        .max_message_bytes(target.options.max_message_bytes)
        .max_fragments(MAX_FRAGMENTS);
    let shared = Shared::default();
    let mut reader = Reader {
        io: reader,
        decoder: Decoder::new(Role::Client, &limits),
        unread,
        shared: &shared,
        reporter,
        id,
    };
    let mut writer = Writer { io: writer, mask: Masks::default(), shared: &shared };
    let reading = reader.run();
    tokio::pin!(reading);
    let overdue = async {
        // An error: nothing is ever sent.
        let _ = dropped.await;
        sleep(LINGER).await;
    };
    let ended = tokio::select! {
        ended = &mut reading => match ended {
            Ok(code) => {
                // The server closes, and is answered, if it still listens.
                let _ = timeout(LINGER, writer.close(code)).await;
                Ok(())
            }
            Err(failure) => Err(failure),
        },
        written = writer.run(&mut packets, reporter, id) => match written {
            Ok(()) => {
                // The server's end is awaited, and what it says until then is still heard.
                let _ = timeout(LINGER, reading).await;
                Ok(())
            }
            Err(error) => Err(Failure::Io(error.to_string())),
        },
        () = overdue => Err(Failure::TimedOut),
    };
    let input = match ended {
        Ok(()) => ClientInput::WebSocketClosed(id),
        Err(failure) => ClientInput::WebSocketFailed(id, failure),
    };
    reporter.report(input).await;
}

/// Connects and shakes hands; also what the server has said already.
async fn open(target: &Target, sid: Option<&str>) -> Result<(Stream, BytesMut), Failure> {
    let failed = |error: hyper::Error| failure_of(&error);
    let stream = connect(target).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let (request, key) = request(target, sid)?;
    let exchange = async move {
        let response = sender.send_request(request).await.map_err(failed)?;
        target.keep_cookies(response.headers());
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let body = read_body(response.into_body(), REFUSAL_BYTES).await.unwrap_or_default();
            return Err(Failure::refused(status.as_u16(), &body));
        }
        handshake::verify(&key, status, response.headers())
            .map_err(|error| Failure::Protocol(error.to_string()))?;
        hyper::upgrade::on(response).await.map_err(failed)
    };
    // The one hands the connection over to the other.
    let (upgraded, _) = tokio::join!(exchange, connection.with_upgrades());
    let parts = upgraded?.downcast::<TokioIo<Stream>>().map_err(|_| {
        Failure::Protocol("the connection is not the one that was upgraded".to_owned())
    })?;
    Ok((parts.io.into_inner(), parts.read_buf.into()))
}

/// How much of a refusal is read.
const REFUSAL_BYTES: usize = 16 << 10;

fn request(
    target: &Target,
    sid: Option<&str>,
) -> Result<(Request<Empty<Bytes>>, HeaderValue), Failure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the operating system has random bits");
    let key = handshake::generate_key(random);
    let mut request = Request::new(Empty::new());
    *request.version_mut() = Version::HTTP_11;
    let path = target.path_and_query(Transport::WebSocket, sid);
    let path = path.parse().map_err(|error: InvalidUri| Failure::Io(error.to_string()))?;
    *request.uri_mut() = path;
    let headers = request.headers_mut();
    *headers = target.headers();
    if !headers.contains_key(HOST) {
        let host = HeaderValue::try_from(target.authority.as_str());
        headers.extend(host.ok().map(|host| (HOST, host)));
    }
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(SEC_WEBSOCKET_KEY, key.clone());
    Ok((request, key))
}

/// What the reading half asks of the writing half.
#[derive(Default)]
struct Shared {
    /// The payload of the ping that was not answered yet. Only the last one needs an answer.
    pong: Mutex<Option<Bytes>>,
    wake: Notify,
}

impl Shared {
    fn ask_for_pong(&self, payload: Bytes) {
        *self.pong.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
        self.wake.notify_one();
    }

    fn take_pong(&self) -> Option<Bytes> {
        self.pong.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

struct Reader<'a> {
    io: ReadHalf<Stream>,
    decoder: Decoder,
    unread: BytesMut,
    shared: &'a Shared,
    reporter: &'a Reporter,
    id: WebSocketId,
}

impl Reader<'_> {
    /// Reads to the end; the code with which the server closes, if it closes in good order.
    async fn run(&mut self) -> Result<Option<CloseCode>, Failure> {
        loop {
            loop {
                let frame = self.decoder.decode(&mut self.unread);
                let message = match frame.map_err(|error| Failure::Protocol(error.to_string()))? {
                    None => break,
                    Some(Frame::Text(text)) => Message::Text(text),
                    Some(Frame::Binary(data)) => Message::Binary(data),
                    Some(Frame::Ping(payload)) => {
                        self.shared.ask_for_pong(payload);
                        continue;
                    }
                    Some(Frame::Pong(_)) => continue,
                    Some(Frame::Close(close)) => return closed(close),
                };
                self.reporter.report(ClientInput::WebSocketMessage(self.id, message)).await;
            }
            self.unread.reserve(READ_BYTES);
            match self.io.read_buf(&mut self.unread).await {
                Ok(0) => return Ok(None),
                Ok(_) => (),
                Err(error) => return Err(Failure::Io(error.to_string())),
            }
        }
    }
}

/// A server's close frame: a failure, if its code tells of one.
fn closed(close: Option<sockeye_websocket::Close>) -> Result<Option<CloseCode>, Failure> {
    match close {
        Some(close) if close.code == CloseCode::TOO_BIG => {
            Err(Failure::Protocol("the server closed: a message is over its limit".to_owned()))
        }
        close => Ok(close.map(|close| close.code)),
    }
}

struct Writer<'a> {
    io: WriteHalf<Stream>,
    mask: Masks,
    shared: &'a Shared,
}

impl Writer<'_> {
    /// Writes what comes until no more will come, then a close frame.
    async fn run(
        &mut self,
        packets: &mut UnboundedReceiver<Outgoing>,
        reporter: &Reporter,
        id: WebSocketId,
    ) -> io::Result<()> {
        let mut wire = BytesMut::new();
        loop {
            let first = tokio::select! {
                packet = packets.recv() => match packet {
                    Some(packet) => Some(packet),
                    None => break,
                },
                () = self.shared.wake.notified() => None,
            };
            if let Some(payload) = self.shared.take_pong() {
                encode_frame(&mut wire, Opcode::Pong, &payload, Some(self.mask.next()));
            }
            let has_packets = first.is_some();
            let rest = std::iter::from_fn(|| packets.try_recv().ok());
            for packet in first.into_iter().chain(rest.filter(|_| has_packets)) {
                let opcode = match packet.kind() {
                    Kind::Text => Opcode::Text,
                    Kind::Binary => Opcode::Binary,
                };
                encode_frame(&mut wire, opcode, packet.bytes(), Some(self.mask.next()));
            }
            self.io.write_all_buf(&mut wire).await?;
            self.io.flush().await?;
            // The room for a burst is not kept for ever.
            wire = BytesMut::new();
            if has_packets {
                reporter.report(ClientInput::WebSocketWritten(id)).await;
            }
        }
        self.close(None).await
    }

    /// Writes a close frame, and that it was the last one.
    async fn close(&mut self, code: Option<CloseCode>) -> io::Result<()> {
        let frame = sockeye_websocket::close_frame(code, Some(self.mask.next()));
        self.io.write_all(&frame).await?;
        self.io.shutdown().await
    }
}

/// Masks for frames, drawn many at a time. Nobody can tell the next one.
#[derive(Default)]
struct Masks {
    random: Vec<u8>,
}

impl Masks {
    fn next(&mut self) -> [u8; 4] {
        if self.random.is_empty() {
            self.random = vec![0; 256];
            getrandom::fill(&mut self.random).expect("the operating system has random bits");
        }
        let rest = self.random.len() - 4;
        let mask = self.random[rest..].try_into().expect("256 is a multiple of 4");
        self.random.truncate(rest);
        mask
    }
}
