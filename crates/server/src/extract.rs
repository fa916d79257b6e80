//! What a handler may take that is not an argument of the event.

use std::{any::type_name, ops::Deref, sync::Arc};

use sockeye_event::{ArgumentError, Event, FromEvent};

use crate::{DisconnectReason, Server, Socket};

/// What is known around an event on this server.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) socket: Socket,
    pub(crate) reason: Option<DisconnectReason>,
}

impl FromEvent<Context> for Socket {
    fn from_event(context: &Context, _: &mut Event<'_>) -> Result<Self, ArgumentError> {
        Ok(context.socket.clone())
    }
}

impl FromEvent<Context> for Server {
    fn from_event(context: &Context, _: &mut Event<'_>) -> Result<Self, ArgumentError> {
        Ok(context.socket.server())
    }
}

impl FromEvent<Context> for DisconnectReason {
    fn from_event(context: &Context, _: &mut Event<'_>) -> Result<Self, ArgumentError> {
        let missing = "there is a DisconnectReason in `on_disconnect` only";
        context.reason.ok_or_else(|| ArgumentError::context(missing))
    }
}

/// A value that all handlers share, given to the server by
/// [`ServerBuilder::state`](crate::ServerBuilder::state).
///
/// ```
/// # use sockeye::{Server, State};
/// # use std::sync::atomic::{AtomicU64, Ordering};
/// let io = Server::builder().state(AtomicU64::new(0)).build().unwrap();
/// io.on("count", |State(counter): State<AtomicU64>| counter.fetch_add(1, Ordering::Relaxed));
/// ```
#[derive(Debug)]
pub struct State<T>(pub Arc<T>);

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send + Sync + 'static> FromEvent<Context> for State<T> {
    fn from_event(context: &Context, _: &mut Event<'_>) -> Result<Self, ArgumentError> {
        let state = context.socket.core().state();
        state.map(Self).ok_or_else(|| {
            let name = type_name::<T>();
            let hint = "add it with `Server::builder().state(…)`";
            ArgumentError::context(format!("the server has no state of type {name}: {hint}"))
        })
    }
}

/// A value that a tower layer around the server put into the request that opened the connection.
#[derive(Clone, Copy, Debug)]
pub struct Extension<T>(pub T);

impl<T> Deref for Extension<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone + Send + Sync + 'static> FromEvent<Context> for Extension<T> {
    fn from_event(context: &Context, _: &mut Event<'_>) -> Result<Self, ArgumentError> {
        let value = context.socket.handshake().extensions().get::<T>().cloned();
        value.map(Self).ok_or_else(|| {
            let name = type_name::<T>();
            ArgumentError::context(format!("the request has no extension of type {name}"))
        })
    }
}
