//! Namespaces.

mod emitting;
mod listening;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use arc_swap::ArcSwap;
use sockeye_adapter::{Adapter, MemoryAdapter, Room};
use sockeye_event::Event;
use sockeye_protocol::socket::Payload;
use tokio::sync::Semaphore;

use crate::{
    ConnectError, Middleware, Sid, Socket,
    extract::Context,
    listener::{Called, Listeners},
    middleware::{self, BoxedMiddleware, Refused},
    parent::Parent,
    server::Core,
};

/// A namespace: sockets, rooms and handlers of their own, over the connections that clients have
/// anyway. Cheap to clone; all clones are the same namespace.
#[derive(Clone)]
pub struct Namespace(Arc<Inner>);

struct Inner {
    name: Box<str>,
    core: Arc<Core>,
    adapter: Arc<dyn Adapter>,
    sockets: RwLock<HashMap<Sid, Socket>>,
    middlewares: RwLock<Arc<[BoxedMiddleware]>>,
    /// Read for every event, and seldom written: who reads takes no lock.
    handlers: ArcSwap<Handlers>,
    /// Acknowledgements are numbered over all sockets, so that what is broadcast is the same for all.
    next_ack: AtomicU64,
    hears_outgoing: AtomicBool,
    kind: Kind,
    /// Sockets that are connecting or connected.
    population: AtomicUsize,
    /// Closed once everybody has been told that the namespace is there; sockets wait for that.
    announcement: Semaphore,
}

/// Why there is a namespace.
enum Kind {
    /// The application wants it.
    Wanted,
    /// It is like its parent says. `is_passing`: a client brought it about, so it may go again,
    /// until the application asks for it.
    Child { parent: Arc<Parent>, is_passing: AtomicBool },
}

/// What is handed on from parents to children.
#[derive(Default)]
struct Registry {
    handlers: Arc<Handlers>,
    middlewares: Arc<[BoxedMiddleware]>,
    hears_outgoing: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Handlers {
    pub(crate) events: Listeners,
    pub(crate) connection: Called,
}

impl Namespace {
    pub(crate) fn new(name: &str, core: Arc<Core>) -> Self {
        let adapter = (core.options.adapter)(name);
        Self::with(name, core, adapter, Kind::Wanted, Registry::default())
    }

    /// One with the handlers that its parent has now.
    pub(crate) fn child(
        name: &str,
        core: Arc<Core>,
        parent: Arc<Parent>,
        is_passing: bool,
    ) -> Self {
        let adapter = (core.options.adapter)(name);
        let registry = parent.template().registry();
        let kind = Kind::Child { parent, is_passing: is_passing.into() };
        Self::with(name, core, adapter, kind, registry)
    }

    /// One that only keeps handlers for others.
    pub(crate) fn template(core: Arc<Core>) -> Self {
        let adapter = Arc::new(MemoryAdapter::new());
        Self::with("", core, adapter, Kind::Wanted, Registry::default())
    }

    fn with(
        name: &str,
        core: Arc<Core>,
        adapter: Arc<dyn Adapter>,
        kind: Kind,
        registry: Registry,
    ) -> Self {
        Self(Arc::new(Inner {
            name: name.into(),
            core,
            adapter,
            sockets: RwLock::default(),
            middlewares: RwLock::new(registry.middlewares),
            handlers: ArcSwap::new(registry.handlers),
            next_ack: AtomicU64::new(0),
            hears_outgoing: AtomicBool::new(registry.hears_outgoing),
            kind,
            population: AtomicUsize::new(0),
            announcement: Semaphore::new(0),
        }))
    }

    /// What the application has registered so far.
    fn registry(&self) -> Registry {
        Registry {
            handlers: self.0.handlers.load_full(),
            middlewares: self.middlewares(),
            hears_outgoing: self.hears_outgoing(),
        }
    }

    /// The name, such as `/` or `/admin`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Forgets handlers for once whose time is over.
    pub(crate) fn forget_over(&self, event: &str) {
        self.change_handlers(|handlers| drop(handlers.events.remove_over(event)));
    }

    /// Decides who may join. Middlewares are asked in the order of their registration; the first
    /// that says no ends it, and the client gets a `connect_error`.
    ///
    /// ```
    /// # use sockeye::{ConnectError, Server, Socket};
    /// # #[derive(serde::Deserialize)]
    /// # struct Auth { token: String }
    /// # let io = Server::builder().build().unwrap();
    /// io.of("/admin").middleware(|socket: Socket, auth: Auth| async move {
    ///     if auth.token != "secret" {
    ///         return Err(ConnectError::new("unauthorized").data(401));
    ///     }
    ///     socket.join("admins");
    ///     Ok(())
    /// });
    /// ```
    ///
    /// The socket is not connected yet: it gets no broadcasts, but what is emitted to it arrives,
    /// before the client's `connect` event. Rooms that it joins are left again if it is refused.
    pub fn middleware<M: 'static>(&self, middleware: impl Middleware<M>) {
        let mut middlewares = self.0.middlewares.write().unwrap_or_else(PoisonError::into_inner);
        let more = middleware::erase(middleware);
        *middlewares = middlewares.iter().cloned().chain([more]).collect();
    }

