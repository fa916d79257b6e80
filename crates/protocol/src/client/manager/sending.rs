//! What sockets send: events, and answers to those of the server.

use std::time::{Duration, Instant};

use super::{ClientInput, Manager, NotSent, Phase, SocketId};
use crate::{
    client::{buffer::Waiting, retry::Entry},
    engine::later,
    socket::EncodedPacket,
};

/// An event to be sent.
#[derive(Debug)]
pub struct Emit<W> {
    /// The event, encoded for the socket's namespace.
    pub packet: EncodedPacket,
    /// What is to become of its acknowledgement, if the packet asks for one.
    pub ack: Option<AckRequest<W>>,
    /// What is to become of it if it cannot leave at once.
    pub policy: Policy,
}

/// An acknowledgement that an event asks for.
#[derive(Debug)]
pub struct AckRequest<W> {
    /// The id in the packet; no other event of the socket has it.
    pub id: u64,
    /// Who waits for it. None if it only says that the event need not be sent again.
    pub waiter: Option<W>,
    /// How long it is waited for, from now on, or per try where events are sent again.
    pub timeout: Option<Duration>,
}

/// What becomes of an event that cannot leave at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It waits for a connection.
    #[default]
    Buffer,
    /// It waits for a connection for so long, and is dropped then. It is sent once only.
    Expire(Duration),
    /// It is refused if the socket is not connected.
    Fail,
    /// It is dropped if the socket is not connected or what was sent before has not left yet. It is
    /// sent once only.
    Volatile,
}

impl<W> Manager<W> {
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
    /// False if more waits than twice `max_waiting_bytes`, since the server asks and does not read:
    /// then the answer is lost, and the connection should be [cut](Self::cut).
    #[must_use]
    pub fn send_ack(
        &mut self,
        now: Instant,
        socket: SocketId,
        connection: u32,
        packet: &EncodedPacket,
    ) -> bool {
        let index = socket.0 as usize;
        if self.sockets[index].connections != connection {
            return true;
        }
        let waiting = self.phase.open_session().map_or(0, |session| session.waiting_bytes());
        // Events may take all of their own bound, and must not keep answers from leaving.
        let limit = self.config.max_waiting_bytes.saturating_mul(2);
        if waiting > 0 && waiting.saturating_add(packet.len()) > limit {
            return false;
        }
        self.send(now, index, packet);
        true
    }

    /// Nobody waits for this acknowledgement any more; what waited comes back. The event is sent
    /// all the same.
    pub fn forget_ack(&mut self, socket: SocketId, id: u64) -> Option<W> {
        let socket = &mut self.sockets[socket.0 as usize];
        socket.acks.remove(id).or_else(|| socket.retries.forget(id))
    }

    /// Hands a packet to the session; false if the socket is not connected.
    pub(super) fn send(&mut self, now: Instant, index: usize, packet: &EncodedPacket) -> bool {
        let is_connected = self.sockets[index].is_connected();
        match self.phase.open_session().filter(|_| is_connected) {
            Some(session) => {
                packet.packets().for_each(|part| session.handle(now, ClientInput::Send(part)));
                true
            }
            None => false,
        }
    }

    pub(super) fn send_next_try(&mut self, now: Instant, index: usize) {
        if self.sockets[index].is_connected() {
            if let Some(packet) = self.sockets[index].retries.start(now) {
                self.send(now, index, &packet);
            }
        }
    }
}

fn is_sent_again(policy: Policy) -> bool {
    matches!(policy, Policy::Buffer | Policy::Fail)
}
