//! The handlers of one socket.

use sockeye_event::Handler;

use super::{End, Socket};
use crate::{
    ListenerId, Middleware,
    extract::Context,
    listener::{DISCONNECT, DISCONNECTING, Listener, Place, Topic, warn_of_name},
    middleware,
};

impl Socket {
    /// Calls a handler for every event of that name from this client. Reading the crate's
    /// [introduction](crate#handlers) tells what it may take and return.
    ///
    /// There can be several for an event; they are called in the order of their registration.
    pub fn on<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        warn_of_name(event);
        self.add(Topic::Event(event), Place::Last, Listener::on(handler))
    }

    /// Calls a handler for every event of that name, before the other handlers of this socket.
    pub fn prepend<M: 'static>(
        &self,
        event: &str,
        handler: impl Handler<Context, M>,
    ) -> ListenerId {
        warn_of_name(event);
        self.add(Topic::Event(event), Place::First, Listener::on(handler))
    }

    /// Calls a handler for the next event of that name only.
    pub fn once<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::Event(event), Place::Last, Listener::once(handler))
    }

    /// Calls a handler for every event from this client, before the handlers of that event. See
    /// [`Namespace::on_any`](crate::Namespace::on_any), whose handlers are called before these.
    pub fn on_any<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::Any, Place::Last, Listener::on(handler))
    }

    /// The same, before the others of this socket.
    pub fn prepend_any<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::Any, Place::First, Listener::on(handler))
    }

    /// Forgets all handlers of [`on_any`](Self::on_any); whether there were any.
    pub fn off_any(&self) -> bool {
        self.remove_all(Topic::Any)
    }

    /// Calls a handler for every event that is emitted to this client. See
    /// [`Namespace::on_any_outgoing`](crate::Namespace::on_any_outgoing).
    pub fn on_any_outgoing<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::AnyOutgoing, Place::Last, Listener::on(handler))
    }

    /// The same, before the others of this socket.
    pub fn prepend_any_outgoing<M: 'static>(
        &self,
        handler: impl Handler<Context, M>,
    ) -> ListenerId {
        self.add(Topic::AnyOutgoing, Place::First, Listener::on(handler))
    }

    /// Forgets all handlers of [`on_any_outgoing`](Self::on_any_outgoing); whether there were any.
    pub fn off_any_outgoing(&self) -> bool {
        self.remove_all(Topic::AnyOutgoing)
    }

    /// Decides which events reach their handlers. A middleware takes what a handler takes and
    /// returns `Result<(), E>`; the first that says no ends the event: its error is told to the
    /// error hook, and to the client as that of a handler would be
    /// ([`send_errors`](crate::ServerBuilder::send_errors)). They are asked one after another,
    /// behind the handlers of [`on_any`](Self::on_any). While one waits, so do the later events.
    ///
    /// ```
    /// # use sockeye::{EventName, Server, Socket};
    /// # let io = Server::builder().build().unwrap();
    /// io.on_connection(|socket: Socket, admin: Option<String>| {
    ///     let is_admin = admin.as_deref() == Some("secret");
    ///     socket.middleware(move |name: EventName| {
    ///         if is_admin || !name.0.starts_with("admin:") { Ok(()) } else { Err("not allowed") }
    ///     });
    /// });
    /// ```
    pub fn middleware<M: 'static>(&self, middleware: impl Middleware<M>) {
        let more = middleware::erase(middleware);
        let mut state = self.state();
        if state.end == End::Ahead {
            let before = state.middlewares.iter().flat_map(|before| before.iter().cloned());
            state.middlewares = Some(before.chain([more]).collect());
        } else {
            // As with handlers: it would never be asked.
            drop((state, more));
        }
    }

    /// Calls a handler when the socket has left the namespace, but not its rooms yet: whoever else
    /// is in them can be counted, and told. The socket itself gets nothing more. It may take the
    /// [`DisconnectReason`](crate::DisconnectReason).
    ///
    /// The rooms are left as soon as the handler has returned, or waits for the first time.
    /// Then the handlers of [`on_disconnect`](Self::on_disconnect) are called. If the client goes
    /// away before those of the connection have returned, its rooms are left at once.
    ///
    /// ```
    /// # use sockeye::{Server, Socket};
    /// # let io = Server::builder().build().unwrap();
    /// io.on_disconnecting(|socket: Socket| {
    ///     for room in socket.rooms() {
    ///         socket.to(room).emit("left", socket.id().as_str());
    ///     }
    /// });
    /// ```
    pub fn on_disconnecting<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::Event(DISCONNECTING), Place::Last, Listener::on(handler))
    }

    /// Calls a handler when the socket has left, whoever ended it. It may take the
    /// [`DisconnectReason`](crate::DisconnectReason). The rooms are left and the acknowledgements
    /// lost by then; data, and the names of the rooms, can still be read.
    ///
    /// It is called at once, beside an event handler that still runs. Only the handlers of
    /// [`on_connection`](crate::Namespace::on_connection) are waited for: what they register here
    /// is called even if the client was gone before.
    pub fn on_disconnect<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::Event(DISCONNECT), Place::Last, Listener::on(handler))
    }

    fn add(&self, topic: Topic<'_>, place: Place, listener: Listener) -> ListenerId {
        let id = listener.id();
        if matches!(topic, Topic::AnyOutgoing) {
            self.0.outgoing.listen();
        }
        let mut state = self.state();
        if state.end == End::Ahead {
            state.listeners.add(topic, place, listener);
        } else {
            // It would never be called, and could keep its own socket alive.
            drop(state);
        }
        id
    }

    /// Forgets this socket's handlers of an event; whether there were any.
    pub fn off(&self, event: &str) -> bool {
        self.remove_all(Topic::Event(event))
    }

    fn remove_all(&self, topic: Topic<'_>) -> bool {
        let removed = self.state().listeners.remove_all(topic);
        removed.is_some()
    }

    /// Forgets one handler; whether it was there.
    pub fn off_listener(&self, id: ListenerId) -> bool {
        let removed = self.state().listeners.remove(id);
        removed.is_some()
    }
}
