//! `engine-packet`, `payload`, `request` and `refusal`.

use bytes::Bytes;
use sockeye_protocol::engine::{
    Handshake, Message, Method, Outgoing, Packet, PacketError, Query, Refusal, RequestLine,
    Revision, Transport, Transports, Wanted, check, payload,
};

use crate::{Direction, Line, hex};

/// A packet in words.
pub(crate) fn describe(packet: &Result<Packet, PacketError>) -> String {
    let with_data = |name: &str, data: &Bytes| match data.is_empty() {
        true => name.to_owned(),
        false => format!("{name}, data {:?}", String::from_utf8_lossy(data)),
    };
    match packet {
        Ok(Packet::Open(data)) => match Handshake::decode(data) {
            Ok(handshake) => format!("open, {}", describe_handshake(&handshake)),
            Err(error) => format!("open, but {error}"),
        },
        Ok(Packet::Close) => "close".to_owned(),
        Ok(Packet::Ping(data)) => with_data("ping", data),
        Ok(Packet::Pong(data)) => with_data("pong", data),
        Ok(Packet::Message(message)) => describe_message(message),
        Ok(Packet::Upgrade) => "upgrade".to_owned(),
        Ok(Packet::Noop) => "noop".to_owned(),
        Err(error) => format!("error: {error}"),
    }
}

pub(crate) fn describe_message(message: &Message) -> String {
    match message {
        Message::Text(text) => format!("message, text {:?}", String::from_utf8_lossy(text)),
        Message::Binary(data) => format!("message, binary {}", hex(data)),
    }
}

fn describe_handshake(handshake: &Handshake<Box<str>>) -> String {
    let Handshake { sid, upgrade_to_websocket, ping_interval, ping_timeout, max_payload } =
        handshake;
    let upgrades = if *upgrade_to_websocket { "may upgrade" } else { "may not upgrade" };
    let (interval, timeout) = (ping_interval.as_millis(), ping_timeout.as_millis());
    format!("sid {sid}, {upgrades}, ping {interval} ms, pong {timeout} ms, {max_payload} bytes")
}

pub(crate) fn check_packet(line: &Line) {
    let (wire, direction, meaning) = line.split();
    let packet = Packet::decode(Bytes::from(wire.clone()));
    assert_eq!(describe(&packet), meaning, "{}", line.place);
    if direction == Direction::Read {
        return;
    }
    let written = match packet {
        Ok(Packet::Message(message)) => payload::encode([Outgoing::message(&message)].iter()),
        Ok(Packet::Open(data)) => {
            Handshake::decode(&data).expect("it was described").encode().into_bytes()
        }
        // These are constants of the state machines, which `session` blocks show at work.
        other => panic!("{}: no encoder for {other:?}, use →", line.place),
    };
    assert_eq!(written, wire, "{}", line.place);
}

pub(crate) fn check_payload(line: &Line) {
    let (wire, direction, meaning) = line.split();
    let packets: Vec<_> = payload::decode(Bytes::from(wire.clone())).collect();
    let described: Vec<_> = packets.iter().map(describe).collect();
    assert_eq!(described.join("; "), meaning, "{}", line.place);
    if direction == Direction::Read {
        return;
    }
    let packets: Vec<_> = packets
        .into_iter()
        .map(|packet| match packet {
            Ok(Packet::Message(message)) => Outgoing::message(&message),
            Ok(Packet::Close) => Outgoing::text("1"),
            Ok(Packet::Noop) => Outgoing::text("6"),
            Ok(Packet::Ping(_)) => Outgoing::text("2"),
            other => panic!("{}: a server does not write {other:?}", line.place),
        })
        .collect();
    assert_eq!(payload::encode(packets.iter()), wire, "{}", line.place);
    let size = packets.iter().map(|packet| payload::encoded_len(packet) + 1).sum::<usize>() - 1;
    assert_eq!(size, wire.len(), "{}", line.place);
}

/// `GET Upgrade ?EIO=4&transport=websocket`. There are two sessions, `P` on polling and `W` on a
/// WebSocket.
pub(crate) fn check_request(line: &Line) {
    let (request, _, meaning) = line.split();
    let mut words = request.split(' ').filter(|word| !word.is_empty());
    let method = match words.next() {
        Some("GET") => Method::Get,
        Some("POST") => Method::Post,
        _ => Method::Other,
    };
    let rest: Vec<_> = words.collect();
    let (upgrade, query) = match rest[..] {
        ["Upgrade", query] => (true, query),
        [query] => (false, query),
        _ => panic!("{}: not a request: {request}", line.place),
    };
    let query = Query::parse(query.strip_prefix('?').expect("a query begins with ?"));
    let line_of_request = RequestLine { method, query: &query, upgrade };
    let verdict = check(line_of_request, Transports::ALL, false, |sid| match sid {
        "P" => Some((Transport::Polling, Revision::V4)),
        "W" => Some((Transport::WebSocket, Revision::V4)),
        _ => None,
    });
    let verdict = match verdict {
        Ok(Wanted::Session(transport)) => format!("a new session on {transport}"),
        Ok(Wanted::Polling) => "a request of the session".to_owned(),
        Ok(Wanted::Upgrade) => "an upgrade of the session".to_owned(),
        Err(refusal) => format!("code {}, {refusal}", refusal.code()),
    };
    assert_eq!(verdict, meaning, "{}", line.place);
}

/// The whole table, every refusal once.
pub(crate) fn check_refusals(lines: &[Line]) {
    let mut missing = vec![
        Refusal::TransportUnknown,
        Refusal::SessionUnknown,
        Refusal::BadHandshakeMethod,
        Refusal::BadRequest,
        Refusal::forbidden(),
        Refusal::UnsupportedProtocolVersion,
    ];
    for line in lines {
        let (body, _, meaning) = line.split();
        let index = missing.iter().position(|refusal| refusal.to_json() == body);
        let index = index.unwrap_or_else(|| panic!("{}: nobody says {body}", line.place));
        let refusal = missing.remove(index);
        let (status, on_upgrade) = (refusal.status(false), refusal.status(true));
        let described = format!("{status}; on an upgrade {on_upgrade} with `{refusal}`");
        assert_eq!(described, meaning, "{}", line.place);
    }
    assert_eq!(missing, [], "refusals that the table does not have");
}
