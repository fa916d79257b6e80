//! `sockeye-websocket`, driven as `crates/engine/src/websocket.rs` drives it: this is a copy of
//! that file without sessions, timeouts and base64. Keep the two alike.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use sockeye_websocket::{
    CloseCode, Decoder, FrameHeader, Limits, Message, Opcode, Role, frame_header,
};
use tokio::io::AsyncWrite;
use tokio_util::io::poll_read_buf;

use super::MAX_MESSAGE;
use crate::wire::Io;

/// How much is read, and how much is put together for writing, at a time.
const BUFFER: usize = 32 << 10;

thread_local! {
    static READ_BUFFER: RefCell<BytesMut> = RefCell::new(BytesMut::new());
    static WRITE_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub struct Driver {
    io: Io,
    decoder: Decoder,
    /// The beginning of a frame whose rest has not come.
    unread: BytesMut,
    unwritten: Frames,
    is_closing: bool,
}

impl Driver {
    pub fn new(io: Io) -> Self {
        let limits = Limits::default().max_message_bytes(MAX_MESSAGE);
        Self {
            io,
            decoder: Decoder::new(Role::Server, &limits),
            unread: BytesMut::new(),
            unwritten: Frames::default(),
            is_closing: false,
        }
    }

    fn poll_io(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_closing {
            let read = self.poll_read(cx)?;
            match read {
                Poll::Ready(0) => return Poll::Ready(Ok(())),
                Poll::Ready(_) => (),
                Poll::Pending => break,
            }
        }
        if let Some(payload) = self.io.take_push() {
            self.unwritten.push(Opcode::Text, payload);
        }
        ready!(self.unwritten.poll_write(&mut self.io, cx))?;
        if self.is_closing { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Reads once; 0 bytes are the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let is_shared = self.unread.is_empty();
        let mut buffer =
            if is_shared { READ_BUFFER.take() } else { std::mem::take(&mut self.unread) };
        let least = if is_shared { BUFFER / 2 } else { BUFFER / 8 };
        if buffer.capacity() - buffer.len() < least {
            buffer.reserve(if is_shared { BUFFER } else { buffer.len().clamp(least, BUFFER) });
        }
        let read = poll_read_buf(Pin::new(&mut self.io), cx, &mut buffer);
        if matches!(read, Poll::Ready(Ok(1..))) {
            self.receive(&mut buffer);
        }
        if !is_shared && !buffer.is_empty() {
            self.unread = buffer;
            return read;
        }
        if !buffer.is_empty() {
            self.unread = BytesMut::from(&buffer[..]);
            buffer.clear();
        }
        if is_shared {
            READ_BUFFER.set(buffer);
        }
        read
    }

    fn receive(&mut self, bytes: &mut BytesMut) {
        loop {
            match self.decoder.decode(bytes) {
                Ok(None) => return,
                Ok(Some(Message::Text(text))) => self.unwritten.push(Opcode::Text, text),
                Ok(Some(Message::Binary(data))) => self.unwritten.push(Opcode::Binary, data),
                Ok(Some(Message::Ping(data))) => self.unwritten.push(Opcode::Pong, data),
                Ok(Some(Message::Pong(_))) => (),
                Ok(Some(Message::Close(close))) => self.close(close.map(|close| close.code)),
                Err(error) => self.close(Some(error.close_code())),
            }
        }
    }

    fn close(&mut self, code: Option<CloseCode>) {
        let code = code.map(|code| code.as_u16().to_be_bytes());
        let payload = Bytes::copy_from_slice(code.as_ref().map_or(&[], |code| code));
        self.unwritten.push(Opcode::Close, payload);
        self.is_closing = true;
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.get_mut().poll_io(cx).map(|_| ())
    }
}

/// Frames on their way out.
#[derive(Default)]
struct Frames {
    queue: VecDeque<Frame>,
    /// How much of the first frame, its header included, is written.
    written: usize,
}

struct Frame {
    opcode: Opcode,
    payload: Bytes,
}

impl Frames {
    fn push(&mut self, opcode: Opcode, payload: Bytes) {
        self.queue.push_back(Frame { opcode, payload });
    }

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
            self.advance(count);
        }
        if self.queue.capacity() > 16 {
            self.queue = VecDeque::new();
        }
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
            for frame in &self.queue {
                if !buffer.is_empty() && buffer.len() + frame.len() > BUFFER {
                    break;
                }
                buffer.extend_from_slice(frame.header().as_bytes());
                buffer.extend_from_slice(&frame.payload);
            }
            Pin::new(io).poll_write(cx, &buffer[self.written..])
        })
    }

    fn advance(&mut self, count: usize) {
        self.written += count;
        while let Some(length) = self.queue.front().map(Frame::len) {
            if self.written < length {
                return;
            }
            self.written -= length;
            self.queue.pop_front();
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
