//! Scenarios without messages.

use super::{AfterJoin, Scenario};

/// Connections that only answer heartbeats.
pub(crate) struct Idle;

impl Scenario for Idle {}

/// Connections that leave as soon as they have joined, and are opened anew.
pub(crate) struct Reconnect;

impl Scenario for Reconnect {
    const REOPENS: bool = true;

    fn join(&mut self, _index: usize, _output: &mut Vec<u8>) -> AfterJoin {
        AfterJoin::Leave
    }
}
