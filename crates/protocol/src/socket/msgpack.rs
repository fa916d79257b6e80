//! The form of `socket.io-msgpack-parser`: a packet is one binary message, a MessagePack map with
//! the keys `type`, `data`, `nsp` and perhaps `id`. Binary data is where it belongs in `data`.
//!
//! `["hey",1]` for everyone in `/` is
//! `83 a4 "type" 02 a4 "data" 92 a3 "hey" 01 a3 "nsp" a1 "/"`.

mod read;
mod write;

use super::{Decode, DecodeError, EncodedPacket, Limits, Packet, Parser, UnfitPacket};
use crate::engine::Message;

/// The parser for clients with `socket.io-msgpack-parser`. Handlers and what is emitted are the
/// same as with the default one. What MessagePack has and JSON has not becomes what JavaScript makes
/// of it in JSON: `undefined`, NaN and the infinities become `null`, and a date its ISO text.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessagePack;

impl Parser for MessagePack {
    fn encode(&self, packet: &Packet) -> Result<EncodedPacket, UnfitPacket> {
        let bytes = write::packet(packet).map_err(|error| UnfitPacket(error.to_string()))?;
        Ok(EncodedPacket::new(&Message::Binary(bytes.into()), Vec::new()))
    }

    fn decoder(&self, limits: &Limits) -> Box<dyn Decode> {
        Box::new(Decoder { max_depth: limits.max_depth })
    }
}

#[derive(Debug)]
struct Decoder {
    max_depth: usize,
}

