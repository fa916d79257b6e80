//! `broadcast` and `rooms`: in each group one connection publishes, and all of them receive.

use super::{
    super::{
        frame::{Opcode, write_frame},
        payload::Template,
        sequence::{Finder, Order, next},
        tally::{Nanos, Tally},
    },
    AfterJoin, Scenario,
};

/// Connections in groups: the one with index `i` is in group `i` modulo the number of groups.
pub(crate) struct Groups {
    groups: Vec<Group>,
    /// The order of each connection's deliveries.
    orders: Vec<Order>,
    /// What a connection sends before it is ready, by group; nothing if that is empty.
    preparations: Vec<Vec<u8>>,
    finder: Finder,
    in_flight: usize,
    /// Publishers that may publish, since a message of theirs is through.
    due: Vec<usize>,
}

struct Group {
    template: Template,
    publisher: Option<usize>,
    members: u32,
    next: u32,
    /// Messages under way.
    open: usize,
    /// The latest messages, a power of two of them.
    ring: Vec<Published>,
}

#[derive(Clone, Default)]
struct Published {
    number: u32,
    sent_at: Nanos,
    /// Deliveries that are to come; if there are none, the place is free.
    remaining: u32,
}

impl Groups {
    /// Every connection is in the one group.
    pub(crate) fn all(
        template: Template,
        finder: Finder,
        connections: usize,
        in_flight: usize,
    ) -> Self {
        Self::new(vec![template], Vec::new(), finder, connections, in_flight)
    }

    /// Each connection joins a room with the event `join`. `to_room` makes the template of a room's
    /// messages from its name.
    pub(crate) fn rooms(
        rooms: usize,
        namespace_prefix: &str,
        to_room: impl Fn(&str) -> Template,
        finder: Finder,
        connections: usize,
        in_flight: usize,
    ) -> Self {
        let names = || (0..rooms).map(|room| format!("room-{room}"));
        let templates = names().map(|name| to_room(&name)).collect();
        let preparations = names().map(|name| join_frames(namespace_prefix, &name)).collect();
        Self::new(templates, preparations, finder, connections, in_flight)
    }

    fn new(
        templates: Vec<Template>,
        preparations: Vec<Vec<u8>>,
        finder: Finder,
        connections: usize,
        in_flight: usize,
    ) -> Self {
        let ring = vec![Published::default(); (in_flight * 2).next_power_of_two()];
        let group = |template| Group {
            template,
            publisher: None,
            members: 0,
            next: 0,
            open: 0,
            ring: ring.clone(),
        };
        Self {
            groups: templates.into_iter().map(group).collect(),
            orders: vec![Order::default(); connections],
            preparations,
            finder,
            in_flight,
            due: Vec::new(),
        }
    }

    fn group_of(&self, index: usize) -> usize {
        index % self.groups.len()
    }
}

