//! Emitting to many.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use sockeye_adapter::{AckCollector, FetchError, Flags, Target};
use sockeye_event::FromReply;

use crate::{
    BroadcastAckFuture, EmitError, IntoRooms, Namespace, RemoteSocket, Socket,
    broadcast_ack::Gathering, emit, room,
};

/// Whom an event is for, narrowed step by step: `io.to("a").to("b").except("c").emit(…)`. A socket
/// in several of the rooms gets the event once.
///
/// Without a room it is for every socket of the namespace.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit`"]
pub struct Broadcast {
    namespace: Namespace,
    target: Target,
    flags: Flags,
    timeout: Option<Duration>,
}

impl Broadcast {
    pub(crate) fn new(namespace: Namespace) -> Self {
        let timeout = namespace.core().options.ack_timeout;
        Self { namespace, target: Target::default(), flags: Flags::default(), timeout }
    }

    /// Also the sockets of this room, or of these.
    pub fn to(mut self, rooms: impl IntoRooms) -> Self {
        rooms.append_to(&mut self.target.rooms);
        self
    }

    /// The same as [`to`](Self::to).
    pub fn within(self, rooms: impl IntoRooms) -> Self {
        self.to(rooms)
    }

    /// Not the sockets of this room, or of these, whatever else they are in.
    pub fn except(mut self, rooms: impl IntoRooms) -> Self {
        rooms.append_to(&mut self.target.except);
        self
    }

    /// A socket that cannot take the event now does not get it: its connection takes nothing at
    /// the moment, or it has no poll open.
    pub fn volatile(mut self) -> Self {
        self.flags.volatile = true;
        self
    }

    /// Only sockets of this node, where an adapter connects several. With the in-memory adapter
    /// there are no others.
    pub fn local(mut self) -> Self {
        self.flags.local = true;
        self
    }

    /// How long answers are waited for, instead of the server's `ack_timeout`; [`Duration::MAX`] is until
    /// everyone has answered or is gone.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Emits an event: a tuple is several arguments, `()` none, anything else one.
    ///
    /// What is wrong with the event is logged; use [`try_emit`](Self::try_emit) to know it. The
    /// event is encoded once, however many there are to get it.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) {
        if let Err(error) = self.try_emit(event, args) {
            emit::log_failure(self.namespace.name(), event, &error);
        }
    }

    /// The same, for those who want to know.
    ///
    /// # Errors
    ///
    /// If the name is reserved, or a value has no form on the wire. That a socket is gone or slow
    /// is no error.
    pub fn try_emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        let packet = emit::encode_event(&self.namespace, None, event, &args)?;
        self.namespace.adapter().broadcast(&packet, &self.target, self.flags);
        Ok(())
    }

    /// Emits an event that everyone is to answer, and waits for the answers. Each is its first
    /// argument, or for a tuple as many as it has; they come in no particular order.
    ///
    /// The event is sent at once; the future only waits. It ends when everyone has answered or is
    /// gone, after the server's `ack_timeout` at the latest, unless [`timeout`](Self::timeout)
    /// says otherwise. On the wire all get the same `421["question"]`, under the same id.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use sockeye::{BroadcastAckError, Server};
    /// # async fn ask(io: Server) {
    /// let asked = io.to("players").timeout(Duration::from_secs(10));
    /// match asked.emit_with_ack::<bool>("ready?", ()).await {
    ///     Ok(answers) => println!("all are ready: {}", answers.iter().all(|ready| *ready)),
    ///     Err(BroadcastAckError::Incomplete { failures, .. }) => {
    ///         for (id, why) in failures {
    ///             io.to(id).emit("too late", why.to_string());
    ///         }
    ///     }
    ///     Err(error) => println!("{error}"),
    /// }
    /// # }
    /// ```
    pub fn emit_with_ack<R: FromReply>(
        &self,
        event: &str,
        args: impl Serialize,
    ) -> BroadcastAckFuture<R> {
        let id = self.namespace.next_ack_id();
        let packet = match emit::encode_event(&self.namespace, Some(id), event, &args) {
            Ok(packet) => packet,
            Err(error) => return BroadcastAckFuture::failed(error),
        };
        let gathering = Arc::new(Gathering::default());
        let collector: Arc<dyn AckCollector> = gathering.clone();
        let adapter = self.namespace.adapter();
        adapter.broadcast_with_ack(&packet, id, &self.target, self.flags, &collector);
        BroadcastAckFuture::waiting(self.namespace.clone(), id, gathering, self.timeout)
    }

    /// The sockets that the event would go to now, on all nodes, as they are at this moment.
    ///
    /// ```
    /// # use sockeye::{Server, adapter::FetchError};
    /// # async fn list(io: Server) -> Result<(), FetchError> {
    /// for socket in io.to("players").fetch_sockets().await? {
    ///     println!("{} from {}", socket.id(), socket.handshake().address);
    ///     socket.join("lobby");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If another node does not answer. The in-memory adapter knows no others.
    pub async fn fetch_sockets(&self) -> Result<Vec<RemoteSocket>, FetchError> {
        let found = self.namespace.adapter().fetch_sockets(&self.target, self.flags).await?;
        let remote = |details| RemoteSocket::new(self.namespace.clone(), details);
        Ok(found.into_iter().map(remote).collect())
    }

    /// All these sockets enter a room, or several, on all nodes. A socket that would be in too many
    /// enters none of them, which is logged.
    pub fn sockets_join(&self, rooms: impl IntoRooms) {
        let rooms = room::rooms(rooms);
        self.namespace.adapter().join_sockets(&self.target, &rooms, self.flags);
    }

    /// All these sockets leave a room, or several, on all nodes.
    pub fn sockets_leave(&self, rooms: impl IntoRooms) {
        let rooms = room::rooms(rooms);
        self.namespace.adapter().leave_sockets(&self.target, &rooms, self.flags);
    }

    /// All these sockets are sent out of the namespace, on all nodes, as by
    /// [`Socket::disconnect`]; `close`: and their connections closed, as by
    /// [`Socket::disconnect_all`].
    pub fn disconnect_sockets(&self, close: bool) {
        self.namespace.adapter().disconnect_sockets(&self.target, close, self.flags);
    }

    /// The sockets of this node that the event would go to now.
    pub fn sockets(&self) -> Vec<Socket> {
        let recipients = self.namespace.adapter().recipients(&self.target);
        recipients.iter().filter_map(|it| self.namespace.socket(it.id())).collect()
    }
}
