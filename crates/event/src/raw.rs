//! One argument, passed on undecoded.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;
use serde::{
    Serialize, Serializer,
    de::DeserializeOwned,
    ser::{Error as _, SerializeMap, SerializeSeq},
};
use serde_json::value::RawValue;
use sockeye_protocol::socket::Payload;

use crate::{
    ArgumentError, EncodeError, EncodedArgs, args,
    scan::{self, Elements, Entries},
};

/// As deep as serde_json reads.
const MAX_DEPTH: usize = 128;

/// One argument, undecoded: its JSON text and the attachments that it refers to. The default is
/// `null`, which is also what a missing argument reads as.
///
/// Text and attachments are slices of what was received, so a small `Raw` that is kept for long
/// keeps all of a large packet in memory.
///
/// It serialises as what it stands for. In the new packet its placeholders are counted anew.
#[derive(Clone, Debug)]
pub struct Raw {
    /// Valid UTF-8, like all that comes from a decoder of ours.
    json: Bytes,
    /// Those of the packet it came in, or none if the text has no placeholders.
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
        Ok(Self { json: json.into(), attachments, index: 0 })
    }

    pub(crate) fn from_payload(
        payload: &Payload,
        range: Range<usize>,
        index: usize,
    ) -> Result<Self, ArgumentError> {
        let json = payload.json.slice(range);
        if std::str::from_utf8(&json).is_err() {
            return Err(ArgumentError::new(index, "the text is not valid UTF-8"));
        }
        let binary = !payload.attachments.is_empty() && scan::placeholders(&json).next().is_some();
        let attachments = if binary { payload.attachments.clone() } else { Vec::new() };
        Ok(Self { json, attachments, index })
    }

    /// The JSON text, placeholders and all: `{"_placeholder":true,"num":0}`.
    pub fn as_json(&self) -> &str {
        std::str::from_utf8(&self.json).expect("the text was checked when this was made")
    }

    /// What the placeholders' `num` in the text is an index of, and maybe others that came in the
    /// same packet.
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

impl Default for Raw {
    fn default() -> Self {
        Self { json: Bytes::from_static(b"null"), attachments: Vec::new(), index: 0 }
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
    text: &'a [u8],
    attachments: &'a [Bytes],
    depth: usize,
}

impl<'a> Node<'a> {
    fn new(text: &'a [u8], attachments: &'a [Bytes]) -> Self {
        Self { text, attachments, depth: 0 }
    }

    fn child(&self, range: Range<usize>) -> Self {
        Self { text: &self.text[range], attachments: self.attachments, depth: self.depth + 1 }
    }

    /// The attachment, if the value as a whole is one.
    fn attachment(&self) -> Option<&'a Bytes> {
        if self.attachments.is_empty() || !self.text.starts_with(b"{") {
            return None;
        }
        let (range, num) = scan::placeholders(self.text).next()?;
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
        if self.attachments.is_empty() || scan::placeholders(self.text).next().is_none() {
            let raw: &RawValue = serde_json::from_slice(self.text).map_err(S::Error::custom)?;
            return raw.serialize(serializer);
        }
        if self.text.starts_with(b"[") {
            let mut seq = serializer.serialize_seq(None)?;
            for range in Elements::new(self.text) {
                seq.serialize_element(&self.child(range))?;
            }
            return seq.end();
        }
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in Entries::new(self.text) {
            let key: Cow<'_, str> =
                serde_json::from_slice(&self.text[key]).map_err(S::Error::custom)?;
            map.serialize_entry(&key, &self.child(value))?;
        }
        map.end()
    }
}