/// Joins a room and asks for an acknowledgement: events are handled in order, so the room is joined
/// when that comes.
fn join_frames(namespace_prefix: &str, room: &str) -> Vec<u8> {
    let mut frames = Vec::new();
    let join = format!(r#"42{namespace_prefix}["join","{room}"]"#);
    let ack = format!(r#"42{namespace_prefix}1["ack","{room}"]"#);
    write_frame(&mut frames, Opcode::Text, join.as_bytes());
    write_frame(&mut frames, Opcode::Text, ack.as_bytes());
    frames
}

impl Group {
    fn published(&mut self, number: u32) -> &mut Published {
        let mask = self.ring.len() - 1;
        &mut self.ring[number as usize & mask]
    }

    /// Notes that a delivery of the message came, or never will. True if it was the last one.
    fn settle(&mut self, number: u32) -> bool {
        let published = self.published(number);
        published.remaining -= 1;
        if published.remaining > 0 {
            return false;
        }
        self.open -= 1;
        true
    }
}

impl Scenario for Groups {
    fn join(&mut self, index: usize, output: &mut Vec<u8>) -> AfterJoin {
        if self.preparations.is_empty() {
            return AfterJoin::Ready;
        }
        output.extend_from_slice(&self.preparations[self.group_of(index)]);
        AfterJoin::Prepare
    }

    fn start(&mut self, index: usize, _now: Nanos, _output: &mut Vec<u8>) {
        let group = self.group_of(index);
        let group = &mut self.groups[group];
        group.members += 1;
        if group.publisher.is_none() {
            group.publisher = Some(index);
            // At the end of the round, when all members are counted.
            self.due.push(index);
        }
    }

    fn handle_text(
        &mut self,
        index: usize,
        packet: &[u8],
        now: Nanos,
        tally: &mut Tally,
        _output: &mut Vec<u8>,
    ) {
        if !packet.starts_with(b"2") {
            return;
        }
        let Some(number) = self.finder.find(packet) else { return };
        let group = self.group_of(index);
        let group = &mut self.groups[group];
        let published = group.published(number);
        if published.number != number || published.remaining == 0 {
            return;
        }
        tally.complete(published.sent_at, now, self.orders[index].is_kept_by(number));
        if group.settle(number) && tally.sending {
            self.due.extend(group.publisher);
        }
    }

    fn next_publisher(&mut self) -> Option<usize> {
        self.due.pop()
    }

    fn publish(&mut self, index: usize, now: Nanos, output: &mut Vec<u8>) {
        let group = self.group_of(index);
        let group = &mut self.groups[group];
        // The next place is not free if a message has been overtaken by that many others.
        while group.open < self.in_flight && group.published(group.next).remaining == 0 {
            let number = group.next;
            let remaining = group.members;
            *group.published(number) = Published { number, sent_at: now, remaining };
            group.template.write(output, number);
            group.next = next(number);
            group.open += 1;
        }
    }

    fn lose(&mut self, index: usize, tally: &mut Tally) {
        let group = self.group_of(index);
        let group = &mut self.groups[group];
        if group.members == 0 {
            // Nothing has started yet.
            return;
        }
        group.members -= 1;
        if group.publisher == Some(index) {
            group.publisher = None;
            self.due.retain(|due| *due != index);
        }
        let awaited: Vec<u32> = group
            .ring
            .iter()
            .filter(|published| published.remaining > 0)
            .map(|published| published.number)
            .filter(|number| self.orders[index].clone().is_kept_by(*number))
            .collect();
        for number in awaited {
            if group.settle(number) && tally.sending {
                self.due.extend(group.publisher);
            }
        }
    }

    fn outstanding(&self) -> u64 {
        let published = self.groups.iter().flat_map(|group| &group.ring);
        published.map(|published| u64::from(published.remaining)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three connections in one group, two messages in flight; all have started.
    fn started() -> (Groups, Tally) {
        let template = Template::zeros();
        let mut groups = Groups::all(template, Finder::new("#"), 3, 2);
        let mut tally = Tally::new(3);
        tally.sending = true;
        for index in 0..3 {
            groups.start(index, 0, &mut Vec::new());
        }
        assert_eq!(groups.next_publisher(), Some(0));
        groups.publish(0, 1000, &mut Vec::new());
        assert_eq!((groups.outstanding(), groups.next_publisher()), (6, None));
        (groups, tally)
    }

    fn deliver(groups: &mut Groups, tally: &mut Tally, index: usize, number: u32) {
        let packet = format!("2#{number:08}");
        groups.handle_text(index, packet.as_bytes(), 2000, tally, &mut Vec::new());
    }

    #[test]
    fn the_next_message_follows_the_last_delivery() {
        let (mut groups, mut tally) = started();
        for index in 0..3 {
            assert_eq!(groups.next_publisher(), None);
            deliver(&mut groups, &mut tally, index, 0);
        }
        assert_eq!(groups.next_publisher(), Some(0));
        groups.publish(0, 3000, &mut Vec::new());
        assert_eq!(groups.outstanding(), 6);
        assert_eq!((tally.counts.messages, tally.counts.out_of_order), (3, 0));
    }

    #[test]
    fn the_order_is_each_subscriber_s_own() {
        let (mut groups, mut tally) = started();
        for (index, number) in [(0, 0), (1, 1), (0, 1), (1, 0), (2, 0), (2, 1)] {
            deliver(&mut groups, &mut tally, index, number);
        }
        assert_eq!((tally.counts.messages, tally.counts.out_of_order), (6, 1));
        deliver(&mut groups, &mut tally, 2, 1);
        assert_eq!(tally.counts.messages, 6, "what nobody waits for is not counted");
    }

    #[test]
    fn nobody_waits_for_a_lost_subscriber() {
        let (mut groups, mut tally) = started();
        for (index, number) in [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)] {
            deliver(&mut groups, &mut tally, index, number);
        }
        assert_eq!((groups.outstanding(), groups.next_publisher()), (1, Some(0)));
        groups.lose(2, &mut tally);
        assert_eq!((groups.outstanding(), groups.next_publisher()), (0, Some(0)));
        groups.publish(0, 3000, &mut Vec::new());
        assert_eq!(groups.outstanding(), 4);
    }
}
