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
#[derive(Debug)]
pub struct Extensions(Mutex<Option<http::Extensions>>);

impl Default for Extensions {
    fn default() -> Self {
        Self(Mutex::new(Some(http::Extensions::new())))
    }
}

impl Extensions {
    /// Puts a value in; the one that was there. Once the socket is gone, and its last handler has
    /// returned, the value is dropped instead: it could keep its own socket alive.
    pub fn insert<T: Clone + Send + Sync + 'static>(&self, value: T) -> Option<T> {
        self.lock().as_mut()?.insert(value)
    }

    /// A copy of the value of this type.
    pub fn get<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.lock().as_ref()?.get::<T>().cloned()
    }

    /// Takes the value of this type out.
    pub fn remove<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.lock().as_mut()?.remove()
    }

    /// Drops all values, and those to come.
    pub(crate) fn close(&self) {
        // What is dropped may come back here, so it is dropped with the lock released.
        let values = self.lock().take();
        drop(values);
    }

    fn lock(&self) -> MutexGuard<'_, Option<http::Extensions>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
