//! A packet on its way out.

use bytes::Bytes;

use super::Message;

/// Whether the bytes of a packet are text or binary on a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text frame: the type digit and the data.
    Text,
    /// A binary frame: the data of a message, without a type.
    Binary,
}

/// An encoded packet, ready for every transport: `42["hello"]`, or the raw bytes of an attachment.
///
/// It is encoded once and shared: a clone counts a reference, so a broadcast to ten thousand
/// sockets holds its bytes once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    kind: Kind,
    bytes: Bytes,
}

impl Outgoing {
    pub(crate) const CLOSE: Self = Self::constant(b"1");
    pub(crate) const PING: Self = Self::constant(b"2");
    pub(crate) const PING_PROBE: Self = Self::constant(b"2probe");
    pub(crate) const PONG: Self = Self::constant(b"3");
    pub(crate) const PONG_PROBE: Self = Self::constant(b"3probe");
    pub(crate) const UPGRADE: Self = Self::constant(b"5");
    pub(crate) const NOOP: Self = Self::constant(b"6");

    const fn constant(bytes: &'static [u8]) -> Self {
        Self { kind: Kind::Text, bytes: Bytes::from_static(bytes) }
    }

    /// A text packet, its type digit included: `4hello`. It must be valid UTF-8.
    pub fn text(packet: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Text, bytes: packet.into() }
    }

    /// A binary message.
    pub fn binary(data: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Binary, bytes: data.into() }
    }

    /// A message of either kind from an application, without a type digit.
    pub fn message(message: &Message) -> Self {
        match message {
            Message::Text(text) => {
                let mut packet = Vec::with_capacity(text.len() + 1);
                packet.push(b'4');
                packet.extend_from_slice(text);
                Self::text(packet)
            }
            Message::Binary(data) => Self::binary(data.clone()),
        }
    }

    /// Text or binary.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The payload of the WebSocket frame that carries it.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same, taken out.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}
