//! An adapter that tells a test what it is told.

use std::sync::Arc;

use sockeye::{
    Sid,
    adapter::{
        Adapter, EncodedPacket, FetchError, Fetching, Flags, MemoryAdapter, Recipient, Room, Target,
    },
};
use tokio::sync::mpsc;

use crate::{Told, channel};

/// Tells how packets are broadcast; what it would ask other nodes fails.
struct Spy(MemoryAdapter, mpsc::UnboundedSender<Flags>);

impl Adapter for Spy {
    fn add(&self, socket: Arc<dyn Recipient>, rooms: &[Room]) {
        self.0.add(socket, rooms);
    }

    fn remove(&self, id: Sid) -> Vec<Room> {
        self.0.remove(id)
    }

    fn join(&self, id: Sid, rooms: &[Room]) {
        self.0.join(id, rooms);
    }

    fn leave(&self, id: Sid, room: &str) {
        self.0.leave(id, room);
    }

    fn rooms_of(&self, id: Sid) -> Vec<Room> {
        self.0.rooms_of(id)
    }

    fn rooms(&self) -> Vec<Room> {
        self.0.rooms()
    }

    fn sockets_count(&self) -> usize {
        self.0.sockets_count()
    }

    fn recipients(&self, target: &Target) -> Vec<Arc<dyn Recipient>> {
        self.0.recipients(target)
    }

    fn broadcast(&self, packet: &EncodedPacket, target: &Target, flags: Flags) {
        self.1.send(flags).expect("the test listens");
        self.0.broadcast(packet, target, flags);
    }

    fn fetch_sockets(&self, _: &Target, _: Flags) -> Fetching {
        Box::pin(async { Err(FetchError("node 2 does not answer".to_owned())) })
    }
}

/// What makes such adapters, and the flags of all broadcasts.
pub(crate) fn spy() -> (impl Fn(&str) -> Arc<dyn Adapter> + Send + Sync + 'static, Told<Flags>) {
    let (tell, told) = channel();
    let make = move |_: &str| Arc::new(Spy(MemoryAdapter::new(), tell.clone())) as Arc<dyn Adapter>;
    (make, told)
}
