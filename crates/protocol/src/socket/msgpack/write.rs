//! From packets to MessagePack: the JSON text of the payload is read once and written as it comes.

use std::fmt;

use bytes::Bytes;
use rmp::encode::{
    write_bin, write_bool, write_f64, write_map_len, write_nil, write_sint, write_str, write_uint,
};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::socket::Packet;

const INFALLIBLE: &str = "writing to memory does not fail";

pub(super) fn packet(packet: &Packet) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::new();
    match packet {
        Packet::Connect { namespace, payload } => {
            write_head(&mut out, 2 + u32::from(payload.is_some()), 0);
            if let Some(payload) = payload {
                write_data(&mut out, payload, &[])?;
            }
            write_namespace(&mut out, namespace);
        }
        Packet::Disconnect { namespace } => {
            write_head(&mut out, 2, 1);
            write_namespace(&mut out, namespace);
        }
        Packet::Event(event) => {
            write_head(&mut out, 3 + u32::from(event.id.is_some()), 2);
            write_data(&mut out, event.payload.json(), &event.payload.attachments)?;
            if let Some(id) = event.id {
                write_id(&mut out, id);
            }
            write_namespace(&mut out, &event.namespace);
        }
        Packet::Ack(ack) => {
            // In the reference the id of an answer comes first.
            write_map_len(&mut out, 3 + u32::from(ack.id.is_some())).expect(INFALLIBLE);
            if let Some(id) = ack.id {
                write_id(&mut out, id);
            }
            write_type(&mut out, 3);
            write_data(&mut out, ack.payload.json(), &ack.payload.attachments)?;
            write_namespace(&mut out, &ack.namespace);
        }
        Packet::ConnectError { namespace, payload } => {
            write_head(&mut out, 3, 4);
            write_data(&mut out, payload, &[])?;
            write_namespace(&mut out, namespace);
        }
    }
    Ok(out)
}

fn write_head(out: &mut Vec<u8>, keys: u32, kind: u64) {
    write_map_len(out, keys).expect(INFALLIBLE);
    write_type(out, kind);
}

fn write_type(out: &mut Vec<u8>, kind: u64) {
    write_str(out, "type").expect(INFALLIBLE);
    write_uint(out, kind).expect(INFALLIBLE);
}

fn write_id(out: &mut Vec<u8>, id: u64) {
    write_str(out, "id").expect(INFALLIBLE);
    write_uint(out, id).expect(INFALLIBLE);
}

fn write_namespace(out: &mut Vec<u8>, namespace: &str) {
    write_str(out, "nsp").expect(INFALLIBLE);
    write_str(out, namespace).expect(INFALLIBLE);
}

fn write_data(out: &mut Vec<u8>, json: &str, attachments: &[Bytes]) -> serde_json::Result<()> {
    write_str(out, "data").expect(INFALLIBLE);
    let mut reader = serde_json::Deserializer::from_str(json);
    Writer { out, attachments }.deserialize(&mut reader)?;
    reader.end()
}

/// Writes the value that it visits.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    attachments: &'a [Bytes],
}

impl Writer<'_> {
    fn reborrow(&mut self) -> Writer<'_> {
        Writer { out: self.out, attachments: self.attachments }
    }

    /// Leaves room for the head of a collection whose length is not known yet.
    fn open(&mut self) -> usize {
        self.out.push(0);
        self.out.len() - 1
    }

    /// Writes the head, which is one byte for up to 15 items and three or five for more.
    fn close(&mut self, start: usize, length: usize, fix: u8, wide: u8) {
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(length @ 0..=15), _) => self.out[start] = fix | length,
            (_, Ok(length)) => {
                let [high, low] = length.to_be_bytes();
                drop(self.out.splice(start..=start, [wide, high, low]));
            }
            _ => {
                let length = u32::try_from(length).expect("fewer items than bytes of a payload");
                let head = [wide + 1].into_iter().chain(length.to_be_bytes());
                drop(self.out.splice(start..=start, head));
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        write_nil(self.out).expect(INFALLIBLE);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        write_bool(self.out, value).expect(INFALLIBLE);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        write_sint(self.out, value).expect(INFALLIBLE);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        write_uint(self.out, value).expect(INFALLIBLE);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        write_f64(self.out, value).expect(INFALLIBLE);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        write_str(self.out, value).expect(INFALLIBLE);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let start = self.open();
        let mut length = 0;
        while items.next_element_seed(self.reborrow())?.is_some() {
            length += 1;
        }
        self.close(start, length, 0x90, 0xdc);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let start = self.open();
        let mut length = 0;
        while let Some(key) = entries.next_key::<String>()? {
            // Beside attachments, nothing but placeholders has this key.
            if length == 0 && key == "_placeholder" && !self.attachments.is_empty() {
                self.out.pop();
                return self.attachment(entries);
            }
            write_str(self.out, &key).expect(INFALLIBLE);
            entries.next_value_seed(self.reborrow())?;
            length += 1;
        }
        self.close(start, length, 0x80, 0xde);
        Ok(())
    }
}

impl Writer<'_> {
    /// `true,"num":0}`
    fn attachment<'de, A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let _: bool = entries.next_value()?;
        let Some((_, num)) = entries.next_entry::<String, usize>()? else {
            return Err(A::Error::custom("a placeholder has no number"));
        };
        let attachment = self.attachments.get(num);
        let attachment =
            attachment.ok_or_else(|| A::Error::custom("there is no such attachment"))?;
        write_bin(self.out, attachment).expect(INFALLIBLE);
        Ok(())
    }
}
