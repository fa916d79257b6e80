//! The handlers that all sockets of a namespace share.

use std::sync::atomic::Ordering;

use sockeye_event::Handler;

use super::Namespace;
use crate::{
    ListenerId,
    extract::Context,
    listener::{DISCONNECT, DISCONNECTING, Listener, Place, Topic, warn_of_name},
};

impl Namespace {
    /// Calls a handler for every socket that joins the namespace. Its argument is the client's
    /// `auth`, if one is asked for: `|socket: Socket, auth: Token| …`.
    ///
    /// Events of the socket wait until the handler has returned, so none is lost while it is busy
    /// registering others. There can be several.
    ///
    /// If the client goes away while the handler runs, the handlers of
    /// [`on_disconnect`](crate::Socket::on_disconnect) wait as well until it has returned, so those
    /// that it registers are called.
    pub fn on_connection<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        let listener = Listener::on(handler);
        let id = listener.id();
        self.change_handlers(|handlers| {
            let all = handlers.connection.iter().cloned().chain([listener.clone()]);
            handlers.connection = all.collect();
        });
        id
    }

    /// Calls a handler for every event of that name, of every socket in the namespace. It is
    /// registered once and costs a socket nothing; [`Socket::on`](crate::Socket::on) is for one
    /// socket.
    ///
    /// There can be several for an event; they are called in the order of their registration,
    /// these before those of the socket.
    pub fn on<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        warn_of_name(event);
        self.add(Topic::Event(event), Place::Last, Listener::on(handler))
    }

    /// Calls a handler for every event of that name, before the other handlers of the namespace.
    pub fn prepend<M: 'static>(
        &self,
        event: &str,
        handler: impl Handler<Context, M>,
    ) -> ListenerId {
        warn_of_name(event);
        self.add(Topic::Event(event), Place::First, Listener::on(handler))
    }

    /// Calls a handler for the next event of that name only, whichever socket's it is.
    pub fn once<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::Event(event), Place::Last, Listener::once(handler))
    }

    /// Calls a handler for every event from a client, whatever its name, before the handlers of
    /// that event. It may take the [`EventName`](crate::EventName), and takes arguments and the
    /// acknowledgement as others do. That nobody else handles the event makes no difference.
    ///
    /// ```
    /// # use sockeye::{EventName, Raw, Rest, Server, Socket};
    /// # let io = Server::builder().build().unwrap();
    /// io.on_any(|socket: Socket, name: EventName, args: Rest<Raw>| {
    ///     println!("{} says {} with {} arguments", socket.id(), name.0, args.0.len());
    /// });
    /// ```
    pub fn on_any<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::Any, Place::Last, Listener::on(handler))
    }

    /// The same, before the other handlers of all events.
    pub fn prepend_any<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::Any, Place::First, Listener::on(handler))
    }

    /// Forgets all handlers of [`on_any`](Self::on_any); whether there were any.
    pub fn off_any(&self) -> bool {
        self.remove_all(Topic::Any)
    }

    /// Calls a handler for every event that is emitted to a socket of the namespace, once for each
    /// socket: by a broadcast too, and whether or not a volatile one can leave. Acknowledgements
    /// are no events.
    ///
    /// The event is on its way by then. Those of one socket are told one after another, in their
    /// order, by a task of their own. What waits for that is bounded by `max_backlog_bytes`; more
    /// is not told, which is logged. What the handler returns goes nowhere. It must not emit to the
    /// same socket: that would never end.
    ///
    /// ```
    /// # use sockeye::{EventName, Server, Socket};
    /// # let io = Server::builder().build().unwrap();
    /// io.on_any_outgoing(|socket: Socket, name: EventName| {
    ///     println!("{} is told of {}", socket.id(), name.0);
    /// });
    /// ```
    pub fn on_any_outgoing<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::AnyOutgoing, Place::Last, Listener::on(handler))
    }

    /// The same, before the others.
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

    /// Calls a handler for every socket that is about to leave the namespace's rooms. See
    /// [`Socket::on_disconnecting`](crate::Socket::on_disconnecting).
    pub fn on_disconnecting<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::Event(DISCONNECTING), Place::Last, Listener::on(handler))
    }

    /// Calls a handler for every socket that leaves the namespace. See
    /// [`Socket::on_disconnect`](crate::Socket::on_disconnect).
    pub fn on_disconnect<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.add(Topic::Event(DISCONNECT), Place::Last, Listener::on(handler))
    }

    fn add(&self, topic: Topic<'_>, place: Place, listener: Listener) -> ListenerId {
        let id = listener.id();
        if matches!(topic, Topic::AnyOutgoing) {
            self.0.hears_outgoing.store(true, Ordering::Relaxed);
        }
        self.change_handlers(|handlers| handlers.events.add(topic, place, listener.clone()));
        id
    }

    /// Forgets the namespace's handlers of an event; whether there were any.
    pub fn off(&self, event: &str) -> bool {
        self.remove_all(Topic::Event(event))
    }

    fn remove_all(&self, topic: Topic<'_>) -> bool {
        let mut were_any = false;
        self.change_handlers(|handlers| {
            were_any = handlers.events.remove_all(topic).is_some();
        });
        were_any
    }

    /// Forgets one handler; whether it was there.
    pub fn off_listener(&self, id: ListenerId) -> bool {
        let mut was_there = false;
        self.change_handlers(|handlers| {
            let before = handlers.connection.len();
            handlers.connection =
                handlers.connection.iter().filter(|other| other.id() != id).cloned().collect();
            let removed = handlers.events.remove(id);
            was_there = removed.is_some() || handlers.connection.len() < before;
        });
        was_there
    }
}
