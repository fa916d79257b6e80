//! A server's options.

use std::{any::Any, fmt, sync::Arc, time::Duration};

use sockeye_adapter::{Adapter, MemoryAdapter};
use sockeye_engine::{Config, Cors, Transports};
use sockeye_protocol::socket::{Limits, Parser};

use crate::{EventError, Server};

/// What a server is made from: every option has a default, which is the reference's where it has
/// the option.
#[must_use = "a server is made by `build`"]
pub struct ServerBuilder {
    pub(crate) engine: Config,
    pub(crate) options: Options,
}

/// The options above the engine.
pub(crate) struct Options {
    pub(crate) connect_timeout: Duration,
    pub(crate) ack_timeout: Option<Duration>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) max_rooms: usize,
    pub(crate) max_child_namespaces: usize,
    pub(crate) cleanup_empty_child_namespaces: bool,
    pub(crate) max_pending_acks: usize,
    pub(crate) max_backlog_bytes: usize,
    pub(crate) send_errors: bool,
    pub(crate) on_error: Option<Box<dyn Fn(&EventError) + Send + Sync>>,
    pub(crate) parser: Option<Box<dyn Parser>>,
    pub(crate) states: Vec<Arc<dyn Any + Send + Sync>>,
    pub(crate) adapter: Box<dyn Fn(&str) -> Arc<dyn Adapter> + Send + Sync>,
}

/// What is meant to be for ever would overflow where it is added to the time of day.
const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The options contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(String);

impl Default for ServerBuilder {
    fn default() -> Self {
        Self {
            engine: Config::default().path("/socket.io/"),
            options: Options {
                connect_timeout: Duration::from_secs(45),
                ack_timeout: Some(Duration::from_secs(5)),
                limits: Arc::default(),
                max_rooms: 10_000,
                max_child_namespaces: 10_000,
                cleanup_empty_child_namespaces: true,
                max_pending_acks: 10_000,
                max_backlog_bytes: 4 << 20,
                send_errors: false,
                on_error: None,
                parser: None,
                states: Vec::new(),
                adapter: Box::new(|_| Arc::new(MemoryAdapter::new())),
            },
        }
    }
}

