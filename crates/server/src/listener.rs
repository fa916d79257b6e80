//! Which handlers an event has.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
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

    pub(crate) fn is_over(&self) -> bool {
        self.taken.as_ref().is_some_and(|taken| taken.load(Ordering::Relaxed))
    }
}

/// Handlers that are forgotten, and maybe others. What they have captured may do anything when it
/// is dropped, so they must be dropped with no lock held.
#[must_use = "to be dropped once no lock is held"]
pub(crate) struct Removed(#[expect(dead_code, reason = "only dropped")] Arc<[Listener]>);

/// Handlers by the names of their events, in the order of the names: there are few, and clients ask
/// for them all the time. Those of one event are kept in one shared slice, so that whoever calls
/// them takes a reference and holds no lock.
#[derive(Clone, Default)]
pub(crate) struct Listeners(Vec<(Arc<str>, Arc<[Listener]>)>);

impl Listeners {
    pub(crate) fn add(&mut self, event: &str, listener: Listener) {
        match self.find(event) {
            Ok(index) => {
                let listeners = &mut self.0[index].1;
                *listeners = listeners.iter().cloned().chain([listener]).collect();
            }
            Err(index) => self.0.insert(index, (event.into(), Arc::new([listener]))),
        }
    }

    pub(crate) fn get(&self, event: &str) -> Option<&Arc<[Listener]>> {
        let index = self.find(event).ok()?;
        Some(&self.0[index].1)
    }

    fn find(&self, event: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(name, _)| (**name).cmp(event))
    }

    /// Forgets all handlers of an event, which are returned.
    pub(crate) fn remove_event(&mut self, event: &str) -> Option<Removed> {
        let index = self.find(event).ok()?;
        Some(Removed(self.0.remove(index).1))
    }

    /// Forgets one handler, which is returned among others if it was there.
    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<Removed> {
        let is_it = |listener: &Listener| listener.id == id;
        let mut events = self.0.iter();
        let event = events.find(|(_, listeners)| listeners.iter().any(is_it))?.0.clone();
        self.retain(&event, |listener| !is_it(listener))
    }

    /// Forgets the handlers of an event whose one time is over; they are returned among others.
    pub(crate) fn remove_over(&mut self, event: &str) -> Option<Removed> {
        self.retain(event, |listener| !listener.is_over())
    }

    fn retain(&mut self, event: &str, keep: impl Fn(&Listener) -> bool) -> Option<Removed> {
        let index = self.find(event).ok()?;
        let listeners = &mut self.0[index].1;
        let kept: Arc<[_]> = listeners.iter().filter(|&listener| keep(listener)).cloned().collect();
        if kept.is_empty() {
            return self.remove_event(event);
        }
        Some(Removed(std::mem::replace(listeners, kept)))
    }
}

/// Tells who registers a handler under the name of what is no event that it was wrong.
pub(crate) fn warn_of_name(event: &str) {
    match event {
        "connection" | "connect" => tracing::warn!(
            "`on(\"{event}\", …)` hears an event that clients emit under that name; \
             `on_connection` is called when they connect"
        ),
        "disconnecting" => tracing::warn!(
            "`on(\"{event}\", …)` is never called; `on_disconnect` is, and there the rooms that \
             the socket was in can still be read"
        ),
        _ => (),
    }
}
