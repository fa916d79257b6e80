//! The bytes under a WebSocket: in memory, polled by hand, and counting what passes.

use std::{
    cell::RefCell,
    io::{self, IoSlice},
    ops::Range,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection, as cheap to clone as a socket split in two. It behaves like TCP: reads give all
/// that is there, and writes take everything, vectored ones too, until the peer stops to read.
#[derive(Clone)]
pub struct Io(Rc<RefCell<Wire>>);

struct Wire {
    incoming: Vec<u8>,
    /// How much of `incoming` has been read.
    read: usize,
    outgoing: Vec<u8>,
    /// Whether the peer has stopped to read.
    is_blocked: bool,
    /// What the application wants sent.
    push: Option<Bytes>,
    /// Where the payload of the last push lies in memory.
    pushed: Range<usize>,
    counts: Counts,
}

/// What a layer did. Each read and each write would be a system call.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    pub reads: usize,
    pub writes: usize,
    /// Bytes that were written from somewhere else than where the pushed payload lies.
    pub copied: usize,
}

impl Io {
    /// Reserves `capacity` bytes each way, so that up to there the wire itself allocates nothing.
    pub fn new(capacity: usize) -> Self {
        Self(Rc::new(RefCell::new(Wire {
            incoming: Vec::with_capacity(capacity),
            read: 0,
            outgoing: Vec::with_capacity(capacity),
            is_blocked: false,
            push: None,
            pushed: 0..0,
            counts: Counts::default(),
        })))
    }

    /// The peer sends.
    pub fn feed(&self, bytes: &[u8]) {
        let mut wire = self.0.borrow_mut();
        if wire.read == wire.incoming.len() {
            wire.incoming.clear();
            wire.read = 0;
        }
        wire.incoming.extend_from_slice(bytes);
    }

    /// The peer stops to read: no write is taken any more.
    pub fn block(&self) {
        self.0.borrow_mut().is_blocked = true;
    }

    /// The application sends a text message.
    pub fn push(&self, payload: &Bytes) {
        let mut wire = self.0.borrow_mut();
        let Range { start, end } = payload.as_ptr_range();
        wire.pushed = start as usize..end as usize;
        wire.push = Some(payload.clone());
    }

    /// The layer takes what the application sends.
    pub fn take_push(&self) -> Option<Bytes> {
        self.0.borrow_mut().push.take()
    }

    /// Looks at what the peer has received and forgets it.
    pub fn receive<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        let mut wire = self.0.borrow_mut();
        let seen = look(&wire.outgoing);
        wire.outgoing.clear();
        seen
    }

    /// What was counted since the last call.
    pub fn take_counts(&self) -> Counts {
        std::mem::take(&mut self.0.borrow_mut().counts)
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.0.borrow_mut();
        let rest = &wire.incoming[wire.read..];
        if rest.is_empty() {
            // Nobody has to be woken: whoever feeds also polls.
            return Poll::Pending;
        }
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        wire.read += count;
        wire.counts.reads += 1;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut wire = self.0.borrow_mut();
        if wire.is_blocked {
            return Poll::Pending;
        }
        let mut count = 0;
        for slice in slices {
            if !wire.pushed.contains(&(slice.as_ptr() as usize)) {
                wire.counts.copied += slice.len();
            }
            wire.outgoing.extend_from_slice(slice);
            count += slice.len();
        }
        wire.counts.writes += 1;
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
