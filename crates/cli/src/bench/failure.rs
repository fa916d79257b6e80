//! What can go wrong with one connection, in words for the user.

use std::{collections::BTreeMap, io, net::SocketAddr};

/// Why a connection was lost or never came to be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0} refuses connections; is the server running?")]
    Refused(SocketAddr),
    #[error(
        "no port is left to connect to {0} from; `--source-addresses 10` uses more addresses, \
         with ports of their own"
    )]
    NoPort(SocketAddr),
    #[error("too many open files; raise the limit with `ulimit -n`")]
    TooManyFiles,
    #[error("the connection broke: {0}")]
    Io(io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server closed the WebSocket with code {0}")]
    ClosedWithCode(u16),
    #[error("the server answered with {0}; is `--path` right?")]
    Answered(String),
    #[error("this is no Socket.IO server: it began with `{0}`")]
    NotSocketIo(String),
    #[error("the namespace {namespace} was refused: {message}")]
    NamespaceRefused { namespace: String, message: String },
    #[error("the server disconnected the socket from its namespace")]
    Disconnected,
    #[error("{0}")]
    Protocol(&'static str),
    #[error("not connected within {} s", super::OPEN_TIMEOUT.as_secs())]
    TimedOut,
}

impl Failure {
    /// An error of a socket that connects, or is connected, to `peer`.
    pub(crate) fn from_io(error: io::Error, peer: SocketAddr) -> Self {
        // Too many files have no `ErrorKind` of their own.
        const TOO_MANY_FILES: i32 = rustix::io::Errno::MFILE.raw_os_error();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused(peer),
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => Self::NoPort(peer),
            _ if error.raw_os_error() == Some(TOO_MANY_FILES) => Self::TooManyFiles,
            _ => Self::Io(error),
        }
    }
}

/// The start of what a server said, fit for one line of a terminal.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    const MAX_CHARS: usize = 200;
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim();
    let mut line: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_CHARS).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        line.push('…');
    }
    line
}

/// How often what went wrong.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    by_text: BTreeMap<String, u64>,
    total: u64,
}

impl Failures {
    pub(crate) fn add(&mut self, failure: &Failure) {
        self.add_many(failure.to_string(), 1);
    }

    pub(crate) fn add_many(&mut self, text: String, count: u64) {
        if count > 0 {
            *self.by_text.entry(text).or_default() += count;
            self.total += count;
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// What went wrong, most frequent first.
    pub(crate) fn by_frequency(&self) -> Vec<(&str, u64)> {
        let mut all: Vec<_> =
            self.by_text.iter().map(|(text, count)| (text.as_str(), *count)).collect();
        all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_one_line_of_bounded_length() {
        assert_eq!(excerpt(b" not\nfound\r\n"), "not found");
        assert_eq!(excerpt("é".repeat(300).as_bytes()).chars().count(), 201);
    }

    #[test]
    fn the_most_frequent_failure_comes_first() {
        let mut failures = Failures::default();
        failures.add(&Failure::Closed);
        failures.add(&Failure::TimedOut);
        failures.add(&Failure::TimedOut);
        failures.add_many("never".to_owned(), 0);
        let texts = failures.by_frequency();
        assert_eq!(
            texts,
            [("not connected within 20 s", 2), ("the server closed the connection", 1)]
        );
        assert_eq!(failures.total(), 3);
    }
}
