//! What decides which events of a socket reach their handlers.

use std::sync::Arc;

use sockeye_event::{Ack, Event, HandlerError};

use super::Socket;
use crate::{
    extract::Context,
    inbox::{Incoming, Running, call_all},
    middleware::{BoxedMiddleware, Refused},
};

impl Socket {
    /// Asks the middlewares for an event, then calls its handlers.
    pub(super) fn pass(
        &self,
        event: &Incoming,
        ack: &Ack,
        middlewares: Arc<[BoxedMiddleware]>,
    ) -> Running {
        let (socket, ack_of_all) = (self.clone(), ack.clone());
        let (name, payload) = (event.name.clone(), event.payload.clone());
        let passing = async move {
            let context = Context { socket: socket.clone(), reason: None };
            for middleware in middlewares.iter() {
                let asked = Event::new(&name, &payload, ack_of_all.clone());
                let verdict = middleware(&context, asked);
                verdict.await.map_err(|refused| match refused {
                    Refused::Arguments(error) => HandlerError::Arguments(error),
                    Refused::Error(error) => HandlerError::Failed(error.to_string()),
                })?;
            }
            let running = {
                let listeners =
                    [socket.0.namespace.listeners(&name).1, socket.state().listeners.get(&name)];
                let called = Event::new(&name, &payload, ack_of_all);
                let running = call_all(&context, &listeners, &name, &called);
                socket.forget_over(&name, &listeners);
                running
            };
            running.finish(&socket).await;
            Ok(())
        };
        Running::by(self, &event.name, ack, Box::pin(passing))
    }
}
