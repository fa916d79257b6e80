//! Emitting to one socket, and from it to others.

use std::time::Duration;

use serde::Serialize;
use sockeye_event::FromReply;
use tokio::sync::oneshot;

use super::Socket;
use crate::{AckFuture, Broadcast, EmitError, IntoRooms, ack::Waiting, emit};

/// How an event is emitted to one socket: `socket.timeout(limit).emit_with_ack("question", ())`.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit`"]
pub struct SocketEmitter {
    socket: Socket,
    volatile: bool,
    timeout: Option<Duration>,
}

impl SocketEmitter {
    /// See [`Socket::volatile`].
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// See [`Socket::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// See [`Socket::emit`].
    pub fn emit<T: Serialize>(&self, event: &str, args: T) {
        if let Err(error) = self.try_emit(event, args) {
            emit::log_failure(self.socket.namespace().name(), event, &error);
        }
    }

    /// See [`Socket::try_emit`].
    ///
    /// # Errors
    ///
    /// If the name is reserved, or a value has no form on the wire. That a volatile event is
    /// dropped is no error.
    pub fn try_emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        let packet = emit::encode_event(self.socket.namespace(), None, event, &args)?;
        self.socket.send(packet, self.volatile);
        Ok(())
    }

    /// See [`Socket::emit_with_ack`].
    pub fn emit_with_ack<R: FromReply>(&self, event: &str, args: impl Serialize) -> AckFuture<R> {
        let namespace = self.socket.namespace();
        let id = namespace.next_ack_id();
        let packet = match emit::encode_event(namespace, Some(id), event, &args) {
            Ok(packet) => packet,
            Err(error) => return AckFuture::failed(error.into()),
        };
        let (sender, receiver) = oneshot::channel();
        match self.socket.0.try_ask(&packet, id, self.volatile, Waiting::One(sender)) {
            Ok(()) => AckFuture::waiting(self.socket.clone(), id, receiver, self.timeout),
            Err(silence) => AckFuture::failed(silence.into()),
        }
    }
}

impl Socket {
    fn emitter(&self) -> SocketEmitter {
        let timeout = self.core().options.ack_timeout;
        SocketEmitter { socket: self.clone(), volatile: false, timeout }
    }

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
        let packet = emit::encode_event(&self.0.namespace, None, event, &args)?;
        self.send(packet, false);
        Ok(())
    }

    /// Emits an event and waits for the client's answer:
    /// `let answer: String = socket.emit_with_ack("question", "ready?").await?`.
    ///
    /// The event is sent at once; the future only waits, for the server's `ack_timeout` unless
    /// [`timeout`](Self::timeout) says otherwise. The answer is its first argument, or for a tuple
    /// as many as it has.
    pub fn emit_with_ack<R: FromReply>(&self, event: &str, args: impl Serialize) -> AckFuture<R> {
        self.emitter().emit_with_ack(event, args)
    }

    /// How long an answer is waited for, instead of the server's `ack_timeout`; [`Duration::MAX`] is until
    /// the client is gone.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use sockeye::{AckError, Socket};
    /// # async fn ask(socket: Socket) -> Result<(), AckError> {
    /// let limit = Duration::from_secs(60);
    /// let answer: String = socket.timeout(limit).emit_with_ack("question", "ready?").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout(&self, timeout: Duration) -> SocketEmitter {
        self.emitter().timeout(timeout)
    }

    /// Drops the event if it cannot leave now: the connection takes nothing at the moment, or has
    /// no poll open.
    ///
    /// ```
    /// # use sockeye::Socket;
    /// # fn moved(socket: Socket) {
    /// socket.volatile().emit("position", (1.5, 2.5));
    /// # }
    /// ```
    pub fn volatile(&self) -> SocketEmitter {
        self.emitter().volatile()
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

    /// Everyone on this node but this socket. See [`Broadcast::local`].
    pub fn local(&self) -> Broadcast {
        self.broadcast().local()
    }
}
