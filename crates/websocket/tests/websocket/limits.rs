//! How much a peer can make us hold.

use bytes::BytesMut;
use sockeye_websocket::{DecodeError, Decoder, Limits, MAX_HEADER_BYTES, Role};

use crate::{binary, decode, frame_for};

const _: () = assert!(size_of::<Decoder>() <= 40);

const _: () = assert!(MAX_HEADER_BYTES == 10);

#[test]
fn a_message_may_be_as_large_as_the_limit() {
    let limits = Limits::default().max_message_bytes(1000);
    let payload = vec![7; 1000];
    let whole = frame_for(Role::Server, 0x82, &payload);
    assert_eq!(decode(Role::Server, &limits, &whole), (vec![binary(&payload)], None));

    let first = frame_for(Role::Server, 0x02, &payload[..400]);
    let last = frame_for(Role::Server, 0x80, &payload[400..]);
    let fragmented = [first, last].concat();
    assert_eq!(decode(Role::Server, &limits, &fragmented), (vec![binary(&payload)], None));
}

#[test]
fn the_default_limits_are_as_documented() {
    let header = b"\x82\x7f\x00\x00\x00\x00\x00\x0f\x42\x41";
    let error = DecodeError::MessageTooBig { bytes: 1_000_001, limit: 1_000_000 };
    assert_eq!(decode(Role::Client, &Limits::default(), header), (vec![], Some(error)));

    let flood = [b"\x02\x00".as_slice(), &b"\x00\x00".repeat(1024)].concat();
    let error = DecodeError::TooManyFragments { fragments: 1025, limit: 1024 };
    assert_eq!(decode(Role::Client, &Limits::default(), &flood), (vec![], Some(error)));
}

#[test]
fn control_frames_do_not_count_towards_the_limits() {
    let limits = Limits::default().max_message_bytes(0).max_fragments(2);
    let pings = b"\x89\x04ping".repeat(10);
    let wire = [b"\x02\x00".as_slice(), &pings, b"\x80\x00"].concat();
    let (messages, error) = decode(Role::Client, &limits, &wire);
    assert_eq!((messages.len(), error), (11, None));
}

#[test]
fn a_limit_of_one_fragment_or_none_leaves_whole_messages() {
    for fragments in [0, 1] {
        let limits = Limits::default().max_fragments(fragments);
        let whole = b"\x82\x01a";
        assert_eq!(decode(Role::Client, &limits, whole), (vec![binary(b"a")], None));
        let error = DecodeError::TooManyFragments { fragments: 2, limit: 1 };
        assert_eq!(decode(Role::Client, &limits, b"\x02\x01a\x80"), (vec![], None));
        assert_eq!(decode(Role::Client, &limits, b"\x02\x01a\x80\x00"), (vec![], Some(error)));
    }
}

#[test]
fn every_message_starts_a_new_count() {
    let limits = Limits::default().max_message_bytes(4).max_fragments(2);
    let wire = b"\x02\x02ab\x80\x02cd".repeat(100);
    assert_eq!(decode(Role::Client, &limits, &wire), (vec![binary(b"abcd"); 100], None));
}

#[test]
fn nothing_is_reserved_for_an_announced_length() {
    let limits = Limits::default().max_message_bytes(usize::MAX);
    let mut decoder = Decoder::new(Role::Client, &limits);
    let mut input = BytesMut::from(b"\x02\x01a\x80\x7f\x7f\xff\xff\xff\xff\xff\xff\xff".as_slice());
    let capacity = input.capacity();
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert!(input.capacity() <= capacity);
    assert_eq!(decoder.held_bytes(), 1);
}

#[test]
fn a_flood_of_tiny_fragments_costs_no_more_than_its_bytes() {
    let limits = Limits::default().max_message_bytes(100_000).max_fragments(100_000);
    let mut decoder = Decoder::new(Role::Client, &limits);
    let mut input = BytesMut::from(b"\x02\x01a".as_slice());
    for fragments in 1..100_000 {
        assert_eq!(decoder.decode(&mut input), Ok(None));
        assert!(decoder.held_bytes() <= (2 * fragments).min(100_000));
        input.extend_from_slice(b"\x00\x01a");
    }
}

#[test]
fn a_decoder_is_idle_between_messages_only() {
    let mut decoder = Decoder::new(Role::Client, &Limits::default());
    let mut input = BytesMut::new();
    let steps: [(&[u8], bool); 5] = [
        (b"\x82", true), // Part of a frame waits in the read buffer, not in the decoder.
        (b"\x01a", true),
        (b"\x02\x01a", false),
        (b"\x89\x00", false),
        (b"\x80\x01b", true),
    ];
    for (chunk, is_idle) in steps {
        input.extend_from_slice(chunk);
        while decoder.decode(&mut input).expect("all frames are valid").is_some() {}
        assert_eq!(decoder.is_idle(), is_idle, "after {}", chunk.escape_ascii());
    }
    assert_eq!(decoder.held_bytes(), 0);
}
