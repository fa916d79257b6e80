//! One connection: the namespaces that a client has joined over it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use bytestring::ByteString;
use sockeye_engine::{CloseReason, Message, Session};
use sockeye_protocol::socket::{self, Action, Violation};

use crate::{ConnectError, DisconnectReason, Socket, server::Shared};

/// What the sockets of a connection share.
pub(crate) struct Client {
    pub(crate) session: Session,
    pub(crate) shared: Arc<Shared>,
    /// The sockets that are not gone.
    sockets: Mutex<Vec<Socket>>,
}

impl Client {
    fn sockets(&self) -> MutexGuard<'_, Vec<Socket>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remove(&self, socket: &Socket) {
        self.sockets().retain(|other| other.id() != socket.id());
    }

    /// Takes all sockets out, for an end that concerns them all.
    pub(crate) fn take_sockets(&self) -> Vec<Socket> {
        std::mem::take(&mut *self.sockets())
    }
}

/// The application's end of a session: it owns the protocol's state.
pub(crate) struct Connection {
    client: Arc<Client>,
    machine: socket::Connection<Socket>,
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, session: Session) -> Self {
        let options = &shared.core.options;
        let machine =
            socket::Connection::new(now(), options.connect_timeout, options.limits.clone());
        Self { client: Arc::new(Client { session, shared, sockets: Mutex::default() }), machine }
    }

    /// A client asks to join a namespace.
    fn connect(&mut self, name: &ByteString, auth: Option<ByteString>) {
        let Some(namespace) = self.client.shared.namespace(name) else {
            let refusal = ConnectError::new("Invalid namespace").encode(name);
            self.client.session.send(refusal.packets());
            return;
        };
        let socket = Socket::new(namespace, self.client.clone(), auth);
        self.machine.insert(name, socket.clone());
        self.client.sockets().push(socket.clone());
        socket.connect();
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
    fn handle_message(&mut self, message: Message) {
        match self.machine.handle_message(now(), message) {
            Ok(None) => (),
            Ok(Some(Action::Connect { namespace, auth })) => self.connect(&namespace, auth),
            Ok(Some(Action::Event(socket, event))) => {
                if !socket.handle_event(event) {
                    self.close(DisconnectReason::EventBacklog);
                    self.client.session.close();
                }
            }
            Ok(Some(Action::Ack(socket, ack))) => socket.handle_ack(ack),
            Ok(Some(Action::Disconnect(socket))) => {
                socket.end(DisconnectReason::ClientNamespaceDisconnect);
            }
            Err(violation) => self.refuse(violation),
        }
    }

    fn handle_close(&mut self, reason: CloseReason) {
        self.close(reason.into());
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
