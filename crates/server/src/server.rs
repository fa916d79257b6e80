//! The server.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock, PoisonError, RwLock, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use sockeye_adapter::Room;
use sockeye_engine::{Application, Engine, EngineLayer, EngineService, Served, Session};
use sockeye_event::{FromReply, Handler};
use tokio::{net::ToSocketAddrs, runtime::Handle};

use crate::{
    Broadcast, BroadcastAckFuture, DisconnectReason, EmitError, EventError, IntoRooms, ListenerId,
    Middleware, Namespace, ServerBuilder, Sid, Socket, builder::Options, connection::Connection,
    extract::Context,
};

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
    namespaces: RwLock<HashMap<Box<str>, Namespace>>,
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
        let namespaces = RwLock::new(HashMap::from([("/".into(), main.clone())]));
        let shared = Arc::new(Shared { core, namespaces, main });
        let engine = Engine::new(builder.engine, Arc::new(Opener(shared.clone())));
        Self { engine, shared }
    }

    pub(crate) fn from_parts(engine: Engine, shared: Arc<Shared>) -> Self {
        Self { engine, shared }
    }

    /// The namespace of that name, which exists from now on. A `/` in front may be left out.
    pub fn of(&self, name: &str) -> Namespace {
        let name = if name.starts_with('/') { name.to_owned() } else { format!("/{name}") };
        if let Some(namespace) = self.shared.namespace(&name) {
            return namespace;
        }
        // Its adapter is made by the application, which may hold or take locks of its own. Of two
        // that are made at the same time, the first to get here stays.
        let made = Namespace::new(&name, self.shared.core.clone());
        self.shared.namespaces_mut().entry(name.into()).or_insert_with(|| made.clone()).clone()
    }

    /// Calls a handler for every socket that joins `/`. See [`Namespace::on_connection`].
    pub fn on_connection<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.shared.main.on_connection(handler)
    }

    /// Decides who may join `/`. See [`Namespace::middleware`].
    pub fn middleware<M: 'static>(&self, middleware: impl Middleware<M>) {
        self.shared.main.middleware(middleware);
    }

    /// Calls a handler for this event of every socket in `/`. See [`Namespace::on`].
    pub fn on<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        self.shared.main.on(event, handler)
    }

    /// Calls a handler for the next event of that name in `/` only. See [`Namespace::once`].
    pub fn once<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        self.shared.main.once(event, handler)
    }

    /// Forgets the handlers of an event in `/`; whether there were any. See [`Namespace::off`].
    pub fn off(&self, event: &str) -> bool {
        self.shared.main.off(event)
    }

    /// Forgets one handler of `/`; whether it was there.
    pub fn off_listener(&self, id: ListenerId) -> bool {
        self.shared.main.off_listener(id)
    }

    /// Calls a handler for every socket that leaves `/`. See [`Socket::on_disconnect`].
    pub fn on_disconnect<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.shared.main.on_disconnect(handler)
    }

    /// Emits to every socket in `/`. See [`Broadcast::emit`].
    pub fn emit<T: Serialize>(&self, event: &str, args: T) {
        self.shared.main.emit(event, args);
    }

    /// The same, for those who want to know whether it could be encoded.
    pub fn try_emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        self.shared.main.try_emit(event, args)
    }

    /// Emits an event that every socket in `/` is to answer. See [`Broadcast::emit_with_ack`].
    pub fn emit_with_ack<R: FromReply>(
        &self,
        event: &str,
        args: impl Serialize,
    ) -> BroadcastAckFuture<R> {
        self.shared.main.emit_with_ack(event, args)
    }

    /// The sockets of `/` in a room, or in several; each gets an event once.
    pub fn to(&self, rooms: impl IntoRooms) -> Broadcast {
        self.shared.main.to(rooms)
    }

    /// The same as [`to`](Self::to).
    pub fn within(&self, rooms: impl IntoRooms) -> Broadcast {
        self.shared.main.to(rooms)
    }

    /// The sockets of `/` that are not in a room.
    pub fn except(&self, rooms: impl IntoRooms) -> Broadcast {
        self.shared.main.except(rooms)
    }

    /// The sockets of `/` that can take an event now. See [`Broadcast::volatile`].
    pub fn volatile(&self) -> Broadcast {
        self.shared.main.volatile()
    }

    /// The sockets of this node. See [`Broadcast::local`].
    pub fn local(&self) -> Broadcast {
        self.shared.main.local()
    }

    /// All sockets, whose answers are waited for so long. See [`Broadcast::timeout`].
    pub fn timeout(&self, timeout: Duration) -> Broadcast {
        self.shared.main.timeout(timeout)
    }

    /// The sockets in `/` on this node.
    pub fn sockets(&self) -> Vec<Socket> {
        self.shared.main.sockets()
    }

    /// The socket with this id, if it is in `/` on this node.
    pub fn socket(&self, id: Sid) -> Option<Socket> {
        self.shared.main.socket(id)
    }

    /// All rooms of `/` that have a socket of this node in them. See [`Namespace::rooms`].
    pub fn rooms(&self) -> Vec<Room> {
        self.shared.main.rooms()
    }

    /// How much the server holds at the moment.
    pub fn counts(&self) -> Counts {
        Counts {
            sessions: self.engine.sessions_count(),
            sockets: self.shared.core.sockets.load(Ordering::Relaxed),
            slow_consumers: self.shared.core.overloads.slow_consumers.load(Ordering::Relaxed),
            event_backlogs: self.shared.core.overloads.event_backlogs.load(Ordering::Relaxed),
            rooms: self.shared.namespaces().iter().map(|namespace| namespace.rooms().len()).sum(),
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
        for namespace in self.shared.namespaces() {
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
    /// The namespace of exactly that name, if it exists.
    pub(crate) fn namespace(&self, name: &str) -> Option<Namespace> {
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        namespaces.get(name).cloned()
    }

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
            self.namespaces().iter().for_each(Namespace::forget_handlers);
        }
    }

    fn namespaces(&self) -> Vec<Namespace> {
        let namespaces = self.namespaces.read().unwrap_or_else(PoisonError::into_inner);
        namespaces.values().cloned().collect()
    }

    fn namespaces_mut(&self) -> RwLockWriteGuard<'_, HashMap<Box<str>, Namespace>> {
        self.namespaces.write().unwrap_or_else(PoisonError::into_inner)
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
