//! What the manager does for its sockets: joining, leaving, sending and receiving.

use std::time::Instant;

use bytes::Bytes;
use bytestring::ByteString;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::{
    AckFailure, Auth, ClientInput, CloseReason, ConnectFailure, DisconnectReason, Emit, Entry,
    Manager, NotSent, Output, Phase, Policy, Socket, SocketId, Standing, Waiting,
};
use crate::{
    client::{recovery::Recovery, socket::Early},
    engine::{Message, later},
    socket::{Ack, EncodedPacket, Event, Packet, connect_request, disconnect},
};

/// A server's yes: `{"sid":"…","pid":"…"}`.
#[derive(Deserialize, Default)]
struct Welcome {
    sid: Option<String>,
    pid: Option<String>,
}

/// A server's no: `{"message":"…","data":…}`.
#[derive(Deserialize)]
struct Refusal<'a> {
    message: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl<W> Manager<W> {
    /// The socket of a namespace, made when it is asked for first. It connects to nothing before
    /// it is [opened](Self::open).
    pub fn socket(&mut self, namespace: &str) -> SocketId {
        let known = self.sockets.iter().position(|socket| *socket.namespace == *namespace);
        let index = known.unwrap_or_else(|| {
            self.sockets.push(Socket::new(namespace));
            self.sockets.len() - 1
        });
        SocketId(u32::try_from(index).expect("there is no room for so many namespaces"))
    }

    /// What a socket says about itself from its next connection on.
    pub fn set_auth(&mut self, socket: SocketId, auth: Auth) {
        self.sockets[socket.0 as usize].auth = auth;
    }

    /// Connects a socket, and the manager if need be. Nothing happens if it is active already; if
    /// the manager waits for its next attempt, it goes on waiting.
    pub fn open(&mut self, now: Instant, socket: SocketId) {
        let index = socket.0 as usize;
        if matches!(self.phase, Phase::Closed) || self.sockets[index].is_active() {
            return;
        }
        let until = later(now, self.config.session.handshake_timeout);
        let socket = &mut self.sockets[index];
        if std::mem::take(&mut socket.owes_answer) {
            socket.standing = Standing::Joining { until, early: Early::default() };
            return;
        }
        socket.standing = Standing::Waiting;
        if matches!(self.phase, Phase::Open { .. }) {
            self.join(now, index);
        } else {
            self.open_if_wanted(now);
        }
    }

    /// Leaves a socket's namespace, and closes the connection if no socket needs it. What was
    /// emitted and waits for a connection is kept for the next time that it is opened.
    pub fn disconnect(&mut self, now: Instant, socket: SocketId) {
        self.leave(now, socket.0 as usize);
        self.close_if_unused(now);
    }

    /// The auth that was [asked for](Output::AuthWanted): the text of a JSON object, or none, or
    /// why it could not be made. In the latter case it is asked for again after the longest wait
    /// between attempts.
    pub fn provide_auth(
        &mut self,
        now: Instant,
        socket: SocketId,
        number: u32,
        auth: Result<Option<String>, String>,
    ) {
        let index = socket.0 as usize;
        let socket = &self.sockets[index];
        let is_awaited = matches!(socket.standing, Standing::Authenticating { .. });
        if !is_awaited || socket.auths != number {
            return;
        }
        match auth {
            Ok(auth) => self.send_connect(now, index, auth.as_deref()),
            Err(message) => self.rest(now, index, ConnectFailure::Auth(message)),
        }
    }

    /// Sends an event. An error says that it was not taken, and will not be sent.
    ///
    /// # Errors
    /// The [policy](Emit::policy) refuses it, or too much waits already.
    pub fn emit(&mut self, now: Instant, socket: SocketId, emit: Emit<W>) -> Result<(), NotSent> {
        if self.deadline().is_some_and(|at| at <= now) {
            // After the machine has slept the connection may be long dead without our knowing.
            self.handle_tick(now);
        }
        let Emit { packet, ack, policy } = emit;
        let index = socket.0 as usize;
        self.check(index, packet.len(), policy)?;
        match ack {
            Some(ack) if self.config.retries.is_some() && is_sent_again(policy) => {
                let timeout = ack.timeout.unwrap_or(self.config.retry_timeout);
                let entry = Entry { packet, id: ack.id, waiter: ack.waiter, timeout };
                self.sockets[index].retries.push(entry);
                self.send_next_try(now, index);
            }
            ack => {
                let id = ack.and_then(|ack| {
                    let deadline = ack.timeout.map(|timeout| later(now, timeout));
                    self.sockets[index].acks.insert(ack.id, ack.waiter?, deadline);
                    Some(ack.id)
                });
                if !self.send(now, index, &packet) {
                    let expires_at = match policy {
                        Policy::Expire(after) => Some(later(now, after)),
                        _ => None,
                    };
                    self.sockets[index].buffer.push(Waiting { packet, ack: id, expires_at });
                }
            }
        }
        Ok(())
    }

    /// Whether an event of so many bytes is taken.
    fn check(&mut self, index: usize, bytes: usize, policy: Policy) -> Result<(), NotSent> {
        if matches!(self.phase, Phase::Closed) {
            return Err(NotSent::Closed);
        }
        let socket = &self.sockets[index];
        let session = self.phase.open_session().filter(|_| socket.is_connected());
        let is_writable = session.as_ref().is_some_and(|session| session.is_writable());
        match policy {
            Policy::Volatile if !is_writable => return Err(NotSent::Volatile),
            Policy::Fail if session.is_none() => return Err(NotSent::Disconnected),
            _ => (),
        }
        let sent = session.map_or(0, |session| session.waiting_bytes());
        let waiting = socket.waiting_bytes() + sent;
        let limit = self.config.max_waiting_bytes;
        if waiting > 0 && waiting.saturating_add(bytes) > limit {
            return Err(NotSent::BufferFull(limit));
        }
        Ok(())
    }

    /// Answers an event of the server's. Nothing happens if the connection in which it came is over.
    pub fn send_ack(
        &mut self,
        now: Instant,
        socket: SocketId,
        connection: u32,
        packet: &EncodedPacket,
    ) {
        let index = socket.0 as usize;
        if self.sockets[index].connections == connection {
            self.send(now, index, packet);
        }
    }

    /// Nobody waits for this acknowledgement any more; what waited comes back. The event is sent
    /// all the same.
    pub fn forget_ack(&mut self, socket: SocketId, id: u64) -> Option<W> {
        let socket = &mut self.sockets[socket.0 as usize];
        socket.acks.remove(id).or_else(|| socket.retries.forget(id))
    }

    /// Hands a packet to the session; false if the socket is not connected.
    fn send(&mut self, now: Instant, index: usize, packet: &EncodedPacket) -> bool {
        let is_connected = self.sockets[index].is_connected();
        match self.phase.open_session().filter(|_| is_connected) {
            Some(session) => {
                packet.packets().for_each(|part| session.handle(now, ClientInput::Send(part)));
                true
            }
            None => false,
        }
    }

    fn send_next_try(&mut self, now: Instant, index: usize) {
        if self.sockets[index].is_connected() {
            if let Some(packet) = self.sockets[index].retries.start(now) {
                self.send(now, index, &packet);
            }
        }
    }

    // --- Joining and leaving ---

    /// There is a session, and the socket wants to be in its namespace.
    pub(super) fn join(&mut self, now: Instant, index: usize) {
        match self.sockets[index].auth.clone() {
            Auth::None => self.send_connect(now, index, None),
            Auth::Json(auth) => self.send_connect(now, index, Some(&auth)),
            Auth::Ask => {
                let until = later(now, self.config.session.handshake_timeout);
                let socket = &mut self.sockets[index];
                socket.auths = socket.auths.wrapping_add(1);
                socket.standing = Standing::Authenticating { until };
                self.outputs.push_back(Output::AuthWanted(id_of(index), socket.auths));
            }
        }
    }

    fn send_connect(&mut self, now: Instant, index: usize, auth: Option<&str>) {
        if self.phase.old_server().is_some() {
            return self.send_old_connect(now, index, auth);
        }
        let Some(session) = self.phase.open_session() else { return };
        let socket = &mut self.sockets[index];
        let recovery = socket.recovery.as_ref().map(|recovery| recovery.add_to(auth));
        let packet = connect_request(&socket.namespace, recovery.as_deref().or(auth));
        packet.packets().for_each(|part| session.handle(now, ClientInput::Send(part)));
        let until = later(now, self.config.session.handshake_timeout);
        socket.standing = Standing::Joining { until, early: Early::default() };
    }

    /// The same for a server of Socket.IO 2: the auth is a query of the namespace, and the main one
    /// is joined without being asked for.
    fn send_old_connect(&mut self, now: Instant, index: usize, auth: Option<&str>) {
        let Some(old) = self.phase.old_server() else { return };
        let has_greeted = old.has_greeted;
        let until = later(now, self.config.session.handshake_timeout);
        let socket = &mut self.sockets[index];
        socket.standing = Standing::Joining { until, early: Early::default() };
        if *socket.namespace == *"/" {
            if auth.is_some() {
                let message = "a server of Socket.IO 2 takes it for `/` from the query only";
                self.fail_connect(index, ConnectFailure::Auth(message.to_owned()), false);
                self.close_if_unused(now);
            } else if has_greeted {
                self.handle_yes(now, index, None);
            }
            return;
        }
        let namespace = match auth {
            Some(auth) => format!("{}?{}", socket.namespace, query(auth)),
            None => socket.namespace.to_string(),
        };
        if let Some(session) = self.phase.open_session() {
            let packet = connect_request(&namespace, None);
            packet.packets().for_each(|part| session.handle(now, ClientInput::Send(part)));
        }
    }

    /// The application wants the socket connected no more.
    pub(super) fn leave(&mut self, now: Instant, index: usize) {
        let packet = disconnect(&self.sockets[index].namespace);
        // Before it stands elsewhere, and nothing can be sent.
        self.send(now, index, &packet);
        let socket = &mut self.sockets[index];
        match std::mem::replace(&mut socket.standing, Standing::Inactive) {
            // A server of Socket.IO 2 joins the main namespace without being asked to.
            Standing::Joining { .. } => {
                let is_asked = self.phase.old_server().is_none() || *socket.namespace != *"/";
                socket.owes_answer = is_asked;
            }
            Standing::Connected { .. } => {
                if let Some(old) = self.phase.old_server().filter(|_| *socket.namespace == *"/") {
                    old.has_greeted = false;
                }
                self.part(index, DisconnectReason::IoClientDisconnect, false);
            }
            _ => (),
        }
    }

    /// Closes the connection if no socket needs it.
    pub(super) fn close_if_unused(&mut self, now: Instant) {
        if self.sockets.iter().any(Socket::is_active) {
            return;
        }
        match self.phase {
            Phase::Opening { .. } | Phase::Open { .. } | Phase::Waiting { .. } => {
                self.close_session(now);
                self.phase = Phase::Idle;
                self.backoff.reset();
                self.sockets.iter_mut().for_each(|socket| socket.owes_answer = false);
            }
            Phase::Idle | Phase::Suspended | Phase::Closed => (),
        }
    }

    /// The session is gone, and with it every socket's connection.
    pub(super) fn lose_sockets(&mut self, reason: DisconnectReason, will_retry: bool) {
        for index in 0..self.sockets.len() {
            let socket = &mut self.sockets[index];
            socket.owes_answer = false;
            if !socket.is_active() {
                continue;
            }
            let next = if will_retry { Standing::Waiting } else { Standing::Inactive };
            match std::mem::replace(&mut socket.standing, next) {
                Standing::Connected { .. } => self.part(index, reason, will_retry),
                Standing::Waiting => (),
                _ => self.fail_connect(index, ConnectFailure::Lost(reason), will_retry),
            }
        }
    }

    /// A socket that was connected is not any more.
    fn part(&mut self, index: usize, reason: DisconnectReason, will_reconnect: bool) {
        let retries = self.config.retries.unwrap_or(0);
        let socket = &mut self.sockets[index];
        let mut lost = socket.lose_acks();
        lost.extend(socket.retries.fail(retries).and_then(|entry| entry.waiter));
        let socket = id_of(index);
        self.outputs.push_back(Output::Disconnected { socket, reason, will_reconnect });
        self.fail_acks(lost, AckFailure::Disconnected);
    }

    /// A socket could not be connected.
    pub(super) fn fail_connect(&mut self, index: usize, failure: ConnectFailure, will_retry: bool) {
        if !will_retry {
            self.sockets[index].standing = Standing::Inactive;
        }
        let socket = id_of(index);
        self.outputs.push_back(Output::ConnectError { socket, failure, will_retry });
    }

    /// The auth could not be made. The connection is fine, so only this socket waits.
    fn rest(&mut self, now: Instant, index: usize, failure: ConnectFailure) {
        let will_retry = self.config.reconnection;
        let until = later(now, self.config.reconnection_delay_max);
        self.sockets[index].standing = Standing::Resting { until };
        self.fail_connect(index, failure, will_retry);
        self.close_if_unused(now);
    }

    /// A deadline of a socket has come.
    pub(super) fn tick_socket(&mut self, now: Instant, index: usize) {
        let retries = self.config.retries.unwrap_or(0);
        let socket = &mut self.sockets[index];
        for id in socket.buffer.expire(now) {
            let expired = socket.acks.remove(id);
            let output = |waiter| Output::Ack(waiter, Err(AckFailure::Expired));
            self.outputs.extend(expired.map(output));
        }
        while let Some((id, waiter)) = socket.acks.pop_expired(now) {
            socket.buffer.remove(id);
            self.outputs.push_back(Output::Ack(waiter, Err(AckFailure::TimedOut)));
        }
        if socket.retries.deadline().is_some_and(|at| at <= now) {
            let waiter = socket.retries.fail(retries).and_then(|entry| entry.waiter);
            let output = |waiter| Output::Ack(waiter, Err(AckFailure::TimedOut));
            self.outputs.extend(waiter.map(output));
            self.send_next_try(now, index);
        }
        match self.sockets[index].standing {
            Standing::Authenticating { until } if until <= now => {
                self.rest(now, index, ConnectFailure::TimedOut);
            }
            Standing::Resting { until } if until <= now => self.join(now, index),
            Standing::Joining { until, .. } if until <= now => self.cut_for(now, index),
            _ => (),
        }
    }

    /// A server that does not answer a socket gets another session: asking twice in the same one
    /// would break the protocol.
    fn cut_for(&mut self, now: Instant, index: usize) {
        self.sockets[index].standing = Standing::Waiting;
        let will_retry = self.may_retry();
        self.fail_connect(index, ConnectFailure::TimedOut, will_retry);
        if let Some(session) = self.phase.open_session() {
            session.handle(now, ClientInput::Abort(CloseReason::TransportError));
        }
    }

    // --- What comes ---

    pub(super) fn handle_message(&mut self, now: Instant, message: Message) {
        let timeout = self.config.limits.attachment_timeout;
        let Phase::Open { live, decoder, attachments_by, .. } = &mut self.phase else { return };
        let decoded = match message {
            Message::Text(text) => decoder.decode_text(text),
            Message::Binary(attachment) => decoder.decode_binary(attachment),
        };
        match decoded {
            Ok(None) => {
                attachments_by.get_or_insert(later(now, timeout));
            }
            Ok(Some(packet)) => {
                *attachments_by = None;
                self.handle_packet(now, packet);
            }
            Err(_) => live.session.handle(now, ClientInput::Abort(CloseReason::ParseError)),
        }
    }

    fn handle_packet(&mut self, now: Instant, packet: Packet) {
        let namespace = match &packet {
            Packet::Connect { namespace, .. }
            | Packet::Disconnect { namespace }
            | Packet::ConnectError { namespace, .. }
            | Packet::Event(Event { namespace, .. })
            | Packet::Ack(Ack { namespace, .. }) => &**namespace,
        };
        if let Some(old) = self.phase.old_server().filter(|_| *namespace == *"/") {
            match &packet {
                Packet::Connect { .. } => old.has_greeted = true,
                Packet::Disconnect { .. } => old.has_greeted = false,
                _ => (),
            }
        }
        let known = self.sockets.iter().position(|socket| *socket.namespace == *namespace);
        // What is for a namespace that nobody asked for is passed over.
        let Some(index) = known else { return };
        match packet {
            Packet::Connect { payload, .. } => self.handle_yes(now, index, payload),
            Packet::ConnectError { payload, .. } => self.handle_no(now, index, &payload),
            Packet::Disconnect { .. } => self.handle_disconnect(now, index),
            Packet::Event(event) => self.handle_incoming(now, index, event),
            Packet::Ack(ack) => self.handle_ack(now, index, ack),
        }
    }

    /// The server has let a socket in.
    fn handle_yes(&mut self, now: Instant, index: usize, payload: Option<ByteString>) {
        let socket = &mut self.sockets[index];
        if std::mem::take(&mut socket.owes_answer) {
            let packet = disconnect(&socket.namespace);
            if let Some(session) = self.phase.open_session() {
                packet.packets().for_each(|part| session.handle(now, ClientInput::Send(part)));
            }
            return;
        }
        let Standing::Joining { early, .. } = &mut socket.standing else { return };
        let early = std::mem::take(early);
        let welcome: Welcome =
            payload.and_then(|payload| serde_json::from_str(&payload).ok()).unwrap_or_default();
        let old = self.phase.old_server().map(|old| match &*socket.namespace {
            "/" => old.sid.to_string(),
            namespace => format!("{namespace}#{}", old.sid),
        });
        let Some(sid) = welcome.sid.or(old) else {
            self.fail_connect(index, ConnectFailure::OldProtocol, false);
            return self.close_if_unused(now);
        };
        let before = socket.recovery.take();
        socket.recovered = match (&before, &welcome.pid) {
            (Some(before), Some(pid)) => *before.pid == **pid,
            _ => false,
        };
        socket.recovery = match welcome.pid {
            Some(_) if socket.recovered => before,
            pid => pid.map(|pid| Recovery::new(&pid)),
        };
        socket.connections = socket.connections.wrapping_add(1);
        socket.standing = Standing::Connected { id: sid.into() };
        let recovered = socket.recovered;
        for event in early.events {
            self.deliver(index, event);
        }
        for event in self.sockets[index].buffer.take() {
            self.send(now, index, &event.packet);
        }
        self.send_next_try(now, index);
        self.outputs.push_back(Output::Connected { socket: id_of(index), recovered });
    }

    /// The server does not let a socket in.
    fn handle_no(&mut self, now: Instant, index: usize, payload: &str) {
        let socket = &mut self.sockets[index];
        if std::mem::take(&mut socket.owes_answer) {
            return;
        }
        if !matches!(socket.standing, Standing::Joining { .. }) {
            return;
        }
        self.fail_connect(index, refusal(payload), false);
        self.close_if_unused(now);
    }

    /// The server has sent a socket away.
    fn handle_disconnect(&mut self, now: Instant, index: usize) {
        let reason = DisconnectReason::IoServerDisconnect;
        let socket = &mut self.sockets[index];
        socket.owes_answer = false;
        match std::mem::replace(&mut socket.standing, Standing::Inactive) {
            Standing::Connected { .. } => self.part(index, reason, false),
            Standing::Joining { .. } => {
                self.fail_connect(index, ConnectFailure::Lost(reason), false);
            }
            other => self.sockets[index].standing = other,
        }
        self.close_if_unused(now);
    }

    fn handle_incoming(&mut self, now: Instant, index: usize, event: Event) {
        let limit = self.config.max_early_bytes;
        match &mut self.sockets[index].standing {
            Standing::Connected { .. } => self.deliver(index, event),
            Standing::Joining { early, .. } => {
                let attachments = event.payload.attachments.iter().map(Bytes::len);
                early.bytes += event.payload.json().len() + attachments.sum::<usize>();
                early.events.push(Event { payload: event.payload.to_owned(), ..event });
                if early.bytes > limit {
                    self.cut(now, DisconnectReason::EventBacklog);
                }
            }
            _ => (),
        }
    }

    fn deliver(&mut self, index: usize, event: Event) {
        let socket = &mut self.sockets[index];
        if let Some(recovery) = &mut socket.recovery {
            recovery.note(&event.payload);
        }
        let connection = socket.connections;
        self.outputs.push_back(Output::Event { socket: id_of(index), connection, event });
    }

    fn handle_ack(&mut self, now: Instant, index: usize, ack: Ack) {
        let socket = &mut self.sockets[index];
        let Some(id) = ack.id else { return };
        if let Some(done) = socket.retries.acknowledge(id) {
            let output = |waiter| Output::Ack(waiter, Ok(ack.payload));
            self.outputs.extend(done.waiter.map(output));
            self.send_next_try(now, index);
        } else if let Some(waiter) = socket.acks.remove(id) {
            self.outputs.push_back(Output::Ack(waiter, Ok(ack.payload)));
        }
    }
}

fn id_of(index: usize) -> SocketId {
    SocketId(u32::try_from(index).expect("`socket` has given out this id"))
}

fn is_sent_again(policy: Policy) -> bool {
    matches!(policy, Policy::Buffer | Policy::Fail)
}

/// The auth as Socket.IO 2 has it: a query, whose values are text.
fn query(auth: &str) -> String {
    let auth: Map<String, Value> = serde_json::from_str(auth).unwrap_or_default();
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in auth {
        match value {
            Value::String(text) => query.append_pair(&name, &text),
            other => query.append_pair(&name, &other.to_string()),
        };
    }
    query.finish()
}

/// Reads a server's no, which is an object or a mere string.
fn refusal(payload: &str) -> ConnectFailure {
    if let Ok(message) = serde_json::from_str::<String>(payload) {
        return ConnectFailure::Refused { message, data: None };
    }
    match serde_json::from_str::<Refusal<'_>>(payload) {
        Ok(Refusal { message, data }) => {
            ConnectFailure::Refused { message, data: data.map(|data| data.get().to_owned()) }
        }
        Err(_) => {
            let message = "refused".to_owned();
            ConnectFailure::Refused { message, data: Some(payload.to_owned()) }
        }
    }
}
