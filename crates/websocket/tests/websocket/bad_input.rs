//! What is refused, with the exact error and the code to close with.

use bytes::BytesMut;
use sockeye_websocket::DecodeError::{
    ControlTooLong, FragmentedControl, InvalidCloseReason, InvalidText, LengthOverflow,
    MaskedFrame, MessageTooBig, NonMinimalLength, ReservedBits, ReservedCloseCode,
    TooManyFragments, TruncatedCloseCode, UnexpectedContinuation, UnfinishedMessage, UnknownOpcode,
    UnmaskedFrame,
};
use sockeye_websocket::{DecodeError, Decoder, Limits, Role};

use crate::{decode, frame_for, text};

/// Small enough to be passed in a table.
fn limits() -> Limits {
    Limits::default().max_message_bytes(8).max_fragments(3)
}

#[test]
fn bad_frames_from_a_server_are_refused() {
    let table: &[(&[u8], DecodeError, u16)] = &[
        // Reserved bits.
        (b"\xc1\x00", ReservedBits(0b100), 1002),
        (b"\xa1\x00", ReservedBits(0b010), 1002),
        (b"\x91\x00", ReservedBits(0b001), 1002),
        (b"\xf9\x00", ReservedBits(0b111), 1002),
        // Opcodes.
        (b"\x83\x00", UnknownOpcode(3), 1002),
        (b"\x87\x00", UnknownOpcode(7), 1002),
        (b"\x8b\x00", UnknownOpcode(11), 1002),
        (b"\x8f\x00", UnknownOpcode(15), 1002),
        // Masks.
        (b"\x81\x80", MaskedFrame, 1002),
        (b"\x88\x80", MaskedFrame, 1002),
        // Control frames.
        (b"\x08\x00", FragmentedControl, 1002),
        (b"\x09\x00", FragmentedControl, 1002),
        (b"\x0a\x00", FragmentedControl, 1002),
        (b"\x88\x7e", ControlTooLong, 1002),
        (b"\x89\x7e", ControlTooLong, 1002),
        (b"\x8a\x7f", ControlTooLong, 1002),
        // Lengths.
        (b"\x82\x7e\x00\x00", NonMinimalLength(0), 1002),
        (b"\x82\x7e\x00\x7d", NonMinimalLength(125), 1002),
        (b"\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x7d", NonMinimalLength(125), 1002),
        (b"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", NonMinimalLength(65535), 1002),
        (b"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", LengthOverflow(1 << 63), 1009),
        (b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", LengthOverflow(u64::MAX), 1009),
        // Fragments.
        (b"\x00\x00", UnexpectedContinuation, 1002),
        (b"\x80\x00", UnexpectedContinuation, 1002),
        (b"\x01\x00\x80\x00\x80\x00", UnexpectedContinuation, 1002),
        (b"\x01\x00\x01\x00", UnfinishedMessage, 1002),
        (b"\x02\x00\x82\x00", UnfinishedMessage, 1002),
        (b"\x02\x00\x89\x00\x81\x00", UnfinishedMessage, 1002),
        // Limits, from the header alone.
        (b"\x82\x09", MessageTooBig { bytes: 9, limit: 8 }, 1009),
        (b"\x02\x09", MessageTooBig { bytes: 9, limit: 8 }, 1009),
        (b"\x82\x7e\x00\x7e", MessageTooBig { bytes: 126, limit: 8 }, 1009),
        (
            b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
            MessageTooBig { bytes: i64::MAX as u64, limit: 8 },
            1009,
        ),
        (b"\x02\x05Hello\x80\x04", MessageTooBig { bytes: 9, limit: 8 }, 1009),
        (
            b"\x02\x01a\x00\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
            MessageTooBig { bytes: 1 << 63, limit: 8 },
            1009,
        ),
        (b"\x02\x00\x00\x00\x00\x00\x80\x00", TooManyFragments { fragments: 4, limit: 3 }, 1008),
        // Text: a bad byte, a surrogate, an overlong form, beyond U+10FFFF, cut off.
        (b"\x81\x01\xff", InvalidText, 1007),
        (b"\x81\x03\xed\xa0\x80", InvalidText, 1007),
        (b"\x81\x02\xc0\xaf", InvalidText, 1007),
        (b"\x81\x04\xf4\x90\x80\x80", InvalidText, 1007),
        (b"\x81\x02\xe2\x82", InvalidText, 1007),
        // Fragmented text fails with the first fragment that makes it hopeless.
        (b"\x01\x02a\xff", InvalidText, 1007),
        (b"\x01\x01\xf4\x00\x01\x90", InvalidText, 1007),
        (b"\x01\x01\xe2\x00\x01a", InvalidText, 1007),
        (b"\x01\x02\xe2\x82\x80\x00", InvalidText, 1007),
        (b"\x01\x00\x80\x01\x80", InvalidText, 1007),
        // Close frames.
        (b"\x88\x01\x03", TruncatedCloseCode, 1002),
        (b"\x88\x02\x00\x00", ReservedCloseCode(0), 1002),
        (b"\x88\x02\x03\xe7", ReservedCloseCode(999), 1002),
        (b"\x88\x02\x03\xec", ReservedCloseCode(1004), 1002),
        (b"\x88\x02\x03\xed", ReservedCloseCode(1005), 1002),
        (b"\x88\x02\x03\xee", ReservedCloseCode(1006), 1002),
        (b"\x88\x02\x03\xf7", ReservedCloseCode(1015), 1002),
        (b"\x88\x02\x0b\xb7", ReservedCloseCode(2999), 1002),
        (b"\x88\x02\x13\x88", ReservedCloseCode(5000), 1002),
        (b"\x88\x03\x03\xe8\xff", InvalidCloseReason, 1007),
        (b"\x88\x04\x03\xe8\xe2\x82", InvalidCloseReason, 1007),
    ];
    for &(wire, error, code) in table {
        let (_, seen) = decode(Role::Client, &limits(), wire);
        assert_eq!(seen, Some(error), "{}", wire.escape_ascii());
        assert_eq!(error.close_code().as_u16(), code, "{error}");
    }
}

#[test]
fn a_client_has_to_mask_every_frame() {
    for wire in [b"\x81\x00".as_slice(), b"\x89\x00", b"\x88\x00"] {
        assert_eq!(decode(Role::Server, &limits(), wire), (vec![], Some(UnmaskedFrame)));
    }
    assert_eq!(UnmaskedFrame.close_code().as_u16(), 1002);
}

#[test]
fn masked_text_is_checked_after_unmasking() {
    let wire = frame_for(Role::Server, 0x81, b"caf\xe9");
    assert_eq!(decode(Role::Server, &limits(), &wire), (vec![], Some(InvalidText)));
}

#[test]
fn messages_before_the_fault_are_delivered() {
    let decoded = decode(Role::Client, &limits(), b"\x81\x02ok\xff\x00");
    assert_eq!(decoded, (vec![text("ok")], Some(ReservedBits(0b111))));
}

#[test]
fn after_an_error_nothing_is_read_or_held() {
    let mut decoder = Decoder::new(Role::Client, &limits());
    let mut input = BytesMut::from(b"\x01\x04text\x01\x00\x81\x01a".as_slice());
    assert_eq!(decoder.decode(&mut input), Err(UnfinishedMessage));
    assert!(decoder.is_finished() && decoder.is_idle() && input.is_empty());
    assert_eq!(decoder.held_bytes(), 0);

    input.extend_from_slice(b"\x81\x01a");
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert!(input.is_empty());
}

#[test]
fn errors_name_the_value_and_the_limit() {
    let table: [(DecodeError, &str); 4] = [
        (
            MessageTooBig { bytes: 120_000, limit: 100_000 },
            "message of 120000 bytes is over the limit of 100000 bytes",
        ),
        (
            TooManyFragments { fragments: 1025, limit: 1024 },
            "message of 1025 fragments is over the limit of 1024 fragments",
        ),
        (ReservedBits(0b100), "reserved bits 100 are set"),
        (ReservedCloseCode(1006), "close code 1006 is reserved"),
    ];
    for (error, message) in table {
        assert_eq!(error.to_string(), message);
    }
}
