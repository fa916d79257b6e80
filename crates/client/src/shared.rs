//! What a client's handles, its task and its handlers share.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, atomic::AtomicU64},
    time::{Duration, Instant},
};

use sockeye_protocol::{
    client::{Manager, SocketId},
    socket::{self, EncodedPacket, Parser, Payload, UnfitPacket},
};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    task::AbortHandle,
};

use crate::{
    ConnectError, DisconnectReason, EventError, ManagerEvent,
    ack::Waiter,
    engine::Io,
    listener::{Listener, Listeners},
    stream::Queue,
};

/// One client. The locks are held for a few instructions, two at once in [`of`](Self::of) only, and
/// never while handlers run.
pub(crate) struct Shared {
    manager: Mutex<Manager<Waiter>>,
    /// Tells the task that the manager has something to do.
    pub(crate) wake: Notify,
    /// By the numbers of their ids.
    sockets: Mutex<Vec<Arc<SocketState>>>,
    pub(crate) options: Options,
    pub(crate) observers: Mutex<Vec<Arc<Observer>>>,
    /// What the task takes when it starts.
    io: Mutex<Option<Io>>,
    /// Where tasks are started, once that is known: handles may be used outside of any runtime.
    runtime: OnceLock<Handle>,
    /// Told when the task is through.
    pub(crate) finished: tokio::sync::watch::Sender<bool>,
}

pub(crate) type Observer = dyn Fn(&ManagerEvent) + Send + Sync;

/// What is decided when the client is built and concerns the manager least.
pub(crate) struct Options {
    pub(crate) ack_timeout: Option<Duration>,
    pub(crate) max_backlog_bytes: usize,
    pub(crate) parser: Option<Arc<dyn Parser>>,
    pub(crate) on_error: Option<Box<dyn Fn(&EventError) + Send + Sync>>,
}

/// What belongs to one socket, beside what the manager knows.
pub(crate) struct SocketState {
    pub(crate) id: SocketId,
    pub(crate) namespace: Box<str>,
    pub(crate) next_ack: AtomicU64,
    /// Held by whoever calls handlers of `Inner::own`, so that they start in order.
    pub(crate) own_turn: tokio::sync::Mutex<()>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) listeners: Listeners,
    pub(crate) inbox: VecDeque<Incoming>,
    /// Bytes of the inbox.
    pub(crate) backlog_bytes: usize,
    /// Whether a task calls handlers, and will look into the inbox when it is through.
    pub(crate) is_handling: bool,
    /// The ends of connections, which do not wait for the inbox.
    pub(crate) own: VecDeque<Own>,
    pub(crate) streams: Vec<Weak<Queue>>,
    /// Those who wait for the socket to be connected.
    pub(crate) connecting: Vec<oneshot::Sender<Result<(), ConnectError>>>,
    pub(crate) auth: Option<Arc<AuthFn>>,
    /// The task that makes the auth.
    authenticating: Option<AbortHandle>,
    /// The connection whose events are not taken any more, since one found no room.
    pub(crate) overflowed: Option<u32>,
    /// Nothing comes any more, and nothing is registered.
    pub(crate) is_closed: bool,
}

/// Makes a socket's auth: the text of a JSON object, or why there is none.
pub(crate) type AuthFn =
    dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, String>> + Send>> + Send + Sync;

/// What waits for the handlers before it.
pub(crate) enum Incoming {
    Connect,
    Event { connection: u32, event: socket::Event },
    Outgoing { name: Box<str>, payload: Payload },
}

impl Incoming {
    /// What it takes to keep it. Without what surrounds them, many tiny events would take a multiple
    /// of the bound.
    pub(crate) fn bytes(&self) -> usize {
        let (name, payload) = match self {
            Self::Connect => return 0,
            Self::Event { event, .. } => (&*event.name, &event.payload),
            Self::Outgoing { name, payload } => (&**name, payload),
        };
        size_of_val(self) + name.len() + crate::stream::size(payload)
    }

    /// What waits must not keep the buffer alive that it was received in.
    pub(crate) fn into_waiting(self) -> Self {
        match self {
            Self::Event { connection, event } => {
                Self::Event { connection, event: event.to_owned() }
            }
            other => other,
        }
    }
}

/// What a socket tells of itself at once.
pub(crate) enum Own {
    Disconnect(DisconnectReason),
    ConnectError(ConnectError),
}

impl Shared {
    pub(crate) fn new(manager: Manager<Waiter>, io: Io, options: Options) -> Self {
        Self {
            manager: Mutex::new(manager),
            wake: Notify::new(),
            sockets: Mutex::default(),
            options,
            observers: Mutex::default(),
            io: Mutex::new(Some(io)),
            runtime: OnceLock::new(),
            finished: tokio::sync::watch::Sender::new(false),
        }
    }

