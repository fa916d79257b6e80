//! The revisions of Engine.IO, and how a peer of one wants its packets.
//!
//! Revision 3 differs in three ways: packets are put together to bodies, and binary is marked, in
//! other ways ([`payload_v3`]), and it is the client that pings.

use bytes::Bytes;

use super::{Kind, Message, Outgoing, Packet, PacketError, Query, payload, payload_v3};

/// Which Engine.IO is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Revision {
    /// `EIO=3`: clients and servers of Socket.IO 1 and 2.
    V3,
    /// `EIO=4`: clients and servers of Socket.IO 3 and 4.
    #[default]
    V4,
}

impl Revision {
    /// The value of the parameter `EIO`.
    pub fn number(self) -> &'static str {
        match self {
            Self::V3 => "3",
            Self::V4 => "4",
        }
    }

    /// What a client asks for: 4 has to be said, everything else is 3, as in the reference.
    pub fn asked_by(query: &Query<'_>) -> Self {
        match query.get("EIO") {
            Some("4") => Self::V4,
            _ => Self::V3,
        }
    }

    /// How much a packet takes in a body beside its own bytes, at most.
    pub(super) fn framing_bytes(self) -> usize {
        match self {
            Self::V3 => payload_v3::FRAMING_BYTES,
            Self::V4 => 1,
        }
    }

    /// The packets of a body; the first one that is none ends it. Revision 3 has bodies of bytes
    /// (`is_bytes`) beside those of text.
    pub(super) fn decode_body(
        self,
        body: Bytes,
        is_bytes: bool,
    ) -> impl Iterator<Item = Result<Packet, PacketError>> {
        let mut rest = Some(body);
        std::iter::from_fn(move || {
            let (packet, left) = self.decode_first(rest.take()?, is_bytes);
            rest = left;
            Some(packet)
        })
    }

    /// The first packet of a body, and what follows; nothing follows what is no packet.
    pub(super) fn decode_first(
        self,
        mut body: Bytes,
        is_bytes: bool,
    ) -> (Result<Packet, PacketError>, Option<Bytes>) {
        let packet = match (self, is_bytes) {
            (Self::V4, _) => return payload::decode_first(body),
            (Self::V3, false) => payload_v3::decode_first_text(&mut body),
            (Self::V3, true) => payload_v3::decode_first_bytes(&mut body),
        };
        let has_more = packet.is_ok() && !body.is_empty();
        (packet, has_more.then_some(body))
    }

    /// A message of a WebSocket.
    pub(super) fn decode_message(self, message: Message) -> Result<Packet, PacketError> {
        match (self, message) {
            (Self::V4, Message::Text(text)) => Packet::decode(text),
            (Self::V4, binary @ Message::Binary(_)) => Ok(Packet::Message(binary)),
            (Self::V3, Message::Text(text)) => payload_v3::decode_text(text),
            (Self::V3, Message::Binary(data)) => payload_v3::decode_binary(data),
        }
    }
}

/// How a peer wants its packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// The revision that it speaks.
    pub revision: Revision,
    /// Whether it takes binary as text only. On polling that is nothing new in revision 4.
    pub base64: bool,
}

/// A body, as it leaves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    /// Whether it is no text.
    pub(super) is_bytes: bool,
}

impl Dialect {
    /// What a client asks for: the parameter `b64`, not empty, is for base64.
    pub fn asked_by(query: &Query<'_>) -> Self {
        Self {
            revision: Revision::asked_by(query),
            base64: query.get("b64").is_some_and(|value| !value.is_empty()),
        }
    }

    /// What our client speaks: in revision 3 it asks for base64, so that all it gets is text.
    pub(super) fn of_client(revision: Revision) -> Self {
        Self { revision, base64: revision == Revision::V3 }
    }

    /// A packet as it goes over a WebSocket. Text is the same in all dialects.
    pub fn to_websocket(self, packet: Outgoing) -> Outgoing {
        match self {
            Self { revision: Revision::V4, base64: false } => packet,
            Self { revision: Revision::V4, base64: true } => payload::to_base64(&packet),
            Self { revision: Revision::V3, base64: false } => payload_v3::to_typed(packet),
            Self { revision: Revision::V3, base64: true } => payload_v3::to_base64(&packet),
        }
    }

    /// Puts packets together to a body.
    pub(super) fn encode_body(self, packets: &[Outgoing]) -> Body {
        let is_bytes = self.revision == Revision::V3
            && !self.base64
            && packets.iter().any(|packet| packet.kind() == Kind::Binary);
        let bytes = match self.revision {
            Revision::V4 => payload::encode(packets.iter()),
            Revision::V3 if is_bytes => payload_v3::encode_bytes(packets),
            Revision::V3 => payload_v3::encode_text(packets),
        };
        Body { bytes, is_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_does_not_say_4_means_3() {
        let asked = |query| Dialect::asked_by(&Query::parse(query));
        assert_eq!(asked("EIO=4"), Dialect { revision: Revision::V4, base64: false });
        assert_eq!(asked("EIO=3&b64="), Dialect { revision: Revision::V3, base64: false });
        assert_eq!(asked("b64=1"), Dialect { revision: Revision::V3, base64: true });
        assert_eq!(asked("EIO=5").revision, Revision::V3);
    }

    #[test]
    fn only_binary_differs() {
        let packets = [Outgoing::text("4a"), Outgoing::binary(vec![1, 2])];
        let written = |revision, base64| {
            let dialect = Dialect { revision, base64 };
            let body = dialect.encode_body(&packets);
            assert_eq!(dialect.to_websocket(packets[0].clone()), packets[0]);
            (dialect.to_websocket(packets[1].clone()), body.bytes, body.is_bytes)
        };
        let body = |text: &'static str| Bytes::from(text);
        let binary = Outgoing::binary(vec![1, 2]);
        assert_eq!(written(Revision::V4, false), (binary, body("4a\u{1e}bAQI="), false));
        let text = Outgoing::text("bAQI=");
        assert_eq!(written(Revision::V4, true), (text, body("4a\u{1e}bAQI="), false));
        let text = Outgoing::text("b4AQI=");
        assert_eq!(written(Revision::V3, true), (text, body("2:4a6:b4AQI="), false));
        let bytes = Bytes::from_static(b"\x00\x02\xff4a\x01\x03\xff\x04\x01\x02");
        assert_eq!(written(Revision::V3, false), (Outgoing::binary(vec![4, 1, 2]), bytes, true));
    }
}
