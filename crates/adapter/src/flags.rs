//! How a packet travels.

/// What is particular about a broadcast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Where it cannot leave at once, it is dropped.
    pub volatile: bool,
    /// It is for the sockets of this node alone.
    pub local: bool,
}
