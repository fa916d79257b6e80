//! The task of one WebSocket: reads, feeds the session, writes.

use std::{
    cell::RefCell,
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use sockeye_protocol::{
    Fifo,
    engine::{Dialect, Input, Kind, Message, Outgoing, WebSocketId, WebSocketState},
};
use sockeye_websocket::{
    self as ws, CloseCode, Decoder, FrameHeader, Limits, Opcode, Role, frame_header,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tokio_util::io::poll_read_buf;

use crate::{
    session::{Inner, now},
    stall::StallGuard,
};

/// How much is read, and how much is put together for writing, at a time.
const BUFFER: usize = 32 << 10;

/// How often is read before something is written.
const READS: usize = 4;

/// How long a closing connection may take before it is cut.
const LINGER: Duration = Duration::from_secs(5);

thread_local! {
    /// What all WebSockets of a thread read into: none of them holds a buffer while nothing comes.
    static READ_BUFFER: RefCell<BytesMut> = RefCell::new(BytesMut::new());
    /// Where they put small frames together.
    static WRITE_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One WebSocket, as a future that ends when it is closed.
///
/// It holds what is half received and half sent, and nothing else while nothing happens.
pub(crate) struct Driver {
    session: Arc<Inner>,
    id: WebSocketId,
    io: Io,
    decoder: Decoder,
    /// The beginning of a frame whose rest has not come.
    unread: BytesMut,
    unwritten: Frames,
    phase: Phase,
}

enum Phase {
    Open,
    /// What waits is written, a close frame last.
    Closing(Pin<Box<Sleep>>),
    /// Our end is closed, and the peer's is awaited. To drop a connection with unread data would
    /// reset it and could destroy what was just sent.
    Lingering(Pin<Box<Sleep>>),
}

impl Driver {
    pub(crate) fn new(session: Arc<Inner>, id: WebSocketId, (io, unread): (Io, BytesMut)) -> Self {
        let config = &session.shared.config;
        let limits = Limits::default()
            .max_message_bytes(config.max_payload)
            .max_fragments(config.max_fragments);
        session.shared.websockets.send_modify(|count| *count += 1);
        let dialect = session.handshake.dialect();
        let mut driver = Self {
            decoder: Decoder::new(Role::Server, &limits),
            session,
            id,
            io,
            unread,
            unwritten: Frames { dialect, ..Frames::default() },
            phase: Phase::Open,
        };
        // Frames may have come right behind the handshake.
        let mut unread = std::mem::take(&mut driver.unread);
        driver.receive(now(), &mut unread);
        driver.unread = keep(&unread);
        driver
    }

    fn poll_io(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.phase {
                Phase::Open => match ready!(self.poll_open(cx))? {
                    End::Close => self.close(None),
                    End::Cut => return Poll::Ready(Ok(())),
                },
                Phase::Closing(timeout) => {
                    if timeout.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Ok(()));
                    }
                    ready!(self.unwritten.poll_write(&mut self.io, cx))?;
                    ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
                    self.phase = Phase::Lingering(Box::pin(sleep(LINGER)));
                }
                Phase::Lingering(timeout) => {
                    if timeout.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Ok(()));
                    }
                    let mut buffer = [0; 1024];
                    let mut buffer = ReadBuf::new(&mut buffer);
                    ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer))?;
                    if buffer.filled().is_empty() {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }

    /// Reads a little and writes everything; ready when one of the two ends wants no more.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<End>> {
        let now = now();
        let mut may_be_more = false;
        for _ in 0..READS {
            may_be_more = false;
            if !self.session.may_read(cx.waker()) {
                break;
            }
            match self.poll_read(now, cx)? {
                Poll::Pending => break,
                Poll::Ready(0) => return Poll::Ready(Ok(End::Cut)),
                Poll::Ready(_) if !matches!(self.phase, Phase::Open) => {
                    return Poll::Ready(Ok(End::Close));
                }
                Poll::Ready(_) => may_be_more = true,
            }
        }
        let end = self.poll_write(now, cx)?;
        if end.is_pending() && may_be_more {
            // Others have their turn before this peer is listened to again.
            cx.waker().wake_by_ref();
        }
        end.map(Ok)
    }

    /// Writes what the session has to say; ready when it says that it is over.
    fn poll_write(&mut self, now: Instant, cx: &mut Context<'_>) -> io::Result<Poll<End>> {
        loop {
            let is_blocked = self.unwritten.poll_write(&mut self.io, cx)?.is_pending();
            let state = if is_blocked {
                let mut urgent = Vec::new();
                let held = self.unwritten.bytes();
                let state =
                    self.session.poll_websocket(now, self.id, held, &mut urgent, cx.waker());
                urgent.into_iter().for_each(|beat| self.unwritten.push_heartbeat(beat));
                state
            } else {
                self.session.poll_websocket(now, self.id, 0, &mut self.unwritten, cx.waker())
            };
            match state {
                WebSocketState::Closing => return Ok(Poll::Ready(End::Close)),
                WebSocketState::Cut => return Ok(Poll::Ready(End::Cut)),
                WebSocketState::Open if is_blocked || self.unwritten.is_empty() => {
                    return Ok(Poll::Pending);
                }
                WebSocketState::Open => (),
            }
        }
    }

    /// Reads once; 0 bytes are the end.
    fn poll_read(&mut self, now: Instant, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // A frame in pieces is collected in a buffer of its own, which grows as they come.
        let is_shared = self.unread.is_empty();
        let mut buffer =
            if is_shared { READ_BUFFER.take() } else { std::mem::take(&mut self.unread) };
        // What is left of the buffer will do, if it is not too little: as long as a message of an
        // earlier read is kept somewhere, its place cannot be used again.
        let least = if is_shared { BUFFER / 2 } else { BUFFER / 8 };
        if buffer.capacity() - buffer.len() < least {
            buffer.reserve(if is_shared { BUFFER } else { buffer.len().clamp(least, BUFFER) });
        }
        let read = poll_read_buf(Pin::new(&mut self.io), cx, &mut buffer);
        if matches!(read, Poll::Ready(Ok(1..))) {
            self.receive(now, &mut buffer);
        }
        if !is_shared && !buffer.is_empty() {
            self.unread = buffer;
            return read;
        }
        if !buffer.is_empty() {
            self.unread = keep(&buffer);
            buffer.clear();
        }
        if is_shared {
            READ_BUFFER.set(buffer);
        }
        read
    }

    /// Decodes what came and feeds the session.
    fn receive(&mut self, now: Instant, bytes: &mut BytesMut) {
        loop {
            let input = match self.decoder.decode(bytes) {
                Ok(None) => return,
                Ok(Some(ws::Message::Text(text))) => {
                    self.session.receive(now, self.id, Message::Text(text));
                    continue;
                }
                Ok(Some(ws::Message::Binary(data))) => {
                    self.session.receive(now, self.id, Message::Binary(data));
                    continue;
                }
                Ok(Some(ws::Message::Ping(data))) => {
                    self.unwritten.push_pong(data);
                    continue;
                }
                Ok(Some(ws::Message::Pong(_))) => continue,
                Ok(Some(ws::Message::Close(close))) => {
                    self.close(close.map(|close| close.code));
                    Input::WebSocketClosed(self.id)
                }
                Err(error) => {
                    tracing::debug!(%error, "the peer broke the rules of WebSocket");
                    self.close(Some(error.close_code()));
                    Input::WebSocketFailed(self.id)
                }
            };
            self.session.handle(input);
        }
    }

    /// Writes what waits, and a close frame; after that there is only the end.
    fn close(&mut self, code: Option<CloseCode>) {
        if matches!(self.phase, Phase::Open) {
            self.unwritten.push_close(code);
            self.phase = Phase::Closing(Box::pin(sleep(LINGER)));
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.session.shared.websockets.send_modify(|count| *count -= 1);
    }
}

