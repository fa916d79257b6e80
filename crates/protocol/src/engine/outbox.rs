//! What waits for a transport.

use std::time::{Duration, Instant};

use super::{Dialect, Kind, Outgoing};
use crate::Fifo;

/// Packets in the order in which they leave, with a bound on their bytes. Pings and pongs have a
/// lane of their own that data cannot block.
#[derive(Debug)]
pub(super) struct Outbox {
    /// How the peer wants them. It stands here, where there is room for it, and is for the session.
    pub(super) dialect: Dialect,
    ping: bool,
    /// A client of revision 3 that pings more often than this before it takes an answer has lost
    /// its count, and gets no more.
    pongs: u8,
    packets: Fifo<Outgoing>,
    /// Bytes of `packets`.
    queued_bytes: usize,
    /// Bytes that a transport's driver has taken and could not write yet.
    unwritten_bytes: usize,
    /// What the driver would hold if it had written nothing since it was last asked.
    held_bytes: usize,
    /// When the peer last took something, or when the queue was last empty.
    progress_at: Instant,
}

/// How long a transport may take nothing while more than the bound waits for it.
pub(super) const STALL: Duration = Duration::from_secs(10);

impl Outbox {
    pub(super) fn new(now: Instant, dialect: Dialect) -> Self {
        Self {
            dialect,
            ping: false,
            pongs: 0,
            packets: Fifo::new(),
            queued_bytes: 0,
            unwritten_bytes: 0,
            held_bytes: 0,
            progress_at: now,
        }
    }

    pub(super) fn push(&mut self, now: Instant, packet: Outgoing) {
        if self.waiting_bytes() == 0 {
            self.progress_at = now;
        }
        self.queued_bytes += packet.bytes().len();
        self.packets.push_back(packet);
    }

    /// Puts a control packet before all data, so many times.
    pub(super) fn push_in_front(&mut self, now: Instant, packet: &Outgoing, times: usize) {
        if self.waiting_bytes() == 0 {
            self.progress_at = now;
        }
        self.queued_bytes += packet.bytes().len() * times;
        (0..times).for_each(|_| self.packets.push_front(packet.clone()));
    }

    pub(super) fn push_ping(&mut self) {
        self.ping = true;
    }

    pub(super) fn push_pong(&mut self) {
        self.pongs = self.pongs.saturating_add(1);
    }

    fn has_heartbeat(&self) -> bool {
        self.ping || self.pongs > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty() && !self.has_heartbeat()
    }

    /// A poll takes all that waits, the heartbeat first.
    pub(super) fn take(&mut self, now: Instant) -> impl Iterator<Item = Outgoing> {
        self.progress_at = now;
        self.drain()
    }

    /// The driver of a WebSocket takes all that waits, the heartbeat first. That says nothing about the
    /// peer: what it takes shows in what stays unwritten.
    pub(super) fn hand_over(&mut self) -> impl Iterator<Item = Outgoing> {
        self.held_bytes = self.unwritten_bytes + self.queued_bytes;
        self.drain()
    }

    /// The driver of a WebSocket holds what the peer does not take: only a heartbeat overtakes that.
    pub(super) fn hand_over_heartbeat(&mut self) -> impl Iterator<Item = Outgoing> + use<> {
        let ping = std::mem::take(&mut self.ping).then_some(Outgoing::PING);
        let pongs = usize::from(std::mem::take(&mut self.pongs));
        ping.into_iter().chain(std::iter::repeat_n(Outgoing::PONG, pongs))
    }

    /// Whether a driver that holds nothing, or what the peer does not take, would be given more.
    pub(super) fn has_some_to_hand_over(&self) -> bool {
        self.has_heartbeat() || !self.is_blocked() && !self.packets.is_empty()
    }

    fn drain(&mut self) -> impl Iterator<Item = Outgoing> {
        self.queued_bytes = 0;
        // Nothing goes before the handshake, which is the first packet if it is there at all.
        let is_handshake = |packet: &Outgoing| {
            packet.kind() == Kind::Text && packet.bytes().first() == Some(&b'0')
        };
        let opens = self.has_heartbeat() && self.packets.front().is_some_and(is_handshake);
        let open = if opens { self.packets.pop_front() } else { None };
        let heartbeat = self.hand_over_heartbeat();
        open.into_iter().chain(heartbeat).chain(std::mem::take(&mut self.packets))
    }

    /// The driver still holds so many bytes of what it has taken.
    pub(super) fn set_unwritten(&mut self, now: Instant, bytes: usize) {
        if bytes < self.held_bytes || bytes == 0 {
            self.progress_at = now;
        }
        self.unwritten_bytes = bytes;
        self.held_bytes = bytes;
    }

    /// Whether what was sent before is still held by the driver.
    pub(super) fn is_blocked(&self) -> bool {
        self.unwritten_bytes > 0
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.queued_bytes + self.unwritten_bytes
    }

    pub(super) fn clear(&mut self) {
        self.ping = false;
        self.pongs = 0;
        self.packets = Fifo::new();
        self.queued_bytes = 0;
        self.unwritten_bytes = 0;
        self.held_bytes = 0;
    }

    /// When the peer counts as too slow, if it goes on taking nothing: more than `bound` bytes
    /// wait. A burst to a healthy peer never gets here, four times the bound is final.
    pub(super) fn stalls_at(&self, bound: usize) -> Option<Instant> {
        let waiting = self.waiting_bytes();
        if waiting > bound.saturating_mul(4) {
            Some(self.progress_at)
        } else if waiting > bound {
            Some(self.progress_at + STALL)
        } else {
            None
        }
    }
}
