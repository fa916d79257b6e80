//! Emitting to many.

use serde::Serialize;
use sockeye_adapter::Target;

use crate::{EmitError, IntoRooms, Namespace, Socket, emit};

/// Whom an event is for, narrowed step by step: `io.to("a").to("b").except("c").emit(…)`. A socket
/// in several of the rooms gets the event once.
///
/// Without a room it is for every socket of the namespace.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before `emit`"]
pub struct Broadcast {
    namespace: Namespace,
    target: Target,
    volatile: bool,
}

impl Broadcast {
    pub(crate) fn new(namespace: Namespace) -> Self {
        Self { namespace, target: Target::default(), volatile: false }
    }

    /// Also the sockets of this room, or of these.
    pub fn to(mut self, rooms: impl IntoRooms) -> Self {
        rooms.append_to(&mut self.target.rooms);
        self
    }

    /// The same as [`to`](Self::to).
    pub fn within(self, rooms: impl IntoRooms) -> Self {
        self.to(rooms)
    }

    /// Not the sockets of this room, or of these, whatever else they are in.
    pub fn except(mut self, rooms: impl IntoRooms) -> Self {
        rooms.append_to(&mut self.target.except);
        self
    }

    /// A socket that cannot take the event now does not get it: its connection takes nothing at
    /// the moment, or it has no poll open.
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Emits an event: a tuple is several arguments, `()` none, anything else one.
    ///
    /// What is wrong with the event is logged; use [`try_emit`](Self::try_emit) to know it. The
    /// event is encoded once, however many there are to get it.
    pub fn emit<T: Serialize>(&self, event: &str, args: T) {
        if let Err(error) = self.try_emit(event, args) {
            emit::log_failure(self.namespace.name(), event, &error);
        }
    }

    /// The same, for those who want to know.
    ///
    /// # Errors
    ///
    /// If the name is reserved, or a value has no form on the wire. That a socket is gone or slow
    /// is no error.
    pub fn try_emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        let packet = emit::encode_event(self.namespace.name(), None, event, &args)?;
        self.namespace.adapter().broadcast(&packet, &self.target, self.volatile);
        Ok(())
    }

    /// The sockets of this node that the event would go to now.
    pub fn sockets(&self) -> Vec<Socket> {
        let mut sockets = Vec::new();
        self.namespace.adapter().for_each(&self.target, &mut |id| {
            sockets.extend(self.namespace.socket(id));
        });
        sockets
    }
}