/// A copy of what is left, which is little, instead of the large buffer that it was read into.
fn keep(rest: &[u8]) -> BytesMut {
    if rest.is_empty() { BytesMut::new() } else { BytesMut::from(rest) }
}

/// Why reading and writing are over.
enum End {
    /// One end closes, in good order.
    Close,
    /// The connection is of no more use.
    Cut,
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let ended = ready!(this.poll_io(cx));
        // News to the session only if it was the connection that ended first.
        this.session.handle(match ended {
            Ok(()) => Input::WebSocketClosed(this.id),
            Err(_) => Input::WebSocketFailed(this.id),
        });
        Poll::Ready(())
    }
}

/// Frames on their way out.
#[derive(Default)]
struct Frames {
    queue: Fifo<Frame>,
    /// How much of the first frame, its header included, is written.
    written: usize,
    /// How long the frames of the queue are together.
    queued: usize,
    /// Whether something was written that may wait in a buffer below.
    is_unflushed: bool,
    /// What the client asked for when it opened the session.
    dialect: Dialect,
}

struct Frame {
    opcode: Opcode,
    payload: Bytes,
}

impl Frames {
    /// What is left to write, in bytes.
    fn bytes(&self) -> usize {
        self.queued - self.written
    }

    fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn push(&mut self, frame: Frame) {
        self.queued += frame.len();
        self.queue.push_back(frame);
    }

    /// The place before all data: behind a frame that is half written.
    fn front(&self) -> usize {
        usize::from(self.written > 0)
    }

    /// A heartbeat of the session overtakes data, which the peer may take its time to read.
    fn push_heartbeat(&mut self, beat: Outgoing) {
        let frame = Frame { opcode: Opcode::Text, payload: beat.into_bytes() };
        self.queued += frame.len();
        self.queue.insert(self.front(), frame);
    }

