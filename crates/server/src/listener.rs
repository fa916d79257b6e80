//! Which handlers an event has.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use sockeye_event::{BoxedHandler, Handler, erase};

use crate::extract::Context;

/// Under which names handlers of the end are kept. Clients cannot emit them.
pub(crate) const DISCONNECTING: &str = "disconnecting";
pub(crate) const DISCONNECT: &str = "disconnect";

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

/// What a handler is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Topic<'a> {
    /// Events of this name from clients.
    Event(&'a str),
    /// All events from clients.
    Any,
    /// All events that are emitted.
    AnyOutgoing,
}

/// Where a handler goes among the others of its topic.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    First,
    Last,
}

/// The handlers of one topic in a shared slice, so that whoever calls them takes a reference and
/// holds no lock.
pub(crate) type Called = Arc<[Listener]>;

/// Handlers by their topics.
#[derive(Clone, Default)]
pub(crate) struct Listeners {
    /// In the order of the events' names: there are few, and clients ask for them all the time.
    events: Vec<(Arc<str>, Called)>,
    any: Option<Called>,
    any_outgoing: Option<Called>,
}

impl Listeners {
    pub(crate) fn add(&mut self, topic: Topic<'_>, place: Place, listener: Listener) {
        let listeners = match topic {
            Topic::Event(name) => {
                let index = self.find(name).unwrap_or_else(|index| {
                    self.events.insert(index, (name.into(), Called::default()));
                    index
                });
                &mut self.events[index].1
            }
            Topic::Any => self.any.get_or_insert_default(),
            Topic::AnyOutgoing => self.any_outgoing.get_or_insert_default(),
        };
        let before = listeners.iter().cloned();
        *listeners = match place {
            Place::First => [listener].into_iter().chain(before).collect(),
            Place::Last => before.chain([listener]).collect(),
        };
    }

    pub(crate) fn get(&self, event: &str) -> Option<&Called> {
        let index = self.find(event).ok()?;
        Some(&self.events[index].1)
    }

    fn find(&self, event: &str) -> Result<usize, usize> {
        self.events.binary_search_by(|(name, _)| (**name).cmp(event))
    }

    pub(crate) fn has(&self, event: &str) -> bool {
        self.find(event).is_ok()
    }

    pub(crate) fn any(&self) -> Option<&Called> {
        self.any.as_ref()
    }

    pub(crate) fn any_outgoing(&self) -> Option<&Called> {
        self.any_outgoing.as_ref()
    }

    /// Forgets all handlers of a topic, which are returned.
    pub(crate) fn remove_all(&mut self, topic: Topic<'_>) -> Option<Removed> {
        let removed = match topic {
            Topic::Event(name) => self.find(name).ok().map(|index| self.events.remove(index).1),
            Topic::Any => self.any.take(),
            Topic::AnyOutgoing => self.any_outgoing.take(),
        };
        removed.map(Removed)
    }

    /// Forgets one handler, which is returned among others if it was there.
    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<Removed> {
        let is_it = |listener: &Listener| listener.id == id;
        let has_it = |listeners: &Called| listeners.iter().any(is_it);
        if self.any.as_ref().is_some_and(has_it) {
            return self.retain(Topic::Any, |listener| !is_it(listener));
        }
        if self.any_outgoing.as_ref().is_some_and(has_it) {
            return self.retain(Topic::AnyOutgoing, |listener| !is_it(listener));
        }
        let event = self.events.iter().find(|(_, listeners)| has_it(listeners))?.0.clone();
        self.retain(Topic::Event(&event), |listener| !is_it(listener))
    }

    /// Forgets the handlers of an event whose one time is over; they are returned among others.
    pub(crate) fn remove_over(&mut self, event: &str) -> Option<Removed> {
        self.retain(Topic::Event(event), |listener| !listener.is_over())
    }

    fn retain(&mut self, topic: Topic<'_>, keep: impl Fn(&Listener) -> bool) -> Option<Removed> {
        let listeners = match topic {
            Topic::Event(name) => {
                let index = self.find(name).ok()?;
                &mut self.events[index].1
            }
            Topic::Any => self.any.as_mut()?,
            Topic::AnyOutgoing => self.any_outgoing.as_mut()?,
        };
        let kept: Called = listeners.iter().filter(|&listener| keep(listener)).cloned().collect();
        if kept.is_empty() {
            return self.remove_all(topic);
        }
        Some(Removed(std::mem::replace(listeners, kept)))
    }
}

/// Tells who registers a handler under the name of what is no event that it was wrong.
pub(crate) fn warn_of_name(event: &str) {
    if matches!(event, "connection" | "connect") {
        tracing::warn!(
            "`on(\"{event}\", …)` hears an event that clients emit under that name; \
             `on_connection` is called when they connect"
        );
    }
}
