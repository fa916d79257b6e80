//! Namespaces.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use sockeye_adapter::{Adapter, Room};
use sockeye_event::{Event, FromReply, Handler};
use sockeye_protocol::socket::Payload;

use crate::{
    Broadcast, BroadcastAckFuture, ConnectError, EmitError, IntoRooms, ListenerId, Middleware, Sid,
    Socket,
    extract::Context,
    listener::{Listener, Listeners, warn_of_name},
    middleware::{self, BoxedMiddleware},
    server::Core,
    socket::DISCONNECT,
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
    handlers: RwLock<Handlers>,
    /// Acknowledgements are numbered over all sockets, so that what is broadcast is the same for all.
    next_ack: AtomicU64,
}

#[derive(Default)]
struct Handlers {
    events: Listeners,
    connection: Arc<[Listener]>,
}

impl Namespace {
    pub(crate) fn new(name: &str, core: Arc<Core>) -> Self {
        Self(Arc::new(Inner {
            adapter: (core.options.adapter)(name),
            name: name.into(),
            core,
            sockets: RwLock::default(),
            middlewares: RwLock::default(),
            handlers: RwLock::default(),
            next_ack: AtomicU64::new(0),
        }))
    }

    /// The name, such as `/` or `/admin`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Calls a handler for every socket that joins the namespace. Its argument is the client's
    /// `auth`, if one is asked for: `|socket: Socket, auth: Token| …`.
    ///
    /// Events of the socket wait until the handler has returned, so none is lost while it is busy
    /// registering others. There can be several.
    ///
    /// If the client goes away while the handler runs, the handlers of
    /// [`on_disconnect`](Socket::on_disconnect) wait as well until it has returned, so those that
    /// it registers are called.
    pub fn on_connection<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        let listener = Listener::on(handler);
        let id = listener.id();
        let mut handlers = self.handlers_mut();
        handlers.connection = handlers.connection.iter().cloned().chain([listener]).collect();
        id
    }

    /// Calls a handler for every event of that name, of every socket in the namespace. It is
    /// registered once and costs a socket nothing; [`Socket::on`] is for one socket.
    ///
    /// There can be several for an event; they are called in the order of their registration,
    /// these before those of the socket.
    pub fn on<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        warn_of_name(event);
        self.add(event, Listener::on(handler))
    }

    /// Calls a handler for the next event of that name only, whichever socket's it is.
    pub fn once<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(event, Listener::once(handler))
    }

    /// Calls a handler for every socket that leaves the namespace. See [`Socket::on_disconnect`].
    pub fn on_disconnect<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(DISCONNECT, Listener::on(handler))
    }

    fn add(&self, event: &str, listener: Listener) -> ListenerId {
        let id = listener.id();
        self.handlers_mut().events.add(event, listener);
        id
    }

    /// Forgets the namespace's handlers of an event; whether there were any.
    pub fn off(&self, event: &str) -> bool {
        let removed = self.handlers_mut().events.remove_event(event);
        removed.is_some()
    }

    /// Forgets one handler; whether it was there.
    pub fn off_listener(&self, id: ListenerId) -> bool {
        let (connection, removed) = {
            let mut handlers = self.handlers_mut();
            let kept = handlers.connection.iter().filter(|listener| listener.id() != id);
            let kept = kept.cloned().collect();
            let connection = std::mem::replace(&mut handlers.connection, kept);
            (connection, handlers.events.remove(id))
        };
        removed.is_some() || connection.iter().any(|listener| listener.id() == id)
    }

    /// Forgets handlers for once whose time is over.
    pub(crate) fn forget_over(&self, event: &str) {
        let removed = self.handlers_mut().events.remove_over(event);
        drop(removed);
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

    /// Emits to every socket in the namespace. See [`Broadcast::emit`].
    pub fn emit<T: Serialize>(&self, event: &str, args: T) {
        Broadcast::new(self.clone()).emit(event, args);
    }

    /// The same, for those who want to know whether it could be encoded.
    pub fn try_emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        Broadcast::new(self.clone()).try_emit(event, args)
    }

    /// Emits an event that every socket is to answer. See [`Broadcast::emit_with_ack`].
    pub fn emit_with_ack<R: FromReply>(
        &self,
        event: &str,
        args: impl Serialize,
    ) -> BroadcastAckFuture<R> {
        Broadcast::new(self.clone()).emit_with_ack(event, args)
    }

    /// The sockets in a room, or in several; each gets an event once.
    pub fn to(&self, rooms: impl IntoRooms) -> Broadcast {
        Broadcast::new(self.clone()).to(rooms)
    }

    /// The same as [`to`](Self::to).
    pub fn within(&self, rooms: impl IntoRooms) -> Broadcast {
        self.to(rooms)
    }

    /// The sockets that are not in a room, or in any of several.
    pub fn except(&self, rooms: impl IntoRooms) -> Broadcast {
        Broadcast::new(self.clone()).except(rooms)
    }

    /// The sockets that can take an event now. See [`Broadcast::volatile`].
    pub fn volatile(&self) -> Broadcast {
        Broadcast::new(self.clone()).volatile()
    }

    /// The sockets of this node. See [`Broadcast::local`].
    pub fn local(&self) -> Broadcast {
        Broadcast::new(self.clone()).local()
    }

    /// All sockets, whose answers are waited for so long. See [`Broadcast::timeout`].
    pub fn timeout(&self, timeout: Duration) -> Broadcast {
        Broadcast::new(self.clone()).timeout(timeout)
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

    pub(crate) fn listeners(&self, event: &str) -> Option<Arc<[Listener]>> {
        self.handlers().events.get(event)
    }

    pub(crate) fn connection_listeners(&self) -> Arc<[Listener]> {
        self.handlers().connection.clone()
    }

    pub(crate) fn has_middlewares(&self) -> bool {
        !self.middlewares().is_empty()
    }

    /// Asks all middlewares whether the socket may join.
    pub(crate) async fn ask_middlewares(
        &self,
        socket: &Socket,
        auth: &Payload,
    ) -> Result<(), ConnectError> {
        let context = Context { socket: socket.clone(), reason: None };
        let middlewares = self.middlewares();
        for middleware in middlewares.iter() {
            let verdict =
                middleware(&context, Event::new("connect", auth, sockeye_event::Ack::none()));
            verdict.await?;
        }
        Ok(())
    }

    fn middlewares(&self) -> Arc<[BoxedMiddleware]> {
        self.0.middlewares.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn forget_handlers(&self) {
        let forgotten = std::mem::take(&mut *self.handlers_mut());
        let mut middlewares = self.0.middlewares.write().unwrap_or_else(PoisonError::into_inner);
        let asked = std::mem::take(&mut *middlewares);
        // What they hold may be the last handle to something that locks when it is dropped.
        drop(middlewares);
        drop((forgotten, asked));
    }

    /// Read for every event, and seldom written.
    fn handlers(&self) -> RwLockReadGuard<'_, Handlers> {
        self.0.handlers.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn handlers_mut(&self) -> RwLockWriteGuard<'_, Handlers> {
        self.0.handlers.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Namespace").field(&self.0.name).finish()
    }
}
