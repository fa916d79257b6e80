//! One TCP connection that never waits, with buffers only for what did not fit.

use std::io::{self, Read, Write};

use mio::{Interest, Registry, Token, event::Source, net::TcpStream};

/// A connection, or one that is being made: what is written before it stands is kept.
pub(crate) struct Stream {
    stream: TcpStream,
    is_connected: bool,
    /// The start of what has not come completely.
    partial: Vec<u8>,
    unsent: Vec<u8>,
}

/// What one read gave.
pub(crate) enum Filled {
    /// So many bytes are at the front of the buffer. There is more if it is full.
    Bytes { len: usize, is_full: bool },
    /// Nothing is there now.
    Nothing,
    /// The peer has closed.
    End,
}

impl Stream {
    pub(crate) fn new(
        mut stream: TcpStream,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        stream.register(registry, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { stream, is_connected: false, partial: Vec::new(), unsent: Vec::new() })
    }

    /// Goes on after the system has said that it can be written.
    pub(crate) fn handle_writable(&mut self) -> io::Result<()> {
        if !self.is_connected {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            match self.stream.peer_addr() {
                Ok(_) => self.is_connected = true,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        if self.unsent.is_empty() {
            return Ok(());
        }
        let unsent = std::mem::take(&mut self.unsent);
        self.write(&unsent)
    }

    /// Writes what the system takes and keeps the rest.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.is_connected || !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let written = match self.stream.write(bytes) {
            Ok(written) => written,
            Err(error) if is_temporary(&error) => 0,
            Err(error) => return Err(error),
        };
        self.unsent.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    /// Reads once, behind what was kept of the last time.
    pub(crate) fn fill(&mut self, buffer: &mut Vec<u8>) -> io::Result<Filled> {
        let kept = self.partial.len();
        if kept > buffer.len() / 2 {
            buffer.resize(kept * 2, 0);
        }
        buffer[..kept].copy_from_slice(&self.partial);
        match self.stream.read(&mut buffer[kept..]) {
            Ok(0) => Ok(Filled::End),
            Ok(read) => {
                self.partial.clear();
                let len = kept + read;
                Ok(Filled::Bytes { len, is_full: len == buffer.len() })
            }
            Err(error) if is_temporary(&error) => Ok(Filled::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Keeps what is not complete for the next read.
    pub(crate) fn keep(&mut self, rest: &[u8]) {
        self.partial.extend_from_slice(rest);
    }
}

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
