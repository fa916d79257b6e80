//! Events that are sent again until they are acknowledged, one at a time and in order.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{engine::later, socket::EncodedPacket};

/// An event on its way through the queue. All of its tries are the same bytes and carry the same
/// id, so an answer to an earlier try counts as well.
#[derive(Debug)]
pub(super) struct Entry<W> {
    pub(super) packet: EncodedPacket,
    pub(super) id: u64,
    pub(super) waiter: Option<W>,
    /// How long each try waits for its acknowledgement.
    pub(super) timeout: Duration,
}

/// The queue. Only its first event is ever in flight.
#[derive(Debug)]
pub(super) struct Retries<W> {
    queue: VecDeque<Entry<W>>,
    bytes: usize,
    /// How often the first event was sent.
    tries: u32,
    /// By when the acknowledgement of the try in flight is due; none if nothing is in flight.
    due: Option<Instant>,
}

impl<W> Default for Retries<W> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), bytes: 0, tries: 0, due: None }
    }
}

impl<W> Retries<W> {
    pub(super) fn push(&mut self, entry: Entry<W>) {
        self.bytes += entry.packet.len();
        self.queue.push_back(entry);
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// The next try, if nothing is in flight. The socket is connected.
    pub(super) fn start(&mut self, now: Instant) -> Option<EncodedPacket> {
        if self.due.is_some() {
            return None;
        }
        let first = self.queue.front()?;
        self.tries += 1;
        self.due = Some(later(now, first.timeout));
        Some(first.packet.clone())
    }

    /// An acknowledgement came. The event that it is for is done; none if it is for no event that
    /// was sent.
    pub(super) fn acknowledge(&mut self, id: u64) -> Option<Entry<W>> {
        let is_first = self.queue.front().is_some_and(|first| first.id == id && self.tries > 0);
        if is_first { self.pop() } else { None }
    }

    /// The try in flight came to nothing. The event, if that was its last try.
    pub(super) fn fail(&mut self, retries: u32) -> Option<Entry<W>> {
        self.due.take()?;
        if self.tries > retries { self.pop() } else { None }
    }

    /// Nobody waits for this event's answer any more. It is sent all the same.
    pub(super) fn forget(&mut self, id: u64) -> Option<W> {
        let entry = self.queue.iter_mut().find(|entry| entry.id == id)?;
        entry.waiter.take()
    }

    /// Takes everything: there will be no other try.
    pub(super) fn take(&mut self) -> VecDeque<Entry<W>> {
        std::mem::take(self).queue
    }

    fn pop(&mut self) -> Option<Entry<W>> {
        let entry = self.queue.pop_front()?;
        self.bytes -= entry.packet.len();
        self.tries = 0;
        self.due = None;
        Some(entry)
    }
}
