//! Who is in which room.

use std::collections::{HashMap, hash_map::Entry};

use sockeye_protocol::Sid;

use crate::{Room, Target};

/// The members of rooms and the rooms of members, kept in step. `S` is what a member is: a handle
/// that is cheap to clone.
///
/// The room named by a member's id is not kept: looking the id up is enough.
#[derive(Debug)]
pub struct Rooms<S> {
    members: HashMap<Sid, Member<S>>,
    rooms: HashMap<Room, HashMap<Sid, S>>,
}

#[derive(Debug)]
struct Member<S> {
    socket: S,
    rooms: Vec<Room>,
}

impl<S> Default for Rooms<S> {
    fn default() -> Self {
        Self { members: HashMap::new(), rooms: HashMap::new() }
    }
}

impl<S: Clone> Rooms<S> {
    /// A member is there, in no room yet. One with the same id is replaced.
    pub fn add(&mut self, id: Sid, socket: S) {
        self.remove(id);
        self.members.insert(id, Member { socket, rooms: Vec::new() });
    }

    /// A member has gone. Its rooms.
    pub fn remove(&mut self, id: Sid) -> Vec<Room> {
        let Some(member) = self.members.remove(&id) else { return Vec::new() };
        for room in &member.rooms {
            self.take_out(id, room);
        }
        member.rooms
    }

    /// A member enters a room. It always is in the one named by its id.
    pub fn join(&mut self, id: Sid, room: &Room) {
        if *id == **room {
            return;
        }
        let Some(member) = self.members.get_mut(&id) else { return };
        let sockets = self.rooms.entry(room.clone()).or_default();
        if let Entry::Vacant(entry) = sockets.entry(id) {
            entry.insert(member.socket.clone());
            member.rooms.push(room.clone());
        }
    }

