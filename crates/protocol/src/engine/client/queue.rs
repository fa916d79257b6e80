//! What waits to leave.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::engine::{Dialect, Outgoing, Revision, payload};

/// How many packets a POST holds at most. python-engineio refuses bodies of more.
const MAX_PACKETS: usize = 16;

/// Packets in their order. A heartbeat goes first, and one answers several.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heartbeat: Option<Outgoing>,
    packets: VecDeque<Outgoing>,
    /// Bytes of `packets`.
    bytes: usize,
}

impl Queue {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, packet: Outgoing) {
        self.bytes += packet.bytes().len();
        self.packets.push_back(packet);
    }

    pub(super) fn push_heartbeat(&mut self, packet: Outgoing) {
        self.heartbeat = Some(packet);
    }

    pub(super) fn pop_heartbeat(&mut self) -> Option<Outgoing> {
        self.heartbeat.take()
    }

    pub(super) fn pop(&mut self) -> Option<Outgoing> {
        let packet = self.packets.pop_front()?;
        self.bytes -= packet.bytes().len();
        Some(packet)
    }

    /// The heartbeat first.
    pub(super) fn pop_any(&mut self) -> Option<Outgoing> {
        self.pop_heartbeat().or_else(|| self.pop())
    }

    /// Takes as many packets as fit into a body, at least one if there is one.
    pub(super) fn take_body(&mut self, revision: Revision, max_bytes: usize) -> Option<Bytes> {
        let mut packets = vec![self.pop_any()?];
        let mut size = payload::encoded_len(&packets[0]);
        while let Some(packet) = self.packets.front().filter(|_| packets.len() < MAX_PACKETS) {
            size = size.saturating_add(revision.framing_bytes() + payload::encoded_len(packet));
            if size > max_bytes {
                break;
            }
            packets.extend(self.pop());
        }
        Some(Dialect::of_client(revision).encode_body(&packets).bytes)
    }
}
