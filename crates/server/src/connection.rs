//! One connection: the namespaces that a client has joined over it.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Instant,
};

use bytestring::ByteString;
use sockeye_engine::{CloseReason, Message, Revision, Session};
use sockeye_protocol::socket::{self, Action, Violation};

use crate::{
    ConnectError, DisconnectReason, Namespace, Socket,
    parent::Parent,
    seat::{Asked, Seat},
    server::Shared,
    socket::catch_panic,
};

/// How long the name of a namespace may be that a client brings about, in bytes. Names are kept
/// several times, for as long as a namespace is, and there may be thousands.
const MAX_CHILD_NAME: usize = 1024;

/// What the sockets of a connection share.
pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) shared: Arc<Shared>,
    sockets: Mutex<Sockets>,
}

#[derive(Default)]
struct Sockets {
    /// Those that are not gone.
    present: Vec<Socket>,
    is_closed: bool,
}

impl Client {
    fn sockets(&self) -> MutexGuard<'_, Sockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, the end of the connection is the socket's too; false if it has ended already.
    fn admit(&self, socket: &Socket) -> bool {
        let mut sockets = self.sockets();
        if !sockets.is_closed {
            sockets.present.reserve_exact(1);
            sockets.present.push(socket.clone());
        }
        !sockets.is_closed
    }

    fn close(&self) -> Vec<Socket> {
        let mut sockets = self.sockets();
        sockets.is_closed = true;
        std::mem::take(&mut sockets.present)
    }

    /// The child that a client brings about, entered for it, if there may be one.
    fn child(&self, name: &str, parent: Result<Option<Arc<Parent>>, String>) -> Option<Namespace> {
        let parent = parent.unwrap_or_else(|panic| {
            tracing::error!(name, panic, "the function that decides on namespaces panicked");
            None
        });
        self.shared.namespaces.enter_child(name, &self.shared.core, parent?)
    }

    fn send_invalid_namespace(&self, name: &str) {
        // Old clients hear this refusal in the new form, as those of the reference do.
        let refusal = ConnectError::new("Invalid namespace").encode(Revision::V4, name);
        if let Some(refusal) = self.shared.core.convert_own(refusal) {
            self.session.send(refusal.packets());
        }
    }

    pub(crate) fn remove(&self, socket: &Socket) {
        self.sockets().present.retain(|other| other.id() != socket.id());
    }

    /// Takes all sockets out, for an end that concerns them all.
    pub(crate) fn take_sockets(&self) -> Vec<Socket> {
        std::mem::take(&mut self.sockets().present)
    }
}

