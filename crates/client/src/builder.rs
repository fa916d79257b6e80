//! Describing a client.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, uri::PathAndQuery};
use serde::Serialize;
use sockeye_protocol::{
    client::{Config, Manager},
    socket::Parser,
};

use crate::{
    AuthError, Client, ConnectError, EventError, Revision, Socket, Transport,
    engine::{Io, Proxy, Target, TargetOptions, UrlError, parse_url},
    shared::{Options, Shared},
};

/// Describes a client. The defaults are those of JavaScript's, where it has them.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sockeye_client::{Client, Transport};
///
/// let client = Client::builder("http://localhost:3000")
///     .transports([Transport::WebSocket])
///     .header("x-app", "sensor")
///     .auth(serde_json::json!({ "token": "secret" }))
///     .reconnection_delay_max(Duration::from_secs(60))
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is made before it is built"]
pub struct ClientBuilder {
    url: String,
    path: String,
    trailing_slash: bool,
    config: Config,
    target: TargetOptions,
    options: Options,
    prepare: Option<Prepare>,
    problem: Option<BuildError>,
}

/// Sets the main socket's auth.
type Prepare = Box<dyn FnOnce(&Socket) -> Result<(), AuthError> + Send>;

/// A client cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The address is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A header has a name or a value that HTTP does not allow.
    #[error("`{0}` is no header")]
    Header(String),
    /// The path is none, or has a query: that is given with [`query`](ClientBuilder::query).
    #[error("`{0}` is no path")]
    Path(String),
    /// No transport is left to try.
    #[error("there must be a transport")]
    NoTransport,
    /// The auth cannot be sent.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// A blocking client needs threads, and the system gives none.
    #[cfg(feature = "blocking")]
    #[error("no thread for the client: {0}")]
    Runtime(String),
}

/// A client cannot be built, or not connected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It cannot be connected.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

impl ClientBuilder {
    pub(crate) fn new(url: String) -> Self {
        let mut config = Config::default();
        config.session.close_timeout = Duration::from_secs(5);
        Self {
            url,
            path: "/socket.io".to_owned(),
            trailing_slash: true,
            config,
            target: TargetOptions {
                path: String::new(),
                revision: Revision::V4,
                query: Vec::new(),
                headers: HeaderMap::new(),
                keep_cookies: true,
                timestamp_param: Some("t".to_owned()),
                timestamp_websockets: false,
                proxy: None,
                max_message_bytes: 16 << 20,
                request_timeout: Duration::from_secs(60),
                #[cfg(feature = "tls")]
                tls: crate::Tls::default(),
            },
            options: Options {
                ack_timeout: Some(Duration::from_secs(5)),
                max_backlog_bytes: 4 << 20,
                parser: None,
                on_error: None,
            },
            prepare: None,
            problem: None,
        }
    }

    // --- Requests ---

    /// The path of the requests. Default `/socket.io`; it must be the server's.
    pub fn path(mut self, path: &str) -> Self {
        self.path = path.to_owned();
        self
    }

    /// Whether a slash is put behind the path, as JavaScript does. Default true.
    pub fn trailing_slash(mut self, trailing_slash: bool) -> Self {
        self.trailing_slash = trailing_slash;
        self
    }

