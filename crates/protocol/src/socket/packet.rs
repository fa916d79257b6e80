//! Socket.IO packets as they come in.

use bytestring::ByteString;

use super::Payload;

/// A packet, complete with its attachments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// `0/admin,{"token":"123"}`: a client wants to join a namespace, or a server says yes.
    Connect {
        /// The namespace.
        namespace: ByteString,
        /// A JSON object, if there is one: the client's auth, or the server's `{"sid":…}`.
        payload: Option<ByteString>,
    },
    /// `1/admin,`: the sender leaves the namespace.
    Disconnect {
        /// The namespace.
        namespace: ByteString,
    },
    /// `2["hello",1]`, or `51-[…]` with an attachment.
    Event(Event),
    /// `312["reply"]`, or `61-12[…]` with an attachment.
    Ack(Ack),
    /// `4/admin,{"message":"Not authorized"}`: a server says no.
    ConnectError {
        /// The namespace.
        namespace: ByteString,
        /// A JSON object with a `message` and perhaps `data`, or a string.
        payload: ByteString,
    },
}

/// An event, its arguments undecoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The namespace.
    pub namespace: ByteString,
    /// The number under which an acknowledgement is expected, if one is.
    pub id: Option<u64>,
    /// The event's name: the first item of the payload. A number counts as its text.
    pub name: ByteString,
    /// The whole array, name included.
    pub payload: Payload,
}

impl Event {
    /// The same in buffers of its own: what waits must not keep the buffer alive that it was
    /// received in.
    #[must_use]
    pub fn to_owned(&self) -> Self {
        Self {
            namespace: (&*self.namespace).into(),
            id: self.id,
            name: (&*self.name).into(),
            payload: self.payload.to_owned(),
        }
    }
}

/// An acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The namespace.
    pub namespace: ByteString,
    /// The number that the event carried. One without a number answers nothing.
    pub id: Option<u64>,
    /// The array of arguments.
    pub payload: Payload,
}
