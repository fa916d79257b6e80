//! What messages carry, and whole messages made ahead, of which only the number changes.

use std::fs;

use super::{
    Options,
    frame::{Opcode, mask_at, write_frame},
    options::{PayloadName, ScenarioName},
    sequence::{DIGITS, to_digits},
};

/// Stands for the number until a message is sent.
const ZEROS: &str = "00000000";

const TEXT_32: &str = r#""seq:00000000 over and over again""#;

/// An order of a shop. `docs/benchmarking.md` has its types.
const JSON_1K: &str = concat!(
    r#"{"seq":"00000000","id":918273645,"customer":"Ada Lovelace","email":"ada@example.org","#,
    r#""active":true,"score":97.25,"tags":["priority","returning","newsletter","gifts"],"#,
    r#""address":{"street":"12 St James's Square","city":"London","postcode":"SW1Y 4JH","#,
    r#""country":"GB","location":{"latitude":51.507351,"longitude":-0.134962}},"items":["#,
    r#"{"sku":"BK-1843-N","title":"Notes on the Analytical Engine","quantity":1,"price":24.5,"#,
    r#""options":{"colour":"ivory","size":"octavo","gift":true}},"#,
    r#"{"sku":"PN-0042-B","title":"Fountain pen, broad nib","quantity":2,"price":18.75,"#,
    r#""options":{"colour":"black","size":"standard","gift":false}},"#,
    r#"{"sku":"CD-0750-P","title":"Punched cards, box of 750","quantity":3,"price":9.125,"#,
    r#""options":{"colour":"buff","size":"x-large","gift":false}}],"#,
    r#""comment":"Please leave the parcel with the porter if nobody answers the door; the bell "#,
    r#"is out of order until Thursday, and the dog is mostly harmless.","history":["#,
    r#"{"at":1763942277,"state":"created"},{"at":1763942301,"state":"paid"},"#,
    r#"{"at":1763945990,"state":"packed"}]}"#,
);

const BINARY_1K_LEN: usize = 1024;

/// What every message of a run carries.
#[derive(Debug)]
pub(crate) struct Payload {
    pub(crate) name: String,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// JSON text with a number in it.
    Json {
        text: String,
        /// The text right before the number, as every server writes it.
        marker: &'static str,
    },
    /// The number is in the first eight bytes.
    Binary(Vec<u8>),
}

impl Payload {
    pub(crate) fn new(options: &Options) -> Result<Self, String> {
        let is_binary = options.scenario == ScenarioName::Binary;
        if let Some(path) = &options.payload_file {
            let path = path.display();
            let bytes = fs::read(&*path.to_string()).map_err(|error| format!("{path}: {error}"))?;
            let content = if is_binary { Content::binary(bytes) } else { Content::json(bytes) };
            let content = content.map_err(|error| format!("{path}: {error}"))?;
            return Ok(Self { name: path.to_string(), content });
        }
        let default = if is_binary { PayloadName::Binary1k } else { PayloadName::Text32 };
        let name = options.payload.unwrap_or(default);
        let content = match name {
            PayloadName::Text32 => Content::Json { text: TEXT_32.to_owned(), marker: r#""seq:"# },
            PayloadName::Json1k => Content::json(JSON_1K.into())?,
            PayloadName::Binary1k => {
                Content::Binary((0..BINARY_1K_LEN).map(|i| (i * 7 + i / 256) as u8).collect())
            }
        };
        if matches!(content, Content::Binary(_)) != is_binary {
            return Err("`binary` goes with the payload binary1k, all others with JSON".into());
        }
        Ok(Self { name: name.as_str().to_owned(), content })
    }

    /// The text before the number in what comes back; empty if that is binary.
    pub(crate) fn marker(&self) -> &'static str {
        match &self.content {
            Content::Json { marker, .. } => marker,
            Content::Binary(_) => "",
        }
    }

    /// The text of an argument: the JSON, or what stands for the attachment.
    fn argument(&self) -> &str {
        match &self.content {
            Content::Json { text, .. } => text,
            Content::Binary(_) => r#"{"_placeholder":true,"num":0}"#,
        }
    }
}

