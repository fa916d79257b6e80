//! Values of any type, kept with a socket.

use std::sync::{Mutex, MutexGuard, PoisonError};

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
#[derive(Debug, Default)]
pub struct Extensions(Mutex<http::Extensions>);

impl Extensions {
    /// Puts a value in; the one that was there.
    pub fn insert<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        self.lock().insert(value)
    }

    /// A copy of the value of this type.
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.lock().get::<T>().cloned()
    }

    /// Takes the value of this type out.
    pub fn remove<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.lock().remove()
    }

    pub(crate) fn clear(&self) {
        // What is dropped may come back here, so it is dropped with the lock released.
        let values = std::mem::take(&mut *self.lock());
        drop(values);
    }

    fn lock(&self) -> MutexGuard<'_, http::Extensions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
