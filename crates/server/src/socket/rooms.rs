//! The rooms of one socket.

use sockeye_adapter::Room;
use sockeye_protocol::socket::Standing;

use super::Socket;
use crate::{IntoRooms, TooManyRooms, room::rooms};

impl Socket {
    /// Enters a room, or several. Nothing happens if the socket is gone, or is in them already.
    ///
    /// A socket can be in `max_rooms` rooms; to enter more does nothing but log an error. Use
    /// [`try_join`](Self::try_join) to know it.
    pub fn join(&self, names: impl IntoRooms) {
        if let Err(error) = self.try_join(names) {
            tracing::error!(socket = %self.id(), %error, "could not join");
        }
    }

    /// The same, for those who want to know.
    ///
    /// # Errors
    ///
    /// If that would be too many rooms; none of them is joined then.
    pub fn try_join(&self, names: impl IntoRooms) -> Result<(), TooManyRooms> {
        let id = self.id();
        let mut entered = rooms(names);
        entered.sort_unstable();
        entered.dedup();
        let adapter = self.0.namespace.adapter();
        let mut state = self.state();
        let joined = match state.standing {
            Standing::Connecting => {
                entered.retain(|room| **room != *id && !state.rooms.contains(room));
                state.rooms.len()
            }
            Standing::Connected => {
                entered.retain(|room| **room != *id && !adapter.is_in(id, room));
                adapter.rooms_count(id)
            }
            Standing::Refused | Standing::Gone => return Ok(()),
        };
        let limit = self.core().options.max_rooms;
        if joined + entered.len() > limit && !entered.is_empty() {
            return Err(TooManyRooms { limit });
        }
        match state.standing {
            Standing::Connecting => state.rooms.append(&mut entered),
            _ => adapter.join(id, &entered),
        }
        Ok(())
    }

    /// Leaves a room, or several. Nothing happens if the socket is not in them.
    pub fn leave(&self, names: impl IntoRooms) {
        let names = rooms(names);
        let mut state = self.state();
        match state.standing {
            Standing::Connecting => state.rooms.retain(|joined| !names.contains(joined)),
            Standing::Connected => {
                let adapter = self.0.namespace.adapter();
                names.iter().for_each(|room| adapter.leave(self.id(), room));
            }
            Standing::Refused | Standing::Gone => (),
        }
    }

    /// The rooms that the socket is in, the one named by its id first. While the handlers of its
    /// end run, the rooms that it was in.
    pub fn rooms(&self) -> Vec<Room> {
        let state = self.state();
        let rooms = match state.standing {
            Standing::Connected => self.0.namespace.adapter().rooms_of(self.id()),
            Standing::Gone if state.is_leaving => self.0.namespace.adapter().rooms_of(self.id()),
            _ => state.rooms.clone(),
        };
        std::iter::once(Room::from(self.id().as_str())).chain(rooms).collect()
    }
}