impl Decode for Decoder {
    fn decode(&mut self, message: Message) -> Result<Option<Packet>, DecodeError> {
        match message {
            Message::Binary(bytes) => read::packet(&bytes, self.max_depth).map(Some),
            Message::Text(_) => Err(DecodeError::UnexpectedText),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::socket::{Ack, Event, Payload};

    /// Hexadecimal bytes, and text in quotation marks.
    fn bytes(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in text.split_whitespace() {
            match part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
                Some(text) => bytes.extend_from_slice(text.as_bytes()),
                None => bytes.push(u8::from_str_radix(part, 16).expect("hexadecimal")),
            }
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Packet, DecodeError> {
        let mut decoder = MessagePack.decoder(&Limits::default());
        let message = Message::Binary(Bytes::copy_from_slice(bytes));
        decoder.decode(message).map(|packet| packet.expect("one message is one packet"))
    }

    fn event(id: Option<u64>, json: &str, attachments: Vec<Bytes>) -> Packet {
        let payload = Payload::new(json, attachments);
        Packet::Event(Event { namespace: "/".into(), id, name: "hey".into(), payload })
    }

    /// `data` of an event named `hey`, from the wire to JSON.
    fn json_of(data: &str) -> Result<(String, Vec<Bytes>), DecodeError> {
        let wire = format!(r#"83 a4 "type" 02 a4 "data" 92 a3 "hey" {data} a3 "nsp" a1 "/""#);
        match decode(&bytes(&wire))? {
            Packet::Event(event) => {
                let json = event.payload.json().to_string();
                let argument = json.strip_prefix(r#"["hey","#).and_then(|it| it.strip_suffix(']'));
                Ok((argument.expect("one argument").to_owned(), event.payload.attachments))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn packets_of_the_reference_are_read() {
        let connect = |payload: Option<&'static str>| Packet::Connect {
            namespace: "/".into(),
            payload: payload.map(Into::into),
        };
        let placeholder = r#"["hey",{"_placeholder":true,"num":0}]"#;
        let error = r#"{"message":"no"}"#;
        let vectors = [
            (r#"83 a4 "type" 00 a4 "data" d4 00 00 a3 "nsp" a1 "/""#, connect(None)),
            (r#"83 a4 "type" 00 a4 "data" c0 a3 "nsp" a1 "/""#, connect(None)),
            (
                r#"83 a4 "type" 00 a4 "data" 81 a5 "token" a1 "a" a3 "nsp" a1 "/""#,
                connect(Some(r#"{"token":"a"}"#)),
            ),
            (
                r#"84 a4 "type" 02 a4 "data" 92 a3 "hey" 01 a7 "options" 81 a8 "compress" c3 a3 "nsp" a1 "/""#,
                event(None, r#"["hey",1]"#, vec![]),
            ),
            (
                r#"84 a4 "type" 02 a4 "data" 91 a3 "hey" a2 "id" 00 a3 "nsp" a1 "/""#,
                event(Some(0), r#"["hey"]"#, vec![]),
            ),
            (
                r#"83 a4 "type" 02 a4 "data" 92 a3 "hey" c4 03 01 02 03 a3 "nsp" a1 "/""#,
                event(None, placeholder, vec![Bytes::from_static(&[1, 2, 3])]),
            ),
            (
                r#"84 a2 "id" 00 a4 "type" 03 a4 "data" 91 a2 "ok" a3 "nsp" a1 "/""#,
                Packet::Ack(Ack {
                    namespace: "/".into(),
                    id: Some(0),
                    payload: Payload::new(r#"["ok"]"#, vec![]),
                }),
            ),
            (r#"82 a4 "type" 01 a3 "nsp" a1 "/""#, Packet::Disconnect { namespace: "/".into() }),
            (
                r#"83 a4 "type" 04 a4 "data" 81 a7 "message" a2 "no" a3 "nsp" a2 "/x""#,
                Packet::ConnectError { namespace: "/x".into(), payload: error.into() },
            ),
        ];
        for (wire, packet) in vectors {
            assert_eq!(decode(&bytes(wire)), Ok(packet), "{wire}");
        }
    }

    #[test]
    fn packets_are_written_as_the_reference_writes_them() {
        let vectors = [
            (
                event(
                    None,
                    r#"["hey",{"_placeholder":true,"num":0}]"#,
                    vec![Bytes::from_static(&[1])],
                ),
                r#"83 a4 "type" 02 a4 "data" 92 a3 "hey" c4 01 01 a3 "nsp" a1 "/""#,
            ),
            (
                event(Some(7), r#"["hey"]"#, vec![]),
                r#"84 a4 "type" 02 a4 "data" 91 a3 "hey" a2 "id" 07 a3 "nsp" a1 "/""#,
            ),
            (
                Packet::Ack(Ack {
                    namespace: "/".into(),
                    id: Some(0),
                    payload: Payload::new(r#"["ok"]"#, vec![]),
                }),
                r#"84 a2 "id" 00 a4 "type" 03 a4 "data" 91 a2 "ok" a3 "nsp" a1 "/""#,
            ),
            (Packet::Disconnect { namespace: "/".into() }, r#"82 a4 "type" 01 a3 "nsp" a1 "/""#),
            (
                Packet::ConnectError {
                    namespace: "/x".into(),
                    payload: r#"{"message":"Invalid namespace"}"#.into(),
                },
                r#"83 a4 "type" 04 a4 "data" 81 a7 "message" b1 "Invalid" 20 "namespace" a3 "nsp" a2 "/x""#,
            ),
            (
                Packet::Connect { namespace: "/".into(), payload: Some(r#"{"sid":"abc"}"#.into()) },
                r#"83 a4 "type" 00 a4 "data" 81 a3 "sid" a3 "abc" a3 "nsp" a1 "/""#,
            ),
        ];
        for (packet, wire) in vectors {
            let encoded = MessagePack.encode(&packet).unwrap();
            assert_eq!(&encoded.packets().next().unwrap().into_bytes()[..], bytes(wire), "{wire}");
        }
    }

    #[test]
    fn values_of_every_kind_are_read() {
        let table = [
            ("c0", "null"),
            ("d4 00 00", "null"),
            ("cb 40 08 00 00 00 00 00 00", "3"),
            ("cb 43 40 00 00 00 00 00 00", "9007199254740992.0"),
            ("d6 ff 00 00 00 01", r#""1970-01-01T00:00:01.000Z""#),
            ("d7 ff 01 e8 48 00 00 00 00 02", r#""1970-01-01T00:00:02.008Z""#),
            ("c7 0c ff 00 0f 42 40 ff ff ff ff ff ff ff ff", r#""1969-12-31T23:59:59.001Z""#),
            ("c2", "false"),
            ("c3", "true"),
            ("7f", "127"),
            ("e0", "-32"),
            ("cc ff", "255"),
            ("cd 01 2c", "300"),
            ("ce 00 01 11 70", "70000"),
            ("cf 00 00 01 00 00 00 00 00", "1099511627776"),
            ("cf ff ff ff ff ff ff ff ff", "18446744073709551615"),
            ("d0 80", "-128"),
            ("d1 80 00", "-32768"),
            ("d2 80 00 00 00", "-2147483648"),
            ("d3 80 00 00 00 00 00 00 00", "-9223372036854775808"),
            ("ca 3f c0 00 00", "1.5"),
            ("cb 3f f8 00 00 00 00 00 00", "1.5"),
            ("cb 7f f8 00 00 00 00 00 00", "null"),
            ("a3 61 22 62", r#""a\"b""#),
            ("d9 01 61", r#""a""#),
            ("da 00 01 61", r#""a""#),
            ("db 00 00 00 01 61", r#""a""#),
            ("90", "[]"),
            ("dc 00 02 01 02", "[1,2]"),
            ("dd 00 00 00 01 90", "[[]]"),
            ("80", "{}"),
            ("82 a1 61 01 05 02", r#"{"a":1,"5":2}"#),
            ("de 00 01 a1 61 80", r#"{"a":{}}"#),
            ("df 00 00 00 01 a1 61 c0", r#"{"a":null}"#),
            ("d7 00 00 00 00 00 00 00 00 00", r#""1970-01-01T00:00:00.000Z""#),
            ("d7 00 00 00 01 a2 0b 46 30 5f", r#""2026-11-24T01:57:59.007Z""#),
            ("d7 00 00 00 01 8d f7 18 95 80", r#""2024-02-29T23:00:00.000Z""#),
            ("d7 00 ff ff ff ff ff ff ff ff", r#""1969-12-31T23:59:59.999Z""#),
        ];
        for (wire, json) in table {
            assert_eq!(json_of(wire), Ok((json.to_owned(), vec![])), "{wire}");
        }
        let (json, attachments) = json_of("93 c4 00 c5 00 01 07 c6 00 00 00 01 08").unwrap();
        let placeholders = [0, 1, 2].map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#));
        assert_eq!(json, format!("[{}]", placeholders.join(",")));
        assert_eq!(attachments, [&[][..], &[7], &[8]]);
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        let nsp = r#"a3 "nsp" a1 "/""#;
        let table = [
            String::new(),
            "c0".to_owned(),
            "90".to_owned(),
            "80".to_owned(),
            format!(r#"83 a4 "type" 02 a4 "data" 91 a3 "hey" {nsp} 00"#),
            format!(r#"82 a4 "type" 05 {nsp}"#),
            format!(r#"82 a4 "type" ff {nsp}"#),
            format!(r#"82 a4 "type" a1 "2" {nsp}"#),
            format!(r#"82 a4 "type" 02 {nsp}"#),
            format!(r#"83 a4 "type" 02 a4 "data" 90 {nsp}"#),
            format!(r#"83 a4 "type" 02 a4 "data" 91 c0 {nsp}"#),
            format!(r#"83 a4 "type" 02 a4 "data" 80 {nsp}"#),
            format!(r#"83 a4 "type" 00 a4 "data" 90 {nsp}"#),
            format!(r#"83 a4 "type" 01 a4 "data" 80 {nsp}"#),
            format!(r#"83 a4 "type" 03 a4 "data" 80 {nsp}"#),
            format!(r#"84 a4 "type" 02 a4 "data" 91 a3 "hey" a2 "id" a1 "x" {nsp}"#),
            format!(r#"84 a4 "type" 02 a4 "data" 91 a3 "hey" a2 "id" ff {nsp}"#),
            r#"83 a4 "type" 02 a4 "data" 91 a3 "hey" a3 "nsp" 01"#.to_owned(),
            r#"82 a4 "type" 02 a4 "data" 91 a3 "hey""#.to_owned(),
        ];
        for wire in &table {
            assert!(decode(&bytes(wire)).is_err(), "{wire}");
        }
        for data in [
            "a1 ff",
            "c1",
            "c7 00 01",
            "d4 05 00",
            "d9 05 61",
            "dd ff ff ff ff 01",
            "df ff ff ff ff",
        ] {
            assert!(json_of(data).is_err(), "{data}");
        }
        let deep = format!("{} 01", "91 ".repeat(64));
        assert_eq!(json_of(&deep), Err(DecodeError::TooDeep));
        let forged = r#"92 c4 01 01 82 ac "_placeholder" c3 a3 "num" 00"#;
        assert_eq!(json_of(forged), Err(DecodeError::IllegalPlaceholder));
    }

    #[test]
    fn large_collections_have_wider_heads() {
        for length in [15, 16, 65_535, 65_536] {
            let json = format!("[\"hey\",[{}]]", vec!["0"; length].join(","));
            let packet = event(None, &json, vec![]);
            let encoded = MessagePack.encode(&packet).unwrap();
            let wire = encoded.packets().next().unwrap().into_bytes();
            assert_eq!(decode(&wire), Ok(packet), "{length} items");
        }
    }

    #[test]
    fn a_number_that_no_number_can_hold_is_told() {
        let packet = event(None, r#"["hey",1e999]"#, vec![]);
        assert!(MessagePack.encode(&packet).is_err());
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            (-1e9..1e9f64).prop_map(Into::into),
            "\\PC{0,40}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 64, 20, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..20).prop_map(Into::into),
                proptest::collection::hash_map("\\PC{0,5}", inner, 0..20)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in json()) {
            let packet = event(Some(3), &format!("[\"hey\",{value}]"), vec![]);
            let encoded = MessagePack.encode(&packet).unwrap();
            let wire = encoded.packets().next().unwrap().into_bytes();
            match decode(&wire) {
                Ok(Packet::Event(event)) => {
                    let read: serde_json::Value = serde_json::from_str(event.payload.json()).unwrap();
                    prop_assert_eq!(&read[1], &value);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), head in 0..3usize) {
            let head = ["", "\u{83}\u{a4}type", "x"][head].as_bytes();
            let _ = decode(&[head, &bytes].concat());
            let mut data = self::bytes(r#"82 a3 "nsp" a1 "/" a4 "data""#);
            data.extend_from_slice(&bytes);
            let _ = decode(&data);
        }
    }
}
