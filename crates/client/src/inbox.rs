//! What comes for a socket, and in which order its handlers are called.
//!
//! Events wait in an inbox, bounded in bytes, while those before them are handled. A task calls the
//! handlers for as long as something waits; an idle socket has none. The ends of connections wait
//! for nobody.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
};

use sockeye_event::{Ack, Event};
use sockeye_protocol::socket::Payload;

use crate::{
    EventError, EventErrorKind, Socket,
    ack::Answer,
    context::Context,
    handling::{Running, start},
    listener::Topic,
    shared::{Incoming, Own},
};

impl Socket {
    /// Has something handled after what came before it; false if too much waits already. A
    /// connection is told of in any case.
    pub(crate) fn handle_later(&self, incoming: Incoming) -> bool {
        let bytes = incoming.bytes();
        let is_handling = {
            let mut inner = self.state().inner();
            let limit = self.shared().options.max_backlog_bytes;
            let is_full = inner.backlog_bytes > 0 && inner.backlog_bytes + bytes > limit;
            if is_full && bytes > 0 {
                return false;
            }
            inner.backlog_bytes += bytes;
            let is_handling = inner.is_handling;
            inner.inbox.push_back(if is_handling { incoming.into_waiting() } else { incoming });
            is_handling
        };
        if !is_handling {
            self.start_handling();
        }
        true
    }

    /// Starts the task that handles what waits, if there is something, and none runs. What is
    /// emitted before the client has started waits for that.
    pub(crate) fn start_handling(&self) {
        let Some(runtime) = self.shared().runtime() else { return };
        {
            let mut inner = self.state().inner();
            if inner.inbox.is_empty() || std::mem::replace(&mut inner.is_handling, true) {
                return;
            }
        }
        let socket = self.clone();
        runtime.spawn(async move { socket.handle_all().await });
    }

    /// Handles what waits, one after another, until nothing does.
    async fn handle_all(&self) {
        while let Some(incoming) = self.next_incoming() {
            self.handle_one(incoming).await;
            // Handlers that never wait would otherwise keep the thread for as long as events come.
            tokio::task::consume_budget().await;
        }
        self.state().release();
    }

    fn next_incoming(&self) -> Option<Incoming> {
        let mut inner = self.state().inner();
        let next = inner.inbox.pop_front();
        match &next {
            None => {
                inner.is_handling = false;
                inner.inbox = VecDeque::new();
            }
            Some(incoming) => inner.backlog_bytes -= incoming.bytes(),
        }
        next
    }

    async fn handle_one(&self, incoming: Incoming) {
        let context = self.context();
        match incoming {
            Incoming::Connect => {
                // The end of the connection before comes first.
                self.handle_own().await;
                self.call(&context, "connect", None).finish().await;
            }
            Incoming::Outgoing { name, payload } => {
                let listeners = self.state().listeners(&[Topic::AnyOutgoing]);
                let event = Event::new(&name, &payload, Ack::none());
                start(&context, &listeners, &event).finish().await;
            }
            Incoming::Event { connection, event } => {
                let topic = Topic::Event((&*event.name).into());
                let listeners = self.state().listeners(&[Topic::Any, topic.clone()]);
                let ack = match event.id {
                    Some(id) => Answer::ack(self.clone(), connection, id),
                    None => Ack::none(),
                };
                let called = Event::new(&event.name, &event.payload, ack);
                start(&context, &listeners, &called).finish().await;
                self.forget_over(&topic);
            }
        }
    }

    /// Has the end of a connection handled beside what waits.
    pub(crate) fn handle_at_once(&self, own: Own) {
        self.state().inner().own.push_back(own);
        let socket = self.clone();
        tokio::spawn(async move {
            socket.handle_own().await;
            socket.state().release();
        });
    }

    /// Starts the handlers of what a socket has to tell of itself, in order. They are not waited
    /// for.
    async fn handle_own(&self) {
        let _turn = self.state().own_turn.lock().await;
        loop {
            let Some(own) = self.state().inner().own.pop_front() else { return };
            let context = self.context();
            let running = match own {
                Own::Disconnect(reason) => {
                    let context = Context { reason: Some(reason), ..context };
                    self.call(&context, "disconnect", Some(reason.to_string()))
                }
                Own::ConnectError(error) => {
                    let text = Some(error.to_string());
                    self.call(&Context { error: Some(error), ..context }, "connect_error", text)
                }
            };
            if !running.is_done() {
                tokio::spawn(running.finish());
            }
        }
    }

    fn context(&self) -> Context {
        Context { socket: self.clone(), reason: None, error: None }
    }

    /// Calls the handlers of one of the socket's own events.
    fn call(&self, context: &Context, name: &str, text: Option<String>) -> Running {
        let topic = Topic::Event(name.into());
        let listeners = self.state().listeners(std::slice::from_ref(&topic));
        let json = match text {
            Some(text) => serde_json::json!([name, text]),
            None => serde_json::json!([name]),
        };
        let payload = Payload::new(json.to_string(), Vec::new());
        let running = start(context, &listeners, &Event::new(name, &payload, Ack::none()));
        self.forget_over(&topic);
        running
    }

    fn forget_over(&self, topic: &Topic) {
        let over = self.state().inner().listeners.remove_over(topic);
        drop(over);
    }

    /// Tells the log and the hook of an event that came to no good end.
    pub(crate) fn report(&self, event: &str, kind: EventErrorKind) {
        let error =
            EventError { namespace: self.namespace().to_owned(), event: event.to_owned(), kind };
        tracing::warn!(%error, "an event came to no good end");
        if let Some(hook) = &self.shared().options.on_error {
            if catch_unwind(AssertUnwindSafe(|| hook(&error))).is_err() {
                tracing::error!("the hook for errors panicked");
            }
        }
    }
}
