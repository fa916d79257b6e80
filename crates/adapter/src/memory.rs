//! The adapter of a server that is alone.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use sockeye_protocol::{Sid, socket::EncodedPacket};

use crate::{Adapter, Flags, Recipient, Room, Rooms, Target};

/// Keeps rooms in memory and reaches the sockets of this process.
#[derive(Default)]
pub struct MemoryAdapter {
    rooms: RwLock<Rooms<Arc<dyn Recipient>>>,
}

impl MemoryAdapter {
    /// An adapter without sockets.
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&self) -> RwLockReadGuard<'_, Rooms<Arc<dyn Recipient>>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Rooms<Arc<dyn Recipient>>> {
        self.rooms.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Adapter for MemoryAdapter {
    fn add(&self, socket: Arc<dyn Recipient>, rooms: &[Room]) {
        let id = socket.id();
        let mut state = self.write();
        state.add(id, socket);
        rooms.iter().for_each(|room| state.join(id, room));
    }

    fn remove(&self, id: Sid) -> Vec<Room> {
        self.write().remove(id)
    }

    fn join(&self, id: Sid, rooms: &[Room]) {
        let mut state = self.write();
        rooms.iter().for_each(|room| state.join(id, room));
    }

    fn leave(&self, id: Sid, room: &str) {
        self.write().leave(id, room);
    }

    fn rooms_of(&self, id: Sid) -> Vec<Room> {
        self.read().of(id).to_vec()
    }

    fn is_in(&self, id: Sid, room: &str) -> bool {
        self.read().contains(room, id)
    }

    fn rooms_count(&self, id: Sid) -> usize {
        self.read().of(id).len()
    }

    fn rooms(&self) -> Vec<Room> {
        self.read().names().cloned().collect()
    }

    fn sockets_count(&self) -> usize {
        self.read().members_count()
    }

    fn recipients(&self, target: &Target) -> Vec<Arc<dyn Recipient>> {
        let mut recipients = Vec::new();
        self.read().visit(target, |_, socket| recipients.push(socket.clone()));
        recipients
    }

    fn broadcast(&self, packet: &EncodedPacket, target: &Target, flags: Flags) {
        // All sockets are on this node, so whether only those are meant changes nothing.
        self.read().visit(target, |_, socket| socket.deliver(packet, flags.volatile));
    }
}
