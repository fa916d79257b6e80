//! A socket's life, as its connection tells it: it asks to join, gets events, and goes.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    task::Waker,
};

use bytestring::ByteString;
use sockeye_event::{Ack, Event};
use sockeye_protocol::socket::{self, EncodedPacket, Payload, Standing};

use super::{End, Greeting, Socket, State, is_over};
use crate::{
    ConnectError, DisconnectReason, EventError, EventErrorKind,
    extract::Context,
    inbox::{Incoming, Kind, Running, call_all, panic_message},
    listener::{Called, DISCONNECT, DISCONNECTING, Listener},
    middleware::BoxedMiddleware,
};

impl Socket {
    /// The client wants to join: asks the middlewares.
    pub(crate) fn connect(self) {
        let auth = self.auth_payload();
        if self.0.namespace.lets_in_at_once() {
            return self.accept(auth);
        }
        self.state().is_asking = true;
        let socket = self.clone();
        let asked = async move {
            let namespace = socket.0.namespace.clone();
            match namespace.ask_middlewares(&socket, &auth).await {
                Ok(()) => socket.accept(auth),
                Err(error) => socket.refuse(&error),
            }
        };
        // Most middlewares decide at once; only those that wait cost a task.
        let mut asked = Box::pin(catch_panic(asked));
        let mut cx = std::task::Context::from_waker(Waker::noop());
        match asked.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(outcome) => self.handle_verdict(outcome),
            std::task::Poll::Pending => {
                let core = self.core().clone();
                core.spawn(async move { self.handle_verdict(asked.await) });
            }
        }
    }

    fn handle_verdict(&self, outcome: Result<(), String>) {
        if let Err(panic) = outcome {
            self.report("connection", EventErrorKind::Panic(panic));
            self.refuse(&ConnectError::new("Internal error"));
        }
        self.state().is_asking = false;
        self.release();
    }

    /// `["connection",{…}]`: the auth as the one argument, if there is one.
    fn auth_payload(&self) -> Payload {
        let mut json = r#"["connection""#.to_owned();
        if let Some(auth) = &self.0.auth {
            json.push(',');
            json.push_str(auth);
        }
        json.push(']');
        Payload::new(json, Vec::new())
    }

    fn accept(&self, auth: Payload) {
        let greeting = Incoming {
            name: ByteString::from_static("connection"),
            payload: auth,
            id: None,
            kind: Kind::Connection,
        };
        // The parser may be the application's, so it is not asked under the lock.
        let connected = socket::connect(self.revision(), self.0.namespace.name(), &self.id());
        let connected = self.core().convert_own(connected);
        {
            let mut state = self.state();
            if state.standing != Standing::Connecting {
                return;
            }
            let rooms = std::mem::take(&mut state.rooms);
            self.0.namespace.sockets_mut().insert(self.id(), self.clone());
            self.0.namespace.adapter().add(self.0.clone(), &rooms);
            self.set_standing(&mut state, Standing::Connected);
            if let Some(connected) = connected {
                self.0.client.session.send(connected.packets());
            }
            // Under the lock, so that it comes before every event and before the end.
            state.inbox.enter();
        }
        self.run(&greeting, Own::default());
    }

    fn refuse(&self, error: &ConnectError) {
        let refusal = error.encode(self.revision(), self.0.namespace.name());
        let refusal = self.core().convert_own(refusal);
        self.end_elsewhere(DisconnectReason::ServerNamespaceDisconnect, refusal.as_ref());
    }

    /// An event has come; false if too many wait already.
    pub(crate) fn handle_event(&self, event: socket::Event) -> bool {
        let event =
            Incoming { name: event.name, payload: event.payload, id: event.id, kind: Kind::Event };
        let own = {
            let mut state = self.state();
            // It may have been sent away, and its last handler may have returned, since the
            // connection looked.
            if state.end == End::Released {
                return true;
            }
            if !state.inbox.enter() {
                return state.inbox.push(event, self.core().options.max_backlog_bytes);
            }
            state.own(&event)
        };
        self.run(&event, own);
        true
    }

    /// Handles an event, and in a task what is left of it and those that come meanwhile.
    fn run(&self, event: &Incoming, own: Own) {
        let mut running = self.start(event, own);
        if running.is_done() {
            let Some((next, own)) = self.next_event() else { return };
            running = self.start(&next, own);
        }
        let socket = self.clone();
        self.core().spawn(async move { socket.go_on(running).await });
    }

    /// Finishes what runs and handles what has come in the meantime.
    async fn go_on(self, mut running: Running) {
        loop {
            running.finish(&self).await;
            // Handlers that never wait would otherwise keep the thread for as long as events come.
            tokio::task::consume_budget().await;
            match self.next_event() {
                Some((event, own)) => running = self.start(&event, own),
                None => return,
            }
        }
    }

    /// The handlers of an event have returned: the next one.
    fn next_event(&self) -> Option<(Incoming, Own)> {
        let (greeting, next) = {
            let mut state = self.state();
            let next = state.inbox.next();
            // The first handlers to return were those of the connection.
            let greeting = std::mem::replace(&mut state.greeting, Greeting::Done);
            let own = next.as_ref().map(|event| state.own(event));
            (greeting, next.zip(own))
        };
        if let Greeting::Overtaken(reason) = greeting {
            self.start_farewell(reason);
        }
        if next.is_none() {
            self.release();
        }
        next
    }

    fn start(&self, event: &Incoming, own: Own) -> Running {
        let context = Context { socket: self.clone(), reason: None };
        let ack = event.id.map_or_else(Ack::none, |id| Ack::new(self.0.clone(), id));
        let called = Event::new(&event.name, &event.payload, ack);
        let handlers = self.0.namespace.handlers();
        if event.kind == Kind::Connection {
            return call_all(&context, [&handlers.connection], &event.name, &called);
        }
        let any = handlers.events.any().into_iter().chain(&own.any);
        if let Some(middlewares) = own.middlewares {
            let running = call_all(&context, any, &event.name, &called);
            return running.and(self.pass(event, called.ack(), middlewares));
        }
        let named = || handlers.events.get(&event.name).into_iter().chain(&own.named);
        let running = call_all(&context, any.chain(named()), &event.name, &called);
        self.forget_over(&event.name, named());
        running
    }

    /// Forgets handlers of an event that were for once.
    pub(super) fn forget_over<'a>(&self, event: &str, called: impl Iterator<Item = &'a Called>) {
        if called.flat_map(|called| called.iter()).any(Listener::is_over) {
            self.0.namespace.forget_over(event);
            let removed = self.state().listeners.remove_over(event);
            drop(removed);
        }
    }

    /// An acknowledgement has come.
    pub(crate) fn handle_ack(&self, ack: socket::Ack) {
        let Some(id) = ack.id else { return };
        let waiting = self.state().acks.remove(id);
        if let Some(waiting) = waiting {
            waiting.handle_answer(self.id(), ack.payload);
        }
    }

    pub(crate) fn forget_ack(&self, id: u64) {
        let forgotten = self.state().acks.remove(id);
        drop(forgotten);
    }

    /// The socket is gone, found out by the connection: its handlers are called here.
    pub(crate) fn end(&self, reason: DisconnectReason) {
        if self.part(reason, None) {
            self.start_farewell(reason);
        }
    }

    fn start_farewell(&self, reason: DisconnectReason) {
        let running = self.say_farewell(reason);
        if running.is_done() {
            self.finish_farewell();
        } else {
            let socket = self.clone();
            self.core().spawn(async move {
                running.finish(&socket).await;
                socket.finish_farewell();
            });
        }
    }

    /// The socket is gone by the application's doing, which may hold locks of its own: its handlers
    /// are called by another task. `farewell` is the last that the client gets.
    pub(crate) fn end_elsewhere(&self, reason: DisconnectReason, farewell: Option<&EncodedPacket>) {
        if self.part(reason, farewell) {
            let socket = self.clone();
            self.core().spawn(async move {
                socket.say_farewell(reason).finish(&socket).await;
                socket.finish_farewell();
            });
        }
    }

    /// Takes the socket out of everything at once. Whether its handlers are to be told now.
    fn part(&self, reason: DisconnectReason, farewell: Option<&EncodedPacket>) -> bool {
        let is_heard = self.0.namespace.handlers().events.has(DISCONNECTING);
        let (was_connected, is_greeted, acks) = {
            let mut state = self.state();
            let standing = state.standing;
            if is_over(standing) {
                return false;
            }
            // Under the lock, so that the client is never told before it is told that it is in.
            if let Some(farewell) = farewell {
                self.0.client.session.send(farewell.packets());
            }
            let was_connected = standing == Standing::Connected;
            let left = if was_connected { Standing::Gone } else { Standing::Refused };
            self.set_standing(&mut state, left);
            let is_greeted = matches!(state.greeting, Greeting::Done);
            if was_connected {
                self.0.namespace.sockets_mut().remove(&self.id());
                if is_greeted && (is_heard || state.listeners.has(DISCONNECTING)) {
                    state.is_leaving = true;
                } else {
                    state.rooms = self.0.namespace.adapter().remove(self.id());
                }
            }
            if was_connected && !is_greeted {
                state.greeting = Greeting::Overtaken(reason);
            }
            (was_connected, is_greeted, std::mem::take(&mut state.acks))
        };
        // Those who wait for an acknowledgement are told, with no lock held.
        acks.fail(self.id());
        self.0.client.remove(self);
        self.core().overloads.note(reason);
        if self.0.namespace.leave() {
            self.0.client.shared.namespaces.clean_up(&self.0.namespace);
        }
        tracing::debug!(socket = %self.id(), %reason, was_connected, "socket disconnected");
        if !was_connected {
            self.finish_farewell();
        }
        was_connected && is_greeted
    }

    fn say_farewell(&self, reason: DisconnectReason) -> Running {
        let leaving = self.tell_end(DISCONNECTING, reason);
        self.leave_all();
        leaving.and(self.tell_end(DISCONNECT, reason))
    }

    /// Calls the handlers of the end.
    fn tell_end(&self, name: &'static str, reason: DisconnectReason) -> Running {
        let context = Context { socket: self.clone(), reason: Some(reason) };
        let own = self.state().listeners.get(name).cloned();
        let handlers = self.0.namespace.handlers();
        let called = handlers.events.get(name).into_iter().chain(&own);
        let payload = Payload::new(format!(r#"["{name}","{reason}"]"#), Vec::new());
        let event = Event::new(name, &payload, Ack::none());
        call_all(&context, called, &ByteString::from_static(name), &event)
    }

    /// Leaves the rooms that were kept for the handlers of the end.
    fn leave_all(&self) {
        let mut state = self.state();
        if std::mem::take(&mut state.is_leaving) {
            state.rooms = self.0.namespace.adapter().remove(self.id());
        }
    }

    fn finish_farewell(&self) {
        self.state().end = End::Parted;
        self.release();
    }

    /// Lets go of what belongs to the socket, once it is gone and its last handler, or middleware,
    /// has returned.
    /// What handlers have captured, the socket itself perhaps, is dropped here.
    fn release(&self) {
        let (before, released) = {
            let mut state = self.state();
            if state.end == End::Ahead || state.is_asking || !state.inbox.is_idle() {
                return;
            }
            let released = (
                std::mem::take(&mut state.listeners),
                std::mem::take(&mut state.middlewares),
                std::mem::take(&mut state.data),
                std::mem::take(&mut state.rooms),
            );
            (std::mem::replace(&mut state.end, End::Released), released)
        };
        drop(released);
        self.0.extensions.close();
        if before != End::Released {
            self.0.client.shared.handle_release();
        }
    }

    fn set_standing(&self, state: &mut State, standing: Standing) {
        state.standing = standing;
        self.0.standing.store(standing as u8, Ordering::Release);
    }

    /// Tells the log and the hook of an event that came to no good end.
    pub(crate) fn report(&self, event: &str, kind: EventErrorKind) {
        self.core().report(&EventError {
            socket: self.id(),
            namespace: self.0.namespace.name().into(),
            event: event.to_owned(),
            kind,
        });
    }
}

/// The handlers and middlewares of one socket for one event.
#[derive(Default)]
struct Own {
    any: Option<Called>,
    named: Option<Called>,
    middlewares: Option<Arc<[BoxedMiddleware]>>,
}

impl State {
    /// What the socket has for an event whose turn has come.
    fn own(&self, event: &Incoming) -> Own {
        match event.kind {
            Kind::Connection => Own::default(),
            Kind::Event => Own {
                any: self.listeners.any().cloned(),
                named: self.listeners.get(&event.name).cloned(),
                middlewares: self.middlewares.clone(),
            },
        }
    }
}

/// Ends with the text of a panic instead of panicking.
pub(crate) async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        match std::panic::catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(panic) => std::task::Poll::Ready(Err(panic_message(&*panic))),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use sockeye_protocol::socket::Member;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::mpsc,
    };

    use super::*;
    use crate::Server;

    /// The response to a request in a connection of its own.
    async fn request(addr: SocketAddr, method: &str, query: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nhost: x\r\n\
             connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    }

    #[tokio::test]
    async fn an_event_that_comes_when_the_last_handler_has_returned_has_none() {
        let io = Server::builder().build().unwrap();
        let addr = io.listen("127.0.0.1:0").await.unwrap().local_addr();
        let (tell, mut told) = mpsc::unbounded_channel();
        let (tell_socket, mut sockets) = mpsc::unbounded_channel();
        io.on("e", move || {
            let _ = tell.send(());
        });
        io.on_connection(move |socket: Socket| drop(tell_socket.send(socket)));
        let open = request(addr, "GET", "", "").await;
        let (_, sid) = open.split_once(r#"{"sid":""#).unwrap();
        request(addr, "POST", &format!("&sid={}", &sid[..20]), "40").await;
        let socket = sockets.recv().await.unwrap();
        let event = || socket::Event {
            namespace: "/".into(),
            id: None,
            name: "e".into(),
            payload: Payload::new(r#"["e"]"#, Vec::new()),
        };
        assert!(socket.handle_event(event()));
        told.try_recv().unwrap();
        socket.disconnect();
        while !socket.is_released() {
            tokio::task::yield_now().await;
        }
        assert!(socket.handle_event(event()), "that is no reason to close the connection");
        assert!(told.try_recv().is_err());
    }
}