    /// A pong overtakes data. One for many pings is enough: the last one counts.
    fn push_pong(&mut self, payload: Bytes) {
        let pong = Frame { opcode: Opcode::Pong, payload };
        let index = self.front();
        self.queued += pong.len();
        match self.queue.get_mut(index) {
            Some(frame) if frame.opcode == Opcode::Pong => {
                self.queued -= frame.len();
                *frame = pong;
            }
            _ => self.queue.insert(index, pong),
        }
    }

    fn push_close(&mut self, code: Option<CloseCode>) {
        let code = code.map(|code| code.as_u16().to_be_bytes());
        let payload = Bytes::copy_from_slice(code.as_ref().map_or(&[], |code| code));
        self.push(Frame { opcode: Opcode::Close, payload });
    }

    /// Writes everything. Pending when the peer takes no more for now.
    fn poll_write(&mut self, io: &mut Io, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(first) = self.queue.front() {
            let count = if first.payload.len() >= BUFFER / 2 {
                ready!(self.poll_write_one(first, io, cx))?
            } else {
                ready!(self.poll_write_many(io, cx))?
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.is_unflushed = true;
            self.advance(count);
        }
        // TCP holds nothing back, but TLS does.
        if self.is_unflushed && matches!(io, Io::Other(_)) {
            ready!(Pin::new(io).poll_flush(cx))?;
        }
        self.is_unflushed = false;
        Poll::Ready(Ok(()))
    }

    /// A large frame is written from where it is.
    fn poll_write_one(
        &self,
        frame: &Frame,
        io: &mut Io,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let header = frame.header();
        let header = header.as_bytes();
        let rest_of_header = header.get(self.written..).unwrap_or_default();
        let rest_of_payload = &frame.payload[self.written.saturating_sub(header.len())..];
        let slices = [IoSlice::new(rest_of_header), IoSlice::new(rest_of_payload)];
        Pin::new(io).poll_write_vectored(cx, &slices[usize::from(rest_of_header.is_empty())..])
    }

    /// Small frames are put together, so that they leave in one system call.
    fn poll_write_many(&self, io: &mut Io, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        WRITE_BUFFER.with_borrow_mut(|buffer| {
            buffer.clear();
            for frame in self.queue.iter() {
                if !buffer.is_empty() && buffer.len() + frame.len() > BUFFER {
                    break;
                }
                buffer.extend_from_slice(frame.header().as_bytes());
                buffer.extend_from_slice(&frame.payload);
            }
            Pin::new(io).poll_write(cx, &buffer[self.written..])
        })
    }

    /// So many bytes more are written.
    fn advance(&mut self, count: usize) {
        self.written += count;
        while let Some(length) = self.queue.front().map(Frame::len) {
            if self.written < length {
                return;
            }
            self.written -= length;
            self.queued -= length;
            self.queue.pop_front();
        }
    }
}

impl Extend<Outgoing> for Frames {
    fn extend<I: IntoIterator<Item = Outgoing>>(&mut self, packets: I) {
        let dialect = self.dialect;
        for packet in packets {
            let packet = dialect.to_websocket(packet);
            let opcode = match packet.kind() {
                Kind::Text => Opcode::Text,
                Kind::Binary => Opcode::Binary,
            };
            self.push(Frame { opcode, payload: packet.into_bytes() });
        }
    }
}

impl Frame {
    fn header(&self) -> FrameHeader {
        frame_header(self.opcode, self.payload.len())
    }

    fn len(&self) -> usize {
        self.header().as_bytes().len() + self.payload.len()
    }
}

/// The bytes under a WebSocket.
pub(crate) enum Io {
    Tcp(TcpStream),
    Other(Box<TokioIo<Upgraded>>),
}

impl Io {
    /// Takes a connection over from hyper, with what has been read of it already. Plain TCP is
    /// taken out of its wrappings.
    pub(crate) fn new(upgraded: Upgraded) -> (Self, BytesMut) {
        let upgraded = match upgraded.downcast::<TokioIo<StallGuard>>() {
            Ok(parts) => {
                let stream = parts.io.into_inner().into_inner();
                return (Self::Tcp(stream), parts.read_buf.into());
            }
            Err(upgraded) => upgraded,
        };
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => (Self::Tcp(parts.io.into_inner()), parts.read_buf.into()),
            Err(upgraded) => (Self::Other(Box::new(TokioIo::new(upgraded))), BytesMut::new()),
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_read(cx, buffer),
            Self::Other(io) => Pin::new(io).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_write(cx, bytes),
            Self::Other(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_write_vectored(cx, slices),
            Self::Other(io) => Pin::new(io).poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_flush(cx),
            Self::Other(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_shutdown(cx),
            Self::Other(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
