//! From packets to Engine.IO messages.

use std::{cell::Cell, io::Write as _};

use bytes::Bytes;

use super::{DecodeError, Decoder, Limits, Packet};
use crate::{
    Sid,
    engine::{Kind, Message, Outgoing, Revision},
};

/// A packet on its way out: its text, then its attachments, which stay adjacent. A clone shares
/// the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedPacket {
    head: Outgoing,
    attachments: Vec<Bytes>,
}

impl EncodedPacket {
    /// A packet in the form of another [`Parser`](super::Parser).
    pub fn new(head: &Message, attachments: Vec<Bytes>) -> Self {
        Self { head: Outgoing::message(head), attachments }
    }

    fn text(head: Vec<u8>) -> Self {
        Self { head: Outgoing::text(head), attachments: Vec::new() }
    }

    /// The Engine.IO packets that carry it, in their order.
    pub fn packets(&self) -> impl Iterator<Item = Outgoing> {
        let attachments = self.attachments.iter().cloned().map(Outgoing::binary);
        std::iter::once(self.head.clone()).chain(attachments)
    }

    /// The same for the only recipient: nothing is counted and nothing shared.
    pub fn into_packets(self) -> impl Iterator<Item = Outgoing> {
        std::iter::once(self.head).chain(self.attachments.into_iter().map(Outgoing::binary))
    }

    /// The messages that carry it, in their order.
    pub fn messages(&self) -> impl Iterator<Item = Message> {
        let head = match self.head.kind() {
            Kind::Text => Message::Text(self.head.bytes().slice(1..)),
            Kind::Binary => Message::Binary(self.head.bytes().clone()),
        };
        std::iter::once(head).chain(self.attachments.iter().cloned().map(Message::Binary))
    }

    /// Reads a packet in the default form as its recipient will.
    ///
    /// # Errors
    ///
    /// If what was written into it is no JSON, or nests deeper than 128 levels.
    pub fn decode(&self) -> Result<Packet, DecodeError> {
        let limits = Limits { max_attachments: usize::MAX, max_depth: 128, ..Limits::default() };
        let mut decoder = Decoder::new(limits);
        let mut packet = decoder.decode_text(self.head.bytes().slice(1..))?;
        for attachment in &self.attachments {
            packet = decoder.decode_binary(attachment.clone())?;
        }
        packet.ok_or(DecodeError::IllegalAttachmentCount)
    }

