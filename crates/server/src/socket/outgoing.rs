//! Telling those who hear all that is emitted to a socket.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use sockeye_event::{Ack, Event};
use sockeye_protocol::{
    Fifo,
    socket::{EncodedPacket, Packet},
};

use super::{Inner, Socket};
use crate::{extract::Context, inbox::call_all};

/// What has been emitted and not been told yet.
#[derive(Default)]
pub(super) struct Outgoing {
    /// Whether the socket has had a handler for it.
    is_heard: AtomicBool,
    queue: Mutex<Option<Box<Queue>>>,
}

/// There is one as long as a task is telling.
struct Queue {
    waiting: Fifo<EncodedPacket>,
    bytes: usize,
}

/// What it takes to keep a packet. Without what surrounds them, many tiny ones would take a multiple of
/// the bound.
fn bytes(packet: &EncodedPacket) -> usize {
    size_of_val(packet) + packet.len()
}

impl Outgoing {
    /// From now on, what is emitted is told.
    pub(super) fn listen(&self) {
        self.is_heard.store(true, Ordering::Relaxed);
    }

    fn queue(&self) -> MutexGuard<'_, Option<Box<Queue>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a packet; whether a task is to be started that tells of it.
    fn push(&self, packet: &EncodedPacket, max_bytes: usize) -> bool {
        let mut queue = self.queue();
        let is_first = queue.is_none();
        let queue = queue.get_or_insert_with(|| Box::new(Queue { waiting: Fifo::new(), bytes: 0 }));
        if !is_first && queue.bytes + bytes(packet) > max_bytes {
            tracing::warn!(
                "an event was emitted that no outgoing handler is told of: too many wait"
            );
            return false;
        }
        queue.bytes += bytes(packet);
        queue.waiting.push_back(packet.clone());
        is_first
    }

    fn pop(&self) -> Option<EncodedPacket> {
        let mut queue = self.queue();
        let next = queue.as_mut().and_then(|queue| queue.waiting.pop_front());
        match (&mut *queue, &next) {
            (Some(queue), Some(packet)) => queue.bytes -= bytes(packet),
            _ => *queue = None,
        }
        next
    }
}

impl Inner {
    /// An event is emitted to the socket: those who want to know are told by another task, since
    /// whoever emits may hold locks.
    pub(super) fn note_outgoing(&self, packet: &EncodedPacket) {
        if !self.outgoing.is_heard.load(Ordering::Relaxed) && !self.namespace.hears_outgoing() {
            return;
        }
        let core = self.namespace.core();
        if self.outgoing.push(packet, core.options.max_backlog_bytes) {
            // Whoever emits has the socket, so it is there.
            let Some(socket) = self.me.upgrade().map(Socket) else { return };
            core.spawn(async move { socket.tell_outgoing().await });
        }
    }
}

impl Socket {
    async fn tell_outgoing(self) {
        let context = Context { socket: self.clone(), reason: None };
        while let Some(packet) = self.0.outgoing.pop() {
            let event = match self.core().decode(&packet) {
                Ok(Some(Packet::Event(event))) => event,
                other => {
                    tracing::error!(?other, "what was emitted is told to no outgoing handler");
                    continue;
                }
            };
            let running = {
                let own = self.state().listeners.any_outgoing().cloned();
                let handlers = self.0.namespace.handlers();
                let called = handlers.events.any_outgoing().into_iter().chain(&own);
                let told = Event::new(&event.name, &event.payload, Ack::none());
                call_all(&context, called, &event.name, &told)
            };
            running.finish(&self).await;
            tokio::task::consume_budget().await;
        }
    }
}
