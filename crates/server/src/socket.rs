//! Sockets.

mod emitting;
mod life;
mod listening;
mod middlewares;
mod outgoing;
mod rooms;

pub use emitting::SocketEmitter;
pub(crate) use life::catch_panic;
use outgoing::Outgoing;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU8, Ordering},
    },
};

use bytestring::ByteString;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sockeye_adapter::{AckCollector, Recipient, Room, Silence, SocketDetails};
use sockeye_engine::{Handshake, Revision, Transport};
use sockeye_event::{EncodeError, EncodedArgs, SendAck};
use sockeye_protocol::socket::{self, EncodedPacket, Member, Standing};

use crate::{
    DisconnectReason, Extensions, Namespace, Server, Sid,
    ack::{PendingAcks, Waiting},
    connection::Client,
    emit,
    inbox::Inbox,
    listener::Listeners,
    middleware::BoxedMiddleware,
    remote,
    server::Core,
};

/// A client's place in one namespace.
///
/// Cheap to clone; all clones are the same socket. Keeping one keeps neither the connection nor
/// what belonged to it alive: once the socket is gone, its id and handshake are left, and emitting
/// does nothing. It may be captured by its own handlers.
#[derive(Clone)]
pub struct Socket(Arc<Inner>);

pub(crate) struct Inner {
    id: Sid,
    namespace: Namespace,
    client: Arc<Client>,
    auth: Option<Box<str>>,
    /// The same as `State::standing`, for those who only look.
    standing: AtomicU8,
    state: Mutex<State>,
    extensions: Extensions,
    outgoing: Outgoing,
    me: Weak<Inner>,
}

/// Changes together. While it is locked, the namespace's table of sockets, the adapter and the session
/// may be locked, in this order, and nothing else.
struct State {
    standing: Standing,
    /// The rooms joined before the socket was connected, and those left when it was disconnected;
    /// in between, the adapter knows them.
    rooms: Vec<Room>,
    listeners: Listeners,
    /// What decides which events reach their handlers.
    middlewares: Option<Arc<[BoxedMiddleware]>>,
    inbox: Inbox,
    acks: PendingAcks,
    data: Value,
    /// Whether middlewares are at work, which they may be for longer than the client waits.
    is_asking: bool,
    greeting: Greeting,
    end: End,
    /// Whether it is gone, and still in the rooms that it was in.
    is_leaving: bool,
}

/// How far the handlers of the connection have come.
#[derive(Clone, Copy)]
enum Greeting {
    /// They have not returned.
    Due,
    /// They have not returned, and the socket has left: its farewell waits for them.
    Overtaken(DisconnectReason),
    /// They have returned.
    Done,
}

/// How far a socket's end has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The handlers of the end have not returned.
    Ahead,
    /// They have; events that came before may still be handled.
    Parted,
    /// No handler is called any more.
    Released,
}

/// A socket would be in more rooms than `max_rooms` allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("none of the rooms was joined: a socket may be in {limit}, which is the limit")]
pub struct TooManyRooms {
    limit: usize,
}

impl Socket {
    pub(crate) fn new(namespace: Namespace, client: Arc<Client>, auth: Option<ByteString>) -> Self {
        let mut bits = [0; 15];
        getrandom::fill(&mut bits).expect("the operating system has random bits");
        Self::with_id(Sid::from_random(bits), namespace, client, auth)
    }

