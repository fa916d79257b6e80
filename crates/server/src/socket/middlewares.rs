//! What decides which events of a socket reach their handlers.

use std::sync::Arc;

use bytestring::ByteString;
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
        // Copies: middlewares may wait for long, and must not keep the buffer alive that the event
        // was received in.
        let (name, payload) = (ByteString::from(&*event.name), event.payload.to_owned());
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
                let own = socket.state().listeners.get(&name).cloned();
                let handlers = socket.0.namespace.handlers();
                let called = || handlers.events.get(&name).into_iter().chain(&own);
                let event = Event::new(&name, &payload, ack_of_all);
                let running = call_all(&context, called(), &name, &event);
                socket.forget_over(&name, called());
                running
            };
            running.finish(&socket).await;
            Ok(())
        };
        Running::by(self, &event.name, ack, Box::pin(passing))
    }
}
