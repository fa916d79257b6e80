//! Bodies and binary messages of revision 3.
//!
//! In a body each packet has its length in front, in units of UTF-16, `2:40`, and binary is
//! base64, `10:b4AQIDBA==`. A body with binary for a peer that takes such a one is bytes: per
//! packet `00` for text or `01` for binary, the decimal digits of the length in bytes with a byte
//! each, `ff`, and the packet. A binary message begins with the type of a message as a number, `04`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Kind, Message, Outgoing, Packet, PacketError, packet::decode_base64};

/// The type of a message, as a number.
const MESSAGE: u8 = 4;

/// Ends the length in a body of bytes.
const END_OF_LENGTH: u8 = 0xff;

/// A length of more digits is none that any limit allows.
const MAX_DIGITS: usize = 9;

/// How much a packet takes in a body of text beside its own bytes, at most: the length, a colon,
/// and the type of a binary message.
pub(super) const FRAMING_BYTES: usize = MAX_DIGITS + 2;

/// Puts packets together to a body of text.
pub(super) fn encode_text(packets: &[Outgoing]) -> Bytes {
    let mut body = BytesMut::new();
    for packet in packets {
        let text = to_base64(packet);
        let length = utf16_len(text.bytes());
        body.put_slice(format!("{length}:").as_bytes());
        body.put_slice(text.bytes());
    }
    body.freeze()
}

/// Puts packets together to a body of bytes.
pub(super) fn encode_bytes(packets: &[Outgoing]) -> Bytes {
    let mut body = BytesMut::new();
    for packet in packets {
        let (mark, length) = match packet.kind() {
            Kind::Text => (0, packet.bytes().len()),
            Kind::Binary => (1, packet.bytes().len() + 1),
        };
        body.put_u8(mark);
        body.extend(length.to_string().bytes().map(|digit| digit - b'0'));
        body.put_u8(END_OF_LENGTH);
        if packet.kind() == Kind::Binary {
            body.put_u8(MESSAGE);
        }
        body.put_slice(packet.bytes());
    }
    body.freeze()
}

/// A binary message as text: `b4AQIDBA==`.
pub(super) fn to_base64(packet: &Outgoing) -> Outgoing {
    match packet.kind() {
        Kind::Text => packet.clone(),
        Kind::Binary => Outgoing::text(format!("b4{}", STANDARD.encode(packet.bytes()))),
    }
}

/// A binary message with its type in front: `04 01 02 03 04`.
pub(super) fn to_typed(packet: Outgoing) -> Outgoing {
    match packet.kind() {
        Kind::Text => packet,
        Kind::Binary => {
            let mut data = BytesMut::with_capacity(1 + packet.bytes().len());
            data.put_u8(MESSAGE);
            data.put_slice(packet.bytes());
            Outgoing::binary(data.freeze())
        }
    }
}

/// The first packet of a body of text.
pub(super) fn decode_first_text(body: &mut Bytes) -> Result<Packet, PacketError> {
    let length = take_length(body, b':', b'0')?;
    let (mut units, mut end) = (0, 0);
    while units < length {
        let first = body.get(end).ok_or(PacketError::BadLength)?;
        units += utf16_len(&[*first]);
        let rest = &body[end + 1..];
        end += 1 + rest.iter().take_while(|byte| is_continuation(**byte)).count();
    }
    // The length may end in the middle of what are two units.
    if units != length {
        return Err(PacketError::BadLength);
    }
    decode_text(body.split_to(end))
}

/// The first packet of a body of bytes.
pub(super) fn decode_first_bytes(body: &mut Bytes) -> Result<Packet, PacketError> {
    let mark = body.first().copied().ok_or(PacketError::Empty)?;
    body.advance(1);
    let length = take_length(body, END_OF_LENGTH, 0)?;
    if length > body.len() {
        return Err(PacketError::BadLength);
    }
    let packet = body.split_to(length);
    match mark {
        0 if std::str::from_utf8(&packet).is_ok() => decode_text(packet),
        0 => decode_text(String::from_utf8_lossy(&packet).into_owned().into()),
        1 => decode_binary(packet),
        other => Err(PacketError::UnknownType(other)),
    }
}

/// The text of a WebSocket frame, or one packet of a body.
pub(super) fn decode_text(text: Bytes) -> Result<Packet, PacketError> {
    match text.strip_prefix(b"b") {
        None => Packet::decode(text),
        Some([b'4', base64 @ ..]) => {
            Ok(Packet::Message(Message::Binary(decode_base64(base64).into())))
        }
        // Binary exists for messages only.
        Some(_) => Err(PacketError::UnknownType(b'b')),
    }
}

/// The data of a binary WebSocket frame, or of a body of bytes.
pub(super) fn decode_binary(data: Bytes) -> Result<Packet, PacketError> {
    match data.first() {
        Some(&MESSAGE) => Ok(Packet::Message(Message::Binary(data.slice(1..)))),
        Some(&other) => Err(PacketError::UnknownType(other)),
        None => Err(PacketError::Empty),
    }
}

