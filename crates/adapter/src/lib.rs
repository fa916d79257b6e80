//! What an adapter is, and the in-memory one.
//!
//! An adapter knows the sockets of one namespace and their rooms, and carries packets to them. The
//! server asks it for nothing else, so that one that reaches other nodes can take its place: it is
//! an object, chosen when the server is built, and never a type parameter.

mod acks;
mod details;
mod flags;
mod memory;
mod rooms;
mod target;

use std::{future::Future, pin::Pin, sync::Arc};

use sockeye_protocol::Sid;
pub use sockeye_protocol::socket::EncodedPacket;

pub use acks::{AckCollector, Silence};
pub use details::{FetchError, HandshakeDetails, SocketDetails};
pub use flags::Flags;
pub use memory::MemoryAdapter;
pub use rooms::Rooms;
pub use target::Target;

/// A room's name.
pub type Room = Arc<str>;

/// The sockets of all nodes, once those have answered.
pub type Fetching =
    Pin<Box<dyn Future<Output = Result<Vec<SocketDetails>, FetchError>> + Send + 'static>>;

/// A socket of this node, as an adapter sees it.
///
/// But for [`id`](Self::id) and [`deliver`](Self::deliver), the methods lock the socket and call
/// the adapter, so an adapter must call them with no lock of its own held.
pub trait Recipient: Send + Sync + 'static {
    /// The socket's id, which is a room of its own.
    fn id(&self) -> Sid;

    /// Queues a packet for the socket. `volatile`: if it cannot leave now, it is dropped.
    ///
    /// Adapters may call this while they hold locks of their own, so it must neither block nor
    /// call the adapter.
    fn deliver(&self, packet: &EncodedPacket, volatile: bool);

    /// Queues an event that asks for an acknowledgement under `id`, and sees to it that the
    /// collector is told of the answer, or of its loss.
    fn ask(
        &self,
        packet: &EncodedPacket,
        id: u64,
        volatile: bool,
        collector: &Arc<dyn AckCollector>,
    );

    /// What other nodes may know of the socket.
    fn details(self: Arc<Self>) -> SocketDetails;

    /// The socket enters rooms, as far as it may.
    fn join(self: Arc<Self>, rooms: &[Room]);

    /// The socket leaves rooms.
    fn leave(self: Arc<Self>, rooms: &[Room]);

    /// The socket is sent out of its namespace; `close`: and its connection is closed.
    fn disconnect(self: Arc<Self>, close: bool);
}

/// Knows who is where in one namespace, and carries packets there.
///
/// Every method may be called from any thread, at any time, and must not block. Those that are
/// provided act on the sockets of this node; an adapter of several nodes has the others do the same.
pub trait Adapter: Send + Sync + 'static {
    /// A socket has connected. It is in these rooms from the start, and in the room named by its
    /// id, which no adapter needs to keep as one.
    fn add(&self, socket: Arc<dyn Recipient>, rooms: &[Room]);

    /// A socket has disconnected: it leaves all its rooms, which are returned.
    fn remove(&self, id: Sid) -> Vec<Room>;

    /// A socket enters rooms. Nothing happens if the socket is unknown.
    fn join(&self, id: Sid, rooms: &[Room]);

    /// A socket leaves a room.
    fn leave(&self, id: Sid, room: &str);

    /// The rooms that a socket has joined, the one named by its id not among them.
    fn rooms_of(&self, id: Sid) -> Vec<Room>;

    /// Whether a socket has joined a room. To be overridden where that is cheaper than to list
    /// them all, and so is [`rooms_count`](Self::rooms_count): both are asked at every join.
    fn is_in(&self, id: Sid, room: &str) -> bool {
        self.rooms_of(id).iter().any(|joined| **joined == *room)
    }

    /// How many rooms a socket has joined.
    fn rooms_count(&self, id: Sid) -> usize {
        self.rooms_of(id).len()
    }

    /// All rooms with a socket of this node in them.
    fn rooms(&self) -> Vec<Room>;

    /// How many sockets of this node there are.
    fn sockets_count(&self) -> usize;

    /// The sockets of the target on this node, once each.
    fn recipients(&self, target: &Target) -> Vec<Arc<dyn Recipient>>;

    /// Brings a packet to every socket of the target, once each, wherever it is.
    fn broadcast(&self, packet: &EncodedPacket, target: &Target, flags: Flags);

    /// Brings an event to every socket of the target, each of which is to answer under `id`.
    fn broadcast_with_ack(
        &self,
        packet: &EncodedPacket,
        id: u64,
        target: &Target,
        flags: Flags,
        collector: &Arc<dyn AckCollector>,
    ) {
        let recipients = self.recipients(target);
        collector.expect(recipients.iter().map(|recipient| recipient.id()).collect());
        for recipient in recipients {
            recipient.ask(packet, id, flags.volatile, collector);
        }
    }
    /// Tells of every socket of the target, wherever it is.
    fn fetch_sockets(&self, target: &Target, _flags: Flags) -> Fetching {
        let recipients = self.recipients(target).into_iter();
        let details = recipients.map(|recipient| recipient.details()).collect();
        Box::pin(std::future::ready(Ok(details)))
    }

    /// Every socket of the target, wherever it is, enters rooms.
    fn join_sockets(&self, target: &Target, rooms: &[Room], _flags: Flags) {
        self.recipients(target).into_iter().for_each(|recipient| recipient.join(rooms));
    }

    /// Every socket of the target, wherever it is, leaves rooms.
    fn leave_sockets(&self, target: &Target, rooms: &[Room], _flags: Flags) {
        self.recipients(target).into_iter().for_each(|recipient| recipient.leave(rooms));
    }

    /// Every socket of the target, wherever it is, is sent out of the namespace; `close`: and its
    /// connection is closed.
    fn disconnect_sockets(&self, target: &Target, close: bool, _flags: Flags) {
        self.recipients(target).into_iter().for_each(|recipient| recipient.disconnect(close));
    }
}
