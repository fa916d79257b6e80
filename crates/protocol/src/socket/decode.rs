//! From Engine.IO messages to packets.

use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;

use super::{
    Ack, Event, Packet, Payload, is_reserved,
    json::{self, JsonError},
    placeholder,
};

/// What a peer may make a decoder hold and do.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Attachments of one packet. Default 10, as in the reference.
    pub max_attachments: usize,
    /// Arrays and objects inside one another in a payload. Default 64, at most 128.
    pub max_depth: usize,
    /// Namespaces joined over one connection. Default 100.
    pub max_namespaces: usize,
    /// How long the attachments of a packet may take to arrive. Default 60 s.
    pub attachment_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_attachments: 10,
            max_depth: 64,
            max_namespaces: 100,
            attachment_timeout: Duration::from_secs(60),
        }
    }
}

/// Below how many bytes an attachment is copied out of the buffer it came in.
const SMALL: usize = 4096;

/// Messages that are no packet. The texts are those of the reference where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The first character is none of `0` to `6`, or there is none.
    #[error("unknown packet type {}", .0.escape_default())]
    UnknownType(char),
    /// The number of attachments is not a positive number and a `-`.
    #[error("Illegal attachments")]
    IllegalAttachmentCount,
    /// More attachments are announced than the limit allows.
    #[error("too many attachments")]
    TooManyAttachments,
    /// The payload does not fit the type: an event is a non-empty array with a name in front, and
    /// so on.
    #[error("invalid payload")]
    InvalidPayload,
    /// The payload nests deeper than the limit allows.
    #[error("payload nested too deep")]
    TooDeep,
    /// A placeholder names an attachment that is not there.
    #[error("illegal attachments")]
    IllegalPlaceholder,
    /// Text came while attachments were missing.
    #[error("got plaintext data when reconstructing a packet")]
    UnexpectedText,
    /// An attachment came that no packet announced.
    #[error("got binary data when not reconstructing a packet")]
    UnexpectedBinary,
}

impl From<JsonError> for DecodeError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Invalid => Self::InvalidPayload,
            JsonError::TooDeep => Self::TooDeep,
        }
    }
}

/// Decodes the messages of one connection; it holds at most one packet whose attachments are
/// still on the way.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    partial: Option<Box<Partial>>,
}

#[derive(Debug)]
struct Partial {
    packet: Packet,
    missing: usize,
}

impl Decoder {
    /// A decoder that waits for nothing.
    pub fn new(limits: Limits) -> Self {
        Self { limits, partial: None }
    }

    /// The limits it was made with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether attachments are on the way.
    pub fn is_reassembling(&self) -> bool {
        self.partial.is_some()
    }

    /// The namespace of the packet whose attachments are on the way.
    pub(super) fn partial_namespace(&self) -> Option<&ByteString> {
        self.partial.as_ref().map(|partial| match &partial.packet {
            Packet::Event(Event { namespace, .. }) | Packet::Ack(Ack { namespace, .. }) => {
                namespace
            }
            other => unreachable!("only events and acknowledgements have attachments: {other:?}"),
        })
    }

    /// Decodes a text message (UTF-8). `None`: the packet waits for its attachments.
    pub fn decode_text(&mut self, text: Bytes) -> Result<Option<Packet>, DecodeError> {
        if self.partial.is_some() {
            return Err(DecodeError::UnexpectedText);
        }
        let announces = matches!(text.first(), Some(b'5' | b'6'));
        let text = if announces { Bytes::copy_from_slice(&text) } else { text };
        let text = ByteString::try_from(text).map_err(|_| DecodeError::InvalidPayload)?;
        let (packet, attachments) = decode(text, &self.limits)?;
        if attachments == 0 {
            return Ok(Some(packet));
        }
        self.partial = Some(Box::new(Partial { packet, missing: attachments }));
        Ok(None)
    }

