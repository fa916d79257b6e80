//! Values of any type, kept with a socket.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Values that belong to one socket on this node, one of each type.
///
/// ```
/// # use sockeye::Extensions;
/// #[derive(Clone, PartialEq, Debug)]
/// struct User(String);
///
/// let extensions = Extensions::default();
/// extensions.insert(User("ann".into()));
/// assert_eq!(extensions.get::<User>(), Some(User("ann".into())));
/// ```
pub struct Extensions(Mutex<State>);

/// By their types. They are shared, so that none is cloned or dropped while the lock is held:
/// that is the application's code, which may come back here.
type Values = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

enum State {
    /// Sockets without any take no memory for them.
    Open(Option<Box<Values>>),
    Closed,
}

impl State {
    fn values(&mut self) -> Option<&mut Values> {
        match self {
            Self::Open(values) => values.as_deref_mut(),
            Self::Closed => None,
        }
    }
}

impl Default for Extensions {
    fn default() -> Self {
        Self(Mutex::new(State::Open(None)))
    }
}

impl Extensions {
    /// Puts a value in; the one that was there. Once the socket is gone, and its last handler has
    /// returned, the value is dropped instead: it could keep its own socket alive.
    pub fn insert<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        let value: Arc<dyn Any + Send + Sync> = Arc::new(value);
        let before = match &mut *self.lock() {
            State::Open(values) => {
                values.get_or_insert_default().insert(TypeId::of::<T>(), value.clone())
            }
            State::Closed => None,
        };
        before.and_then(into_value)
    }

    /// A copy of the value of this type.
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let value = self.lock().values()?.get(&TypeId::of::<T>()).cloned();
        value?.downcast_ref::<T>().cloned()
    }

    /// Takes the value of this type out.
    pub fn remove<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        let value = self.lock().values()?.remove(&TypeId::of::<T>());
        value.and_then(into_value)
    }

    /// Drops all values, and those to come.
    pub(crate) fn close(&self) {
        // What is dropped may come back here, so it is dropped with the lock released.
        let values = std::mem::replace(&mut *self.lock(), State::Closed);
        drop(values);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value itself, or a copy if another thread is copying it right now.
fn into_value<T: Clone + Send + Sync + 'static>(value: Arc<dyn Any + Send + Sync>) -> Option<T> {
    value.downcast::<T>().ok().map(Arc::unwrap_or_clone)
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.lock().values().map_or(0, |values| values.len());
        f.debug_struct("Extensions").field("count", &count).finish_non_exhaustive()
    }
}