    /// The sockets in the namespace on this node. Those in middlewares are not among them yet.
    pub fn sockets(&self) -> Vec<Socket> {
        let sockets = self.0.sockets.read().unwrap_or_else(PoisonError::into_inner);
        sockets.values().cloned().collect()
    }

    /// The socket with this id, if it is in the namespace on this node.
    pub fn socket(&self, id: Sid) -> Option<Socket> {
        self.0.sockets.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// All rooms that have a socket of this node in them; those named by ids are not listed.
    pub fn rooms(&self) -> Vec<Room> {
        self.0.adapter.rooms()
    }

    pub(crate) fn adapter(&self) -> &dyn Adapter {
        &*self.0.adapter
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.0.core
    }

    pub(crate) fn next_ack_id(&self) -> u64 {
        self.0.next_ack.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn sockets_mut(&self) -> RwLockWriteGuard<'_, HashMap<Sid, Socket>> {
        self.0.sockets.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The handlers as they are now. What is registered from now on is not among them.
    pub(crate) fn handlers(&self) -> arc_swap::Guard<Arc<Handlers>> {
        self.0.handlers.load()
    }

    /// Replaces the handlers by others; what they were before is the answer. Others may do the same
    /// at the same time, and then the change is made anew. What is taken out is dropped with the
    /// answer, or by whoever is calling it at the moment, with no lock held.
    fn change_handlers(&self, mut change: impl FnMut(&mut Handlers)) -> Arc<Handlers> {
        self.0.handlers.rcu(|handlers| {
            let mut changed = Handlers::clone(handlers);
            change(&mut changed);
            changed
        })
    }

    /// Whether there has been a handler of all that is emitted.
    pub(crate) fn hears_outgoing(&self) -> bool {
        self.0.hears_outgoing.load(Ordering::Relaxed)
    }

    /// Whether those who join need not wait for anything.
    pub(crate) fn lets_in_at_once(&self) -> bool {
        self.0.announcement.is_closed() && self.middlewares().is_empty()
    }

    /// Everybody has been told that the namespace is there.
    pub(crate) fn open(&self) {
        self.0.announcement.close();
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn is_child_of(&self, parent: &Arc<Parent>) -> bool {
        matches!(&self.0.kind, Kind::Child { parent: own, .. } if Arc::ptr_eq(own, parent))
    }

    /// Whether a client brought it about, and the application has not asked for it.
    pub(crate) fn is_passing(&self) -> bool {
        match &self.0.kind {
            Kind::Child { is_passing, .. } => is_passing.load(Ordering::SeqCst),
            Kind::Wanted => false,
        }
    }

    /// The application wants it from now on; whether only a client did before.
    pub(crate) fn keep(&self) -> bool {
        match &self.0.kind {
            Kind::Child { is_passing, .. } => is_passing.swap(false, Ordering::SeqCst),
            Kind::Wanted => false,
        }
    }

    /// A socket is about to be in it.
    pub(crate) fn enter(&self) {
        self.0.population.fetch_add(1, Ordering::SeqCst);
    }

    /// A socket is in it no more. Whether the namespace is to be cleaned up.
    pub(crate) fn leave(&self) -> bool {
        self.0.population.fetch_sub(1, Ordering::SeqCst) == 1 && self.is_deserted()
    }

    /// Whether it has come by itself, and nobody is left.
    pub(crate) fn is_deserted(&self) -> bool {
        self.is_passing()
            && self.0.core.options.cleanup_empty_child_namespaces
            && self.0.population.load(Ordering::SeqCst) == 0
    }

    /// Asks all middlewares whether the socket may join.
    pub(crate) async fn ask_middlewares(
        &self,
        socket: &Socket,
        auth: &Payload,
    ) -> Result<(), ConnectError> {
        let context = Context { socket: socket.clone(), reason: None };
        // It is closed, never released: this only waits.
        let _ = self.0.announcement.acquire().await;
        let middlewares = self.middlewares();
        for middleware in middlewares.iter() {
            let verdict =
                middleware(&context, Event::new("connect", auth, sockeye_event::Ack::none()));
            verdict.await.map_err(|refused| match refused {
                Refused::Error(error) => error,
                // The client is told so, without the details of our types.
                Refused::Arguments(error) => {
                    tracing::debug!(%error, "the auth of a client does not fit a middleware");
                    ConnectError::new("Invalid auth")
                }
            })?;
        }
        Ok(())
    }

    fn middlewares(&self) -> Arc<[BoxedMiddleware]> {
        self.0.middlewares.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn forget_handlers(&self) {
        let forgotten = self.0.handlers.swap(Arc::default());
        let mut middlewares = self.0.middlewares.write().unwrap_or_else(PoisonError::into_inner);
        let asked = std::mem::take(&mut *middlewares);
        // What they hold may be the last handle to something that locks when it is dropped.
        drop(middlewares);
        drop((forgotten, asked));
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Namespace").field(&self.0.name).finish()
    }
}