    /// Takes a binary message, which is an attachment. `None`: more are missing.
    pub fn decode_binary(&mut self, attachment: Bytes) -> Result<Option<Packet>, DecodeError> {
        let partial = self.partial.as_deref_mut().ok_or(DecodeError::UnexpectedBinary)?;
        let payload = match &mut partial.packet {
            Packet::Event(event) => &mut event.payload,
            Packet::Ack(ack) => &mut ack.payload,
            other => unreachable!("only events and acknowledgements have attachments: {other:?}"),
        };
        // It may wait for others for a while: what is small is copied, so that it does not keep a
        // large buffer alive.
        payload.attachments.push(match attachment.len() {
            ..SMALL => Bytes::copy_from_slice(&attachment),
            _ => attachment,
        });
        partial.missing -= 1;
        if partial.missing > 0 {
            return Ok(None);
        }
        placeholder::check(payload.json(), payload.attachments.len())?;
        Ok(self.partial.take().map(|partial| partial.packet))
    }
}

/// Decodes `<type>[<attachments>-][<namespace>,][<id>][<JSON>]`; also how many attachments follow.
fn decode(text: ByteString, limits: &Limits) -> Result<(Packet, usize), DecodeError> {
    let kind = match text.as_bytes().first() {
        Some(kind @ b'0'..=b'6') => *kind,
        _ => return Err(DecodeError::UnknownType(text.chars().next().unwrap_or('\0'))),
    };
    let mut rest = &text[1..];
    let attachments = match kind {
        b'5' | b'6' => take_attachment_count(&mut rest, limits)?,
        _ => 0,
    };
    let namespace = take_namespace(&text, &mut rest);
    // An id that is too large for a number can be no answer to us, and cannot be answered.
    let id = match take_number(&mut rest) {
        Some(Err(())) if matches!(kind, b'3' | b'6') => None,
        id => id.transpose().map_err(|()| DecodeError::InvalidPayload)?,
    };
    let rest = text.slice_ref(rest);

    let packet = match kind {
        b'0' => {
            if !rest.is_empty() {
                expect_object(&rest, limits)?;
            }
            let payload = (!rest.is_empty()).then_some(rest);
            Packet::Connect { namespace, payload }
        }
        b'1' if rest.is_empty() => Packet::Disconnect { namespace },
        b'1' => return Err(DecodeError::InvalidPayload),
        b'2' | b'5' => {
            let payload = decode_array(rest, attachments, limits)?;
            let name = event_name(&payload)?;
            Packet::Event(Event { namespace, id, name, payload })
        }
        b'3' | b'6' => {
            let array = if rest.is_empty() { ByteString::from_static("[]") } else { rest };
            let payload = decode_array(array, attachments, limits)?;
            Packet::Ack(Ack { namespace, id, payload })
        }
        _ => {
            if !rest.starts_with(['{', '"']) {
                return Err(DecodeError::InvalidPayload);
            }
            json::validate(rest.as_bytes(), limits.max_depth)?;
            Packet::ConnectError { namespace, payload: rest }
        }
    };
    Ok((packet, attachments))
}

/// Takes the decimal digits in front; `None` if there are none, an error if there are too many for
/// a number.
fn take_number(rest: &mut &str) -> Option<Result<u64, ()>> {
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (text, after) = rest.split_at(digits);
    *rest = after;
    (digits > 0).then(|| text.parse().map_err(|_| ()))
}

fn take_attachment_count(rest: &mut &str, limits: &Limits) -> Result<usize, DecodeError> {
    let number = take_number(rest).ok_or(DecodeError::IllegalAttachmentCount)?;
    *rest = rest.strip_prefix('-').ok_or(DecodeError::IllegalAttachmentCount)?;
    match number {
        Ok(0) => Err(DecodeError::IllegalAttachmentCount),
        Ok(count) if count <= limits.max_attachments as u64 => Ok(count as usize),
        _ => Err(DecodeError::TooManyAttachments),
    }
}

/// The namespace runs from its `/` to the first comma, or to the end.
fn take_namespace(text: &ByteString, rest: &mut &str) -> ByteString {
    if !rest.starts_with('/') {
        return ByteString::from_static("/");
    }
    let (namespace, after) = rest.split_once(',').unwrap_or((rest, ""));
    *rest = after;
    text.slice_ref(namespace)
}

fn expect_object(payload: &str, limits: &Limits) -> Result<(), DecodeError> {
    if !payload.starts_with('{') {
        return Err(DecodeError::InvalidPayload);
    }
    Ok(json::validate(payload.as_bytes(), limits.max_depth)?)
}

