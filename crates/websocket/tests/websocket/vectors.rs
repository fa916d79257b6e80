//! Frames and what they mean, in both directions.

use bytes::{Bytes, BytesMut};
use sockeye_websocket::{
    CloseCode, Decoder, Limits, Message, Opcode, Role, close_frame, encode_frame, frame_header,
};

use crate::{binary, close, decode, frame_for, ping, pong, text};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The examples of RFC 6455, section 5.7; the two long ones are completed with their payload.
fn rfc_examples() -> Vec<(Role, Vec<u8>, Message)> {
    let kib_quarter = vec![0xa5; 256];
    let kib_64 = vec![0xa5; 65536];
    vec![
        (Role::Client, b"\x81\x05Hello".to_vec(), text("Hello")),
        (Role::Server, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec(), text("Hello")),
        (Role::Client, b"\x01\x03Hel\x80\x02lo".to_vec(), text("Hello")),
        (Role::Client, b"\x89\x05Hello".to_vec(), ping("Hello")),
        (Role::Server, b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec(), pong("Hello")),
        (
            Role::Client,
            [b"\x82\x7e\x01\x00".as_slice(), &kib_quarter].concat(),
            binary(&kib_quarter),
        ),
        (
            Role::Client,
            [b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00".as_slice(), &kib_64].concat(),
            binary(&kib_64),
        ),
    ]
}

#[test]
fn examples_of_the_rfc_decode() {
    for (role, wire, expected) in rfc_examples() {
        assert_eq!(decode(role, &Limits::default(), &wire), (vec![expected], None));
    }
}

#[test]
fn examples_of_the_rfc_encode() {
    for (role, wire, message) in rfc_examples() {
        let mask = (role == Role::Server).then_some(KEY);
        let (opcode, payload) = match &message {
            Message::Text(payload) => (Opcode::Text, payload),
            Message::Binary(payload) => (Opcode::Binary, payload),
            Message::Ping(payload) => (Opcode::Ping, payload),
            Message::Pong(payload) => (Opcode::Pong, payload),
            Message::Close(_) => unreachable!("not among the examples"),
        };
        if wire.starts_with(b"\x01") {
            continue; // Fragmented, which we never send.
        }
        let mut encoded = BytesMut::new();
        encode_frame(&mut encoded, opcode, payload, mask);
        assert_eq!(encoded, wire);
        if mask.is_none() {
            let header = frame_header(opcode, payload.len());
            assert_eq!([header.as_bytes(), payload].concat(), wire);
        }
    }
}

#[test]
fn streams_of_frames_decode_in_order() {
    let table: [(&[u8], &[Message]); 12] = [
        (b"\x81\x00", &[text("")]),
        (b"\x82\x00", &[binary(b"")]),
        (b"\x89\x00\x8a\x00", &[ping(""), pong("")]),
        (b"\x81\x01a\x82\x01b", &[text("a"), binary(b"b")]),
        // Control frames between fragments.
        (b"\x01\x01a\x89\x01p\x80\x01b", &[ping("p"), text("ab")]),
        (b"\x02\x01a\x8a\x00\x00\x00\x89\x00\x80\x01b", &[pong(""), ping(""), binary(b"ab")]),
        // Empty fragments, and nothing but them.
        (b"\x01\x00\x00\x01a\x80\x00", &[text("a")]),
        (b"\x02\x00\x80\x00", &[binary(b"")]),
        // Every split inside a character of four bytes.
        (b"\x01\x01\xf0\x00\x01\x9f\x00\x01\x90\x00\x00\x80\x01\x9f", &[text("🐟")]),
        (b"\x88\x00", &[Message::Close(None)]),
        (b"\x88\x02\x03\xe8", &[close(1000, "")]),
        (b"\x01\x01a\x88\x05\x0b\xb8bye", &[close(3000, "bye")]),
    ];
    for (wire, expected) in table {
        assert_eq!(decode(Role::Client, &Limits::default(), wire), (expected.to_vec(), None));
    }
}

#[test]
fn headers_use_the_shortest_length() {
    let table: [(usize, &[u8]); 6] = [
        (0, b"\x82\x00"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (0xffff, b"\x82\x7e\xff\xff"),
        (0x1_0000, b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        (0x1234_5678, b"\x82\x7f\x00\x00\x00\x00\x12\x34\x56\x78"),
    ];
    for (len, expected) in table {
        assert_eq!(frame_header(Opcode::Binary, len).as_bytes(), expected);
    }
}

#[test]
#[should_panic(expected = "control frame of 126 bytes is over the limit of 125 bytes")]
fn an_oversized_ping_is_the_callers_mistake() {
    frame_header(Opcode::Ping, 126);
}

#[test]
fn close_frames_carry_the_code_if_any() {
    assert_eq!(close_frame(None, None), b"\x88\x00".as_slice());
    assert_eq!(close_frame(Some(CloseCode::GOING_AWAY), None), b"\x88\x02\x03\xe9".as_slice());
    let masked = b"\x88\x82\x01\x00\x00\x00\x02\xe8".as_slice();
    assert_eq!(close_frame(Some(CloseCode::NORMAL), Some([1, 0, 0, 0])), masked);
}

#[test]
fn exactly_the_codes_of_the_registry_and_the_private_ranges_are_allowed() {
    let allowed: Vec<u16> = (0..=u16::MAX).filter(|&code| CloseCode::new(code).is_some()).collect();
    let expected: Vec<u16> = (1000..=1003).chain(1007..=1014).chain(3000..=4999).collect();
    assert_eq!(allowed, expected);
}

#[test]
fn every_length_is_masked_and_unmasked_whole() {
    for len in 0..100 {
        let payload: Vec<u8> = (1..=len).collect();
        let wire = frame_for(Role::Server, 0x82, &payload);
        let decoded = decode(Role::Server, &Limits::default(), &wire);
        assert_eq!(decoded, (vec![binary(&payload)], None));

        let mut encoded = BytesMut::new();
        encode_frame(&mut encoded, Opcode::Binary, &payload, Some(KEY));
        assert_eq!(encoded, wire);
    }
}

#[test]
fn an_unfragmented_payload_is_not_copied() {
    let mut input = BytesMut::from(b"\x81\x05Hello\x81\x05again".as_slice());
    let payload_at = input[2..].as_ptr();
    let mut decoder = Decoder::new(Role::Client, &Limits::default());
    match decoder.decode(&mut input) {
        Ok(Some(Message::Text(text))) => assert_eq!(text.as_ptr(), payload_at),
        other => panic!("expected a text message, got {other:?}"),
    }
    assert_eq!(input, b"\x81\x05again".as_slice());
}

#[test]
fn control_payloads_do_not_keep_the_read_buffer() {
    let mut input = BytesMut::from(b"\x89\x05Hello\x82\x00".as_slice());
    let mut decoder = Decoder::new(Role::Client, &Limits::default());
    let kept = [decoder.decode(&mut input), decoder.decode(&mut input)];
    assert_eq!(kept, [Ok(Some(ping("Hello"))), Ok(Some(binary(b"")))]);
    assert!(Bytes::from(input).is_unique(), "a message shares the read buffer");
}

#[test]
fn after_a_close_nothing_is_read() {
    let mut decoder = Decoder::new(Role::Client, &Limits::default());
    let mut input = BytesMut::from(b"\x01\x01a\x88\x00\x80\x01b".as_slice());
    assert_eq!(decoder.decode(&mut input), Ok(Some(Message::Close(None))));
    assert!(decoder.is_finished() && decoder.is_idle() && input.is_empty());

    input.extend_from_slice(b"\xff\xff");
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert!(input.is_empty());
}
