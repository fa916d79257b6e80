//! `socket-packet`.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use sockeye_protocol::{
    engine::{Kind, Revision},
    socket::{
        Ack, DecodeError, Decoder, EncodedPacket, Event, Limits, Packet, PacketBuilder, Payload,
        connect, connect_error, disconnect,
    },
};

use crate::{Direction, Line, hex, unhex};

fn describe_payload(payload: &Payload) -> String {
    let attachments: Vec<_> = payload.attachments.iter().map(|bytes| hex(bytes)).collect();
    match attachments.is_empty() {
        true => payload.json().to_string(),
        false => format!("{} with {}", payload.json(), attachments.join(" and ")),
    }
}

/// What a decoder makes of the last part of a packet, in words.
fn describe(decoded: &Result<Option<Packet>, DecodeError>) -> String {
    let packet = match decoded {
        Ok(Some(packet)) => packet,
        Ok(None) => return "waits for attachments".to_owned(),
        Err(error) => return format!("error: {error}"),
    };
    match packet {
        Packet::Connect { namespace, payload: None } => format!("connect to {namespace}"),
        Packet::Connect { namespace, payload: Some(payload) } => {
            format!("connect to {namespace}, {payload}")
        }
        Packet::Disconnect { namespace } => format!("disconnect from {namespace}"),
        Packet::Event(Event { namespace, id, name, payload }) => {
            let id = id.map(|id| format!(", id {id}")).unwrap_or_default();
            format!("event {name:?} in {namespace}{id}, {}", describe_payload(payload))
        }
        Packet::Ack(Ack { namespace, id, payload }) => {
            let id = id.map_or_else(|| "without an id".to_owned(), |id| format!("{id}"));
            format!("ack {id} in {namespace}, {}", describe_payload(payload))
        }
        Packet::ConnectError { namespace, payload } => {
            format!("connect error in {namespace}, {payload}")
        }
    }
}

/// Writes what was read.
fn encode(packet: &Packet) -> EncodedPacket {
    #[derive(Deserialize)]
    struct Connected<'a> {
        sid: &'a str,
    }
    #[derive(Deserialize)]
    struct Refused<'a> {
        message: &'a str,
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }
    let arguments = |builder: &mut PacketBuilder, payload: &Payload, from: usize| {
        let items: Vec<&RawValue> = serde_json::from_str(payload.json()).expect("an array");
        let items: Vec<_> = items[from..].iter().map(|item| item.get()).collect();
        builder.json().extend_from_slice(items.join(",").as_bytes());
    };
    match packet {
        Packet::Connect { namespace, payload: Some(payload) } => {
            let Connected { sid } = serde_json::from_str(payload).expect("a server's connect");
            connect(Revision::V4, namespace, &sid.parse().expect("a sid"))
        }
        Packet::Connect { payload: None, .. } => panic!("a server's connect has a payload"),
        Packet::Disconnect { namespace } => disconnect(namespace),
        Packet::Event(event) => {
            let mut builder = PacketBuilder::event(&event.namespace, event.id, &event.name);
            arguments(&mut builder, &event.payload, 1);
            builder.finish(event.payload.attachments.clone())
        }
        Packet::Ack(ack) => {
            let mut builder = PacketBuilder::ack(&ack.namespace, ack.id.expect("an id"));
            arguments(&mut builder, &ack.payload, 0);
            builder.finish(ack.payload.attachments.clone())
        }
        Packet::ConnectError { namespace, payload } => {
            let Refused { message, data } = serde_json::from_str(payload).expect("an object");
            connect_error(Revision::V4, namespace, message, data.map(RawValue::get))
        }
    }
}

/// A message on the wire: text, or an attachment.
enum Part {
    Text(String),
    Binary(Vec<u8>),
}

/// `51-[…] + 01 02`: a text, and what comes after it.
fn parts(wire: &str) -> Vec<Part> {
    let part = |(index, part): (usize, &str)| match unhex(part) {
        Some(bytes) if index > 0 => Part::Binary(bytes),
        _ => Part::Text(part.to_owned()),
    };
    match wire.strip_prefix("+ ") {
        Some(attachment) => vec![Part::Binary(unhex(attachment).expect("an attachment in hex"))],
        None => wire.split(" + ").enumerate().map(part).collect(),
    }
}

pub(crate) fn check_packet(line: &Line) {
    let (wire, direction, meaning) = line.split();
    let parts = parts(&wire);
    let mut decoder = Decoder::new(Limits::default());
    let mut decoded = Ok(None);
    for part in &parts {
        assert_eq!(decoded, Ok(None), "{}: the packet ends before its parts", line.place);
        decoded = match part {
            Part::Text(text) => decoder.decode_text(Bytes::from(text.clone())),
            Part::Binary(bytes) => decoder.decode_binary(Bytes::from(bytes.clone())),
        };
    }
    assert_eq!(describe(&decoded), meaning, "{}", line.place);
    if direction == Direction::Read {
        return;
    }
    let packet = decoded.ok().flatten().expect("a whole packet is written");
    let written: Vec<_> = encode(&packet).packets().collect();
    assert_eq!(written.len(), parts.len(), "{}", line.place);
    for (packet, part) in written.iter().zip(&parts) {
        let (kind, bytes) = match part {
            // The samples leave the `4` of the Engine.IO message out.
            Part::Text(text) => (Kind::Text, format!("4{text}").into_bytes()),
            Part::Binary(bytes) => (Kind::Binary, bytes.clone()),
        };
        assert_eq!((packet.kind(), &packet.bytes()[..]), (kind, &bytes[..]), "{}", line.place);
    }
}