/// Takes a decimal number and what ends it; `zero` is how the digit is written.
fn take_length(body: &mut Bytes, end: u8, zero: u8) -> Result<usize, PacketError> {
    if body.is_empty() {
        return Err(PacketError::Empty);
    }
    let digits = body.iter().take(MAX_DIGITS + 1).position(|&byte| byte == end);
    let digits = digits.filter(|&digits| digits > 0).ok_or(PacketError::BadLength)?;
    let mut length = 0;
    for digit in body.split_to(digits) {
        let digit = digit.checked_sub(zero).filter(|&digit| digit < 10);
        length = length * 10 + usize::from(digit.ok_or(PacketError::BadLength)?);
    }
    body.advance(1);
    Ok(length)
}

/// How many units of UTF-16 a text in UTF-8 has: two where it takes four bytes.
fn utf16_len(text: &[u8]) -> usize {
    let units = |&byte: &u8| usize::from(!is_continuation(byte)) + usize::from(byte >= 0xf0);
    text.iter().map(units).sum()
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::Revision;

    fn message(text: &'static str) -> Packet {
        Packet::Message(Message::Text(text.into()))
    }

    fn binary(data: &'static [u8]) -> Packet {
        Packet::Message(Message::Binary(Bytes::from_static(data)))
    }

    fn decode(body: impl Into<Bytes>, is_bytes: bool) -> Vec<Result<Packet, PacketError>> {
        Revision::V3.decode_body(body.into(), is_bytes).collect()
    }

    #[test]
    fn packets_have_their_length_in_front() {
        let body =
            "12:0{\"sid\":\"x\"}".to_owned() + "2:40" + "3:4😀" + "6:b4AQI=" + "2:4€" + "1:3";
        let packets: Result<Vec<_>, _> = decode(body, false).into_iter().collect();
        let open = Packet::Open("{\"sid\":\"x\"}".into());
        let pong = Packet::Pong(Bytes::new());
        let expected = [open, message("0"), message("😀"), binary(&[1, 2]), message("€"), pong];
        assert_eq!(packets.unwrap(), expected);
    }

    #[test]
    fn a_body_of_bytes_counts_bytes() {
        let packets = [Outgoing::text("4€"), Outgoing::binary(vec![1, 2, 3, 4])];
        let body = encode_bytes(&packets);
        let wire = b"\x00\x04\xff\x34\xe2\x82\xac\x01\x05\xff\x04\x01\x02\x03\x04";
        assert_eq!(body, &wire[..]);
        assert_eq!(decode(body, true), [Ok(message("€")), Ok(binary(&[1, 2, 3, 4]))]);
        let long = encode_bytes(&[Outgoing::text(format!("4{}", "x".repeat(38)))]);
        assert_eq!(long[..4], [0, 3, 9, 0xff]);
    }

    #[test]
    fn what_is_no_body_ends_where_it_goes_wrong() {
        for body in ["", "x", ":4", "2:4", "1:😀", "99999999999999999999:4", "4a", "-1:4", "3:b3A"]
        {
            let packets = decode(body, false);
            assert_eq!(packets.len(), 1, "{body}");
            assert!(packets[0].is_err(), "{body}");
        }
        let packets = decode("2:4a9:4b", false);
        assert_eq!(packets, [Ok(message("a")), Err(PacketError::BadLength)]);
        let bad: [&[u8]; 7] = [
            b"",
            b"\x00",
            b"\x00\xff",
            b"\x00\x02\xff4",
            b"\x01\x01\xff\x07",
            b"\x02\x01\xff4",
            b"\x00\x0a\xff4",
        ];
        for body in bad {
            let packets = decode(body, true);
            assert_eq!(packets.len(), 1, "{body:?}");
            assert!(packets[0].is_err(), "{body:?}");
        }
    }

    #[test]
    fn binary_frames_begin_with_their_type() {
        let frame = |data: &'static [u8]| {
            Revision::V3.decode_message(Message::Binary(Bytes::from_static(data)))
        };
        assert_eq!(frame(&[4, 9]), Ok(binary(&[9])));
        assert!(frame(&[]).is_err() && frame(&[7, 9]).is_err());
        assert_eq!(to_typed(Outgoing::binary(vec![9])), Outgoing::binary(vec![4, 9]));
    }

    proptest! {
        #[test]
        fn decode_after_encode_is_identity(
            messages in proptest::collection::vec(
                prop_oneof![
                    ".{0,40}".prop_map(|text: String| Message::Text(text.into())),
                    proptest::collection::vec(any::<u8>(), 0..200)
                        .prop_map(|bytes| Message::Binary(bytes.into())),
                ],
                1..8,
            ),
        ) {
            let packets: Vec<_> = messages.iter().map(Outgoing::message).collect();
            let expected: Vec<_> = messages.into_iter().map(|m| Ok(Packet::Message(m))).collect();
            prop_assert_eq!(decode(encode_text(&packets), false), expected.clone());
            prop_assert_eq!(decode(encode_bytes(&packets), true), expected);
        }

        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            decode(body.clone(), true);
            decode(String::from_utf8_lossy(&body).into_owned(), false);
        }
    }
}
