//! What connections do once they have joined.

mod exchange;
mod group;
mod lanes;
mod quiet;

pub(crate) use exchange::{Exchange, Reply};
pub(crate) use group::Groups;
pub(crate) use lanes::Lanes;
pub(crate) use quiet::{Idle, Reconnect};

use super::tally::{Nanos, Tally};

/// How a connection goes on when its socket has been accepted.
pub(crate) enum AfterJoin {
    /// It is ready for messages.
    Ready,
    /// It is once an acknowledgement comes, which was asked for.
    Prepare,
    /// It has done what it is for.
    Leave,
}

/// A scenario on WebSockets. Connections have an index; `output` is written to the connection that
/// a call is about, when it returns.
pub(crate) trait Scenario {
    /// Whether connections are opened again when they are over.
    const REOPENS: bool = false;

    /// The namespace has accepted the socket.
    fn join(&mut self, _index: usize, _output: &mut Vec<u8>) -> AfterJoin {
        AfterJoin::Ready
    }

    /// All connections have joined, and messages may be sent.
    fn start(&mut self, _index: usize, _now: Nanos, _output: &mut Vec<u8>) {}

    /// A packet of Socket.IO came, `2["echo",…]`.
    fn handle_text(
        &mut self,
        _index: usize,
        _packet: &[u8],
        _now: Nanos,
        _tally: &mut Tally,
        _output: &mut Vec<u8>,
    ) {
    }

    /// An attachment came.
    fn handle_binary(
        &mut self,
        _index: usize,
        _data: &[u8],
        _now: Nanos,
        _tally: &mut Tally,
        _output: &mut Vec<u8>,
    ) {
    }

    /// A connection that may publish now, because of what came on others.
    fn next_publisher(&mut self) -> Option<usize> {
        None
    }

    /// Publishes what may be under way.
    fn publish(&mut self, _index: usize, _now: Nanos, _output: &mut Vec<u8>) {}

    /// A connection is over.
    fn lose(&mut self, _index: usize, _tally: &mut Tally) {}

    /// How many messages were sent and have neither come back nor been lost with a connection.
    fn outstanding(&self) -> u64 {
        0
    }
}