    /// A member leaves a room.
    pub fn leave(&mut self, id: Sid, room: &str) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let Some(index) = member.rooms.iter().position(|joined| **joined == *room) else { return };
        member.rooms.swap_remove(index);
        self.take_out(id, room);
    }

    fn take_out(&mut self, id: Sid, room: &str) {
        if let Some(sockets) = self.rooms.get_mut(room) {
            sockets.remove(&id);
            if sockets.is_empty() {
                self.rooms.remove(room);
            }
        }
    }

    /// The rooms of a member.
    pub fn of(&self, id: Sid) -> &[Room] {
        self.members.get(&id).map_or(&[], |member| &member.rooms)
    }

    /// The names of all rooms.
    pub fn names(&self) -> impl Iterator<Item = &Room> {
        self.rooms.keys()
    }

    /// How many members there are.
    pub fn members_count(&self) -> usize {
        self.members.len()
    }

    /// Whether a member is in a room, the one named by its id included.
    pub fn contains(&self, room: &str, id: Sid) -> bool {
        *id == *room || self.rooms.get(room).is_some_and(|sockets| sockets.contains_key(&id))
    }

    /// Calls `visit` with every member of the target, once each. Nothing is allocated for that,
    /// however many rooms a member is in: it counts where it is met first.
    pub fn visit(&self, target: &Target, mut visit: impl FnMut(Sid, &S)) {
        let is_out = |id| target.except.iter().any(|room| self.contains(room, id));
        if target.rooms.is_empty() {
            let members = self.members.iter().filter(|(id, _)| !is_out(**id));
            return members.for_each(|(id, member)| visit(*id, &member.socket));
        }
        for (index, room) in target.rooms.iter().enumerate() {
            let was_met = |id| target.rooms[..index].iter().any(|room| self.contains(room, id));
            let own_id = room.parse().ok();
            let alone = own_id.and_then(|id| Some((id, &self.members.get(&id)?.socket)));
            let sockets = self.rooms.get(room).into_iter().flatten().map(|(id, s)| (*id, s));
            // A room may be named like the id of a socket that has joined it, too.
            let sockets = sockets.filter(|(id, _)| alone.is_none_or(|(own_id, _)| *id != own_id));
            for (id, socket) in alone.into_iter().chain(sockets) {
                if !is_out(id) && !was_met(id) {
                    visit(id, socket);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn sid(number: u8) -> Sid {
        Sid::from_random([number; 15])
    }

    fn room(name: &str) -> Room {
        name.into()
    }

    fn visited(rooms: &Rooms<u8>, target: &Target) -> Vec<u8> {
        let mut seen = Vec::new();
        rooms.visit(target, |_, socket| seen.push(*socket));
        seen.sort_unstable();
        seen
    }

    #[test]
    fn a_socket_in_two_rooms_is_met_once() {
        let mut rooms = Rooms::default();
        for number in 0..3 {
            rooms.add(sid(number), number);
        }
        rooms.join(sid(0), &room("a"));
        rooms.join(sid(0), &room("b"));
        rooms.join(sid(1), &room("b"));
        let both = Target { rooms: vec![room("a"), room("b")], except: vec![] };
        assert_eq!(visited(&rooms, &both), [0, 1]);
        let with_id = Target { rooms: vec![room("a"), room(&sid(0))], except: vec![] };
        assert_eq!(visited(&rooms, &with_id), [0]);
        let except_self = Target { rooms: vec![], except: vec![room(&sid(0))] };
        assert_eq!(visited(&rooms, &except_self), [1, 2]);
    }

    #[test]
    fn an_empty_room_is_forgotten() {
        let mut rooms = Rooms::default();
        rooms.add(sid(0), 0);
        rooms.join(sid(0), &room("a"));
        rooms.join(sid(0), &room("b"));
        rooms.leave(sid(0), "a");
        assert_eq!(rooms.names().map(|name| &**name).collect::<Vec<_>>(), ["b"]);
        assert_eq!(rooms.remove(sid(0)), [room("b")]);
        assert_eq!((rooms.names().count(), rooms.members_count()), (0, 0));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(u8),
        Remove(u8),
        Join(u8, u8),
        Leave(u8, u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..6u8).prop_map(Step::Add),
            (0..6u8).prop_map(Step::Remove),
            (0..6u8, 0..4u8).prop_map(|(id, room)| Step::Join(id, room)),
            (0..6u8, 0..4u8).prop_map(|(id, room)| Step::Leave(id, room)),
        ];
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn it_does_what_plain_sets_do(
            steps in steps(),
            to in proptest::collection::vec(0..4u8, 0..4),
            except in proptest::collection::vec(0..4u8, 0..2),
        ) {
            let mut rooms = Rooms::default();
            let mut model = BTreeMap::<u8, BTreeSet<u8>>::new();
            for step in steps {
                match step {
                    Step::Add(id) => {
                        rooms.add(sid(id), id);
                        model.insert(id, BTreeSet::new());
                    }
                    Step::Remove(id) => {
                        rooms.remove(sid(id));
                        model.remove(&id);
                    }
                    Step::Join(id, name) => {
                        rooms.join(sid(id), &room(&name.to_string()));
                        model.entry(id).and_modify(|joined| {
                            joined.insert(name);
                        });
                    }
                    Step::Leave(id, name) => {
                        rooms.leave(sid(id), &name.to_string());
                        model.entry(id).and_modify(|joined| {
                            joined.remove(&name);
                        });
                    }
                }
            }
            let names = |numbers: &[u8]| numbers.iter().map(|n| room(&n.to_string())).collect();
            let target = Target { rooms: names(&to), except: names(&except) };
            let is_in = |joined: &BTreeSet<u8>, some: &[u8]| some.iter().any(|n| joined.contains(n));
            let expected: Vec<u8> = model
                .iter()
                .filter(|(_, joined)| to.is_empty() || is_in(joined, &to))
                .filter(|(_, joined)| !is_in(joined, &except))
                .map(|(id, _)| *id)
                .collect();
            prop_assert_eq!(visited(&rooms, &target), expected);
            let all: BTreeSet<u8> = model.values().flatten().copied().collect();
            prop_assert_eq!(rooms.names().count(), all.len());
        }
    }
}