impl Content {
    fn json(bytes: Vec<u8>) -> Result<Self, String> {
        let text = String::from_utf8(bytes).map_err(|error| error.to_string())?.trim().to_owned();
        serde_json::from_str::<serde::de::IgnoredAny>(&text).map_err(|error| error.to_string())?;
        if text.matches(&format!(r#""seq":"{ZEROS}""#)).count() != 1 {
            return Err(format!(r#"the JSON has to contain "seq":"{ZEROS}" once, without spaces"#));
        }
        Ok(Self::Json { text, marker: r#""seq":""# })
    }

    fn binary(bytes: Vec<u8>) -> Result<Self, String> {
        if bytes.len() < DIGITS {
            return Err(format!("{} bytes are too few for a number of {DIGITS}", bytes.len()));
        }
        Ok(Self::Binary(bytes))
    }
}

/// A message as it goes on the wire, but for its number.
#[derive(Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    digits_at: usize,
    mask: [u8; DIGITS],
}

impl Template {
    /// An event on a WebSocket, `42/admin,["echo",…]`; with an attachment in a frame of its own if
    /// the payload is binary. `first` are arguments before the payload, each as JSON.
    pub(crate) fn event(
        namespace_prefix: &str,
        event: &str,
        first: &[String],
        payload: &Payload,
    ) -> Self {
        let arguments = arguments(event, first, payload);
        match &payload.content {
            Content::Json { .. } => {
                let packet = format!("42{namespace_prefix}{arguments}");
                Self::masked(&packet, digits_at(&packet, payload))
            }
            Content::Binary(data) => {
                let mut bytes = Vec::new();
                let packet = format!("451-{namespace_prefix}{arguments}");
                write_frame(&mut bytes, Opcode::Text, packet.as_bytes());
                let digits_at = write_frame(&mut bytes, Opcode::Binary, data);
                Self { bytes, digits_at, mask: std::array::from_fn(mask_at) }
            }
        }
    }

    /// An event that asks for an acknowledgement, on a WebSocket: `42/admin,10000000["ack",…]`.
    /// The number is the acknowledgement's id, with 10,000,000 added.
    pub(crate) fn event_with_ack(namespace_prefix: &str, event: &str, payload: &Payload) -> Self {
        let head = format!("42{namespace_prefix}");
        let arguments = arguments(event, &[], payload);
        Self::masked(&format!("{head}{ZEROS}{arguments}"), head.len())
    }

    /// An event on polling: a packet, not framed.
    pub(crate) fn polling_event(namespace_prefix: &str, event: &str, payload: &Payload) -> Self {
        let packet = format!("42{namespace_prefix}{}", arguments(event, &[], payload));
        let digits_at = digits_at(&packet, payload);
        Self { bytes: packet.into_bytes(), digits_at, mask: [0; DIGITS] }
    }

    fn masked(packet: &str, digits_at: usize) -> Self {
        let mut bytes = Vec::new();
        let start = write_frame(&mut bytes, Opcode::Text, packet.as_bytes());
        let mask = std::array::from_fn(|i| mask_at(digits_at + i));
        Self { bytes, digits_at: start + digits_at, mask }
    }

    /// Appends the message with this number.
    pub(crate) fn write(&self, out: &mut Vec<u8>, number: u32) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let at = start + self.digits_at;
        let digits = to_digits(number);
        for (byte, (digit, mask)) in
            out[at..at + DIGITS].iter_mut().zip(digits.into_iter().zip(self.mask))
        {
            *byte = digit ^ mask;
        }
    }
}

#[cfg(test)]
impl Template {
    /// A message that is nothing but its number.
    pub(crate) fn zeros() -> Self {
        Self { bytes: ZEROS.into(), digits_at: 0, mask: [0; DIGITS] }
    }
}

/// `["echo",…]`.
fn arguments(event: &str, first: &[String], payload: &Payload) -> String {
    let event = serde_json::Value::from(event).to_string();
    let mut all = vec![event.as_str()];
    all.extend(first.iter().map(String::as_str));
    all.push(payload.argument());
    format!("[{}]", all.join(","))
}

/// Where the payload's number is in `packet`, which ends with the payload and a bracket.
fn digits_at(packet: &str, payload: &Payload) -> usize {
    let argument = payload.argument();
    let marker = payload.marker();
    let in_argument = argument.find(marker).expect("a payload of JSON has its marker");
    packet.len() - "]".len() - argument.len() + in_argument + marker.len()
}

#[cfg(test)]
mod tests {
    use super::{super::sequence::from_digits, *};

    fn json(text: &str) -> Payload {
        Payload { name: String::new(), content: Content::json(text.into()).unwrap() }
    }

    fn written(template: &Template, number: u32) -> Vec<u8> {
        let mut out = b"before".to_vec();
        template.write(&mut out, number);
        out.split_off("before".len())
    }

    /// What `write_frame` makes of it.
    fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_frame(&mut out, opcode, payload);
        out
    }

    #[test]
    fn the_built_in_payloads_have_their_sizes() {
        let text: String = serde_json::from_str(TEXT_32).unwrap();
        assert_eq!(text.len(), 32);
        assert_eq!(JSON_1K.len(), 1024);
        assert!(Content::json(JSON_1K.into()).is_ok());
    }

    #[test]
    fn the_json_payload_reads_the_same_after_any_parser() {
        let value: serde_json::Value = serde_json::from_str(JSON_1K).unwrap();
        assert_eq!(value.to_string().len(), JSON_1K.len());
    }

    #[test]
    fn a_message_is_the_frame_of_its_packet() {
        let payload = json(r#"{"seq":"00000000"}"#);
        let template = Template::event("/a,", "x\"y", &[r#""room""#.to_owned()], &payload);
        let packet = br#"42/a,["x\"y","room",{"seq":"00001234"}]"#;
        assert_eq!(written(&template, 1234), frame(Opcode::Text, packet));
        let polled = Template::polling_event("", "echo", &payload);
        assert_eq!(written(&polled, 7), br#"42["echo",{"seq":"00000007"}]"#);
    }

    #[test]
    fn an_acknowledgement_is_asked_for_by_number() {
        let template = Template::event_with_ack("", "ack", &json(r#"{"seq":"00000000"}"#));
        let packet = br#"4210000005["ack",{"seq":"00000000"}]"#;
        assert_eq!(written(&template, 10_000_005), frame(Opcode::Text, packet));
    }

    #[test]
    fn an_attachment_follows_its_packet_and_starts_with_the_number() {
        let content = Content::binary(b"........data".to_vec()).unwrap();
        let payload = Payload { name: String::new(), content };
        let template = Template::event("", "bin", &[], &payload);
        let packet = br#"451-["bin",{"_placeholder":true,"num":0}]"#;
        let expected = [frame(Opcode::Text, packet), frame(Opcode::Binary, b"00000099data")];
        assert_eq!(written(&template, 99), expected.concat());
        assert_eq!(from_digits(b"00000099data"), Some(99));
    }

    #[test]
    fn a_payload_needs_room_for_the_number() {
        for wrong in ["", "{", r#"{"seq":"1"}"#, r#"[{"seq":"00000000"},{"seq":"00000000"}]"#] {
            assert!(Content::json(wrong.into()).is_err(), "{wrong}");
        }
        assert!(Content::binary(vec![0; 7]).is_err());
    }
}
