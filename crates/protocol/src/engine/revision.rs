//! The revisions of Engine.IO that a client speaks.
//!
//! Revision 3 differs in four ways. Packets in a body have their length in front, in units of
//! UTF-16, `2:40` instead of `40`; binary messages begin with the type of a message, `b4AQI=` in
//! text; it is the client that pings; and the handshake has no `maxPayload`. A client asks for
//! base64 everywhere (`b64=1`), so that all it gets is text.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::{Kind, Message, Outgoing, Packet, PacketError, packet::decode_base64, payload};

/// Which Engine.IO is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Revision {
    /// `EIO=3`: servers of Socket.IO 2.
    V3,
    /// `EIO=4`: servers of Socket.IO 3 and 4.
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

    /// How much a packet takes in a body beside its own bytes, at most.
    pub(super) fn framing_bytes(self) -> usize {
        match self {
            // A length of up to nine digits, a colon, and the type of a binary message.
            Self::V3 => 11,
            Self::V4 => 1,
        }
    }

    /// Puts packets together to the body of a POST.
    pub(super) fn encode_body(self, packets: &[Outgoing]) -> Bytes {
        match self {
            Self::V4 => payload::encode(packets.iter()),
            Self::V3 => {
                let mut body = Vec::new();
                for packet in packets {
                    let text = self.to_websocket(packet.clone()).into_bytes();
                    let length = String::from_utf8_lossy(&text).encode_utf16().count();
                    body.extend_from_slice(format!("{length}:").as_bytes());
                    body.extend_from_slice(&text);
                }
                body.into()
            }
        }
    }

    /// A packet as it goes over a WebSocket.
    pub(super) fn to_websocket(self, packet: Outgoing) -> Outgoing {
        match (self, packet.kind()) {
            (Self::V3, Kind::Binary) => {
                Outgoing::text(format!("b4{}", STANDARD.encode(packet.bytes())))
            }
            _ => packet,
        }
    }

    /// The packets of the answer to a poll; the first one that is none ends it.
    pub(super) fn decode_body(self, body: Bytes) -> Vec<Result<Packet, PacketError>> {
        match self {
            Self::V4 => payload::decode(body).collect(),
            Self::V3 => self.decode_counted(&body),
        }
    }

    fn decode_counted(self, body: &Bytes) -> Vec<Result<Packet, PacketError>> {
        let Ok(mut rest) = std::str::from_utf8(body) else {
            return vec![Err(PacketError::UnknownType(0))];
        };
        let mut packets = Vec::new();
        while !rest.is_empty() {
            let packet = split_first(&mut rest)
                .and_then(|text| self.decode_text(body.slice_ref(text.as_bytes())));
            let is_bad = packet.is_err();
            packets.push(packet);
            if is_bad {
                break;
            }
        }
        packets
    }

    /// A message of a WebSocket.
    pub(super) fn decode_message(self, message: Message) -> Result<Packet, PacketError> {
        match message {
            Message::Text(text) => self.decode_text(text),
            Message::Binary(data) if self == Self::V3 => match data.first() {
                // The type of a message, as a number.
                Some(4) => Ok(Packet::Message(Message::Binary(data.slice(1..)))),
                Some(other) => Err(PacketError::UnknownType(*other)),
                None => Err(PacketError::Empty),
            },
            binary @ Message::Binary(_) => Ok(Packet::Message(binary)),
        }
    }

    fn decode_text(self, text: Bytes) -> Result<Packet, PacketError> {
        match (self, text.strip_prefix(b"b4")) {
            (Self::V3, Some(base64)) => {
                Ok(Packet::Message(Message::Binary(decode_base64(base64).into())))
            }
            _ => Packet::decode(text),
        }
    }
}

/// Takes `<length>:<packet>` off a body of revision 3.
fn split_first<'a>(body: &mut &'a str) -> Result<&'a str, PacketError> {
    let bad = PacketError::UnknownType(body.as_bytes().first().copied().unwrap_or_default());
    let (length, text) = body.split_once(':').filter(|(length, _)| length.len() < 10).ok_or(bad)?;
    let length: usize = length.parse().map_err(|_| bad)?;
    let (mut units, mut end) = (0, 0);
    for character in text.chars() {
        if units >= length {
            break;
        }
        units += character.len_utf16();
        end += character.len_utf8();
    }
    if units != length {
        return Err(bad);
    }
    *body = &text[end..];
    Ok(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &'static str) -> Packet {
        Packet::Message(Message::Text(text.into()))
    }

    #[test]
    fn packets_of_revision_3_have_their_length_in_front() {
        let body =
            "96:0{\"sid\":\"x\"}".replace("96", "12") + "2:40" + "3:4😀" + "6:b4AQI=" + "1:3";
        let packets: Result<Vec<_>, _> =
            Revision::V3.decode_body(body.into()).into_iter().collect();
        let binary = Packet::Message(Message::Binary(Bytes::from_static(&[1, 2])));
        let open = Packet::Open("{\"sid\":\"x\"}".into());
        let expected = [open, message("0"), message("😀"), binary, Packet::Pong(Bytes::new())];
        assert_eq!(packets.unwrap(), expected);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let packets = [Outgoing::text("4é😀"), Outgoing::binary(vec![0, 255]), Outgoing::text("2")];
        let body = Revision::V3.encode_body(&packets);
        assert_eq!(body, "4:4é😀6:b4AP8=1:2");
        assert!(Revision::V3.decode_body(body).iter().all(Result::is_ok));
    }

    #[test]
    fn what_is_no_body_ends_where_it_goes_wrong() {
        for body in ["x", ":4", "2:4", "1:😀", "99999999999999999999:4", "4a", "-1:4"] {
            let packets = Revision::V3.decode_body(body.into());
            assert_eq!(packets.len(), 1, "{body}");
            assert!(packets[0].is_err(), "{body}");
        }
        let packets = Revision::V3.decode_body("2:4a9:4b".into());
        assert_eq!(packets[0], Ok(message("a")));
        assert!(packets[1].is_err() && packets.len() == 2);
    }

    #[test]
    fn binary_frames_of_revision_3_begin_with_their_type() {
        let decode = |bytes: &'static [u8]| {
            Revision::V3.decode_message(Message::Binary(Bytes::from_static(bytes)))
        };
        let expected = Packet::Message(Message::Binary(Bytes::from_static(&[9])));
        assert_eq!(decode(&[4, 9]), Ok(expected));
        assert!(decode(&[]).is_err() && decode(&[7, 9]).is_err());
    }
}
