//! Emitting with a choice of what becomes of an event.

use std::time::Duration;

use serde::Serialize;
use sockeye_event::{EncodedArgs, FromReply};
use sockeye_protocol::client::Policy;

use crate::{AckFuture, EmitError, Socket};

/// A socket, and how its next event is to be treated:
/// `socket.volatile().emit("position", (x, y))`.
#[derive(Clone, Debug)]
#[must_use = "nothing happens before something is emitted"]
pub struct Emitter {
    socket: Socket,
    policy: Policy,
    timeout: Option<Option<Duration>>,
}

impl Emitter {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, policy: Policy::Buffer, timeout: None }
    }

    /// Drops the event if it cannot leave at once. See [`Socket::volatile`].
    pub fn volatile(mut self) -> Self {
        self.policy = Policy::Volatile;
        self
    }

    /// Refuses the event if the socket is not connected. See [`Socket::only_connected`].
    pub fn only_connected(mut self) -> Self {
        self.policy = Policy::Fail;
        self
    }

    /// Drops the event if it has not left after so long. See [`Socket::expires_after`].
    pub fn expires_after(mut self, time_to_live: Duration) -> Self {
        self.policy = Policy::Expire(time_to_live);
        self
    }

    /// Waits for the answer for so long. See [`Socket::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some((timeout != Duration::MAX).then_some(timeout));
        self
    }

    /// Emits an event. See [`Socket::emit`].
    pub fn emit<T: Serialize>(&self, event: &str, args: T) {
        match self.try_emit(event, args) {
            // That is what was asked for.
            Ok(()) | Err(EmitError::Volatile) => (),
            Err(error) => {
                let namespace = self.socket.namespace();
                tracing::error!(namespace, event, %error, "could not emit");
            }
        }
    }

    /// Emits an event, and says if it was not taken. See [`Socket::try_emit`].
    ///
    /// # Errors
    /// The name is reserved, a value has no form on the wire, the event may not wait, or too much
    /// waits already.
    pub fn try_emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        let args = EncodedArgs::new(&args)?;
        self.socket.send_event(event, args, self.policy, self.timeout, None).map(drop)
    }

    /// Emits an event and waits for the server's answer. See [`Socket::emit_with_ack`].
    pub fn emit_with_ack<R: FromReply>(&self, event: &str, args: impl Serialize) -> AckFuture<R> {
        let (waiter, answer) = tokio::sync::oneshot::channel();
        let sent = EncodedArgs::new(&args).map_err(EmitError::from).and_then(|args| {
            self.socket.send_event(event, args, self.policy, self.timeout, Some(waiter))
        });
        match sent {
            Ok(Some(id)) => AckFuture::waiting(self.socket.clone(), id, answer),
            Ok(None) => unreachable!("an event that is waited for has an id"),
            Err(error) => AckFuture::failed(error.into()),
        }
    }
}