impl ServerBuilder {
    /// Which pages of other origins may talk to the server. Default: none.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.engine = self.engine.cors(cors);
        self
    }

    /// The path under which clients find the server. Default `/socket.io/`, where they look for it
    /// if they are not told otherwise.
    pub fn path(mut self, path: &str) -> Self {
        self.engine = self.engine.path(path);
        self
    }

    /// The transports that clients may use. Default: polling and WebSocket.
    pub fn transports(mut self, transports: impl Into<Transports>) -> Self {
        self.engine = self.engine.transports(transports);
        self
    }

    /// Whether clients on polling are told that they may move to a WebSocket. Default true.
    pub fn allow_upgrades(mut self, allow: bool) -> Self {
        self.engine = self.engine.allow_upgrades(allow);
        self
    }

    /// Whether clients of version 2 and 1 are let in beside those of version 3 and 4. Default false:
    /// they are refused with `Unsupported protocol version`.
    ///
    /// They are in the main namespace without having asked, so its middlewares see no auth; for
    /// other namespaces, auth is the query that they give, `io("/admin?token=1")`. See
    /// [`Socket::id`](crate::Socket::id) and [`Config::allow_eio3`].
    pub fn allow_eio3(mut self, allow: bool) -> Self {
        self.engine = self.engine.allow_eio3(allow);
        self
    }

    /// How long after the handshake and after each pong a ping goes out. Default 25 s.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.engine = self.engine.ping_interval(interval);
        self
    }

    /// How long a pong is waited for before the client counts as gone. Default 20 s.
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.engine = self.engine.ping_timeout(timeout);
        self
    }

    /// How long a WebSocket may take to take a polling session over. Default 10 s.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.engine = self.engine.upgrade_timeout(timeout);
        self
    }

    /// How long a client may take to join a first namespace before its connection is closed.
    /// Default 45 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// How long [`Socket::emit_with_ack`](crate::Socket::emit_with_ack) waits, unless it is told
    /// otherwise. Default 5 s; `None` is for ever.
    pub fn ack_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.ack_timeout = timeout.into();
        self
    }

    /// The largest POST body and the largest WebSocket message, in bytes. Default 1,000,000.
    /// Clients are told. See [`Config::max_payload`].
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.engine = self.engine.max_payload(bytes);
        self
    }

    /// How many frames one WebSocket message may consist of. Default 1024.
    pub fn max_fragments(mut self, fragments: usize) -> Self {
        self.engine = self.engine.max_fragments(fragments);
        self
    }

    /// How many attachments one packet may have. Default 10. More close the connection.
    pub fn max_attachments(mut self, attachments: usize) -> Self {
        Arc::make_mut(&mut self.options.limits).max_attachments = attachments;
        self
    }

    /// How long the attachments of a packet may take to arrive. Default 60 s. After that the
    /// connection is closed.
    pub fn attachment_timeout(mut self, timeout: Duration) -> Self {
        Arc::make_mut(&mut self.options.limits).attachment_timeout = timeout;
        self
    }

    /// How deep arrays and objects may nest in a payload. Default 64, at most 128. Deeper ones
    /// close the connection.
    pub fn max_depth(mut self, depth: usize) -> Self {
        Arc::make_mut(&mut self.options.limits).max_depth = depth;
        self
    }

    /// How many namespaces one connection may join. Default 100. One more closes it.
    pub fn max_namespaces(mut self, namespaces: usize) -> Self {
        Arc::make_mut(&mut self.options.limits).max_namespaces = namespaces;
        self
    }

    /// How many namespaces clients may bring about. Default 10,000. To ask for one more is answered
    /// with `Invalid namespace`. See [`Server::of_matching`].
    pub fn max_child_namespaces(mut self, namespaces: usize) -> Self {
        self.options.max_child_namespaces = namespaces;
        self
    }

    /// Whether a namespace that a client has brought about goes with its last socket, and with it
    /// what was registered there. Default true: otherwise clients could fill the server with empty
    /// ones. Namespaces that the application has made with [`Server::of`] stay.
    pub fn cleanup_empty_child_namespaces(mut self, clean_up: bool) -> Self {
        self.options.cleanup_empty_child_namespaces = clean_up;
        self
    }

    /// How many rooms a socket may join. Default 10,000. See [`Socket::join`](crate::Socket::join).
    pub fn max_rooms(mut self, rooms: usize) -> Self {
        self.options.max_rooms = rooms;
        self
    }

    /// How many acknowledgements a client may owe. Default 10,000.
    pub fn max_pending_acks(mut self, acks: usize) -> Self {
        self.options.max_pending_acks = acks;
        self
    }

    /// How many bytes of events may wait for a socket's handlers. Default 4 MiB. A client whose
    /// events exceed that is disconnected with `event backlog`. An event counts with what it takes
    /// to keep it, some 100 bytes more than its text and attachments.
    pub fn max_backlog_bytes(mut self, bytes: usize) -> Self {
        self.options.max_backlog_bytes = bytes;
        self
    }

    /// How many bytes may wait for a client that takes nothing. Default 4 MiB, at least twice
    /// `max_payload`. See [`Config::max_waiting_bytes`].
    pub fn max_waiting_bytes(mut self, bytes: usize) -> Self {
        self.engine = self.engine.max_waiting_bytes(bytes);
        self
    }

    /// How many clients may be connected at once. Default: no limit. See
    /// [`Config::max_connections`].
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.engine = self.engine.max_connections(connections);
        self
    }

    /// The largest head of a request, in bytes, where the server itself listens. Default 16 KiB.
    pub fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.engine = self.engine.max_header_bytes(bytes);
        self
    }

    /// How long a request's head may take, where the server itself listens. Default 10 s.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.engine = self.engine.header_timeout(timeout);
        self
    }

    /// How long the body of a POST may take, and how long a client may take nothing of an answer
    /// where the server itself listens. Default 30 s.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.engine = self.engine.body_timeout(timeout);
        self
    }

    /// A value that handlers can take as [`State<T>`](crate::State). One of each type.
    pub fn state<T: Send + Sync + 'static>(mut self, state: T) -> Self {
        self.options.states.push(Arc::new(state));
        self
    }

    /// Called with every event that came to no good end, after it was logged.
    pub fn on_error(mut self, hook: impl Fn(&EventError) + Send + Sync + 'static) -> Self {
        self.options.on_error = Some(Box::new(hook));
        self
    }

    /// Whether a client whose event asked for an acknowledgement is told the text of the `Err` that
    /// the handler returned, as `{"error":"…"}`. Default false: errors may hold what is none of a
    /// client's business. It is always told that its arguments do not fit.
    pub fn send_errors(mut self, send: bool) -> Self {
        self.options.send_errors = send;
        self
    }

    /// The form that packets have on the wire, which clients must have too. Default: that of
    /// `socket.io-parser`, which every client has unless it is told otherwise. `MessagePack`, with
    /// the feature `msgpack`, is for clients with `socket.io-msgpack-parser`.
    ///
    /// ```
    /// # #[cfg(feature = "msgpack")]
    /// let io = sockeye::Server::builder().parser(sockeye::parser::MessagePack).build();
    /// ```
    pub fn parser(mut self, parser: impl Parser) -> Self {
        self.options.parser = Some(Box::new(parser));
        self
    }

    /// Makes the adapter of each namespace, which is told by its name. Default: in memory. If
    /// several threads ask for a new namespace at once, all but one of the adapters made for it are
    /// dropped unused.
    pub fn adapter(
        mut self,
        make: impl Fn(&str) -> Arc<dyn Adapter> + Send + Sync + 'static,
    ) -> Self {
        self.options.adapter = Box::new(make);
        self
    }

    /// Makes the server. It listens nowhere yet.
    ///
    /// # Errors
    ///
    /// If options contradict each other, or a duration is zero or over one year; the text says
    /// which.
    pub fn build(self) -> Result<Server, BuildError> {
        self.engine.check().map_err(|error| BuildError(error.to_string()))?;
        if self.options.limits.max_depth > 128 {
            let depth = self.options.limits.max_depth;
            return Err(BuildError(format!("max_depth of {depth} levels is over 128 levels")));
        }
        let durations = [
            ("connect_timeout", self.options.connect_timeout),
            ("attachment_timeout", self.options.limits.attachment_timeout),
        ];
        if let Some((name, _)) = durations.iter().find(|(_, duration)| duration.is_zero()) {
            return Err(BuildError(format!("{name} is zero")));
        }
        let ack_timeout = self.options.ack_timeout.map(|timeout| ("ack_timeout", timeout));
        for (name, duration) in durations.into_iter().chain(ack_timeout) {
            if duration > MAX_DURATION {
                let seconds = duration.as_secs();
                return Err(BuildError(format!("{name} of {seconds} s is over one year")));
            }
        }
        Ok(Server::new(self))
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder").field("engine", &self.engine).finish_non_exhaustive()
    }
}
