//! How the engine behaves.

use std::time::Duration;

use sockeye_protocol::engine::{self, Transports};

use crate::Cors;

const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The engine's options, with the defaults of the reference where it has them.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) path: String,
    pub(crate) transports: Transports,
    pub(crate) allow_upgrades: bool,
    pub(crate) allow_eio3: bool,
    pub(crate) max_payload: usize,
    pub(crate) max_fragments: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_header_bytes: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) cors: Option<Cors>,
    pub(crate) session: engine::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/engine.io/".to_owned(),
            transports: Transports::ALL,
            allow_upgrades: true,
            allow_eio3: false,
            max_payload: 1_000_000,
            max_fragments: 1024,
            max_connections: usize::MAX,
            max_header_bytes: 16 << 10,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            cors: None,
            session: engine::Config::default(),
        }
    }
}

/// Options that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(String);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// The path under which clients find the server, `/engine.io/` unless set. A slash is put at
    /// both ends; everything below it belongs to the engine.
    pub fn path(mut self, path: &str) -> Self {
        let inner = path.trim_matches('/');
        self.path = if inner.is_empty() { "/".to_owned() } else { format!("/{inner}/") };
        self
    }

    /// The transports that clients may use. Default: both.
    pub fn transports(mut self, transports: impl Into<Transports>) -> Self {
        self.transports = transports.into();
        self
    }

    /// Whether the handshake tells clients on polling that they may move to a WebSocket. Default
    /// true. As in the reference, a client that tries nevertheless is let in.
    pub fn allow_upgrades(mut self, allow: bool) -> Self {
        self.allow_upgrades = allow;
        self
    }

    /// Whether clients of Engine.IO 3, which are those of Socket.IO 1 and 2, are let in beside those
    /// of 4. Default false: they are refused with code 5, `Unsupported protocol version`. A request
    /// without `EIO=4` is one of theirs.
    pub fn allow_eio3(mut self, allow: bool) -> Self {
        self.allow_eio3 = allow;
        self
    }

    /// How long after the handshake and after each pong a ping goes out. Default 25 s. Clients of
    /// Engine.IO 3 ping themselves, in this interval.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.session.ping_interval = interval;
        self
    }

    /// How long a pong is waited for before the session ends with `ping timeout`. Default 20 s. A
    /// ping of a client of Engine.IO 3 may be late by so much.
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.session.ping_timeout = timeout;
        self
    }

    /// How long a WebSocket may take to take a polling session over. Default 10 s. After that the
    /// WebSocket is closed; the polling session lives on.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.session.upgrade_timeout = timeout;
        self
    }

    /// The largest POST body and the largest WebSocket message, in bytes. Default 1,000,000. A
    /// larger body is answered with 413 and dropped, a larger message closes its connection with
    /// code 1009. Clients are told the number and cut their POST bodies accordingly.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// How many frames one WebSocket message may consist of. Default 1024; more close the
    /// connection with code 1008.
    pub fn max_fragments(mut self, fragments: usize) -> Self {
        self.max_fragments = fragments;
        self
    }

    /// How many bytes may wait for a client that takes nothing. Default 4 MiB; it must be at least
    /// twice `max_payload`. A client is closed with `slow consumer` when more than this waits and
    /// it has taken nothing for 10 s, or when four times this waits: the most that a connection
    /// can make the server hold is thus four times this.
    pub fn max_waiting_bytes(mut self, bytes: usize) -> Self {
        self.session.max_waiting_bytes = bytes;
        self
    }

    /// How many sessions may be open at once. Default: no limit. One more is refused with code 4,
    /// `Too many connections`.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }

    /// The largest head of a request, in bytes. Default 16 KiB, at least 8 KiB; a larger one is
    /// answered with 431. It acts where the engine itself listens; elsewhere it is the business of
    /// the HTTP server around it.
    pub fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.max_header_bytes = bytes;
        self
    }

    /// How long a request's head may take to arrive where the engine itself listens. Default 10 s.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// How long a POST's body may take to arrive; after that its session is closed. And how long a
    /// client may take nothing of an answer where the engine itself listens; after that the
    /// connection is cut. Default 30 s.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// Which pages of other origins may talk to the server. Default: none.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Checks what spans several options.
    ///
    /// # Errors
    ///
    /// If `max_waiting_bytes` is less than twice `max_payload`, a single large message would make
    /// its receiver a slow consumer. If a duration is zero, no session could live; if it is over
    /// one year, it may overflow where it is added to the time of day.
    pub fn check(&self) -> Result<(), ConfigError> {
        let waiting = self.session.max_waiting_bytes;
        if waiting / 2 < self.max_payload {
            return Err(ConfigError(format!(
                "max_waiting_bytes of {waiting} bytes is less than twice the max_payload of {} bytes",
                self.max_payload
            )));
        }
        if self.max_header_bytes < 8 << 10 {
            let bytes = self.max_header_bytes;
            return Err(ConfigError(format!(
                "max_header_bytes of {bytes} bytes is less than 8192 bytes"
            )));
        }
        let durations = [
            ("ping_interval", self.session.ping_interval),
            ("ping_timeout", self.session.ping_timeout),
            ("upgrade_timeout", self.session.upgrade_timeout),
            ("header_timeout", self.header_timeout),
            ("body_timeout", self.body_timeout),
        ];
        for (name, duration) in durations {
            if duration.is_zero() {
                return Err(ConfigError(format!("{name} is zero")));
            }
            if duration > MAX_DURATION {
                let seconds = duration.as_secs();
                return Err(ConfigError(format!("{name} of {seconds} s is over one year")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_neither_zero_nor_for_ever() {
        let check = |interval| {
            let checked = Config::default().ping_interval(interval).check();
            checked.map_err(|error| error.to_string())
        };
        assert_eq!(check(MAX_DURATION), Ok(()));
        assert_eq!(check(Duration::ZERO), Err("ping_interval is zero".to_owned()));
        let over = "ping_interval of 18446744073709551615 s is over one year";
        assert_eq!(check(Duration::MAX), Err(over.to_owned()));
    }
}
