//! Emitting to one socket, and from it to others.

use serde::Serialize;
use sockeye_event::FromReply;

use super::{Socket, is_over};
use crate::{AckError, AckFuture, Broadcast, EmitError, IntoRooms, emit};

impl Socket {
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
}
