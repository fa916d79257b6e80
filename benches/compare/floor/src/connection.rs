//! One TCP connection.

use std::io::{ErrorKind, Read, Result, Write};

use mio::{Interest, Registry, Token, net::TcpStream};

/// A connection, in as few bytes as it takes: both buffers are empty unless the network is behind.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Tells connections apart that have had the same key one after another.
    pub(crate) serial: u64,
    pub(crate) phase: Phase,
    /// The start of what has not arrived as a whole.
    input: Vec<u8>,
    /// What the kernel would not take yet.
    output: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Requests, and the session whose poll waits for its answer here.
    Http { poll: Option<usize> },
    /// A WebSocket, and whether it has joined the namespace.
    WebSocket { joined: bool },
}

/// What a read has brought.
pub(crate) enum Input {
    /// So many bytes at the start of the buffer, and whether there may be more to read.
    Some { length: usize, more: bool },
    /// Nothing at the moment.
    None,
    /// The end.
    End,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, serial: u64) -> Self {
        let phase = Phase::Http { poll: None };
        Self { stream, serial, phase, input: Vec::new(), output: Vec::new() }
    }

    pub(crate) fn register(&mut self, registry: &Registry, key: usize) -> Result<()> {
        registry.register(&mut self.stream, Token(key), Interest::READABLE)
    }

    /// Reads into `buffer`, after what was kept.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Input {
        let kept = self.input.len();
        buffer[..kept].copy_from_slice(&self.input);
        match self.stream.read(&mut buffer[kept..]) {
            // A message that is larger than the buffer comes here too.
            Ok(0) => Input::End,
            Ok(read) => {
                self.input.clear();
                // Less than there was room for: it was all, and the next event will tell of more.
                Input::Some { length: kept + read, more: kept + read == buffer.len() }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Input::None,
            Err(_) => Input::End,
        }
    }

    /// Keeps what is not complete until more of it arrives.
    pub(crate) fn keep(&mut self, rest: &[u8]) {
        self.input.extend_from_slice(rest);
    }

    /// Writes, and keeps what the kernel does not take. A failure is told of by the next read.
    pub(crate) fn write(&mut self, registry: &Registry, key: usize, bytes: &[u8]) {
        if !self.output.is_empty() {
            return self.output.extend_from_slice(bytes);
        }
        let rest = self.write_some(bytes);
        if rest < bytes.len() {
            self.output.extend_from_slice(&bytes[rest..]);
            let both = Interest::READABLE | Interest::WRITABLE;
            let _ = registry.reregister(&mut self.stream, Token(key), both);
        }
    }

    /// Writes more of what was kept.
    pub(crate) fn flush(&mut self) {
        let output = std::mem::take(&mut self.output);
        let rest = self.write_some(&output);
        self.output.extend_from_slice(&output[rest..]);
    }

    /// How much the kernel has taken: all but what it has no room for.
    fn write_some(&mut self, bytes: &[u8]) -> usize {
        let mut written = 0;
        while written < bytes.len() {
            match self.stream.write(&bytes[written..]) {
                Ok(more) => written += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return bytes.len(),
            }
        }
        written
    }
}
