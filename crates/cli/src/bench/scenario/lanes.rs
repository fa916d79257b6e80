//! Messages that come back to the connection that sent them.

use super::super::{
    sequence::{CYCLE, Order, next},
    tally::{Nanos, Tally},
};

/// What is under way on each connection.
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    /// When messages were sent: a ring per lane.
    sent_at: Vec<Nanos>,
    /// A power of two. A message that is overtaken by more than this gets a later one's time.
    ring_len: usize,
    in_flight: usize,
}

#[derive(Clone, Default)]
struct Lane {
    next: u32,
    outstanding: u32,
    order: Order,
}

impl Lanes {
    pub(crate) fn new(lanes: usize, in_flight: usize) -> Self {
        let ring_len = (in_flight * 4).next_power_of_two();
        let sent_at = vec![0; lanes * ring_len];
        Self { lanes: vec![Lane::default(); lanes], sent_at, ring_len, in_flight }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Notes that a message is sent; returns its number.
    pub(crate) fn send(&mut self, index: usize, now: Nanos) -> u32 {
        let lane = &mut self.lanes[index];
        let number = lane.next;
        lane.next = next(number);
        lane.outstanding += 1;
        let slot = self.slot(index, number);
        self.sent_at[slot] = now;
        number
    }

    /// Notes that a message came back. False if none was under way.
    pub(crate) fn receive(
        &mut self,
        index: usize,
        number: u32,
        now: Nanos,
        tally: &mut Tally,
    ) -> bool {
        let slot = self.slot(index, number);
        let lane = &mut self.lanes[index];
        if lane.outstanding == 0 || number >= CYCLE {
            return false;
        }
        lane.outstanding -= 1;
        tally.complete(self.sent_at[slot], now, lane.order.is_kept_by(number));
        true
    }

    /// Forgets what was under way on a connection that is over.
    pub(crate) fn lose(&mut self, index: usize) {
        self.lanes[index].outstanding = 0;
    }

    pub(crate) fn outstanding(&self) -> u64 {
        self.lanes.iter().map(|lane| u64::from(lane.outstanding)).sum()
    }

    fn slot(&self, index: usize, number: u32) -> usize {
        index * self.ring_len + (number as usize & (self.ring_len - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_taken_per_message() {
        let mut tally = Tally::new(1);
        let mut lanes = Lanes::new(2, 2);
        let numbers: Vec<u32> = [1000, 2000].map(|now| lanes.send(1, now)).into();
        assert_eq!((numbers, lanes.outstanding()), (vec![0, 1], 2));
        assert!(lanes.receive(1, 1, 2500, &mut tally));
        assert!(lanes.receive(1, 0, 9000, &mut tally));
        assert_eq!((tally.counts.messages, tally.counts.out_of_order), (2, 1));
        assert_eq!((tally.counts.latency.min(), tally.counts.latency.max()), (500, 8003));
        assert!(!lanes.receive(1, 2, 9000, &mut tally), "nothing is under way");
        assert!(!lanes.receive(0, 0, 9000, &mut tally));
    }

    #[test]
    fn a_lost_connection_has_nothing_under_way() {
        let mut lanes = Lanes::new(2, 1);
        lanes.send(0, 0);
        lanes.send(1, 0);
        lanes.lose(0);
        assert_eq!(lanes.outstanding(), 1);
    }
}
