//! Sockets.

mod life;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use bytestring::ByteString;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sockeye_adapter::{Recipient, Room};
use sockeye_engine::{Handshake, Transport};
use sockeye_event::{EncodeError, EncodedArgs, FromReply, Handler, SendAck};
use sockeye_protocol::socket::{self, EncodedPacket, Member, Standing};

use crate::{
    AckError, AckFuture, Broadcast, DisconnectReason, EmitError, Extensions, IntoRooms, ListenerId,
    Namespace, Server, Sid,
    ack::PendingAcks,
    connection::Client,
    emit,
    extract::Context,
    inbox::Inbox,
    listener::{Listener, Listeners, warn_of_name},
    room::rooms,
    server::Core,
};

/// Under which name handlers of the end are kept. Clients cannot emit it.
pub(crate) const DISCONNECT: &str = "disconnect";

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
    auth: Option<ByteString>,
    /// The same as `State::standing`, for those who only look.
    standing: AtomicU8,
    state: Mutex<State>,
    extensions: Extensions,
}

/// Changes together. While it is locked, the adapter and the session may be locked, in this order,
/// and nothing else.
struct State {
    standing: Standing,
    /// The rooms joined before the socket was connected, and those left when it was disconnected;
    /// in between, the adapter knows them.
    rooms: Vec<Room>,
    listeners: Listeners,
    inbox: Inbox,
    acks: PendingAcks,
    data: Value,
    /// Whether middlewares are at work, which they may be for longer than the client waits.
    is_asking: bool,
    greeting: Greeting,
    end: End,
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
        namespace.core().sockets.fetch_add(1, Ordering::Relaxed);
        namespace.core().handling.fetch_add(1, Ordering::SeqCst);
        Self(Arc::new(Inner {
            id: Sid::from_random(bits),
            namespace,
            client,
            // It lives as long as the socket, so it must not keep the buffer it came in alive.
            auth: auth.map(|auth| (&*auth).into()),
            standing: AtomicU8::new(Standing::Connecting as u8),
            state: Mutex::new(State {
                standing: Standing::Connecting,
                rooms: Vec::new(),
                listeners: Listeners::default(),
                inbox: Inbox::default(),
                acks: PendingAcks::default(),
                data: Value::Null,
                is_asking: false,
                greeting: Greeting::Due,
                end: End::Ahead,
            }),
            extensions: Extensions::default(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, packet: &EncodedPacket) {
        if !is_over(self.standing()) {
            self.0.client.session.send(packet.packets());
        }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        self.0.namespace.core()
    }

    // --- What it is ---

    /// The id: 20 characters, another one for each namespace and each connection. It is a room of
    /// its own: `io.to(id)` reaches this socket.
    pub fn id(&self) -> Sid {
        self.0.id
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

    // --- Listening ---

    /// Calls a handler for every event of that name from this client. Reading the crate's
    /// [introduction](crate#handlers) tells what it may take and return.
    ///
    /// There can be several for an event; they are called in the order of their registration.
    pub fn on<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        warn_of_name(event);
        self.add(event, Listener::on(handler))
    }

    /// Calls a handler for the next event of that name only.
    pub fn once<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(event, Listener::once(handler))
    }

    /// Calls a handler when the socket has left, whoever ended it. It may take the
    /// [`DisconnectReason`]. The rooms are left and the acknowledgements lost by then; data, and
    /// the names of the rooms, can still be read.
    ///
    /// It is called at once, beside an event handler that still runs. Only the handlers of
    /// [`on_connection`](Namespace::on_connection) are waited for: what they register here is
    /// called even if the client was gone before.
    pub fn on_disconnect<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(DISCONNECT, Listener::on(handler))
    }

    fn add(&self, event: &str, listener: Listener) -> ListenerId {
        let id = listener.id();
        let mut state = self.state();
        if state.end == End::Ahead {
            state.listeners.add(event, listener);
        } else {
            // It would never be called, and could keep its own socket alive.
            drop(state);
        }
        id
    }

    /// Forgets this socket's handlers of an event; whether there were any.
    pub fn off(&self, event: &str) -> bool {
        let removed = self.state().listeners.remove_event(event);
        removed.is_some()
    }

    /// Forgets one handler; whether it was there.
    pub fn off_listener(&self, id: ListenerId) -> bool {
        let removed = self.state().listeners.remove(id);
        removed.is_some()
    }

    // --- Emitting ---

    /// Emits an event to this client: a tuple is several arguments, `()` none, anything else one.
    /// Events arrive in the order in which they were emitted.
    ///
    /// What is wrong with the event is logged; use [`try_emit`](Self::try_emit) to know it. Once
    /// the socket is gone, nothing happens.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) {
        if let Err(error) = self.try_emit(event, args) {
            emit::log_failure(self.0.namespace.name(), event, &error);
        }
    }

