//! How sockets come into their namespaces, and leave them.

use std::{collections::BTreeSet, time::Instant};

use serde_json::{Map, Value};

use super::{
    AckFailure, Auth, ClientInput, CloseReason, ConnectFailure, DisconnectReason, Manager, Output,
    Phase, Socket, SocketId, Standing, id_of,
};
use crate::{
    client::socket::Early,
    engine::{Failure, later},
    socket::{connect_request, disconnect},
};

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
        let socket = &self.sockets[index];
        let recovery = socket.recovery.as_ref().map(|recovery| recovery.add_to(auth));
        let packet = connect_request(&socket.namespace, recovery.as_deref().or(auth));
        let packet = self.convert(packet);
        let Some(session) = self.phase.open_session() else { return };
        packet.packets().for_each(|part| session.handle(now, ClientInput::Send(part)));
        let until = later(now, self.config.session.handshake_timeout);
        self.sockets[index].standing = Standing::Joining { until, early: Early::default() };
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
        let packet = self.convert(connect_request(&namespace, None));
        if let Some(session) = self.phase.open_session() {
            packet.packets().for_each(|part| session.handle(now, ClientInput::Send(part)));
        }
    }

    /// The application wants the socket connected no more.
    pub(super) fn leave(&mut self, now: Instant, index: usize) {
        let packet = self.convert(disconnect(&self.sockets[index].namespace));
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
    pub(super) fn lose_sockets(
        &mut self,
        reason: DisconnectReason,
        failure: Option<&Failure>,
        will_retry: bool,
    ) {
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
                _ => {
                    let failure = ConnectFailure::Lost { reason, failure: failure.cloned() };
                    self.fail_connect(index, failure, will_retry);
                }
            }
        }
    }

    /// A socket that was connected is not any more.
    pub(super) fn part(&mut self, index: usize, reason: DisconnectReason, will_reconnect: bool) {
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
        let mut overdue = BTreeSet::new();
        while let Some((id, waiter)) = socket.acks.pop_expired(now) {
            overdue.insert(id);
            self.outputs.push_back(Output::Ack(waiter, Err(AckFailure::TimedOut)));
        }
        socket.buffer.remove(&overdue);
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
