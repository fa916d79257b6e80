//! When to ping whom.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Whom to ping: the key of a connection or of a session, and its serial number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    WebSocket { key: usize, serial: u64 },
    Polling { key: usize, serial: u64 },
}

/// All wait for the same time, so those who came first are due first.
pub(crate) struct Heartbeats {
    interval: Duration,
    due: VecDeque<(Instant, Peer)>,
}

impl Heartbeats {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, due: VecDeque::new() }
    }

    pub(crate) fn schedule(&mut self, now: Instant, peer: Peer) {
        self.due.push_back((now + self.interval, peer));
    }

    /// How long until somebody is due; none if nobody waits.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        self.due.front().map(|(at, _)| at.saturating_duration_since(now))
    }

    pub(crate) fn pop(&mut self, now: Instant) -> Option<Peer> {
        let (at, peer) = *self.due.front()?;
        if at > now {
            return None;
        }
        self.due.pop_front();
        Some(peer)
    }
}
