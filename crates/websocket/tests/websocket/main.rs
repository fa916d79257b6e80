//! The codec as its users see it.

mod bad_input;
mod handshake;
mod limits;
mod properties;
mod vectors;

use bytes::BytesMut;
use sockeye_websocket::{Close, CloseCode, DecodeError, Decoder, Limits, Message, Role};

/// Everything a decoder makes of `chunks`: the messages, and the error it stopped at.
fn decode_chunks<'a>(
    decoder: &mut Decoder,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Message>, Option<DecodeError>) {
    let mut input = BytesMut::new();
    let mut messages = Vec::new();
    for chunk in chunks {
        input.extend_from_slice(chunk);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

/// Decodes `wire` in one piece and byte by byte, and checks that this makes no difference.
fn decode(role: Role, limits: &Limits, wire: &[u8]) -> (Vec<Message>, Option<DecodeError>) {
    let at_once = decode_chunks(&mut Decoder::new(role, limits), [wire]);
    let in_bytes = decode_chunks(&mut Decoder::new(role, limits), wire.chunks(1));
    assert_eq!(at_once, in_bytes);
    at_once
}

/// A frame with any first byte and a correct length, masked if `role` expects that.
fn frame_for(role: Role, first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut wire = vec![first_byte];
    let mask_bit = if role == Role::Server { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..=125 => wire.push(mask_bit | len as u8),
        len @ 126..=0xffff => {
            wire.push(mask_bit | 126);
            wire.extend((len as u16).to_be_bytes());
        }
        len => {
            wire.push(mask_bit | 127);
            wire.extend((len as u64).to_be_bytes());
        }
    }
    let key = match role {
        Role::Server => [0x37, 0xfa, 0x21, 0x3d],
        Role::Client => [0; 4],
    };
    if role == Role::Server {
        wire.extend(key);
    }
    wire.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    wire
}

fn text(text: &str) -> Message {
    Message::Text(text.to_owned().into())
}

fn binary(payload: &[u8]) -> Message {
    Message::Binary(payload.to_owned().into())
}

fn ping(payload: &str) -> Message {
    Message::Ping(payload.to_owned().into())
}

fn pong(payload: &str) -> Message {
    Message::Pong(payload.to_owned().into())
}

fn close(code: u16, reason: &str) -> Message {
    let code = CloseCode::new(code).expect("the test uses an allowed code");
    Message::Close(Some(Close { code, reason: reason.to_owned() }))
}
