//! The body of a polling request: packets joined by U+001E, as in `42["a"]␞bAQIDBA==`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{BufMut, Bytes, BytesMut};

use super::{Kind, Outgoing, Packet, PacketError};

const SEPARATOR: u8 = 0x1e;

/// How many bytes `packet` takes in a body, its separator aside.
pub fn encoded_len(packet: &Outgoing) -> usize {
    match packet.kind() {
        Kind::Text => packet.bytes().len(),
        Kind::Binary => 1 + packet.bytes().len().div_ceil(3) * 4,
    }
}

/// Joins packets to a body. A binary message becomes `b` and base64.
pub fn encode<'a>(packets: impl Iterator<Item = &'a Outgoing> + Clone) -> Bytes {
    let size = packets.clone().map(|packet| encoded_len(packet) + 1).sum();
    let mut body = BytesMut::with_capacity(size);
    for packet in packets {
        if !body.is_empty() {
            body.put_u8(SEPARATOR);
        }
        match packet.kind() {
            Kind::Text => body.put_slice(packet.bytes()),
            Kind::Binary => put_base64(&mut body, packet.bytes()),
        }
    }
    body.freeze()
}

/// A binary message as text, `bAQIDBA==`, for a peer that asked for that (`b64=1`) on a WebSocket,
/// too.
pub fn to_base64(packet: &Outgoing) -> Outgoing {
    match packet.kind() {
        Kind::Text => packet.clone(),
        Kind::Binary => {
            let mut text = BytesMut::with_capacity(encoded_len(packet));
            put_base64(&mut text, packet.bytes());
            Outgoing::text(text.freeze())
        }
    }
}

fn put_base64(out: &mut BytesMut, data: &[u8]) {
    out.put_u8(b'b');
    let start = out.len();
    out.resize(start + data.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(data, &mut out[start..]);
    debug_assert_eq!(written, Ok(out.len() - start));
}

/// The packets of a body, one after another; the first one that is none ends it.
///
/// An empty body holds one empty packet, which is an error, as it is in the reference.
pub fn decode(body: Bytes) -> impl Iterator<Item = Result<Packet, PacketError>> {
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let (packet, left) = decode_first(rest.take()?);
        rest = left;
        Some(packet)
    })
}

/// The first packet of a body, and what follows; nothing follows what is no packet.
pub(super) fn decode_first(mut body: Bytes) -> (Result<Packet, PacketError>, Option<Bytes>) {
    let end = body.iter().position(|&byte| byte == SEPARATOR);
    let rest = end.map(|end| body.slice(end + 1..));
    if let Some(end) = end {
        body.truncate(end);
    }
    let packet = Packet::decode(body);
    let rest = rest.filter(|_| packet.is_ok());
    (packet, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Message;
    use proptest::prelude::*;

    #[test]
    fn text_and_binary_share_a_body() {
        let packets = [Outgoing::text("4€"), Outgoing::binary(vec![1, 2, 3, 4])];
        assert_eq!(encode(packets.iter()), "4€\u{1e}bAQIDBA==");
        let decoded: Result<Vec<_>, _> = decode(encode(packets.iter())).collect();
        let text = Packet::Message(Message::Text(Bytes::from("€")));
        let binary = Packet::Message(Message::Binary(Bytes::from(vec![1, 2, 3, 4])));
        assert_eq!(decoded, Ok(vec![text, binary]));
    }

    #[test]
    fn a_bad_packet_ends_the_body_after_those_before_it() {
        let decoded: Vec<_> = decode(Bytes::from("2\u{1e}x\u{1e}3")).collect();
        assert_eq!(decoded, [Ok(Packet::Ping(Bytes::new())), Err(PacketError::UnknownType(b'x'))]);
        assert_eq!(decode(Bytes::new()).collect::<Vec<_>>(), [Err(PacketError::Empty)]);
        let trailing: Vec<_> = decode(Bytes::from("6\u{1e}")).collect();
        assert_eq!(trailing, [Ok(Packet::Noop), Err(PacketError::Empty)]);
    }

    fn messages() -> impl Strategy<Value = Vec<Message>> {
        let text = "[^\u{1e}]{0,40}".prop_map(|text: String| Message::Text(text.into()));
        let binary = proptest::collection::vec(any::<u8>(), 0..40)
            .prop_map(|bytes| Message::Binary(bytes.into()));
        proptest::collection::vec(prop_oneof![text, binary], 1..8)
    }

    proptest! {
        #[test]
        fn decode_after_encode_is_identity(messages in messages()) {
            let packets: Vec<_> = messages.iter().map(Outgoing::message).collect();
            let body = encode(packets.iter());
            let expected_len: usize = packets.iter().map(|p| encoded_len(p) + 1).sum();
            prop_assert_eq!(body.len() + 1, expected_len);
            let decoded: Result<Vec<_>, _> = decode(body).collect();
            let expected = messages.into_iter().map(Packet::Message).collect();
            prop_assert_eq!(decoded, Ok(expected));
        }

        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            decode(Bytes::from(body)).for_each(drop);
        }
    }
}
