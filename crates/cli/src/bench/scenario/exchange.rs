//! `echo`, `ack` and `binary`: each message comes back, and another one follows it.

use super::{
    super::{
        payload::Template,
        sequence::{CYCLE, Finder, from_digits},
        tally::{Nanos, Tally},
    },
    Lanes, Scenario,
};

/// Added to numbers that are acknowledgements' ids, which have no zeros in front.
const FIRST_ACK_ID: u32 = 10_000_000;

/// How a message comes back.
pub(crate) enum Reply {
    /// As an event, `2["echo",…]`.
    Echo(Finder),
    /// As an acknowledgement, `3/admin,10000000[…]`; what stands before the id.
    Ack(Vec<u8>),
    /// As an attachment.
    Binary,
}

impl Reply {
    pub(crate) fn ack(namespace_prefix: &str) -> Self {
        Self::Ack(format!("3{namespace_prefix}").into())
    }
}

/// Each connection has its messages under way, independent of all others.
pub(crate) struct Exchange {
    lanes: Lanes,
    template: Template,
    reply: Reply,
}

impl Exchange {
    pub(crate) fn new(lanes: Lanes, template: Template, reply: Reply) -> Self {
        Self { lanes, template, reply }
    }

    fn send(&mut self, index: usize, now: Nanos, output: &mut Vec<u8>) {
        let number = self.lanes.send(index, now);
        let first = if matches!(self.reply, Reply::Ack(_)) { FIRST_ACK_ID } else { 0 };
        self.template.write(output, first + number);
    }

    fn receive(
        &mut self,
        index: usize,
        number: u32,
        now: Nanos,
        tally: &mut Tally,
        output: &mut Vec<u8>,
    ) {
        if self.lanes.receive(index, number, now, tally) && tally.sending {
            self.send(index, now, output);
        }
    }
}

impl Scenario for Exchange {
    fn start(&mut self, index: usize, now: Nanos, output: &mut Vec<u8>) {
        for _ in 0..self.lanes.in_flight() {
            self.send(index, now, output);
        }
    }

    fn handle_text(
        &mut self,
        index: usize,
        packet: &[u8],
        now: Nanos,
        tally: &mut Tally,
        output: &mut Vec<u8>,
    ) {
        let number = match &mut self.reply {
            Reply::Echo(finder) if packet.starts_with(b"2") => finder.find(packet),
            Reply::Ack(before) => packet.strip_prefix(&before[..]).and_then(ack_number),
            Reply::Echo(_) | Reply::Binary => None,
        };
        if let Some(number) = number {
            self.receive(index, number, now, tally, output);
        }
    }

    fn handle_binary(
        &mut self,
        index: usize,
        data: &[u8],
        now: Nanos,
        tally: &mut Tally,
        output: &mut Vec<u8>,
    ) {
        if let Some(number) = from_digits(data) {
            self.receive(index, number, now, tally, output);
        }
    }

    fn lose(&mut self, index: usize, _tally: &mut Tally) {
        self.lanes.lose(index);
    }

    fn outstanding(&self) -> u64 {
        self.lanes.outstanding()
    }
}

/// The number of the acknowledgement whose id is at the front of `text`.
fn ack_number(text: &[u8]) -> Option<u32> {
    let (id, rest) = text.split_first_chunk::<8>()?;
    let id = std::str::from_utf8(id).ok()?.parse::<u32>().ok()?;
    rest.starts_with(b"[").then_some(id.checked_sub(FIRST_ACK_ID)?).filter(|n| *n < CYCLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_known_by_its_id() {
        assert_eq!(ack_number(b"10000000[1]"), Some(0));
        assert_eq!(ack_number(b"99999999[]"), Some(CYCLE - 1));
        for other in [&b"1[]"[..], b"100000000[]", b"00000001[]", b""] {
            assert_eq!(ack_number(other), None);
        }
    }
}
