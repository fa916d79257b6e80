//! Which handlers an event has.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use sockeye_event::{BoxedHandler, Handler, erase};

use crate::extract::Context;

/// Names one registration of a handler, to take it back with `off_listener`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

impl ListenerId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A handler and how long it stays.
#[derive(Clone)]
pub(crate) struct Listener {
    id: ListenerId,
    handler: BoxedHandler<Context>,
    /// For `once`: whether the one time has been taken.
    taken: Option<Arc<AtomicBool>>,
}

impl Listener {
    pub(crate) fn on<M: 'static>(handler: impl Handler<Context, M>) -> Self {
        Self { id: ListenerId::next(), handler: erase(handler), taken: None }
    }

    pub(crate) fn once<M: 'static>(handler: impl Handler<Context, M>) -> Self {
        Self { taken: Some(Arc::default()), ..Self::on(handler) }
    }

    pub(crate) fn id(&self) -> ListenerId {
        self.id
    }

    /// The handler, unless its one time is over.
    pub(crate) fn take(&self) -> Option<&BoxedHandler<Context>> {
        let is_over = self.taken.as_ref().is_some_and(|taken| taken.swap(true, Ordering::Relaxed));
        (!is_over).then_some(&self.handler)
    }

    fn is_over(&self) -> bool {
        self.taken.as_ref().is_some_and(|taken| taken.load(Ordering::Relaxed))
    }
}

/// Handlers by the names of their events. Those of one event are kept in one shared slice, so that
/// whoever calls them takes a reference and holds no lock.
#[derive(Default)]
pub(crate) struct Listeners(HashMap<Box<str>, Arc<[Listener]>>);

impl Listeners {
    pub(crate) fn add(&mut self, event: &str, listener: Listener) {
        let listeners = self.0.entry(event.into()).or_default();
        let kept = listeners.iter().filter(|listener| !listener.is_over()).cloned();
        *listeners = kept.chain([listener]).collect();
    }

    pub(crate) fn get(&self, event: &str) -> Option<Arc<[Listener]>> {
        self.0.get(event).cloned()
    }

    /// Forgets all handlers of an event; whether there were any.
    pub(crate) fn remove_event(&mut self, event: &str) -> bool {
        self.0.remove(event).is_some()
    }

    /// Forgets one handler; whether it was there.
    pub(crate) fn remove(&mut self, id: ListenerId) -> bool {
        let found = self.0.iter_mut().find_map(|(event, listeners)| {
            listeners.iter().any(|listener| listener.id == id).then(|| {
                *listeners = listeners.iter().filter(|l| l.id != id).cloned().collect();
                listeners.is_empty().then(|| event.clone())
            })
        });
        if let Some(Some(empty)) = &found {
            self.0.remove(empty);
        }
        found.is_some()
    }
}
