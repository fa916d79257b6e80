//! What comes for sockets.

use std::time::Instant;

use bytestring::ByteString;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    ClientInput, CloseReason, ConnectFailure, DisconnectReason, Manager, Output, Phase, Standing,
    id_of,
};
use crate::{
    client::recovery::Recovery,
    engine::{Message, later},
    socket::{Ack, Event, Packet, disconnect},
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
    pub(super) fn handle_message(&mut self, now: Instant, message: Message) {
        let timeout = self.config.limits.attachment_timeout;
        let Phase::Open { live, decoder, attachments_by, .. } = &mut self.phase else { return };
        match decoder.decode(message) {
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
    pub(super) fn handle_yes(&mut self, now: Instant, index: usize, payload: Option<ByteString>) {
        if std::mem::take(&mut self.sockets[index].owes_answer) {
            let packet = self.convert(disconnect(&self.sockets[index].namespace));
            if let Some(session) = self.phase.open_session() {
                packet.packets().for_each(|part| session.handle(now, ClientInput::Send(part)));
            }
            return;
        }
        let socket = &mut self.sockets[index];
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
                self.fail_connect(index, ConnectFailure::Lost { reason, failure: None }, false);
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
                // With what surrounds them: tiny events would take a multiple of the bound.
                let attachments = event.payload.attachments.iter();
                let attachments = attachments.map(|bytes| size_of_val(bytes) + bytes.len());
                let text = event.name.len() + event.payload.json().len();
                early.bytes += size_of_val(&event) + text + attachments.sum::<usize>();
                early.events.push(event.to_owned());
                if early.bytes > limit {
                    // Asked to restore the socket again, the server would send them all again.
                    self.cut_backlog(now, id_of(index));
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