/// The application's end of a session: it owns the protocol's state.
pub(crate) struct Connection {
    client: Arc<Client>,
    machine: socket::Connection<Seat>,
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, session: Session) -> Self {
        let options = &shared.core.options;
        let (timeout, limits) = (options.connect_timeout, options.limits.clone());
        let machine = match &options.parser {
            None => socket::Connection::new(now(), timeout, limits),
            Some(parser) => socket::Connection::with_parser(now(), timeout, limits, &**parser),
        };
        let revision = session.handshake().revision();
        let machine = machine.with_revision(revision);
        let client = Arc::new(Client { session, shared, sockets: Mutex::default() });
        let mut connection = Self { client, machine };
        if revision == Revision::V3 {
            connection.enter_main_namespace();
        }
        connection
    }

    /// Clients of Engine.IO 3 are in the main namespace from the start, and take the session's id
    /// for the socket's.
    fn enter_main_namespace(&mut self) {
        let Some(namespace) = self.client.shared.namespaces.enter("/") else {
            return self.client.send_invalid_namespace("/");
        };
        let id = self.client.session.id();
        let socket = Socket::with_id(id, namespace, self.client.clone(), None);
        self.seat("/", socket);
    }

    /// A client asks to join a namespace.
    fn connect(&mut self, name: &ByteString, auth: Option<ByteString>) {
        if let Some(namespace) = self.client.shared.namespaces.enter(name) {
            return self.enter(name, namespace, auth);
        }
        let parents = self.client.shared.namespaces.parents();
        if parents.is_empty() || name.len() > MAX_CHILD_NAME {
            return self.client.send_invalid_namespace(name);
        }
        // It may take a while, and must not keep the buffer alive that the packet came in.
        let copy = |text: &ByteString| ByteString::from(&**text);
        let (name, auth) = (copy(name), auth.as_ref().map(copy));
        let asked = Parent::find(parents, name.clone(), auth.clone());
        let mut asked = Box::pin(catch_panic(asked));
        // Where the name alone decides, the answer is there at once.
        let mut cx = std::task::Context::from_waker(Waker::noop());
        match asked.as_mut().poll(&mut cx) {
            Poll::Ready(answer) => match self.client.child(&name, answer) {
                Some(namespace) => self.enter(&name, namespace, auth),
                None => self.client.send_invalid_namespace(&name),
            },
            Poll::Pending => self.wait(name, auth, asked),
        }
    }

    fn enter(&mut self, name: &str, namespace: Namespace, auth: Option<ByteString>) {
        self.seat(name, Socket::new(namespace, self.client.clone(), auth));
    }

    fn seat(&mut self, name: &str, socket: Socket) {
        self.machine.insert(name, Seat::Taken(socket.clone()));
        if self.client.admit(&socket) {
            socket.connect();
        } else {
            socket.end(DisconnectReason::TransportClose);
        }
    }

    /// Keeps a seat until the application has said whether the namespace may come to be.
    fn wait(
        &mut self,
        name: ByteString,
        auth: Option<ByteString>,
        answer: impl Future<Output = Result<Option<Arc<Parent>>, String>> + Send + 'static,
    ) {
        let asked = Arc::new(Asked::default());
        self.machine.insert(&name, Seat::Asked(asked.clone()));
        let client = self.client.clone();
        self.client.shared.core.spawn(async move {
            let answer = answer.await;
            asked.note_answer();
            let Some(namespace) = client.child(&name, answer) else {
                if asked.refuse() {
                    client.send_invalid_namespace(&name);
                }
                return;
            };
            let socket = Socket::new(namespace, client.clone(), auth);
            if !client.admit(&socket) {
                socket.end(DisconnectReason::TransportClose);
            } else if !asked.accept(socket.clone()) {
                socket.end(DisconnectReason::ClientNamespaceDisconnect);
            } else {
                socket.connect();
            }
        });
    }

    /// The client broke the rules; all its sockets are disconnected for that.
    fn refuse(&mut self, violation: Violation) {
        tracing::debug!(%violation, "closing a connection");
        let reason = match violation {
            Violation::Decode(_) => DisconnectReason::ForcedClose,
            _ => DisconnectReason::ForcedServerClose,
        };
        self.close(reason);
        self.client.session.close();
    }

    fn close(&self, reason: DisconnectReason) {
        self.client.take_sockets().iter().for_each(|socket| socket.end(reason));
    }
}

impl sockeye_engine::Connection for Connection {
    fn handle_message(&mut self, now: Instant, message: Message) {
        match self.machine.handle_message(now, message) {
            Ok(None) => (),
            Ok(Some(Action::Connect { namespace, auth })) => self.connect(&namespace, auth),
            Ok(Some(Action::Event(seat, event))) => {
                if !seat.socket().is_none_or(|socket| socket.handle_event(event)) {
                    self.close(DisconnectReason::EventBacklog);
                    self.client.session.close();
                }
            }
            Ok(Some(Action::Ack(seat, ack))) => {
                if let Some(socket) = seat.socket() {
                    socket.handle_ack(ack);
                }
            }
            Ok(Some(Action::Disconnect(seat))) => seat.leave(),
            Err(violation) => self.refuse(violation),
        }
    }

    fn handle_close(&mut self, reason: CloseReason) {
        self.client.close().iter().for_each(|socket| socket.end(reason.into()));
    }

    fn deadline(&self) -> Option<Instant> {
        self.machine.deadline()
    }

    fn handle_deadline(&mut self, now: Instant) {
        if let Err(violation) = self.machine.handle_tick(now) {
            self.refuse(violation);
        }
    }
}
