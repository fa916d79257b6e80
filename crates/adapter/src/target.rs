//! Whom a packet is for.

use crate::Room;

/// The sockets of a namespace that are in one of `rooms` (in the namespace, if there are none) and
/// in none of `except`. A socket's id is a room too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The union of these.
    pub rooms: Vec<Room>,
    /// Without the members of these.
    pub except: Vec<Room>,
}