    /// A parameter of every request's query, beside those in the URL. Servers see it in the
    /// handshake.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.target.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A header of every request. Several of one name are sent as several.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                self.target.headers.append(name, value);
            }
            _ => self.problem = Some(BuildError::Header(name.to_owned())),
        }
        self
    }

    /// Whether cookies that the server sets are sent back. Load balancers tell clients apart by
    /// them. Default true.
    pub fn cookies(mut self, cookies: bool) -> Self {
        self.target.keep_cookies = cookies;
        self
    }

    /// The name of a parameter that makes each request different, against caches on the way, or
    /// `None` for no such parameter. Default `t`.
    pub fn timestamp_param(mut self, name: Option<&str>) -> Self {
        self.target.timestamp_param = name.map(str::to_owned);
        self
    }

    /// Whether requests for WebSockets have that parameter as well. Default false.
    pub fn timestamp_websockets(mut self, timestamps: bool) -> Self {
        self.target.timestamp_websockets = timestamps;
        self
    }

    /// Connects through an HTTP proxy, `http://user:password@proxy.example:3128`, which is asked for a
    /// tunnel (`CONNECT`), for plain `http` as well. Default: directly.
    pub fn proxy(mut self, url: &str) -> Self {
        match Proxy::parse(url) {
            Ok(proxy) => self.target.proxy = Some(proxy),
            Err(error) => self.problem = Some(error.into()),
        }
        self
    }

    /// How the server proves who it is, and the client too. Default: the system's certificates.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::Tls) -> Self {
        self.target.tls = tls;
        self
    }

    /// Which revision of Engine.IO is spoken: [`Revision::V3`] for a server of Socket.IO 2. Such a
    /// server takes a namespace's auth as a query of text, and that of `/` from
    /// [`query`](Self::query) only; it does not recover connections. Default [`Revision::V4`].
    pub fn revision(mut self, revision: Revision) -> Self {
        self.config.session.revision = revision;
        self.target.revision = revision;
        self
    }

    // --- Transports ---

    /// The transports; the first one opens the connection. Default polling, then WebSocket.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.config.transports = transports.into_iter().collect();
        self
    }

    /// Whether a connection moves from polling to a WebSocket, if both are among the transports.
    /// Default true.
    pub fn upgrade(mut self, upgrade: bool) -> Self {
        self.config.session.upgrade = upgrade;
        self
    }

    /// Whether a connection that moved to a WebSocket makes the next one open on a WebSocket.
    /// Default false.
    pub fn remember_upgrade(mut self, remember: bool) -> Self {
        self.config.remember_upgrade = remember;
        self
    }

    /// Whether a transport that cannot be opened is followed by the next one at once. Default false.
    pub fn try_all_transports(mut self, try_all: bool) -> Self {
        self.config.try_all_transports = try_all;
        self
    }

    /// How long an attempt to connect may take, and then again the server's answer to a socket that
    /// wants into a namespace. Default 20 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.config.session.handshake_timeout = timeout;
        self
    }

    /// How long the answer to a POST may take. Default 60 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.target.request_timeout = timeout;
        self
    }

    // --- Reconnecting ---

    /// Whether a connection that is lost, or cannot be made, is tried again. Default true.
    pub fn reconnection(mut self, reconnection: bool) -> Self {
        self.config.reconnection = reconnection;
        self
    }

    /// After how many attempts to give up. Default: never.
    pub fn reconnection_attempts(mut self, attempts: u32) -> Self {
        self.config.reconnection_attempts = Some(attempts);
        self
    }

    /// The wait before the first attempt; it doubles from one to the next. Default 1 s.
    pub fn reconnection_delay(mut self, delay: Duration) -> Self {
        self.config.reconnection_delay = delay;
        self
    }

    /// The longest wait between attempts. Default 5 s.
    pub fn reconnection_delay_max(mut self, delay: Duration) -> Self {
        self.config.reconnection_delay_max = delay;
        self
    }

    /// By which part of itself each wait is made longer or shorter at random, from 0 to 1, so that
    /// the clients of a server that restarts do not come back all at once. Default 0.5.
    pub fn randomization_factor(mut self, factor: f64) -> Self {
        self.config.randomization_factor = factor;
        self
    }

    // --- Events ---

    /// What the main socket says about itself when it is connected: what serialises to a JSON
    /// object. See [`Socket::set_auth`].
    pub fn auth(mut self, auth: impl Serialize) -> Self {
        let auth = crate::socket::auth_text(&auth).and_then(|text| {
            serde_json::from_str::<serde_json::Value>(&text).map_err(|e| e.to_string())
        });
        match auth {
            Ok(auth) => self.prepare = Some(Box::new(move |socket| socket.set_auth(auth))),
            Err(error) => self.problem = Some(AuthError(error).into()),
        }
        self
    }

    /// The same, made anew for each connection. See [`Socket::set_auth_with`].
    pub fn auth_with<F, Fut, T, E>(mut self, make: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize,
        E: fmt::Display,
    {
        self.prepare = Some(Box::new(move |socket| {
            socket.set_auth_with(make);
            Ok(())
        }));
        self
    }

    /// How long answers are waited for, where nothing else is said; with `None` until they come or
    /// the connection is lost. Default 5 s.
    pub fn ack_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.ack_timeout = timeout.into();
        self
    }

    /// Has every event acknowledged, and sends it again, at most so many times, when no answer came
    /// within `ack_timeout` or the connection was lost. Events are sent one at a time, so that their
    /// order is kept. Default: events are sent once.
    ///
    /// An event may take effect twice then: give each an id of your own, and let the server drop
    /// those that it knows. Volatile events, and those that expire, are sent once all the same.
    pub fn retries(mut self, retries: u32) -> Self {
        self.config.retries = Some(retries);
        self
    }

    /// Bytes that may wait to be sent, per socket. Beyond that, emitting fails. Default 4 MiB.
    pub fn max_waiting_bytes(mut self, bytes: usize) -> Self {
        self.config.max_waiting_bytes = bytes;
        self
    }

    /// Bytes of events that may wait for a handler, per socket, and for each stream. Beyond that, a
    /// socket's connection is broken and made again, with the reason `event backlog`; a stream drops
    /// events. Default 4 MiB.
    pub fn max_backlog_bytes(mut self, bytes: usize) -> Self {
        self.options.max_backlog_bytes = bytes;
        self.config.max_early_bytes = bytes;
        self
    }

    /// Bytes of the largest message that is taken from the server. Default 16 MiB.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.target.max_message_bytes = bytes;
        self
    }

    /// Attachments of the largest packet that is taken from the server. Default 10.
    pub fn max_attachments(mut self, attachments: usize) -> Self {
        self.config.limits.max_attachments = attachments;
        self
    }

    /// How packets become messages, instead of JSON: [`parser::MessagePack`](crate::parser) (feature
    /// `msgpack`), say. The server
    /// must use the same.
    pub fn parser(mut self, parser: impl Parser) -> Self {
        self.config.parser = Some(Arc::new(parser));
        self
    }

    /// Called with every event that came to no good end: arguments that did not fit, a handler that
    /// failed or panicked. They are logged in any case.
    pub fn on_error(mut self, hook: impl Fn(&EventError) + Send + Sync + 'static) -> Self {
        self.options.on_error = Some(Box::new(hook));
        self
    }

    // --- Building ---

    /// Makes the client. Nothing is connected before [`Socket::connect`] or [`Socket::open`], so
    /// that handlers which are registered in between see everything.
    ///
    /// # Errors
    /// If the URL, the path, a header or the auth is none, or there is no transport.
    pub fn build(self) -> Result<Client, BuildError> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let mut parts = parse_url(&self.url)?;
        if self.config.transports.is_empty() {
            return Err(BuildError::NoTransport);
        }
        let mut target = self.target;
        target.path = full_path(&self.path, self.trailing_slash);
        if target.path.contains(['?', '#']) || target.path.parse::<PathAndQuery>().is_err() {
            return Err(BuildError::Path(self.path));
        }
        let mut query = std::mem::take(&mut parts.query);
        query.append(&mut target.query);
        target.query = query;
        let namespace = std::mem::take(&mut parts.namespace);

        let mut config = self.config;
        if let Some(timeout) = self.options.ack_timeout {
            config.retry_timeout = timeout;
        }
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).expect("the operating system has random bits");
        let mut options = self.options;
        options.parser = config.parser.clone();
        let manager = Manager::new(config, u64::from_ne_bytes(seed));
        let io = Io::new(Target::new(parts, target));
        let shared = Arc::new(Shared::new(manager, io, options));
        let main = shared.of(&namespace);
        let client = Client::from_main(Socket::new(shared, main));
        if let Some(prepare) = self.prepare {
            prepare(&client)?;
        }
        Ok(client)
    }

    /// Makes the client, and waits until it is connected, refused, or out of attempts. See
    /// [`Socket::connect`].
    ///
    /// # Errors
    /// If it cannot be built, or is not connected and will not be.
    pub async fn connect(self) -> Result<Client, Error> {
        let client = self.build()?;
        client.connect().await?;
        Ok(client)
    }
}