    pub(crate) fn with_id(
        id: Sid,
        namespace: Namespace,
        client: Arc<Client>,
        auth: Option<ByteString>,
    ) -> Self {
        namespace.core().sockets.fetch_add(1, Ordering::Relaxed);
        namespace.core().handling.fetch_add(1, Ordering::SeqCst);
        Self(Arc::new_cyclic(|me| Inner {
            id,
            namespace,
            client,
            // It lives as long as the socket, so it must not keep the buffer it came in alive.
            auth: auth.map(|auth| (*auth).into()),
            standing: AtomicU8::new(Standing::Connecting as u8),
            state: Mutex::new(State {
                standing: Standing::Connecting,
                rooms: Vec::new(),
                listeners: Listeners::default(),
                middlewares: None,
                inbox: Inbox::default(),
                acks: PendingAcks::default(),
                data: Value::Null,
                is_asking: false,
                greeting: Greeting::Due,
                end: End::Ahead,
                is_leaving: false,
            }),
            extensions: Extensions::default(),
            outgoing: Outgoing::default(),
            me: me.clone(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }

    fn send(&self, packet: EncodedPacket, volatile: bool) {
        if is_over(self.standing()) {
            return;
        }
        self.0.note_outgoing(&packet);
        if volatile {
            self.0.client.session.send_volatile(packet.into_packets());
        } else {
            self.0.client.session.send(packet.into_packets());
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        self.0.namespace.core()
    }

    // --- What it is ---

    /// The id: 20 characters, another one for each namespace and each connection. It is a room of
    /// its own: `io.to(id)` reaches this socket.
    ///
    /// Clients of version 2 and 1 (see [`ServerBuilder::allow_eio3`](crate::ServerBuilder::allow_eio3))
    /// take the id of their session for that of their socket, so in the main namespace it is that.
    /// Whoever knows it can speak for such a client.
    pub fn id(&self) -> Sid {
        self.0.id
    }

    /// The revision of Engine.IO that its client speaks.
    fn revision(&self) -> Revision {
        self.handshake().revision()
    }

    /// The namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }

    /// The server.
    pub fn server(&self) -> Server {
        Server::from_parts(self.0.client.session.engine(), self.0.client.shared.clone())
    }

    /// The request that opened the connection: headers, query, address, time.
    ///
    /// The address is known where this server listens. Under axum and other tower servers it is
    /// only known if a layer around this one puts [`RemoteAddr`](crate::RemoteAddr) into the
    /// extensions of the request.
    pub fn handshake(&self) -> &Handshake {
        self.0.client.session.handshake()
    }

    /// What the client gave as its `auth` when it joined. Without one it is as if it were `{}`.
    ///
    /// # Errors
    ///
    /// If it does not have this type.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0.auth.as_deref().unwrap_or("{}"))
    }

    /// The transport of the connection, which may change once, from polling to WebSocket.
    pub fn transport(&self) -> Transport {
        self.0.client.session.transport()
    }

    /// Whether the client is in the namespace. It is not while middlewares run, and no more as
    /// soon as either end has left.
    pub fn connected(&self) -> bool {
        self.standing() == Standing::Connected
    }

    /// Values of any type that belong to this socket on this node.
    pub fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    /// The socket's data, as [`set_data`](Self::set_data) left it; `null` at first.
    ///
    /// # Errors
    ///
    /// If it does not have this type.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        let data = self.state().data.clone();
        serde_json::from_value(data)
    }

    /// Sets the socket's data: what describes it to others. It must be JSON, other than what is in
    /// [`extensions`](Self::extensions).
    ///
    /// # Errors
    ///
    /// If the value is not JSON.
    pub fn set_data<T: Serialize>(&self, data: T) -> Result<(), serde_json::Error> {
        let data = serde_json::to_value(data)?;
        self.state().data = data;
        Ok(())
    }

    // --- The end ---

    /// Sends the client out of this namespace, after what was emitted before. It does not come
    /// back by itself. Its other namespaces and its connection stay.
    ///
    /// There are three ways to part:
    ///
    /// |                      | ends                               | the client comes back |
    /// |----------------------|------------------------------------|-----------------------|
    /// | `disconnect`         | this socket                        | no                    |
    /// | `disconnect_all`     | all its sockets and the connection | no                    |
    /// | `close_connection`   | all its sockets and the connection | yes, by itself        |
    pub fn disconnect(&self) {
        let farewell = socket::disconnect(self.0.namespace.name());
        let farewell = self.core().convert_own(farewell);
        self.end_elsewhere(DisconnectReason::ServerNamespaceDisconnect, farewell.as_ref());
    }

    /// Sends the client out of all namespaces and closes its connection, after what was emitted
    /// before. It does not come back by itself. See [`disconnect`](Self::disconnect) for the others.
    pub fn disconnect_all(&self) {
        for socket in self.0.client.take_sockets() {
            socket.disconnect();
        }
        self.0.client.session.close();
    }

    /// Closes the connection as if it had been lost: the client will connect again.
    /// See [`disconnect`](Self::disconnect) for the others.
    pub fn close_connection(&self) {
        self.0.client.session.close();
    }
}

fn is_over(standing: Standing) -> bool {
    matches!(standing, Standing::Refused | Standing::Gone)
}

impl Member for Socket {
    fn standing(&self) -> Standing {
        self.0.standing()
    }

    fn is_released(&self) -> bool {
        self.state().end == End::Released
    }
}

impl Recipient for Inner {
    fn id(&self) -> Sid {
        self.id
    }

    fn deliver(&self, packet: &EncodedPacket, volatile: bool) {
        if !is_over(self.standing()) {
            self.transmit(packet, volatile);
        }
    }

    fn ask(
        &self,
        packet: &EncodedPacket,
        id: u64,
        volatile: bool,
        collector: &Arc<dyn AckCollector>,
    ) {
        if let Err(silence) = self.try_ask(packet, id, volatile, Waiting::Many(collector.clone())) {
            collector.handle_silence(self.id, silence);
        }
    }

    fn details(self: Arc<Self>) -> SocketDetails {
        let socket = Socket(self);
        let (rooms, data) = (socket.rooms(), socket.state().data.clone());
        SocketDetails { id: socket.id(), handshake: remote::handshake(&socket), rooms, data }
    }

    fn join(self: Arc<Self>, rooms: &[Room]) {
        Socket(self).join(rooms);
    }

    fn leave(self: Arc<Self>, rooms: &[Room]) {
        Socket(self).leave(rooms);
    }

    fn disconnect(self: Arc<Self>, close: bool) {
        let socket = Socket(self);
        if close { socket.disconnect_all() } else { socket.disconnect() }
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn standing(&self) -> Standing {
        match self.standing.load(Ordering::Acquire) {
            0 => Standing::Connecting,
            1 => Standing::Connected,
            2 => Standing::Refused,
            _ => Standing::Gone,
        }
    }

    /// Hands an event to the session; false if it was volatile and could not leave.
    fn transmit(&self, packet: &EncodedPacket, volatile: bool) -> bool {
        self.note_outgoing(packet);
        if volatile {
            return self.client.session.send_volatile(packet.packets());
        }
        self.client.session.send(packet.packets());
        true
    }

    /// Sends an event that is to be answered under `id`.
    fn try_ask(
        &self,
        packet: &EncodedPacket,
        id: u64,
        volatile: bool,
        waiting: Waiting,
    ) -> Result<(), Silence> {
        {
            let mut state = self.state();
            if is_over(state.standing) {
                return Err(Silence::Disconnected);
            }
            let limit = self.namespace.core().options.max_pending_acks;
            if state.acks.len() >= limit {
                return Err(Silence::TooManyPending(limit));
            }
            // Before it is sent, so that no answer can come too early.
            state.acks.insert(id, waiting);
        }
        if !self.transmit(packet, volatile) {
            // Unless the socket has gone in the meantime, which told those who wait.
            let forgotten = self.state().acks.remove(id);
            return forgotten.map_or(Ok(()), |_| Err(Silence::Dropped));
        }
        Ok(())
    }
}

impl SendAck for Inner {
    fn send_ack(&self, id: u64, args: EncodedArgs) {
        let packet = match emit::encode_ack(&self.namespace, id, args) {
            Ok(packet) => packet,
            Err(error) => {
                return tracing::error!(socket = %self.id, ack = id, %error, "could not acknowledge");
            }
        };
        if self.standing.load(Ordering::Acquire) == Standing::Connected as u8 {
            self.client.session.send(packet.into_packets());
        }
    }

    fn encode_failed(&self, id: u64, error: EncodeError) {
        tracing::error!(socket = %self.id, ack = id, %error, "could not acknowledge");
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.namespace.core().sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", &self.id())
            .field("namespace", &self.0.namespace.name())
            .field("connected", &self.connected())
            .finish()
    }
}
