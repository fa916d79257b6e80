//! The handlers of one socket.

use sockeye_event::Handler;

use super::{DISCONNECT, End, Socket};
use crate::{
    ListenerId,
    extract::Context,
    listener::{Listener, warn_of_name},
};

impl Socket {
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
}
