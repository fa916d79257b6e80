//! One socket: a client's place in one namespace, over one connection after another.

use std::time::Instant;

use super::{
    Auth,
    acks::Acks,
    buffer::{Buffer, earliest},
    recovery::Recovery,
    retry::Retries,
};
use crate::socket::Event;

#[derive(Debug)]
pub(super) struct Socket<W> {
    pub(super) namespace: Box<str>,
    pub(super) auth: Auth,
    pub(super) standing: Standing,
    /// The socket was left while it joined, and the server has not answered yet. Asking again
    /// before it has would break the protocol.
    pub(super) owes_answer: bool,
    /// How often it has been connected.
    pub(super) connections: u32,
    /// How often its auth was asked for.
    pub(super) auths: u32,
    /// Whether the server has restored it.
    pub(super) recovered: bool,
    pub(super) recovery: Option<Recovery>,
    pub(super) buffer: Buffer,
    pub(super) acks: Acks<W>,
    pub(super) retries: Retries<W>,
}

#[derive(Debug)]
pub(super) enum Standing {
    /// Nobody wants it connected.
    Inactive,
    /// It is to be connected once there is a session.
    Waiting,
    /// There is a session; the application makes the auth.
    Authenticating {
        until: Instant,
    },
    /// There is a session; the auth could not be made, and is asked for again then.
    Resting {
        until: Instant,
    },
    /// The server decides.
    Joining {
        until: Instant,
        early: Early,
    },
    Connected {
        id: Box<str>,
    },
}

/// Events that came before the server's yes: a restored socket gets what it has missed first.
#[derive(Debug, Default)]
pub(super) struct Early {
    pub(super) events: Vec<Event>,
    pub(super) bytes: usize,
}

impl<W> Socket<W> {
    pub(super) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.into(),
            auth: Auth::None,
            standing: Standing::Inactive,
            owes_answer: false,
            connections: 0,
            auths: 0,
            recovered: false,
            recovery: None,
            buffer: Buffer::default(),
            acks: Acks::default(),
            retries: Retries::default(),
        }
    }

    pub(super) fn is_active(&self) -> bool {
        !matches!(self.standing, Standing::Inactive)
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(self.standing, Standing::Connected { .. })
    }

    /// Bytes that wait for a connection, or for their turn.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.buffer.bytes() + self.retries.bytes()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let standing = match &self.standing {
            Standing::Authenticating { until }
            | Standing::Resting { until }
            | Standing::Joining { until, .. } => Some(*until),
            Standing::Inactive | Standing::Waiting | Standing::Connected { .. } => None,
        };
        let sent = earliest(self.acks.deadline(), self.retries.deadline());
        earliest(standing, earliest(sent, self.buffer.deadline()))
    }

    /// The waiters of events that were sent and will not be answered any more. Those of events that
    /// still wait to be sent stay.
    pub(super) fn lose_acks(&mut self) -> Vec<W> {
        let ids = self.acks.ids();
        let sent = ids.into_iter().filter(|id| !self.buffer.holds(*id)).collect::<Vec<_>>();
        sent.into_iter().filter_map(|id| self.acks.remove(id)).collect()
    }
}