    /// The same, for those who want to know.
    ///
    /// # Errors
    ///
    /// If the name is reserved, or a value has no form on the wire.
    pub fn try_emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        let packet = emit::encode_event(self.0.namespace.name(), None, event, &args)?;
        self.send(&packet);
        Ok(())
    }

    /// Emits an event and waits for the client's answer:
    /// `let answer: String = socket.emit_with_ack("question", "ready?").await?`.
    ///
    /// The event is sent at once; the future only waits, for the server's `ack_timeout` unless
    /// [`AckFuture::timeout`] says otherwise. The answer is its first argument, or for a tuple as
    /// many as it has.
    pub fn emit_with_ack<R: FromReply>(&self, event: &str, args: impl Serialize) -> AckFuture<R> {
        let id = self.0.namespace.next_ack_id();
        let packet = match emit::encode_event(self.0.namespace.name(), Some(id), event, &args) {
            Ok(packet) => packet,
            Err(error) => return AckFuture::failed(error.into()),
        };
        let options = &self.core().options;
        let receiver = {
            let mut state = self.state();
            if is_over(state.standing) {
                return AckFuture::failed(AckError::Disconnected);
            }
            if state.acks.len() >= options.max_pending_acks {
                return AckFuture::failed(AckError::TooManyPending(options.max_pending_acks));
            }
            state.acks.insert(id)
        };
        self.send(&packet);
        AckFuture::waiting(self.clone(), id, receiver, options.ack_timeout)
    }

    /// How many acknowledgements this client owes.
    pub fn pending_acks(&self) -> usize {
        self.state().acks.len()
    }

    /// Bytes that wait to be sent over this client's connection.
    pub fn waiting_bytes(&self) -> usize {
        self.0.client.session.waiting_bytes()
    }

    /// Everyone in the namespace but this socket.
    pub fn broadcast(&self) -> Broadcast {
        Broadcast::new(self.0.namespace.clone()).except(self.id())
    }

    /// Everyone in a room, or in several, but this socket. A client's id is a room:
    /// `socket.to(client_id)` is one other client.
    pub fn to(&self, rooms: impl IntoRooms) -> Broadcast {
        self.broadcast().to(rooms)
    }

    /// Everyone in a room, or in several, this socket included.
    pub fn within(&self, rooms: impl IntoRooms) -> Broadcast {
        self.0.namespace.to(rooms)
    }

    /// Everyone in the namespace but this socket and those in a room, or in several.
    pub fn except(&self, rooms: impl IntoRooms) -> Broadcast {
        self.broadcast().except(rooms)
    }

    /// This socket, if it can take an event now. See [`Broadcast::volatile`].
    pub fn volatile(&self) -> Broadcast {
        self.0.namespace.to(self.id()).volatile()
    }

    // --- Rooms ---

    /// Enters a room, or several. Nothing happens if the socket is gone, or is in them already.
    ///
    /// A socket can be in `max_rooms` rooms; to enter more does nothing but log an error. Use
    /// [`try_join`](Self::try_join) to know it.
    pub fn join(&self, names: impl IntoRooms) {
        if let Err(error) = self.try_join(names) {
            tracing::error!(socket = %self.id(), %error, "could not join");
        }
    }

    /// The same, for those who want to know.
    ///
    /// # Errors
    ///
    /// If that would be too many rooms; none of them is joined then.
    pub fn try_join(&self, names: impl IntoRooms) -> Result<(), TooManyRooms> {
        let id = self.id();
        let mut entered = rooms(names);
        entered.sort_unstable();
        entered.dedup();
        let adapter = self.0.namespace.adapter();
        let mut state = self.state();
        let joined = match state.standing {
            Standing::Connecting => {
                entered.retain(|room| **room != *id && !state.rooms.contains(room));
                state.rooms.len()
            }
            Standing::Connected => {
                entered.retain(|room| **room != *id && !adapter.is_in(id, room));
                adapter.rooms_count(id)
            }
            Standing::Refused | Standing::Gone => return Ok(()),
        };
        let limit = self.core().options.max_rooms;
        if joined + entered.len() > limit && !entered.is_empty() {
            return Err(TooManyRooms { limit });
        }
        match state.standing {
            Standing::Connecting => state.rooms.append(&mut entered),
            _ => adapter.join(id, &entered),
        }
        Ok(())
    }

    /// Leaves a room, or several. Nothing happens if the socket is not in them.
    pub fn leave(&self, names: impl IntoRooms) {
        let names = rooms(names);
        let mut state = self.state();
        match state.standing {
            Standing::Connecting => state.rooms.retain(|joined| !names.contains(joined)),
            Standing::Connected => {
                let adapter = self.0.namespace.adapter();
                names.iter().for_each(|room| adapter.leave(self.id(), room));
            }
            Standing::Refused | Standing::Gone => (),
        }
    }

    /// The rooms that the socket is in, the one named by its id first. While the handlers of its
    /// end run, the rooms that it was in.
    pub fn rooms(&self) -> Vec<Room> {
        let state = self.state();
        let rooms = match state.standing {
            Standing::Connected => self.0.namespace.adapter().rooms_of(self.id()),
            _ => state.rooms.clone(),
        };
        std::iter::once(Room::from(self.id().as_str())).chain(rooms).collect()
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
        self.end_elsewhere(DisconnectReason::ServerNamespaceDisconnect, Some(&farewell));
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
        match self.0.standing.load(Ordering::Acquire) {
            0 => Standing::Connecting,
            1 => Standing::Connected,
            2 => Standing::Refused,
            _ => Standing::Gone,
        }
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
        if volatile {
            self.client.session.send_volatile(packet.packets());
        } else {
            self.client.session.send(packet.packets());
        }
    }
}

impl SendAck for Inner {
    fn send_ack(&self, id: u64, args: EncodedArgs) {
        let packet = emit::encode_ack(self.namespace.name(), id, args);
        if self.standing.load(Ordering::Acquire) == Standing::Connected as u8 {
            self.client.session.send(packet.packets());
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
