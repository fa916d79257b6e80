//! What an event or an acknowledgement carries.

use bytes::Bytes;
use bytestring::ByteString;

use super::json::{self, Elements, JsonError};

/// The JSON array of an event or an acknowledgement, undecoded, with the binary attachments that
/// its placeholders stand for: `["chat",{"_placeholder":true,"num":0}]` and one attachment.
///
/// A payload that came from a decoder holds valid JSON (an array), within the limits of that
/// decoder, and every placeholder in it names one of the attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    json: ByteString,
    /// What the placeholders' `num` is an index of.
    pub attachments: Vec<Bytes>,
    /// Where the first elements end: noted when the text was checked, so that nobody has to look
    /// for it again. 0 where nothing was noted.
    ends: [u32; NOTED],
}

/// Of how many elements the ends are noted: a name and a few arguments.
const NOTED: usize = 4;

impl Payload {
    /// No elements, and not even an array.
    pub const EMPTY: Self =
        Self { json: ByteString::new(), attachments: Vec::new(), ends: [0; NOTED] };

    /// A payload of `json`, an array. What is none has no elements.
    pub fn new(json: impl Into<ByteString>, attachments: Vec<Bytes>) -> Self {
        let json = json.into();
        let mut ends = [0; NOTED];
        if json::array(json.as_bytes(), usize::MAX, &mut ends).is_err() {
            ends = [0; NOTED];
        }
        Self { json, attachments, ends }
    }

    /// A payload of what must be an array, not nested too deep.
    pub(super) fn checked(
        json: ByteString,
        attachments: Vec<Bytes>,
        max_depth: usize,
    ) -> Result<Self, JsonError> {
        let mut ends = [0; NOTED];
        json::array(json.as_bytes(), max_depth, &mut ends)?;
        Ok(Self { json, attachments, ends })
    }

    /// The text of the array, brackets included.
    pub fn json(&self) -> &ByteString {
        &self.json
    }

    /// Where the elements of the array are in the text.
    pub fn elements(&self) -> Elements<'_> {
        Elements::with_ends(&self.json, &self.ends)
    }

    /// The same in buffers of its own: what is kept for long must not keep the buffer alive that
    /// it was received in.
    #[must_use]
    pub fn to_owned(&self) -> Self {
        Self {
            json: (&*self.json).into(),
            attachments: self
                .attachments
                .iter()
                .map(|bytes| Bytes::copy_from_slice(bytes))
                .collect(),
            ends: self.ends,
        }
    }
}
