//! What is counted while a run goes on.

use std::time::Instant;

use hdrhistogram::Histogram;

use super::{Failure, failure::Failures};

/// Nanoseconds since the run began.
pub(crate) type Nanos = u64;

/// Messages, and what went wrong with them, since the last reset.
pub(crate) struct Counts {
    pub(crate) messages: u64,
    pub(crate) heartbeats: u64,
    pub(crate) out_of_order: u64,
    /// In nanoseconds, to three digits.
    pub(crate) latency: Histogram<u64>,
}

impl Counts {
    fn new() -> Self {
        let latency = Histogram::new_with_max(MAX_LATENCY, 3).expect("these bounds are valid");
        Self { messages: 0, heartbeats: 0, out_of_order: 0, latency }
    }
}

/// Longer ones count as this long.
const MAX_LATENCY: Nanos = 1000 * 1_000_000_000;

/// Where a run stands. Connections report here, and the run decides from it.
pub(crate) struct Tally {
    start: Instant,
    /// What is answered is followed by a new message.
    pub(crate) sending: bool,
    pub(crate) counts: Counts,
    pub(crate) failures: Failures,
    /// Connections that are being opened.
    pub(crate) opening: usize,
    /// Connections that are ready for the scenario.
    pub(crate) joined: usize,
    /// Whether any connection ever was.
    pub(crate) has_joined: bool,
    /// Connections that the run shall open, by index.
    pub(crate) vacant: Vec<usize>,
}

impl Tally {
    pub(crate) fn new(connections: usize) -> Self {
        Self {
            start: Instant::now(),
            sending: false,
            counts: Counts::new(),
            failures: Failures::default(),
            opening: 0,
            joined: 0,
            has_joined: false,
            vacant: (0..connections).rev().collect(),
        }
    }

    pub(crate) fn now(&self) -> Nanos {
        self.start.elapsed().as_nanos() as Nanos
    }

    /// A message that was sent, or a connection that was begun, at `since` is complete.
    pub(crate) fn complete(&mut self, since: Nanos, now: Nanos, is_in_order: bool) {
        self.counts.messages += 1;
        self.counts.out_of_order += u64::from(!is_in_order);
        self.counts.latency.saturating_record(now.saturating_sub(since));
    }

    /// A connection that was opening is ready.
    pub(crate) fn join(&mut self) {
        self.opening -= 1;
        self.joined += 1;
        self.has_joined = true;
    }

    /// A connection is lost, or was never made.
    pub(crate) fn lose(&mut self, failure: &Failure, was_joined: bool) {
        if was_joined {
            self.joined -= 1;
        } else {
            self.opening -= 1;
        }
        self.failures.add(failure);
    }

    /// Counts from zero.
    pub(crate) fn reset(&mut self) {
        self.counts = Counts::new();
    }

    /// What was counted since the last reset.
    pub(crate) fn take(&mut self) -> Counts {
        std::mem::replace(&mut self.counts, Counts::new())
    }
}
