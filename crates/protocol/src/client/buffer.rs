//! Events that wait for a connection.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Instant,
};

use crate::socket::EncodedPacket;

/// An event, and what it depends on.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) packet: EncodedPacket,
    /// The id under which its acknowledgement is awaited.
    pub(super) ack: Option<u64>,
    /// When it is not worth sending any more.
    pub(super) expires_at: Option<Instant>,
}

/// Events in the order in which they were emitted, and their bytes.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    events: VecDeque<Waiting>,
    bytes: usize,
    /// The earliest of all `expires_at`.
    next_expiry: Option<Instant>,
}

impl Buffer {
    pub(super) fn push(&mut self, event: Waiting) {
        self.bytes += event.packet.len();
        self.next_expiry = earliest(self.next_expiry, event.expires_at);
        self.events.push_back(event);
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next_expiry
    }

    /// Takes everything.
    pub(super) fn take(&mut self) -> VecDeque<Waiting> {
        std::mem::take(self).events
    }

    /// Whether the event that awaits this acknowledgement is still here.
    pub(super) fn holds(&self, ack: u64) -> bool {
        self.events.iter().any(|event| event.ack == Some(ack))
    }

    /// Takes out what these acknowledgements are for: nobody waits for them any more.
    pub(super) fn remove(&mut self, acks: &BTreeSet<u64>) {
        if !acks.is_empty() {
            self.retain(|event| event.ack.is_none_or(|ack| !acks.contains(&ack)));
        }
    }

    /// Drops what has expired; the ids of acknowledgements that will not come.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<u64> {
        if self.next_expiry.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let mut lost = Vec::new();
        self.retain(|event| {
            let is_over = event.expires_at.is_some_and(|at| at <= now);
            lost.extend(event.ack.filter(|_| is_over));
            !is_over
        });
        lost
    }

    fn retain(&mut self, keep: impl FnMut(&Waiting) -> bool) {
        self.events.retain(keep);
        self.bytes = self.events.iter().map(|event| event.packet.len()).sum();
        self.next_expiry =
            self.events.iter().fold(None, |at, event| earliest(at, event.expires_at));
    }
}

/// The earlier of two times, where none is never.
pub(super) fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