    /// The bytes of all its parts.
    pub fn len(&self) -> usize {
        self.head.bytes().len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// Never: a packet has a type at least.
    pub fn is_empty(&self) -> bool {
        false
    }
}

/// Writes an event or an acknowledgement: the builder writes all but the arguments, which whoever
/// knows their types appends to [`json`](Self::json), separated by commas.
///
/// ```
/// use sockeye_protocol::socket::PacketBuilder;
///
/// let mut packet = PacketBuilder::event("/admin", Some(12), "foo");
/// packet.json().extend_from_slice(b"1,true");
/// let packet = packet.finish(vec![]);
/// assert_eq!(packet.packets().next().unwrap().bytes(), r#"42/admin,12["foo",1,true]"#);
/// ```
#[derive(Debug)]
pub struct PacketBuilder {
    text: Vec<u8>,
    /// Where the arguments begin.
    start: usize,
    has_name: bool,
}

thread_local! {
    /// Where packets are written before it is known how long they become; a packet itself takes as
    /// much memory as it is long.
    static DRAFT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The largest draft whose memory is kept for the next one.
const MAX_DRAFT: usize = 64 << 10;

/// `4` for an Engine.IO message, then the type without and with attachments.
const EVENT: [u8; 2] = *b"25";
const ACK: [u8; 2] = *b"36";

impl PacketBuilder {
    /// An event with its name; `id` asks for an acknowledgement.
    pub fn event(namespace: &str, id: Option<u64>, name: &str) -> Self {
        let mut text = DRAFT.take();
        write_head(&mut text, EVENT[0], namespace);
        if let Some(id) = id {
            write_number(&mut text, id);
        }
        text.push(b'[');
        write_string(&mut text, name);
        // The comma after the name is there from the start, and is taken back if nothing follows.
        text.push(b',');
        Self { start: text.len(), text, has_name: true }
    }

    /// The answer to the event that came with this id.
    pub fn ack(namespace: &str, id: u64) -> Self {
        let mut text = DRAFT.take();
        write_head(&mut text, ACK[0], namespace);
        write_number(&mut text, id);
        text.push(b'[');
        Self { start: text.len(), text, has_name: false }
    }

    /// Where the arguments go.
    pub fn json(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Ends the packet. The attachments are those that the arguments' placeholders stand for.
    pub fn finish(mut self, attachments: Vec<Bytes>) -> EncodedPacket {
        if self.has_name && self.text.len() == self.start {
            self.text.pop();
        }
        self.text.push(b']');
        if !attachments.is_empty() {
            let kind = if self.text[1] == EVENT[0] { EVENT[1] } else { ACK[1] };
            let mut announced = vec![kind];
            write_number(&mut announced, attachments.len() as u64);
            announced.push(b'-');
            self.text.splice(1..2, announced);
        }
        let head = if self.text.capacity() > MAX_DRAFT {
            Outgoing::text(self.text)
        } else {
            let text = Bytes::copy_from_slice(&self.text);
            self.text.clear();
            DRAFT.set(self.text);
            Outgoing::text(text)
        };
        EncodedPacket { head, attachments }
    }
}

/// A client wants in: `40/admin,{"token":"123"}`. The payload is the text of a JSON object.
pub fn connect_request(namespace: &str, payload: Option<&str>) -> EncodedPacket {
    let payload = payload.unwrap_or_default();
    let mut text = head(b'0', namespace, payload.len());
    text.extend_from_slice(payload.as_bytes());
    EncodedPacket::text(text)
}

/// A server's yes: `40/admin,{"sid":"…"}`. Clients of Engine.IO 3 know their ids by themselves and
/// get `40/admin,`.
pub fn connect(revision: Revision, namespace: &str, sid: &Sid) -> EncodedPacket {
    if revision == Revision::V3 {
        return connect_request(namespace, None);
    }
    let mut text = head(b'0', namespace, 32);
    write!(text, r#"{{"sid":"{sid}"}}"#).expect("writing to memory does not fail");
    EncodedPacket::text(text)
}

/// A server's no: `44/admin,{"message":"Not authorized","data":{…}}`. `data` is JSON. Clients of
/// Engine.IO 3 get the data alone, `44/admin,{…}`, or the message alone, `44/admin,"Not authorized"`.
pub fn connect_error(
    revision: Revision,
    namespace: &str,
    message: &str,
    data: Option<&str>,
) -> EncodedPacket {
    let mut text = head(b'4', namespace, 32 + message.len());
    if revision == Revision::V3 {
        match data {
            Some(data) => text.extend_from_slice(data.as_bytes()),
            None => write_string(&mut text, message),
        }
        return EncodedPacket::text(text);
    }
    text.extend_from_slice(br#"{"message":"#);
    write_string(&mut text, message);
    if let Some(data) = data {
        text.extend_from_slice(br#","data":"#);
        text.extend_from_slice(data.as_bytes());
    }
    text.push(b'}');
    EncodedPacket::text(text)
}

/// Leaves a namespace: `41/admin,`.
pub fn disconnect(namespace: &str) -> EncodedPacket {
    EncodedPacket::text(head(b'1', namespace, 0))
}

/// `4`, the type, and the namespace unless it is `/`.
fn head(kind: u8, namespace: &str, more: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(3 + namespace.len() + more);
    write_head(&mut text, kind, namespace);
    text
}

fn write_head(text: &mut Vec<u8>, kind: u8, namespace: &str) {
    text.extend_from_slice(&[b'4', kind]);
    if namespace != "/" {
        text.extend_from_slice(namespace.as_bytes());
        text.push(b',');
    }
}

fn write_string(text: &mut Vec<u8>, string: &str) {
    serde_json::to_writer(text, string).expect("a string is JSON");
}

fn write_number(text: &mut Vec<u8>, number: u64) {
    write!(text, "{number}").expect("writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(packet: &EncodedPacket) -> String {
        String::from_utf8(packet.packets().next().unwrap().bytes().to_vec()).unwrap()
    }

    fn event(namespace: &str, id: Option<u64>, name: &str, json: &str) -> PacketBuilder {
        let mut packet = PacketBuilder::event(namespace, id, name);
        packet.json().extend_from_slice(json.as_bytes());
        packet
    }

    #[test]
    fn packets_encode_as_the_reference_writes_them() {
        use Revision::{V3, V4};
        let sid = "oSO0OpakMV_3jnilAAAA".parse().unwrap();
        let placeholder = r#"{"_placeholder":true,"num":0}"#;
        let one = || vec![Bytes::from_static(&[1])];
        let mut ack = PacketBuilder::ack("/admin", 13);
        ack.json().extend_from_slice(b"\"bar\"");
        let mut binary_ack = PacketBuilder::ack("/", 15);
        binary_ack.json().extend_from_slice(placeholder.as_bytes());
        let vectors = [
            (connect(V4, "/", &sid), r#"40{"sid":"oSO0OpakMV_3jnilAAAA"}"#),
            (connect(V4, "/admin", &sid), r#"40/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}"#),
            (connect(V3, "/", &sid), "40"),
            (connect(V3, "/admin", &sid), "40/admin,"),
            (connect_error(V3, "/", "no", None), r#"44"no""#),
            (connect_error(V3, "/x", "no", Some(r#"{"code":7}"#)), r#"44/x,{"code":7}"#),
            (connect_request("/", None), "40"),
            (connect_request("/admin", Some(r#"{"a":1}"#)), r#"40/admin,{"a":1}"#),
            (disconnect("/"), "41"),
            (disconnect("/admin"), "41/admin,"),
            (
                connect_error(V4, "/x", "Invalid namespace", None),
                r#"44/x,{"message":"Invalid namespace"}"#,
            ),
            (
                connect_error(V4, "/", "no \"way\"", Some(r#"{"code":7}"#)),
                r#"44{"message":"no \"way\"","data":{"code":7}}"#,
            ),
            (event("/", None, "foo", "").finish(vec![]), r#"42["foo"]"#),
            (event("/admin", Some(12), "foo", "1").finish(vec![]), r#"42/admin,12["foo",1]"#),
            (PacketBuilder::ack("/", 0).finish(vec![]), "430[]"),
            (ack.finish(vec![]), r#"43/admin,13["bar"]"#),
            (
                event("/admin", None, "baz", placeholder).finish(one()),
                r#"451-/admin,["baz",{"_placeholder":true,"num":0}]"#,
            ),
            (binary_ack.finish(one()), r#"461-15[{"_placeholder":true,"num":0}]"#),
        ];
        for (packet, expected) in vectors {
            assert_eq!(wire(&packet), expected);
        }
    }

    #[test]
    fn attachments_follow_their_head() {
        let packet = PacketBuilder::ack("/", 1).finish(vec![Bytes::from("a"), Bytes::from("b")]);
        let parts: Vec<_> = packet.packets().skip(1).collect();
        assert_eq!(parts, [Outgoing::binary("a"), Outgoing::binary("b")]);
    }
}