fn decode_array(
    json: ByteString,
    attachments: usize,
    limits: &Limits,
) -> Result<Payload, DecodeError> {
    if !json.starts_with('[') {
        return Err(DecodeError::InvalidPayload);
    }
    Ok(Payload::checked(json, Vec::with_capacity(attachments), limits.max_depth)?)
}

/// Cuts an event's name out of its array.
fn event_name(payload: &Payload) -> Result<ByteString, DecodeError> {
    let json = payload.json();
    let name = payload.elements().next().ok_or(DecodeError::InvalidPayload)?;
    let name = &json[name];
    let name = match name.as_bytes()[0] {
        b'"' if name.contains('\\') => {
            let unescaped = serde_json::from_str::<String>(name);
            unescaped.map_err(|_| DecodeError::InvalidPayload)?.into()
        }
        b'"' => json.slice_ref(&name[1..name.len() - 1]),
        b'-' | b'0'..=b'9' => json.slice_ref(name),
        _ => return Err(DecodeError::InvalidPayload),
    };
    if is_reserved(&name) { Err(DecodeError::InvalidPayload) } else { Ok(name) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoder() -> Decoder {
        Decoder::new(Limits::default())
    }

    fn event(namespace: &'static str, id: Option<u64>, name: &'static str, json: &str) -> Packet {
        Packet::Event(Event {
            namespace: ByteString::from_static(namespace),
            id,
            name: ByteString::from_static(name),
            payload: Payload::new(json, vec![]),
        })
    }

    #[test]
    fn text_packets_decode() {
        let root = || ByteString::from_static("/");
        let admin = || ByteString::from_static("/admin");
        let json = ByteString::from_static;
        let ack = |namespace, id, text| {
            let payload = Payload::new(text, vec![]);
            Packet::Ack(Ack { namespace, id, payload })
        };
        let vectors = [
            ("0", Packet::Connect { namespace: root(), payload: None }),
            (
                r#"0{"token":"123"}"#,
                Packet::Connect { namespace: root(), payload: Some(json(r#"{"token":"123"}"#)) },
            ),
            ("0/admin,", Packet::Connect { namespace: admin(), payload: None }),
            ("0/admin", Packet::Connect { namespace: admin(), payload: None }),
            ("1", Packet::Disconnect { namespace: root() }),
            ("1/admin,", Packet::Disconnect { namespace: admin() }),
            (r#"2["foo"]"#, event("/", None, "foo", r#"["foo"]"#)),
            (r#"2/admin,12["foo"]"#, event("/admin", Some(12), "foo", r#"["foo"]"#)),
            (r#"212["foo",{}]"#, event("/", Some(12), "foo", r#"["foo",{}]"#)),
            ("2[1]", event("/", None, "1", "[1]")),
            (r#"2["a\"\u0062"]"#, event("/", None, "a\"b", r#"["a\"\u0062"]"#)),
            (r#"2/a?b=c,["e"]"#, event("/a?b=c", None, "e", r#"["e"]"#)),
            ("30[]", ack(root(), Some(0), "[]")),
            ("31", ack(root(), Some(1), "[]")),
            ("3[]", ack(root(), None, "[]")),
            (r#"3/admin,13["bar"]"#, ack(admin(), Some(13), r#"["bar"]"#)),
            (r#"4"x""#, Packet::ConnectError { namespace: root(), payload: json(r#""x""#) }),
            (
                r#"4/admin,{"message":"m"}"#,
                Packet::ConnectError { namespace: admin(), payload: json(r#"{"message":"m"}"#) },
            ),
        ];
        for (wire, packet) in vectors {
            assert_eq!(decoder().decode_text(Bytes::from(wire)), Ok(Some(packet)), "{wire}");
        }
    }

    #[test]
    fn what_is_no_packet_says_why() {
        use DecodeError::*;
        let deep = format!("2[\"e\",{}{}]", "[".repeat(64), "]".repeat(64));
        let vectors = [
            ("", UnknownType('\0')),
            ("7", UnknownType('7')),
            ("€", UnknownType('€')),
            ("0[]", InvalidPayload),
            (r#"0"abc""#, InvalidPayload),
            (r#"0{"a":1"#, InvalidPayload),
            (r#"1{"a":1}"#, InvalidPayload),
            ("2", InvalidPayload),
            ("2[]", InvalidPayload),
            (r#"2{"x":1}"#, InvalidPayload),
            ("2null", InvalidPayload),
            (r#"2["connect"]"#, InvalidPayload),
            (r#"2["connec\u0074"]"#, InvalidPayload),
            (r#"2["disconnecting",1]"#, InvalidPayload),
            (r#"2[{"toString":"foo"}]"#, InvalidPayload),
            (r#"2["e"]]"#, InvalidPayload),
            (r#"2["e",]"#, InvalidPayload),
            (r#"21e3["a"]"#, InvalidPayload),
            (r#"2-1["a"]"#, InvalidPayload),
            (r#"2 ["e"]"#, InvalidPayload),
            (r#"2/admin["e"]"#, InvalidPayload),
            (r#"299999999999999999999["e"]"#, InvalidPayload),
            ("3null", InvalidPayload),
            ("3{}", InvalidPayload),
            ("4", InvalidPayload),
            ("4[]", InvalidPayload),
            (r#"50-["a"]"#, IllegalAttachmentCount),
            (r#"5-["a"]"#, IllegalAttachmentCount),
            (r#"5["a"]"#, IllegalAttachmentCount),
            ("5", IllegalAttachmentCount),
            (r#"511-["a"]"#, TooManyAttachments),
            (r#"599999999999999999999-["a"]"#, TooManyAttachments),
            (&*deep, TooDeep),
        ];
        for (wire, error) in vectors {
            let decoded = decoder().decode_text(Bytes::from(wire.to_owned()));
            assert_eq!(decoded, Err(error), "{wire}");
        }
    }

    #[test]
    fn attachments_complete_the_packet_that_announced_them() {
        let mut decoder = decoder();
        let json = r#"["b",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
        assert_eq!(decoder.decode_text(Bytes::from(format!("52-/admin,7{json}"))), Ok(None));
        assert!(decoder.is_reassembling());
        assert_eq!(decoder.decode_binary(Bytes::from_static(&[1])), Ok(None));
        let attachments = vec![Bytes::from_static(&[1]), Bytes::new()];
        let expected = Packet::Event(Event {
            namespace: ByteString::from_static("/admin"),
            id: Some(7),
            name: ByteString::from_static("b"),
            payload: Payload::new(json, attachments),
        });
        assert_eq!(decoder.decode_binary(Bytes::new()), Ok(Some(expected)));
        assert!(!decoder.is_reassembling());
        assert_eq!(decoder.decode_binary(Bytes::new()), Err(DecodeError::UnexpectedBinary));
    }

    #[test]
    fn text_between_attachments_is_an_error() {
        let mut decoder = decoder();
        let head = r#"51-["b",{"_placeholder":true,"num":0}]"#;
        assert_eq!(decoder.decode_text(Bytes::from(head)), Ok(None));
        let text = decoder.decode_text(Bytes::from(r#"2["a"]"#));
        assert_eq!(text, Err(DecodeError::UnexpectedText));
    }

    #[test]
    fn a_placeholder_must_name_an_attachment() {
        for num in ["1", "-1", "0.5", "\"splice\"", "null", "[0]"] {
            let mut decoder = decoder();
            let head = format!(r#"51-["b",[{{"_placeholder":true,"num":{num}}}]]"#);
            assert_eq!(decoder.decode_text(Bytes::from(head)), Ok(None));
            let decoded = decoder.decode_binary(Bytes::from_static(&[1]));
            assert_eq!(decoded, Err(DecodeError::IllegalPlaceholder), "{num}");
        }
    }

    proptest! {
        #[test]
        fn no_message_panics(text in "[0-6]?[0-9]{0,3}-?(/[a-z,]{0,5})?[0-9]{0,3}\\PC{0,30}",
                             binary in proptest::collection::vec(any::<u8>(), 0..9)) {
            let mut decoder = decoder();
            let _ = decoder.decode_text(Bytes::from(text));
            let _ = decoder.decode_binary(Bytes::from(binary));
        }
    }
}
