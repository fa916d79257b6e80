//! One Engine.IO packet.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;

/// What an application says to the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Valid UTF-8 (the drivers see to it: a WebSocket's text is checked by its codec, a POST body
    /// when it has been read).
    Text(Bytes),
    /// Raw bytes.
    Binary(Bytes),
}

impl Message {
    /// The bytes of either kind.
    pub fn as_bytes(&self) -> &Bytes {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes,
        }
    }
}

/// An Engine.IO packet as it came in: one digit of type, then the data, as in `4hello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// `0{"sid":…}`: the handshake, server to client.
    Open(Bytes),
    /// `1`: the sender closes the session.
    Close,
    /// `2`, or `2probe` on a WebSocket that wants to take a session over.
    Ping(Bytes),
    /// `3`, or `3probe`.
    Pong(Bytes),
    /// `4hello`, or on polling `bAQIDBA==` for binary; a WebSocket's binary frame is one as it is.
    Message(Message),
    /// `5`: from now on the session is on this WebSocket.
    Upgrade,
    /// `6`: nothing; it answers a poll that should end.
    Noop,
}

/// The bytes are no Engine.IO packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// There is no type digit.
    #[error("an empty packet")]
    Empty,
    /// The first character is none of `0` to `6` and not `b`.
    #[error("unknown packet type 0x{0:02x}")]
    UnknownType(u8),
    /// In a body of revision 3 there is no length in front of a packet, or one that is not its
    /// own.
    #[error("a wrong length in front of a packet")]
    BadLength,
}

/// Base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads base64 as JavaScript's `Buffer` does: either alphabet, up to the padding, and whatever is
/// none of it passed over. It cannot fail, so a peer cannot tell the two servers apart by it.
pub(super) fn decode_base64(text: &[u8]) -> Vec<u8> {
    if let Ok(bytes) = BASE64.decode(text) {
        return bytes;
    }
    let mut digits: Vec<u8> = text
        .iter()
        .take_while(|&&byte| byte != b'=')
        .filter_map(|&byte| match byte {
            b'-' => Some(b'+'),
            b'_' => Some(b'/'),
            b'+' | b'/' => Some(byte),
            _ => byte.is_ascii_alphanumeric().then_some(byte),
        })
        .collect();
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    BASE64.decode(digits).unwrap_or_default()
}

impl Packet {
    /// Decodes the text of a WebSocket frame or one packet of a polling payload. The data shares
    /// the bytes it came in.
    pub fn decode(text: Bytes) -> Result<Self, PacketError> {
        let kind = *text.first().ok_or(PacketError::Empty)?;
        let data = text.slice(1..);
        Ok(match kind {
            b'0' => Self::Open(data),
            b'1' => Self::Close,
            b'2' => Self::Ping(data),
            b'3' => Self::Pong(data),
            b'4' => Self::Message(Message::Text(data)),
            b'5' => Self::Upgrade,
            b'6' => Self::Noop,
            b'b' => Self::Message(Message::Binary(decode_base64(&data).into())),
            other => return Err(PacketError::UnknownType(other)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data: &'static str) -> Packet {
        Packet::Message(Message::Text(Bytes::from_static(data.as_bytes())))
    }

    fn binary(data: &'static [u8]) -> Packet {
        Packet::Message(Message::Binary(Bytes::from_static(data)))
    }

    #[test]
    fn every_packet_type_decodes() {
        let vectors = [
            ("0{}", Packet::Open(Bytes::from_static(b"{}"))),
            ("1", Packet::Close),
            ("2", Packet::Ping(Bytes::new())),
            ("2probe", Packet::Ping(Bytes::from_static(b"probe"))),
            ("3", Packet::Pong(Bytes::new())),
            ("3probe", Packet::Pong(Bytes::from_static(b"probe"))),
            ("4hello", text("hello")),
            ("4€", text("€")),
            ("4", text("")),
            ("5", Packet::Upgrade),
            ("6", Packet::Noop),
            ("bAQIDBA==", binary(&[1, 2, 3, 4])),
            ("bAQIDBA", binary(&[1, 2, 3, 4])),
            ("b", binary(&[])),
            ("b!!!!", binary(&[])),
            ("b-_-_", binary(&[0xfb, 0xff, 0xbf])),
            ("bAQ ID\nBA==BA", binary(&[1, 2, 3, 4])),
            ("bAQIDB", binary(&[1, 2, 3])),
        ];
        for (wire, packet) in vectors {
            assert_eq!(Packet::decode(Bytes::from(wire)), Ok(packet), "{wire}");
        }
    }

    #[test]
    fn what_is_no_packet_says_why() {
        let vectors = [
            ("", PacketError::Empty),
            ("7", PacketError::UnknownType(b'7')),
            ("xyz", PacketError::UnknownType(b'x')),
            ("€", PacketError::UnknownType(0xe2)),
        ];
        for (wire, error) in vectors {
            assert_eq!(Packet::decode(Bytes::from(wire)), Err(error), "{wire}");
        }
    }
}
