//! Broadcasts that ask for acknowledgements.

use sockeye_protocol::{Sid, socket::Payload};

/// Gathers the answers to a broadcast.
///
/// Its methods may be called from any thread, but with no lock held that an adapter or a socket
/// takes.
pub trait AckCollector: Send + Sync {
    /// These sockets are about to be asked. Called once, before any of them is.
    fn expect(&self, sockets: Vec<Sid>);

    /// A socket has answered.
    fn handle_answer(&self, socket: Sid, answer: Payload);

    /// A socket will not answer.
    fn handle_silence(&self, socket: Sid, why: Silence);
}

/// Why a socket that was to be asked will not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Silence {
    /// It is gone.
    Disconnected,
    /// The packet was volatile, and could not leave.
    Dropped,
    /// It owes as many answers as this already, which is the limit.
    TooManyPending(usize),
}
