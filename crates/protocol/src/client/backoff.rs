//! How long to wait between attempts.

use std::time::Duration;

use super::Config;

/// Waits that double, with jitter, so that the clients of a server that restarts do not come back
/// all at once.
#[derive(Debug)]
pub(super) struct Backoff {
    /// Attempts since the last connection.
    attempts: u32,
    random: Random,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self { attempts: 0, random: Random::new(seed) }
    }

    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The wait before the next attempt, in whole milliseconds: `delay · 2ⁿ`, where one random
    /// number says by how much it is changed and whether it grows or shrinks, and the longest wait
    /// bounds the result. That is the formula of the reference.
    pub(super) fn next_wait(&mut self, config: &Config) -> Duration {
        let doubled = config.reconnection_delay.as_secs_f64() * 1000.0;
        let ideal = doubled * 2_f64.powi(self.attempts.min(64) as i32);
        self.attempts = self.attempts.saturating_add(1);
        let random = self.random.unit();
        let deviation = (random * config.randomization_factor.clamp(0.0, 1.0) * ideal).floor();
        let is_shorter = ((random * 10.0).floor() as u64) % 2 == 0;
        let wait = if is_shorter { ideal - deviation } else { ideal + deviation };
        let max = config.reconnection_delay_max.as_secs_f64() * 1000.0;
        Duration::from_millis(wait.min(max) as u64)
    }
}

/// Good enough to spread clients out, and replayed by its seed: xorshift64* of Vigna.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // The state must not be zero, and seeds that differ little should give much difference.
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        random.unit();
        random
    }

    /// From 0 to below 1.
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        bits as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(config: &Config, count: usize) -> Vec<u128> {
        let mut backoff = Backoff::new(1);
        (0..count).map(|_| backoff.next_wait(config).as_millis()).collect()
    }

    #[test]
    fn without_jitter_waits_double_up_to_the_longest() {
        let config = Config { randomization_factor: 0.0, ..Config::default() };
        assert_eq!(millis(&config, 5), [1000, 2000, 4000, 5000, 5000]);
        assert_eq!(millis(&config, 200)[199], 5000, "nothing overflows");
    }

    #[test]
    fn jitter_keeps_within_its_part_on_both_sides() {
        let config = Config { reconnection_delay_max: Duration::MAX, ..Config::default() };
        let first: Vec<_> =
            (0..1000).map(|seed| Backoff::new(seed).next_wait(&config).as_millis()).collect();
        assert!(first.iter().all(|wait| (500..=1500).contains(wait)), "{first:?}");
        assert!(first.iter().any(|wait| *wait < 700) && first.iter().any(|wait| *wait > 1300));
    }

    #[test]
    fn a_reset_starts_over() {
        let config = Config { randomization_factor: 0.0, ..Config::default() };
        let mut backoff = Backoff::new(1);
        backoff.next_wait(&config);
        backoff.next_wait(&config);
        assert_eq!(backoff.attempts(), 2);
        backoff.reset();
        assert_eq!(backoff.next_wait(&config), Duration::from_secs(1));
    }
}
