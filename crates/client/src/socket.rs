//! Sockets.

use std::{
    fmt,
    future::Future,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde::Serialize;
use sockeye_event::{EncodedArgs, FromReply, Handler};
use sockeye_protocol::{
    client::{self as core, AckRequest, Auth, Emit, Policy},
    socket::{EncodedPacket, PacketBuilder, Payload, is_reserved},
};
use tokio::{runtime::Handle, sync::oneshot};

use crate::{
    AckFuture, AuthError, ConnectError, EmitError, Emitter, EventStream, ListenerId,
    ack::Waiter,
    context::Context,
    driver,
    listener::{Listener, Topic},
    shared::{AuthFn, Incoming, Shared, SocketState},
};

/// A client's place in one namespace.
///
/// Cheap to clone; all clones are the same socket. Keeping one does not keep the connection open:
/// that is what the [`Client`](crate::Client) does. So it may be captured by its own handlers.
#[derive(Clone)]
pub struct Socket {
    shared: Arc<Shared>,
    state: Arc<SocketState>,
}

impl Socket {
    pub(crate) fn new(shared: Arc<Shared>, state: Arc<SocketState>) -> Self {
        Self { shared, state }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn state(&self) -> &SocketState {
        &self.state
    }

    // --- What it is ---

    /// The namespace, such as `/` or `/admin`.
    pub fn namespace(&self) -> &str {
        &self.state.namespace
    }

    /// The id that the server gave it; none while it is not connected. Each connection has another
    /// one, unless it was [recovered](Self::recovered).
    pub fn id(&self) -> Option<String> {
        self.shared.manager().state(self.state.id).id.map(str::to_owned)
    }

    /// Whether it is connected to its namespace now.
    pub fn connected(&self) -> bool {
        self.shared.manager().state(self.state.id).id.is_some()
    }

    /// Whether it is connected, or will be without being asked to. It is not after a refusal, after
    /// either end has disconnected it, and when all attempts have failed.
    pub fn active(&self) -> bool {
        self.shared.manager().state(self.state.id).is_active
    }

    /// Whether the server has restored it when it was connected last: its id and its rooms are the
    /// same as before, and it has got what it had missed.
    pub fn recovered(&self) -> bool {
        self.shared.manager().state(self.state.id).recovered
    }

    /// Bytes that wait to be sent, those of the whole connection included. Beyond
    /// `max_waiting_bytes` nothing more is taken.
    pub fn waiting_bytes(&self) -> usize {
        self.shared.manager().waiting_bytes(self.state.id)
    }

    /// How many acknowledgements the server owes.
    pub fn pending_acks(&self) -> usize {
        self.shared.manager().pending_acks(self.state.id)
    }

    // --- Connecting ---

    /// Connects, and waits until it is connected, refused, or out of attempts.
    ///
    /// As long as attempts are left, one that fails is followed by the next, so this may take for
    /// ever; [`on_connect_error`](Self::on_connect_error) and the log tell of each failure. Dropping
    /// the future does not end the attempts.
    ///
    /// # Errors
    /// If it is not connected and will not be.
    pub async fn connect(&self) -> Result<(), ConnectError> {
        let (sender, outcome) = oneshot::channel();
        {
            let mut inner = self.state.inner();
            if inner.is_closed {
                return Err(ConnectError::left());
            }
            // Those who have given up waiting.
            inner.connecting.retain(|waiting| !waiting.is_closed());
            inner.connecting.push(sender);
        }
        self.open();
        if self.connected() {
            // It was before, so nobody will be told.
            self.state.conclude_connecting(&Ok(()));
        }
        outcome.await.unwrap_or_else(|_| Err(ConnectError::left()))
    }

    /// Connects, without waiting for it. Nothing happens if the socket is active.
    ///
    /// # Panics
    /// Outside of a tokio runtime, which the client's task needs, the first time.
    pub fn open(&self) {
        self.shared.command(|manager, now| manager.open(now, self.state.id));
        if !self.shared.has_started() {
            let runtime = self.shared.runtime().cloned().unwrap_or_else(Handle::current);
            self.start(runtime);
        }
    }

    /// Starts the client's task, if it knows where and has not started yet.
    pub(crate) fn start_if_possible(&self) {
        if !self.shared.has_started() {
            let runtime = self.shared.runtime().cloned().or_else(|| Handle::try_current().ok());
            runtime.into_iter().for_each(|runtime| self.start(runtime));
        }
    }

    fn start(&self, runtime: Handle) {
        if let Some(io) = self.shared.take_io() {
            self.shared.set_runtime(runtime.clone());
            runtime.spawn(driver::run(self.shared.clone(), io));
        }
    }

    /// Leaves the namespace. If no other socket of the client is active, the connection is closed.
    /// [`open`](Self::open) connects again; what is emitted meanwhile waits for that.
    pub fn disconnect(&self) {
        self.shared.command(|manager, now| manager.disconnect(now, self.state.id));
        self.state.conclude_connecting(&Err(ConnectError::left()));
    }

    /// What the socket says about itself when it is connected, from the next time on: what
    /// serialises to a JSON object.
    ///
    /// # Errors
    /// If it does not.
    pub fn set_auth(&self, auth: impl Serialize) -> Result<(), AuthError> {
        let auth = auth_text(&auth).map_err(AuthError)?;
        let old = self.state.inner().auth.take();
        drop(old);
        self.shared.manager().set_auth(self.state.id, Auth::Json(auth));
        Ok(())
    }

    /// The same, made anew for each connection: a token that expires, say. If it fails, that is a
    /// connect error, and it is called again after `reconnection_delay_max`.
    pub fn set_auth_with<F, Fut, T, E>(&self, make: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize,
        E: fmt::Display,
    {
        let make: Arc<AuthFn> = Arc::new(move || {
            let making = make();
            Box::pin(async move {
                let auth = making.await.map_err(|error| error.to_string())?;
                auth_text(&auth)
            })
        });
        let old = self.state.inner().auth.replace(make);
        drop(old);
        self.shared.manager().set_auth(self.state.id, Auth::Ask);
    }

    pub(crate) async fn provide_auth(&self, number: u32) {
        let make = self.state.inner().auth.clone();
        let auth = match make {
            // In a task of its own: a panic is an error like others.
            Some(make) => {
                let making = tokio::spawn(async move { make().await });
                self.state.replace_authenticating(making.abort_handle());
                match making.await {
                    Ok(auth) => auth.map(Some),
                    Err(error) if error.is_cancelled() => return,
                    Err(_) => Err("the function that makes it panicked".to_owned()),
                }
            }
            None => Ok(None),
        };
        let id = self.state.id;
        self.shared.command(|manager, now| manager.provide_auth(now, id, number, auth));
    }

    // --- Listening ---

    /// Calls a handler for every event of that name from the server. Reading the crate's
    /// [introduction](crate#handlers) tells what it may take and return.
    ///
    /// There can be several for an event; they are called in the order of their registration.
    /// `connect`, `disconnect` and `connect_error` are the socket's own events, for which there are
    /// [`on_connect`](Self::on_connect) and its like as well.
    pub fn on<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::Event(event.into()), Listener::on(handler))
    }

    /// Calls a handler for the next event of that name only.
    pub fn once<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::Event(event.into()), Listener::once(handler))
    }

    /// Calls a handler whenever the socket is connected, after each reconnection too. Later events
    /// wait until it has returned.
    pub fn on_connect<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.on("connect", handler)
    }

    /// Calls a handler whenever the connection is lost or ended. It may take the
    /// [`DisconnectReason`](crate::DisconnectReason). It is called at once, beside an event handler
    /// that still runs.
    pub fn on_disconnect<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.on("disconnect", handler)
    }

    /// Calls a handler whenever the socket could not be connected. It may take the
    /// [`ConnectError`].
    pub fn on_connect_error<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.on("connect_error", handler)
    }

    /// Calls a handler for every event from the server, before the event's own:
    /// `socket.on_any(|EventName(name): EventName, args: Rest<Raw>| …)`.
    pub fn on_any<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::Any, Listener::on(handler))
    }

    /// Calls a handler for every event that is emitted, whether it leaves at once or waits. It is
    /// called in its turn with those of the events that come.
    pub fn on_any_outgoing<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::AnyOutgoing, Listener::on(handler))
    }

    fn add(&self, topic: Topic, listener: Listener) -> ListenerId {
        let id = listener.id();
        let mut inner = self.state.inner();
        if inner.is_closed {
            // It would never be called, and could keep its own socket alive.
            drop(inner);
        } else {
            inner.listeners.add(topic, listener);
        }
        id
    }

    /// Forgets all handlers of an event; whether there were any.
    pub fn off(&self, event: &str) -> bool {
        let removed = self.state.inner().listeners.remove_topic(&Topic::Event(event.into()));
        !removed.is_empty()
    }

    /// Forgets one handler; whether it was there.
    pub fn off_listener(&self, id: ListenerId) -> bool {
        let removed = self.state.inner().listeners.remove(id);
        removed.is_some()
    }

    /// The events of that name as a stream: `socket.events::<(String, u32)>("message")`. They are
    /// told to the stream as they come, beside handlers, and are not acknowledged by it.
    pub fn events<T: FromReply>(&self, event: &str) -> EventStream<T> {
        let (stream, queue) = EventStream::new(event, self.shared.options.max_backlog_bytes);
        let mut inner = self.state.inner();
        inner.streams.retain(|queue| queue.strong_count() > 0);
        if inner.is_closed {
            queue.upgrade().into_iter().for_each(|queue| queue.close());
        } else {
            inner.streams.push(queue);
        }
        stream
    }

    // --- Emitting ---

    /// This socket, and how its events are to be treated, yet to be said:
    /// `socket.emitter().volatile().timeout(second)`.
    pub fn emitter(&self) -> Emitter {
        Emitter::new(self.clone())
    }

    /// Emits an event: a tuple is several arguments, `()` none, anything else one.
    ///
    /// While the socket is not connected, the event waits for it, within `max_waiting_bytes`. Events
    /// arrive in the order in which they were emitted. One that has left when the connection is lost
    /// may be lost with it, unless `retries` are on.
    ///
    /// What is wrong with the event is logged; use [`try_emit`](Self::try_emit) to know it.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) {
        self.emitter().emit(event, args);
    }

    /// The same, for those who want to know.
    ///
    /// # Errors
    /// The name is reserved, a value has no form on the wire, or too much waits already.
    pub fn try_emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        self.emitter().try_emit(event, args)
    }

    /// Emits an event and waits for the server's answer:
    /// `let answer: String = socket.emit_with_ack("question", "ready?").await?`.
    ///
    /// The event is emitted at once; the future only waits, for the client's `ack_timeout` unless
    /// [`timeout`](Self::timeout) says otherwise. The answer is its first argument, or for a tuple
    /// as many as it has.
    pub fn emit_with_ack<R: FromReply>(&self, event: &str, args: impl Serialize) -> AckFuture<R> {
        self.emitter().emit_with_ack(event, args)
    }

    /// What is emitted through this is dropped if it cannot leave at once: while the socket is not
    /// connected, or what was emitted before has not left yet. It is never sent again.
    pub fn volatile(&self) -> Emitter {
        self.emitter().volatile()
    }

    /// What is emitted through this is refused while the socket is not connected.
    pub fn only_connected(&self) -> Emitter {
        self.emitter().only_connected()
    }

    /// What is emitted through this is dropped if it has to wait longer for a connection. It is
    /// never sent again.
    pub fn expires_after(&self, time_to_live: Duration) -> Emitter {
        self.emitter().expires_after(time_to_live)
    }

    /// The answer to what is emitted through this is waited for so long, instead of the client's
    /// `ack_timeout`; with [`Duration::MAX`] until it comes or the connection is lost. With
    /// `retries`, each try waits so long.
    pub fn timeout(&self, timeout: Duration) -> Emitter {
        self.emitter().timeout(timeout)
    }

    /// Hands an event to the manager; the id under which its answer is expected, if one is.
    pub(crate) fn send_event(
        &self,
        event: &str,
        args: EncodedArgs,
        policy: Policy,
        timeout: Option<Option<Duration>>,
        waiter: Option<Waiter>,
    ) -> Result<Option<u64>, EmitError> {
        if is_reserved(event) {
            return Err(EmitError::ReservedName(event.to_owned()));
        }
        self.note_outgoing(event, &args);
        let may_retry = matches!(policy, Policy::Buffer | Policy::Fail);
        let is_retried = may_retry && self.shared.manager().config().retries.is_some();
        let id = (waiter.is_some() || is_retried)
            .then(|| self.state.next_ack.fetch_add(1, Ordering::Relaxed));
        let mut packet = PacketBuilder::event(&self.state.namespace, id, event);
        packet.json().extend_from_slice(&args.json);
        let packet = self.shared.convert(packet.finish(args.attachments))?;
        let timeout = timeout.unwrap_or(self.shared.options.ack_timeout);
        let ack = id.map(|id| AckRequest { id, waiter, timeout });
        let emit = Emit { packet, ack, policy };
        self.shared.command(|manager, now| manager.emit(now, self.state.id, emit))?;
        Ok(id)
    }

    /// Tells those who listen to everything that is emitted.
    fn note_outgoing(&self, event: &str, args: &EncodedArgs) {
        if self.state.listeners(&[Topic::AnyOutgoing]).is_empty() {
            return;
        }
        let mut json = serde_json::to_string(event).expect("a string is JSON").into_bytes();
        json.insert(0, b'[');
        if !args.json.is_empty() {
            json.push(b',');
            json.extend_from_slice(&args.json);
        }
        json.push(b']');
        let json = String::from_utf8(json).expect("what serde_json writes is UTF-8");
        let payload = Payload::new(json, args.attachments.clone());
        // One that finds no room is not worth breaking the connection for.
        self.handle_later(Incoming::Outgoing { name: event.into(), payload });
    }

    pub(crate) fn send_ack(&self, connection: u32, packet: &EncodedPacket) {
        let id = self.state.id;
        let is_taken = self.shared.command(|manager, now| {
            let is_taken = manager.send_ack(now, id, connection, packet);
            if !is_taken {
                manager.cut(now, core::DisconnectReason::TransportError);
            }
            is_taken
        });
        if !is_taken {
            let namespace = self.namespace();
            tracing::warn!(
                namespace,
                "the server asks for acknowledgements and does not read them"
            );
        }
    }

    pub(crate) fn forget_ack(&self, id: u64) {
        let forgotten = self.shared.manager().forget_ack(self.state.id, id);
        drop(forgotten);
    }
}

/// The text of an auth, which must be a JSON object.
pub(crate) fn auth_text<T: Serialize + ?Sized>(auth: &T) -> Result<String, String> {
    match serde_json::to_value(auth) {
        Ok(value) if value.is_object() => Ok(value.to_string()),
        // Not what it is: that may be a secret, and this goes to the log.
        Ok(value) => Err(format!("it is {}", kind_of(&value))),
        Err(error) => Err(error.to_string()),
    }
}

fn kind_of(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "a boolean",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "a string",
        serde_json::Value::Array(_) => "an array",
        serde_json::Value::Object(_) => "an object",
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("namespace", &self.namespace()).finish_non_exhaustive()
    }
}
