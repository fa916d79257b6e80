//! The heartbeat of one session, server side: `2` goes out, `3` comes back; or in revision 3 the
//! other way around.

use std::time::{Duration, Instant};

use super::{Config, Revision};

/// Holds no socket, clock, task or lock: it is told what came and what time it is, and says when
/// a ping is due and when the peer is gone.
#[derive(Debug)]
pub(super) struct Heartbeat {
    state: State,
}

#[derive(Debug)]
enum State {
    /// The peer owes us nothing; our next ping is due at `ping_at`.
    Quiet { ping_at: Instant },
    /// A ping is in flight; without a pong the session ends at `dead_at`. The first other packet
    /// moves that once (`extended`), so that a slow link that still delivers data survives.
    Pinged { dead_at: Instant, extended: bool },
    /// It is the peer that pings. Without another ping the session ends at `dead_at`, whatever
    /// else comes.
    Listening { dead_at: Instant },
}

/// What a tick found to be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    TimedOut,
}

impl Heartbeat {
    /// The first ping goes out, or is due to come, one interval after the handshake.
    pub(super) fn new(now: Instant, config: &Config, revision: Revision) -> Self {
        let state = match revision {
            Revision::V3 => State::listening(now, config),
            Revision::V4 => State::Quiet { ping_at: now + config.ping_interval },
        };
        Self { state }
    }

    /// A ping came from a peer that is to ping.
    pub(super) fn handle_ping(&mut self, now: Instant, config: &Config) {
        self.state = State::listening(now, config);
    }

    /// A pong came, asked for or not.
    pub(super) fn handle_pong(&mut self, now: Instant, ping_interval: Duration) {
        self.state = State::Quiet { ping_at: now + ping_interval };
    }

    /// Any other packet came.
    pub(super) fn handle_packet(&mut self, now: Instant, ping_timeout: Duration) {
        if let State::Pinged { dead_at, extended: extended @ false } = &mut self.state {
            *dead_at = now + ping_timeout;
            *extended = true;
        }
    }

    pub(super) fn handle_tick(&mut self, now: Instant, ping_timeout: Duration) -> Due {
        match self.state {
            State::Quiet { ping_at } if ping_at <= now => {
                self.state = State::Pinged { dead_at: now + ping_timeout, extended: false };
                Due::Ping
            }
            State::Pinged { dead_at, .. } | State::Listening { dead_at } if dead_at <= now => {
                Due::TimedOut
            }
            State::Quiet { .. } | State::Pinged { .. } | State::Listening { .. } => Due::Nothing,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        match self.state {
            State::Quiet { ping_at } => ping_at,
            State::Pinged { dead_at, .. } | State::Listening { dead_at } => dead_at,
        }
    }
}

impl State {
    fn listening(now: Instant, config: &Config) -> Self {
        Self::Listening { dead_at: now + config.ping_interval + config.ping_timeout }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(25);
    const TIMEOUT: Duration = Duration::from_secs(20);

    fn heartbeat(start: Instant, revision: Revision) -> Heartbeat {
        Heartbeat::new(start, &Config::default(), revision)
    }

    #[test]
    fn a_peer_that_is_to_ping_is_dropped_when_it_does_not() {
        let (start, config) = (Instant::now(), Config::default());
        let mut heartbeat = heartbeat(start, Revision::V3);
        assert_eq!(heartbeat.deadline(), start + INTERVAL + TIMEOUT);
        heartbeat.handle_packet(start + INTERVAL, TIMEOUT);
        assert_eq!(heartbeat.deadline(), start + INTERVAL + TIMEOUT, "only a ping counts");
        heartbeat.handle_ping(start + INTERVAL, &config);
        assert_eq!(heartbeat.handle_tick(start + INTERVAL + TIMEOUT, TIMEOUT), Due::Nothing);
        let dead_at = start + 2 * INTERVAL + TIMEOUT;
        assert_eq!(heartbeat.deadline(), dead_at);
        assert_eq!(heartbeat.handle_tick(dead_at, TIMEOUT), Due::TimedOut);
    }

    #[test]
    fn a_silent_peer_is_dropped_one_timeout_after_the_ping() {
        let start = Instant::now();
        let mut heartbeat = heartbeat(start, Revision::V4);
        assert_eq!(heartbeat.handle_tick(start + INTERVAL / 2, TIMEOUT), Due::Nothing);
        assert_eq!(heartbeat.handle_tick(start + INTERVAL, TIMEOUT), Due::Ping);
        assert_eq!(heartbeat.deadline(), start + INTERVAL + TIMEOUT);
        assert_eq!(heartbeat.handle_tick(start + INTERVAL + TIMEOUT, TIMEOUT), Due::TimedOut);
    }

    #[test]
    fn another_packet_extends_the_wait_for_a_pong_once() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut heartbeat = heartbeat(start, Revision::V4);
        heartbeat.handle_packet(start + second, TIMEOUT);
        assert_eq!(heartbeat.deadline(), start + INTERVAL, "no pong is awaited yet");
        heartbeat.handle_tick(start + INTERVAL, TIMEOUT);
        heartbeat.handle_packet(start + INTERVAL + second, TIMEOUT);
        heartbeat.handle_packet(start + INTERVAL + 2 * second, TIMEOUT);
        assert_eq!(heartbeat.deadline(), start + INTERVAL + second + TIMEOUT);
        heartbeat.handle_pong(start + INTERVAL + 3 * second, INTERVAL);
        assert_eq!(heartbeat.deadline(), start + 2 * INTERVAL + 3 * second);
    }

    #[test]
    fn an_unsolicited_pong_only_puts_the_next_ping_off() {
        let start = Instant::now();
        let mut heartbeat = heartbeat(start, Revision::V4);
        heartbeat.handle_pong(start, INTERVAL);
        heartbeat.handle_pong(start, INTERVAL);
        assert_eq!(heartbeat.deadline(), start + INTERVAL);
    }
}
