//! A client's place in a namespace that may not exist yet.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use sockeye_protocol::socket::{Member, Standing};

use crate::{DisconnectReason, Socket};

/// What a connection keeps for a namespace.
#[derive(Clone)]
pub(crate) enum Seat {
    /// The namespace exists.
    Taken(Socket),
    /// The application is asked whether the namespace may come to be.
    Asked(Arc<Asked>),
}

/// What became of the question.
#[derive(Default)]
pub(crate) struct Asked {
    /// A socket, or nothing because the answer was no or the client did not wait for it.
    outcome: OnceLock<Option<Socket>>,
    is_answered: AtomicBool,
}

impl Asked {
    /// The application has answered: nothing runs for the question any more.
    pub(crate) fn note_answer(&self) {
        self.is_answered.store(true, Ordering::Release);
    }

    /// The answer is yes; false if it comes too late.
    pub(crate) fn accept(&self, socket: Socket) -> bool {
        self.outcome.set(Some(socket)).is_ok()
    }

    /// The answer is no, or the client waits for it no longer; false if there was an end to it
    /// before.
    pub(crate) fn refuse(&self) -> bool {
        self.outcome.set(None).is_ok()
    }
}

impl Seat {
    pub(crate) fn socket(&self) -> Option<&Socket> {
        match self {
            Self::Taken(socket) => Some(socket),
            Self::Asked(asked) => asked.outcome.get()?.as_ref(),
        }
    }

    /// The client leaves, or waits no longer.
    pub(crate) fn leave(&self) {
        if let Self::Asked(asked) = self {
            asked.refuse();
        }
        if let Some(socket) = self.socket() {
            socket.end(DisconnectReason::ClientNamespaceDisconnect);
        }
    }
}

impl Member for Seat {
    fn standing(&self) -> Standing {
        match self {
            Self::Taken(socket) => socket.standing(),
            Self::Asked(asked) => match asked.outcome.get() {
                None => Standing::Connecting,
                Some(None) => Standing::Refused,
                Some(Some(socket)) => socket.standing(),
            },
        }
    }

    fn is_released(&self) -> bool {
        match self {
            Self::Taken(socket) => socket.is_released(),
            Self::Asked(asked) => match asked.outcome.get() {
                None => false,
                Some(None) => asked.is_answered.load(Ordering::Acquire),
                Some(Some(socket)) => socket.is_released(),
            },
        }
    }
}
