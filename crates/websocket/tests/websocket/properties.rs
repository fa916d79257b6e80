//! What holds for any messages, any bytes, and any way they are cut.

use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;
use sockeye_websocket::{Decoder, Limits, Message, Opcode, Role, encode_frame};

use crate::{decode_chunks, frame_for};

/// Everything but a close, which ends the stream.
fn any_message() -> impl Strategy<Value = Message> {
    let payload = prop_oneof![8 => vec(any::<u8>(), 0..300), 1 => vec(any::<u8>(), 65_500..65_600)];
    prop_oneof![
        ".{0,80}".prop_map(|text| Message::Text(text.into())),
        payload.prop_map(|payload| Message::Binary(payload.into())),
        vec(any::<u8>(), 0..=125).prop_map(|payload| Message::Ping(payload.into())),
        vec(any::<u8>(), 0..=125).prop_map(|payload| Message::Pong(payload.into())),
    ]
}

fn any_role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

fn opcode_and_payload(message: &Message) -> (Opcode, &[u8]) {
    match message {
        Message::Text(payload) => (Opcode::Text, payload),
        Message::Binary(payload) => (Opcode::Binary, payload),
        Message::Ping(payload) => (Opcode::Ping, payload),
        Message::Pong(payload) => (Opcode::Pong, payload),
        Message::Close(_) => unreachable!("not generated"),
    }
}

/// Cuts `bytes` into pieces of the given sizes, over and over; the last piece may be shorter.
fn cut<'a>(mut bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let size = *sizes.next()?.min(&bytes.len());
        let (piece, rest) = bytes.split_at(size);
        bytes = rest;
        (size > 0).then_some(piece)
    })
}

/// Frames that are mostly plausible, so that random input gets past the first byte.
fn any_frames(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let first_byte = prop_oneof![
        8 => proptest::sample::select(vec![0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        vec(any::<u8>(), 0..40),
        "\\PC{0,20}".prop_map(String::into_bytes),
        Just(Vec::new()),
    ];
    let frame =
        (first_byte, payload).prop_map(move |(first, payload)| frame_for(role, first, &payload));
    vec(frame, 0..30).prop_map(|frames| frames.concat())
}

fn any_input() -> impl Strategy<Value = (Role, Vec<u8>)> {
    any_role().prop_flat_map(|role| {
        let wire = prop_oneof![any_frames(role), vec(any::<u8>(), 0..200)];
        (Just(role), wire)
    })
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(
        role in any_role(),
        messages in vec((any_message(), any::<[u8; 4]>()), 0..12),
        sizes in vec(1..2000_usize, 1..20),
    ) {
        let mut wire = BytesMut::new();
        for (message, key) in &messages {
            let (opcode, payload) = opcode_and_payload(message);
            encode_frame(&mut wire, opcode, payload, (role == Role::Server).then_some(*key));
        }
        let mut decoder = Decoder::new(role, &Limits::default());
        let (decoded, error) = decode_chunks(&mut decoder, cut(&wire, &sizes));
        prop_assert_eq!(error, None);
        prop_assert!(decoded.iter().eq(messages.iter().map(|(message, _)| message)));
        prop_assert!(decoder.is_idle());
    }

    #[test]
    fn fragments_add_up_to_their_message(
        role in any_role(),
        text in ".{0,100}",
        sizes in vec(1..9_usize, 1..9),
    ) {
        let mut wire = frame_for(role, 0x01, b"");
        for piece in cut(text.as_bytes(), &sizes) {
            wire.extend(frame_for(role, 0x00, piece));
        }
        wire.extend(frame_for(role, 0x80, b""));
        let decoded = decode_chunks(&mut Decoder::new(role, &Limits::default()), [&wire[..]]);
        prop_assert_eq!(decoded, (vec![Message::Text(text.into())], None));
    }

    #[test]
    fn any_cut_of_any_input_gives_the_same(
        (role, wire) in any_input(),
        sizes in vec(1..50_usize, 1..20),
    ) {
        let limits = Limits::default().max_message_bytes(200).max_fragments(5);
        let at_once = decode_chunks(&mut Decoder::new(role, &limits), [&wire[..]]);
        let in_pieces = decode_chunks(&mut Decoder::new(role, &limits), cut(&wire, &sizes));
        prop_assert_eq!(at_once, in_pieces);
    }

    #[test]
    fn no_input_makes_a_decoder_hold_more_than_it_may(
        (role, wire) in any_input(),
        max_message_bytes in 0..100_usize,
        sizes in vec(1..50_usize, 1..20),
    ) {
        let limits = Limits::default().max_message_bytes(max_message_bytes);
        let mut decoder = Decoder::new(role, &limits);
        let mut input = BytesMut::new();
        let mut arrived = 0;
        for piece in cut(&wire, &sizes) {
            arrived += piece.len();
            input.extend_from_slice(piece);
            while let Ok(Some(message)) = decoder.decode(&mut input) {
                match message {
                    Message::Text(text) => {
                        prop_assert!(text.len() <= max_message_bytes);
                        prop_assert!(std::str::from_utf8(&text).is_ok());
                    }
                    Message::Binary(payload) => prop_assert!(payload.len() <= max_message_bytes),
                    Message::Ping(payload) | Message::Pong(payload) => {
                        prop_assert!(payload.len() <= 125);
                    }
                    Message::Close(_) => prop_assert!(decoder.is_finished()),
                }
            }
            prop_assert!(decoder.held_bytes() <= max_message_bytes.min(2 * arrived));
            // Nothing waits in the read buffer but one frame that is small enough.
            prop_assert!(input.len() < 14 + max_message_bytes.max(125));
        }
    }
}
