//! One timer for all sessions: heartbeats and timeouts need no task and no timer of their own.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Instant,
};

use tokio::{runtime::Handle, sync::Notify, task::AbortHandle};

use crate::session::Inner;

/// When which session wants to be woken. An entry that an earlier one has replaced is not sought
/// out: the session ignores it when it comes up.
pub(crate) struct Timers {
    queue: Arc<Queue>,
    task: AbortHandle,
}

struct Queue {
    entries: Mutex<BinaryHeap<Reverse<Entry>>>,
    /// There is an entry that is due before all others.
    earlier: Notify,
}

struct Entry {
    at: Instant,
    session: Weak<Inner>,
}

impl Timers {
    pub(crate) fn start(runtime: &Handle) -> Self {
        let queue = Arc::new(Queue { entries: Mutex::default(), earlier: Notify::new() });
        let task = runtime.spawn(run(queue.clone())).abort_handle();
        Self { queue, task }
    }

    pub(crate) fn schedule(&self, at: Instant, session: Weak<Inner>) {
        let mut entries = self.queue.entries();
        let is_earlier = entries.peek().is_none_or(|Reverse(first)| at < first.at);
        entries.push(Reverse(Entry { at, session }));
        drop(entries);
        if is_earlier {
            self.queue.earlier.notify_one();
        }
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(queue: Arc<Queue>) {
    loop {
        let now = crate::session::now();
        let due = queue.pop_due(now);
        if !due.is_empty() {
            for entry in due {
                if let Some(session) = entry.session.upgrade() {
                    session.handle_timer(now, entry.at);
                }
            }
            continue;
        }
        let next = queue.entries().peek().map(|Reverse(first)| first.at);
        let earlier = queue.earlier.notified();
        match next {
            Some(at) => {
                let _ = tokio::time::timeout_at(at.into(), earlier).await;
            }
            None => earlier.await,
        }
    }
}

impl Queue {
    fn entries(&self) -> std::sync::MutexGuard<'_, BinaryHeap<Reverse<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pop_due(&self, now: Instant) -> Vec<Entry> {
        let mut due = Vec::new();
        let mut entries = self.entries();
        while entries.peek().is_some_and(|Reverse(first)| first.at <= now) {
            due.extend(entries.pop().map(|Reverse(entry)| entry));
        }
        due
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}
