//! Whether the server is still there, and whose turn it is to ask.

use std::time::{Duration, Instant};

use super::later;
use crate::engine::{Handshake, Revision};

/// The heartbeat of one session, client side. In revision 4 the server pings, and a client only
/// notices that it does not; in revision 3 it is the client that pings.
#[derive(Clone, Copy, Debug)]
pub(super) enum Liveness {
    Listening {
        /// How long the server may be silent: it pings every `pingInterval`, and gives up itself
        /// `pingTimeout` after that.
        patience: Duration,
        /// Without a ping by then the server is gone.
        until: Instant,
    },
    Asking {
        interval: Duration,
        timeout: Duration,
        state: Asking,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Asking {
    /// Our next ping is due then.
    Quiet { ping_at: Instant },
    /// A ping is on its way; without an answer by then the server is gone.
    Pinged { dead_at: Instant },
}

/// What a tick found to be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    Dead,
}

impl Liveness {
    /// The handshake counts as a ping.
    pub(super) fn new<S>(now: Instant, revision: Revision, handshake: &Handshake<S>) -> Self {
        let (interval, timeout) = (handshake.ping_interval, handshake.ping_timeout);
        match revision {
            Revision::V4 => {
                let patience = interval.saturating_add(timeout);
                Self::Listening { patience, until: later(now, patience) }
            }
            Revision::V3 => {
                let state = Asking::Quiet { ping_at: later(now, interval) };
                Self::Asking { interval, timeout, state }
            }
        }
    }

    /// The server pings. Nothing else counts while we listen: one that only talks has stopped to
    /// listen itself.
    pub(super) fn handle_ping(&mut self, now: Instant) {
        if let Self::Listening { patience, until } = self {
            *until = later(now, *patience);
        }
    }

    /// The server answers our ping.
    pub(super) fn handle_pong(&mut self, now: Instant) {
        if let Self::Asking { interval, state, .. } = self {
            *state = Asking::Quiet { ping_at: later(now, *interval) };
        }
    }

    /// Whether the server has been gone for long: the machine may have slept, and no tick has come.
    pub(super) fn is_dead(&self, now: Instant) -> bool {
        match self {
            Self::Listening { until, .. } => *until <= now,
            Self::Asking { timeout, state: Asking::Quiet { ping_at }, .. } => {
                later(*ping_at, *timeout) <= now
            }
            Self::Asking { state: Asking::Pinged { dead_at }, .. } => *dead_at <= now,
        }
    }

    pub(super) fn handle_tick(&mut self, now: Instant) -> Due {
        if self.is_dead(now) {
            return Due::Dead;
        }
        match self {
            Self::Asking { timeout, state, .. } => match *state {
                Asking::Quiet { ping_at } if ping_at <= now => {
                    *state = Asking::Pinged { dead_at: later(now, *timeout) };
                    Due::Ping
                }
                _ => Due::Nothing,
            },
            Self::Listening { .. } => Due::Nothing,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        match self {
            Self::Listening { until, .. } => *until,
            Self::Asking { state: Asking::Quiet { ping_at }, .. } => *ping_at,
            Self::Asking { state: Asking::Pinged { dead_at }, .. } => *dead_at,
        }
    }
}
