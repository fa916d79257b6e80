//! Which handlers a socket has.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use sockeye_event::{BoxedHandler, Handler, erase};

use crate::context::Context;

/// Names one registration of a handler, to take it back with
/// [`off_listener`](crate::Socket::off_listener).
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

/// What a handler is registered for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    /// An event of this name; `connect`, `disconnect` and `connect_error` are the socket's own.
    Event(Box<str>),
    /// Every event that comes.
    Any,
    /// Every event that is emitted.
    AnyOutgoing,
}

/// Handlers by what they are for. What they have captured may do anything when it is dropped, so
/// whoever takes some out drops them with no lock held.
#[derive(Default)]
pub(crate) struct Listeners(HashMap<Topic, Vec<Listener>>);

impl Listeners {
    pub(crate) fn add(&mut self, topic: Topic, listener: Listener) {
        self.0.entry(topic).or_default().push(listener);
    }

    pub(crate) fn get(&self, topic: &Topic) -> &[Listener] {
        self.0.get(topic).map_or(&[], Vec::as_slice)
    }

    /// Takes out all handlers of a topic.
    pub(crate) fn remove_topic(&mut self, topic: &Topic) -> Vec<Listener> {
        self.0.remove(topic).unwrap_or_default()
    }

    /// Takes out one handler.
    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<Listener> {
        self.0.values_mut().find_map(|listeners| {
            let index = listeners.iter().position(|listener| listener.id == id)?;
            Some(listeners.remove(index))
        })
    }

    /// Takes out the handlers of a topic whose one time is over.
    pub(crate) fn remove_over(&mut self, topic: &Topic) -> Vec<Listener> {
        let Some(listeners) = self.0.get_mut(topic) else { return Vec::new() };
        let (over, kept) = listeners.drain(..).partition(Listener::is_over);
        *listeners = kept;
        over
    }
}
