//! What a server does in the namespace `/`.

use std::time::Duration;

use serde::Serialize;
use sockeye_adapter::{FetchError, Room};
use sockeye_event::{FromReply, Handler};

use super::Server;
use crate::{
    Broadcast, BroadcastAckFuture, EmitError, IntoRooms, ListenerId, Middleware, RemoteSocket, Sid,
    Socket, extract::Context,
};

impl Server {
    /// Calls a handler for every socket that joins `/`. See [`Namespace::on_connection`](crate::Namespace::on_connection).
    pub fn on_connection<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.shared.main.on_connection(handler)
    }

    /// Decides who may join `/`. See [`Namespace::middleware`](crate::Namespace::middleware).
    pub fn middleware<M: 'static>(&self, middleware: impl Middleware<M>) {
        self.shared.main.middleware(middleware);
    }

    /// Calls a handler for this event of every socket in `/`. See [`Namespace::on`](crate::Namespace::on).
    pub fn on<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        self.shared.main.on(event, handler)
    }

    /// Calls a handler for the next event of that name in `/` only. See [`Namespace::once`](crate::Namespace::once).
    pub fn once<M: 'static>(&self, event: &str, handler: impl Handler<Context, M>) -> ListenerId {
        self.shared.main.once(event, handler)
    }

    /// Calls a handler for every event of that name in `/`, before the others.
    /// See [`Namespace::prepend`](crate::Namespace::prepend).
    pub fn prepend<M: 'static>(
        &self,
        event: &str,
        handler: impl Handler<Context, M>,
    ) -> ListenerId {
        self.shared.main.prepend(event, handler)
    }

    /// Forgets the handlers of an event in `/`; whether there were any. See [`Namespace::off`](crate::Namespace::off).
    pub fn off(&self, event: &str) -> bool {
        self.shared.main.off(event)
    }

    /// Forgets one handler of `/`; whether it was there.
    pub fn off_listener(&self, id: ListenerId) -> bool {
        self.shared.main.off_listener(id)
    }

    /// Calls a handler for every event from clients in `/`. See [`Namespace::on_any`](crate::Namespace::on_any).
    pub fn on_any<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.shared.main.on_any(handler)
    }

    /// The same, before the others. See [`Namespace::on_any`](crate::Namespace::on_any).
    pub fn prepend_any<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.shared.main.prepend_any(handler)
    }

    /// Forgets all handlers of [`on_any`](Self::on_any); whether there were any.
    pub fn off_any(&self) -> bool {
        self.shared.main.off_any()
    }

    /// Calls a handler for every event that is emitted to a socket of `/`.
    /// See [`Namespace::on_any_outgoing`](crate::Namespace::on_any_outgoing).
    pub fn on_any_outgoing<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.shared.main.on_any_outgoing(handler)
    }

    /// The same, before the others. See [`Namespace::on_any_outgoing`](crate::Namespace::on_any_outgoing).
    pub fn prepend_any_outgoing<M: 'static>(
        &self,
        handler: impl Handler<Context, M>,
    ) -> ListenerId {
        self.shared.main.prepend_any_outgoing(handler)
    }

    /// Forgets all handlers of [`on_any_outgoing`](Self::on_any_outgoing); whether there were any.
    pub fn off_any_outgoing(&self) -> bool {
        self.shared.main.off_any_outgoing()
    }

    /// Calls a handler for every socket that is about to leave `/`.
    /// See [`Socket::on_disconnecting`].
    pub fn on_disconnecting<M: 'static>(&self, handler: impl Handler<Context, M>) -> ListenerId {
        self.shared.main.on_disconnecting(handler)
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

    /// The sockets in `/` on all nodes. See [`Broadcast::fetch_sockets`].
    ///
    /// # Errors
    ///
    /// If another node does not answer. The in-memory adapter knows no others.
    pub async fn fetch_sockets(&self) -> Result<Vec<RemoteSocket>, FetchError> {
        self.shared.main.fetch_sockets().await
    }

    /// All sockets in `/` enter a room, or several. See [`Broadcast::sockets_join`].
    pub fn sockets_join(&self, rooms: impl IntoRooms) {
        self.shared.main.sockets_join(rooms);
    }

    /// All sockets in `/` leave a room, or several. See [`Broadcast::sockets_leave`].
    pub fn sockets_leave(&self, rooms: impl IntoRooms) {
        self.shared.main.sockets_leave(rooms);
    }

    /// All sockets are sent out of `/`. See [`Broadcast::disconnect_sockets`].
    pub fn disconnect_sockets(&self, close: bool) {
        self.shared.main.disconnect_sockets(close);
    }

    /// The sockets in `/` on this node.
    pub fn sockets(&self) -> Vec<Socket> {
        self.shared.main.sockets()
    }

    /// The socket with this id, if it is in `/` on this node.
    pub fn socket(&self, id: Sid) -> Option<Socket> {
        self.shared.main.socket(id)
    }

    /// All rooms of `/` that have a socket of this node in them. See [`Namespace::rooms`](crate::Namespace::rooms).
    pub fn rooms(&self) -> Vec<Room> {
        self.shared.main.rooms()
    }
}
