//! The server.

mod main_namespace;
mod namespaces;

use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use serde::{Serialize, de::DeserializeOwned};
use sockeye_engine::{Application, Engine, EngineLayer, EngineService, Served, Session};
use tokio::{net::ToSocketAddrs, runtime::Handle};

use crate::{
    DisconnectReason, EventError, Namespace, ParentNamespace, ServerBuilder, builder::Options,
    connection::Connection, parent::Parent,
};
use namespaces::Namespaces;

/// A Socket.IO server. Cheap to clone; all clones are the same server.
///
/// What is called on it acts on the namespace `/`, as in JavaScript; [`of`](Self::of) gives others.
#[derive(Clone)]
pub struct Server {
    engine: Engine,
    shared: Arc<Shared>,
}

/// The server without its engine, which holds it.
pub(crate) struct Shared {
    pub(crate) core: Arc<Core>,
    pub(crate) namespaces: Namespaces,
    main: Namespace,
}

/// What namespaces and sockets need of their server.
pub(crate) struct Core {
    pub(crate) options: Options,
    runtime: OnceLock<Handle>,
    /// Sockets that have not been dropped, connected or not.
    pub(crate) sockets: AtomicUsize,
    pub(crate) overloads: Overloads,
    /// Sockets that may still call handlers.
    pub(crate) handling: AtomicUsize,
    is_closed: AtomicBool,
}

/// How much a server holds at the moment, and how often it could not keep up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Engine.IO sessions: clients, however many namespaces they have joined.
    pub sessions: usize,
    /// Sockets, those included that are connecting, or gone and not released yet.
    pub sockets: usize,
    /// Rooms, over all namespaces; those named by the ids of sockets do not count.
    pub rooms: usize,
    /// Sockets that were disconnected with `slow consumer` since the server was made.
    pub slow_consumers: usize,
    /// Sockets that were disconnected with `event backlog` since the server was made.
    pub event_backlogs: usize,
}

/// A server that listens. Dropping it changes nothing; the server goes on.
#[derive(Debug)]
pub struct Listening {
    listening: sockeye_engine::Listening,
    server: Server,
}

impl Listening {
    /// The address that it is bound to, with the port that the system chose if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.listening.local_addr()
    }

    /// Waits until the server has been closed.
    pub async fn wait(self) {
        self.listening.wait().await;
    }

    /// Closes the server, see [`Server::close`], and waits until the last request is answered.
    pub async fn shutdown(self) {
        self.server.close().await;
        self.listening.wait().await;
    }
}

