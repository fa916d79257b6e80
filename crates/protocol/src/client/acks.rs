//! Acknowledgements that a server owes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// Who waits under which id, and until when. An entry is removed with its deadline, its answer, or
/// its socket's connection.
#[derive(Debug)]
pub(super) struct Acks<W> {
    waiting: BTreeMap<u64, (W, Option<Instant>)>,
    deadlines: BTreeSet<(Instant, u64)>,
}

impl<W> Default for Acks<W> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), deadlines: BTreeSet::new() }
    }
}

impl<W> Acks<W> {
    pub(super) fn insert(&mut self, id: u64, waiter: W, deadline: Option<Instant>) {
        self.deadlines.extend(deadline.map(|at| (at, id)));
        self.waiting.insert(id, (waiter, deadline));
    }

    /// Takes an entry out; none if nobody waits under this id any more.
    pub(super) fn remove(&mut self, id: u64) -> Option<W> {
        let (waiter, deadline) = self.waiting.remove(&id)?;
        if let Some(at) = deadline {
            self.deadlines.remove(&(at, id));
        }
        Some(waiter)
    }

    /// Takes out an entry whose deadline has come.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<(u64, W)> {
        let (at, id) = *self.deadlines.first()?;
        if at > now {
            return None;
        }
        Some((id, self.remove(id)?))
    }

    /// The ids of all entries.
    pub(super) fn ids(&self) -> Vec<u64> {
        self.waiting.keys().copied().collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}
