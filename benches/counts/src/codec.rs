//! Encoding and decoding by themselves, as the server does both.

use std::hint::black_box;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use sockeye_event::{Args, encode_args};
use sockeye_protocol::socket::{Decoder, EncodedPacket, Limits, Packet, PacketBuilder};

use crate::load;

/// All such work, in the order of the report.
pub(crate) const ALL: [&str; 4] = ["encode-text", "encode-json", "decode-text", "decode-json"];

/// Does the work so many times.
pub(crate) fn run(work: &str, calls: usize) -> Result<(), String> {
    let text = load::WORDS.to_owned();
    let document: Value = serde_json::from_str(&load::document()).expect("it is JSON");
    match work {
        "encode-text" => repeat(calls, || encode(&text)),
        "encode-json" => repeat(calls, || encode(&document)),
        "decode-text" => {
            let wire = wire(&text);
            repeat(calls, || decode(&wire));
        }
        "decode-json" => {
            let wire = wire(&document);
            repeat(calls, || decode(&wire));
        }
        _ => return Err(format!("there is no work `{work}`; there is {}", ALL.join(", "))),
    }
    Ok(())
}

fn repeat<T>(calls: usize, work: impl Fn() -> T) {
    for _ in 0..calls {
        black_box(work());
    }
}

/// An event to the bytes that all its recipients share.
fn encode<T: Serialize>(argument: &T) -> EncodedPacket {
    let mut packet = PacketBuilder::event("/", None, "echo");
    let mut attachments = Vec::new();
    encode_args(black_box(argument), packet.json(), &mut attachments).expect("it is JSON");
    packet.finish(attachments)
}

/// The event as a peer sends it: without Engine.IO's `4` in front.
fn wire<T: Serialize>(argument: &T) -> Bytes {
    let packet = encode(argument).packets().next().expect("a packet has a head");
    packet.into_bytes().slice(1..)
}

/// A message to the argument that a handler takes.
fn decode(wire: &Bytes) -> Value {
    let decoded = Decoder::new(Limits::default()).decode_text(black_box(wire.clone()));
    let Ok(Some(Packet::Event(event))) = decoded else { panic!("not an event") };
    Args::new(&event.payload, 1).next().expect("an argument")
}