impl Server {
    /// A server with options.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    pub(crate) fn new(builder: ServerBuilder) -> Self {
        let core = Arc::new(Core {
            options: builder.options,
            runtime: OnceLock::new(),
            sockets: AtomicUsize::new(0),
            overloads: Overloads::default(),
            handling: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
        });
        let main = Namespace::new("/", core.clone());
        let namespaces = Namespaces::default();
        namespaces.insert_main(main.clone());
        let shared = Arc::new(Shared { core, namespaces, main });
        let engine = Engine::new(builder.engine, Arc::new(Opener(shared.clone())));
        Self { engine, shared }
    }

    pub(crate) fn from_parts(engine: Engine, shared: Arc<Shared>) -> Self {
        Self { engine, shared }
    }

    /// The namespace of that name, which exists from now on. A `/` in front may be left out.
    pub fn of(&self, name: &str) -> Namespace {
        if name.starts_with('/') {
            return self.shared.namespaces.get_or_make(name, &self.shared.core);
        }
        self.shared.namespaces.get_or_make(&format!("/{name}"), &self.shared.core)
    }

    /// Lets clients bring namespaces about whose names match; others get `Invalid namespace`.
    ///
    /// Namespaces that exist come first, then those that may come to be, in the order of their
    /// registration. How many there can be is limited by
    /// [`max_child_namespaces`](ServerBuilder::max_child_namespaces). A name may have 1024 bytes.
    ///
    /// ```
    /// # use sockeye::{Server, Socket};
    /// # let io = Server::builder().build().unwrap();
    /// // With the crate `regex`: `move |name| pattern.is_match(name)`.
    /// let rooms = io.of_matching(|name| {
    ///     name.strip_prefix("/room-").is_some_and(|number| number.parse::<u32>().is_ok())
    /// });
    /// rooms.on_connection(|socket: Socket| {
    ///     socket.broadcast().emit("joined", socket.namespace().name());
    /// });
    /// rooms.emit("hello, all rooms", ());
    /// ```
    pub fn of_matching(
        &self,
        matches: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> ParentNamespace {
        let parent = Parent::matching(self.shared.core.clone(), matches);
        ParentNamespace::new(self.shared.clone(), parent)
    }

    /// The same with a function that sees the client's `auth` and may take its time. An `auth` that
    /// does not have its type is refused.
    ///
    /// ```
    /// # use sockeye::Server;
    /// # async fn is_member(_: &str, _: &str) -> bool { true }
    /// # let io = Server::builder().build().unwrap();
    /// #[derive(serde::Deserialize)]
    /// struct Auth { user: String }
    ///
    /// io.of_matching_async(|name, auth: Auth| async move {
    ///     name.starts_with("/team-") && is_member(&auth.user, &name).await
    /// });
    /// ```
    pub fn of_matching_async<A, F, Fut>(&self, matches: F) -> ParentNamespace
    where
        A: DeserializeOwned,
        F: Fn(String, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        let parent = Parent::matching_async(self.shared.core.clone(), matches);
        ParentNamespace::new(self.shared.clone(), parent)
    }

    /// Calls a function with every namespace that is made from now on, whoever wants it. No client
    /// is in it before the function has returned, so what it registers there holds for all.
    pub fn on_new_namespace(&self, announcer: impl Fn(Namespace) + Send + Sync + 'static) {
        self.shared.namespaces.add_announcer(Arc::new(announcer));
    }

    /// How much the server holds at the moment.
    pub fn counts(&self) -> Counts {
        Counts {
            sessions: self.engine.sessions_count(),
            sockets: self.shared.core.sockets.load(Ordering::Relaxed),
            slow_consumers: self.shared.core.overloads.slow_consumers.load(Ordering::Relaxed),
            event_backlogs: self.shared.core.overloads.event_backlogs.load(Ordering::Relaxed),
            rooms: self.shared.namespaces.all().iter().map(|one| one.rooms().len()).sum(),
        }
    }

    /// A tower service that answers the server's requests, and all others with 404.
    pub fn service(&self) -> EngineService {
        self.engine.service()
    }

    /// A tower layer that answers the server's requests and passes all others on: in axum,
    /// `Router::new().route(…).layer(io.layer())`.
    pub fn layer(&self) -> EngineLayer {
        self.engine.layer()
    }

    /// Binds to an address and serves there over HTTP/1.1. Returns when it is bound; port 0 lets
    /// the system choose.
    pub async fn listen(&self, addr: impl ToSocketAddrs) -> io::Result<Listening> {
        let listening = self.engine.listen(addr).await?;
        Ok(Listening { listening, server: self.clone() })
    }

    /// The same with a service that answers all other paths.
    pub async fn listen_with(
        &self,
        addr: impl ToSocketAddrs,
        service: impl Served,
    ) -> io::Result<Listening> {
        let listening = self.engine.listen_with(addr, service).await?;
        Ok(Listening { listening, server: self.clone() })
    }

    /// Shuts the server down: every socket is disconnected with `server shutting down`, every
    /// connection closed, and where the server itself listens, it stops to. Clients see
    /// `transport close` and try to reconnect.
    ///
    /// Returns when the WebSockets are closed, a few seconds later at most. Handlers that run are
    /// not waited for, so it may be called in one.
    pub async fn close(&self) {
        for namespace in self.shared.namespaces.all() {
            for socket in namespace.sockets() {
                socket.end_elsewhere(DisconnectReason::ServerShuttingDown, None);
            }
        }
        self.engine.close().await;
        self.shared.core.is_closed.store(true, Ordering::SeqCst);
        self.shared.forget_handlers_at_last();
    }
}

impl Shared {
    /// A socket calls no handler any more.
    pub(crate) fn handle_release(&self) {
        self.core.handling.fetch_sub(1, Ordering::SeqCst);
        self.forget_handlers_at_last();
    }

    /// Forgets all handlers when the server is closed and the last socket has said farewell.
    /// Handlers that hold the server would keep it alive for ever.
    fn forget_handlers_at_last(&self) {
        let is_over = self.core.is_closed.load(Ordering::SeqCst)
            && self.core.handling.load(Ordering::SeqCst) == 0;
        if is_over {
            self.namespaces.forget_handlers();
        }
    }
}

/// How often a socket had to go because it could not be kept up with, one way or the other.
#[derive(Default)]
pub(crate) struct Overloads {
    slow_consumers: AtomicUsize,
    event_backlogs: AtomicUsize,
}

impl Overloads {
    pub(crate) fn note(&self, reason: DisconnectReason) {
        match reason {
            DisconnectReason::SlowConsumer => self.slow_consumers.fetch_add(1, Ordering::Relaxed),
            DisconnectReason::EventBacklog => self.event_backlogs.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }
}

impl Core {
    /// The state of this type that the server was built with.
    pub(crate) fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.options.states.iter().rev().find_map(|state| state.clone().downcast().ok())
    }

    /// Runs a future in a task of its own. Callable from any thread once a client has connected.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.get_or_init(Handle::current).spawn(future);
    }

    pub(crate) fn report(&self, error: &EventError) {
        tracing::warn!("{error}");
        if let Some(hook) = &self.options.on_error {
            // A panic here would end the task that keeps the session, and not the session.
            if catch_unwind(AssertUnwindSafe(|| hook(error))).is_err() {
                tracing::error!("the error hook panicked");
            }
        }
    }
}

/// Opens the application's end of sessions.
struct Opener(Arc<Shared>);

impl Application for Opener {
    fn open(&self, session: &Session) -> Box<dyn sockeye_engine::Connection> {
        self.0.core.runtime.get_or_init(Handle::current);
        Box::new(Connection::new(self.0.clone(), session.clone()))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