    pub(crate) fn manager(&self) -> MutexGuard<'_, Manager<Waiter>> {
        lock(&self.manager)
    }

    /// Tells the manager something, and wakes the task that does what follows from it.
    pub(crate) fn command<R>(&self, act: impl FnOnce(&mut Manager<Waiter>, Instant) -> R) -> R {
        let result = act(&mut self.manager(), now());
        self.wake.notify_one();
        result
    }

    pub(crate) fn socket(&self, id: SocketId) -> Arc<SocketState> {
        lock(&self.sockets)[id.0 as usize].clone()
    }

    pub(crate) fn sockets(&self) -> Vec<Arc<SocketState>> {
        lock(&self.sockets).clone()
    }

    /// The socket of a namespace, made if there is none.
    pub(crate) fn of(&self, namespace: &str) -> Arc<SocketState> {
        let mut sockets = lock(&self.sockets);
        let known = sockets.iter().find(|socket| *socket.namespace == *namespace);
        if let Some(known) = known {
            return known.clone();
        }
        // The one place where two locks nest: the manager's numbers are the positions here.
        let (id, is_closed) = {
            let mut manager = self.manager();
            (manager.socket(namespace), manager.is_closed())
        };
        debug_assert_eq!(id.0 as usize, sockets.len());
        let socket = Arc::new(SocketState {
            id,
            namespace: namespace.into(),
            next_ack: AtomicU64::new(0),
            own_turn: tokio::sync::Mutex::const_new(()),
            // The task that would close it may have ended.
            inner: Mutex::new(Inner { is_closed, ..Inner::default() }),
        });
        sockets.push(socket.clone());
        socket
    }

    /// Says where tasks are started; the first one who says so is right.
    pub(crate) fn set_runtime(&self, runtime: Handle) {
        let _ = self.runtime.set(runtime);
    }

    pub(crate) fn runtime(&self) -> Option<&Handle> {
        self.runtime.get()
    }

    /// A packet in the form that the server understands. It comes in the default one.
    pub(crate) fn convert(&self, packet: EncodedPacket) -> Result<EncodedPacket, UnfitPacket> {
        let Some(parser) = &self.options.parser else { return Ok(packet) };
        let packet = packet.decode().map_err(|error| UnfitPacket(error.to_string()))?;
        parser.encode(&packet)
    }

    /// Whether the task has started, or was given up.
    pub(crate) fn has_started(&self) -> bool {
        lock(&self.io).is_none()
    }

    /// What the task is to work with; none if it has started before.
    pub(crate) fn take_io(&self) -> Option<Io> {
        lock(&self.io).take()
    }
}

impl SocketState {
    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    /// Lets go of everything that was registered, once nothing comes any more.
    pub(crate) fn release(&self) {
        let released = {
            let mut inner = self.inner();
            if inner.is_handling || !inner.own.is_empty() || !inner.is_closed {
                return;
            }
            (std::mem::take(&mut inner.listeners), inner.auth.take())
        };
        drop(released);
    }

    /// The auth is being made in this task. One that was late is of no use any more, and must not be
    /// joined by ever more.
    pub(crate) fn replace_authenticating(&self, task: AbortHandle) {
        let mut inner = self.inner();
        let late = if inner.is_closed { Some(task) } else { inner.authenticating.replace(task) };
        drop(inner);
        late.into_iter().for_each(|task| task.abort());
    }

    /// The end: streams end, and whoever waits for a connection is told.
    pub(crate) fn close(&self) {
        let (streams, connecting, authenticating) = {
            let mut inner = self.inner();
            inner.is_closed = true;
            (
                std::mem::take(&mut inner.streams),
                std::mem::take(&mut inner.connecting),
                inner.authenticating.take(),
            )
        };
        authenticating.into_iter().for_each(|task| task.abort());
        streams.iter().filter_map(Weak::upgrade).for_each(|queue| queue.close());
        connecting.into_iter().for_each(|waiting| drop(waiting.send(Err(ConnectError::left()))));
        self.release();
    }

    /// Whoever waits for the socket to be connected is told.
    pub(crate) fn conclude_connecting(&self, outcome: &Result<(), ConnectError>) {
        let connecting = std::mem::take(&mut self.inner().connecting);
        connecting.into_iter().for_each(|waiting| drop(waiting.send(outcome.clone())));
    }

    /// The handlers of these topics, in this order.
    pub(crate) fn listeners(&self, topics: &[crate::listener::Topic]) -> Vec<Listener> {
        let inner = self.inner();
        topics.iter().flat_map(|topic| inner.listeners.get(topic)).cloned().collect()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
