//! Names of rooms.

use sockeye_adapter::Room;
use sockeye_engine::Sid;

/// What names one room or several: a string, a socket's id, or a list of either.
pub trait IntoRooms {
    /// Appends the names.
    fn append_to(self, rooms: &mut Vec<Room>);
}

impl IntoRooms for &str {
    fn append_to(self, rooms: &mut Vec<Room>) {
        rooms.push(self.into());
    }
}

impl IntoRooms for String {
    fn append_to(self, rooms: &mut Vec<Room>) {
        rooms.push(self.into());
    }
}

impl IntoRooms for &String {
    fn append_to(self, rooms: &mut Vec<Room>) {
        rooms.push(self.as_str().into());
    }
}

impl IntoRooms for Room {
    fn append_to(self, rooms: &mut Vec<Room>) {
        rooms.push(self);
    }
}

impl IntoRooms for Sid {
    fn append_to(self, rooms: &mut Vec<Room>) {
        rooms.push(self.as_str().into());
    }
}

impl<R: IntoRooms> IntoRooms for Vec<R> {
    fn append_to(self, rooms: &mut Vec<Room>) {
        self.into_iter().for_each(|room| room.append_to(rooms));
    }
}

impl<R: IntoRooms, const N: usize> IntoRooms for [R; N] {
    fn append_to(self, rooms: &mut Vec<Room>) {
        self.into_iter().for_each(|room| room.append_to(rooms));
    }
}

impl<R: IntoRooms + Clone> IntoRooms for &[R] {
    fn append_to(self, rooms: &mut Vec<Room>) {
        self.iter().for_each(|room| room.clone().append_to(rooms));
    }
}

pub(crate) fn rooms(names: impl IntoRooms) -> Vec<Room> {
    let mut rooms = Vec::new();
    names.append_to(&mut rooms);
    rooms
}
