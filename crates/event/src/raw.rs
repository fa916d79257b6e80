//! One argument, passed on undecoded.

use std::{borrow::Cow, fmt::Write, ops::Range};

use bytes::Bytes;
use bytestring::ByteString;
use serde::{
    Serialize, Serializer,
    de::DeserializeOwned,
    ser::{Error as _, SerializeMap, SerializeSeq, SerializeStruct},
};
use sockeye_protocol::socket::{
    Payload,
    json::{self, Elements, Entries},
};

use crate::{ArgumentError, EncodeError, EncodedArgs, args, decode::RAW_VALUE};

/// As deep as serde_json reads.
const MAX_DEPTH: usize = 128;

/// One argument, undecoded: its JSON text and the attachments that it refers to. The default is
/// `null`, which is also what a missing argument reads as.
///
/// Attachments, and the text if there are none, are slices of what was received, so a small `Raw` that
/// is kept for long keeps all of a large packet in memory.
///
/// It serialises as what it stands for. In the new packet its placeholders are counted anew.
#[derive(Clone, Debug)]
pub struct Raw {
    /// Valid JSON, like all that comes from a decoder of ours.
    json: ByteString,
    /// As many as the text has placeholders.
    attachments: Vec<Bytes>,
    /// For error messages.
    index: usize,
}

impl Raw {
    /// What `value` is as an argument.
    ///
    /// # Errors
    /// Those of [`encode_args`](crate::encode_args).
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        // In a tuple, so that a tuple is one argument here.
        let EncodedArgs { json, attachments } = EncodedArgs::new(&(value,))?;
        let json = ByteString::try_from(json).expect("what serde_json writes is UTF-8");
        Ok(Self { json, attachments, index: 0 })
    }

    pub(crate) fn from_payload(payload: &Payload, range: Range<usize>, index: usize) -> Self {
        let json = payload.json().slice_ref(&payload.json()[range]);
        if payload.attachments.is_empty() || json::placeholders(&json).next().is_none() {
            return Self { json, attachments: Vec::new(), index };
        }
        let (json, attachments) = take_out(&json, &payload.attachments);
        Self { json: json.into(), attachments, index }
    }

    /// The JSON text, placeholders and all: `{"_placeholder":true,"num":0}`.
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// What the placeholders' `num` in the text is an index of. They are counted from 0 in each
    /// argument, whatever else came in the same packet.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The attachment, if the argument as a whole is one. Nothing is copied, unlike when it is
    /// decoded as `Bytes`.
    pub fn as_bytes(&self) -> Option<&Bytes> {
        Node::new(&self.json, &self.attachments).attachment()
    }

    /// The argument as a `T`.
    ///
    /// # Errors
    /// It does not fit.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, ArgumentError> {
        args::decode(&self.json, &self.attachments, self.index)
    }
}

/// Part of a packet's text with its own attachments only, counted anew. Were each argument to list
/// all of the packet's, ten thousand attachments would become a list of a hundred million.
fn take_out(text: &str, all: &[Bytes]) -> (String, Vec<Bytes>) {
    let mut json = String::with_capacity(text.len());
    let mut attachments = Vec::new();
    let mut copied = 0;
    for (range, num) in json::placeholders(text) {
        let Some(attachment) = all.get(num) else {
            // It came from no decoder. Whoever reads it is told.
            return (text.to_owned(), all.to_vec());
        };
        json.push_str(&text[copied..range.start]);
        write!(json, r#"{{"_placeholder":true,"num":{}}}"#, attachments.len())
            .expect("writing to a String does not fail");
        attachments.push(attachment.clone());
        copied = range.end;
    }
    json.push_str(&text[copied..]);
    (json, attachments)
}

impl Default for Raw {
    fn default() -> Self {
        Self { json: ByteString::from_static("null"), attachments: Vec::new(), index: 0 }
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Node::new(&self.json, &self.attachments).serialize(serializer)
    }
}

/// A value somewhere in the text of a [`Raw`]. It is taken apart only down to the attachments;
/// what has none goes on as text.
struct Node<'a> {
    text: &'a str,
    attachments: &'a [Bytes],
    depth: usize,
}

impl<'a> Node<'a> {
    fn new(text: &'a str, attachments: &'a [Bytes]) -> Self {
        Self { text, attachments, depth: 0 }
    }

    fn child(&self, range: Range<usize>) -> Self {
        Self { text: &self.text[range], attachments: self.attachments, depth: self.depth + 1 }
    }

    /// The attachment, if the value as a whole is one.
    fn attachment(&self) -> Option<&'a Bytes> {
        if self.attachments.is_empty() || !self.text.starts_with('{') {
            return None;
        }
        let (range, num) = json::placeholders(self.text).next()?;
        if range == (0..self.text.len()) { self.attachments.get(num) } else { None }
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.depth > MAX_DEPTH {
            return Err(S::Error::custom("the value is nested too deeply"));
        }
        if let Some(attachment) = self.attachment() {
            return serializer.serialize_bytes(attachment);
        }
        if self.attachments.is_empty() || json::placeholders(self.text).next().is_none() {
            // As serde_json's `RawValue` does, which would check the text once more.
            let mut raw = serializer.serialize_struct(RAW_VALUE, 1)?;
            raw.serialize_field(RAW_VALUE, self.text)?;
            return raw.end();
        }
        if self.text.starts_with('[') {
            let mut seq = serializer.serialize_seq(None)?;
            for range in Elements::new(self.text) {
                seq.serialize_element(&self.child(range))?;
            }
            return seq.end();
        }
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in Entries::new(self.text) {
            let key: Cow<'_, str> =
                serde_json::from_str(&self.text[key]).map_err(S::Error::custom)?;
            map.serialize_entry(&key, &self.child(value))?;
        }
        map.end()
    }
}