#[cfg(feature = "blocking")]
impl ClientBuilder {
    /// Makes a client for programs without tokio. See [`blocking`](crate::blocking).
    ///
    /// # Errors
    /// Those of [`build`](Self::build), and if there are no threads.
    pub fn build_blocking(self) -> Result<crate::blocking::Client, BuildError> {
        crate::blocking::Client::build(self)
    }

    /// Makes it, and blocks until it is connected, refused, or out of attempts.
    ///
    /// # Errors
    /// If it cannot be built, or is not connected and will not be.
    pub fn connect_blocking(self) -> Result<crate::blocking::Client, Error> {
        crate::blocking::Client::connect_built(self)
    }
}

/// The path with its slashes.
fn full_path(path: &str, trailing_slash: bool) -> String {
    let path = path.trim_matches('/');
    match (path.is_empty(), trailing_slash) {
        (true, _) => "/".to_owned(),
        (false, true) => format!("/{path}/"),
        (false, false) => format!("/{path}"),
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_slash_in_front_and_maybe_one_behind() {
        assert_eq!(full_path("/socket.io", true), "/socket.io/");
        assert_eq!(full_path("socket.io/", false), "/socket.io");
        assert_eq!(full_path("/", true), "/");
    }

    #[test]
    fn what_cannot_be_built_says_why() {
        let error = |builder: ClientBuilder| builder.build().unwrap_err().to_string();
        assert_eq!(error(Client::builder("localhost:1")), UrlError::Scheme.to_string());
        assert!(error(Client::builder("http://x").header("a b", "c")).contains("no header"));
        assert!(error(Client::builder("http://x").auth("text")).contains("JSON object"));
        assert!(error(Client::builder("http://x").transports([])).contains("transport"));
        for path in ["/a b", "/a?b=c", "/a#b"] {
            assert_eq!(
                error(Client::builder("http://x").path(path)),
                format!("`{path}` is no path")
            );
        }
    }
}
