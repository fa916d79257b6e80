//! Emitting to the sockets of a namespace, and what else is done to many.

use std::time::Duration;

use serde::Serialize;
use sockeye_adapter::FetchError;
use sockeye_event::FromReply;

use super::Namespace;
use crate::{Broadcast, BroadcastAckFuture, EmitError, IntoRooms, RemoteSocket};

impl Namespace {
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

    /// The sockets in the namespace on all nodes. See [`Broadcast::fetch_sockets`].
    ///
    /// # Errors
    ///
    /// If another node does not answer. The in-memory adapter knows no others.
    pub async fn fetch_sockets(&self) -> Result<Vec<RemoteSocket>, FetchError> {
        Broadcast::new(self.clone()).fetch_sockets().await
    }

    /// All sockets in the namespace enter a room, or several. See [`Broadcast::sockets_join`].
    pub fn sockets_join(&self, rooms: impl IntoRooms) {
        Broadcast::new(self.clone()).sockets_join(rooms);
    }

    /// All sockets in the namespace leave a room, or several. See [`Broadcast::sockets_leave`].
    pub fn sockets_leave(&self, rooms: impl IntoRooms) {
        Broadcast::new(self.clone()).sockets_leave(rooms);
    }

    /// All sockets are sent out of the namespace. See [`Broadcast::disconnect_sockets`].
    pub fn disconnect_sockets(&self, close: bool) {
        Broadcast::new(self.clone()).disconnect_sockets(close);
    }
}
