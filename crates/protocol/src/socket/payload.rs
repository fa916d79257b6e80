//! What an event or an acknowledgement carries.

use bytes::Bytes;

/// The JSON array of an event or an acknowledgement, undecoded, with the binary attachments that
/// its placeholders stand for: `["chat",{"_placeholder":true,"num":0}]` and one attachment.
///
/// A payload that came from a decoder holds valid JSON (an array), within the limits of that
/// decoder, and every placeholder in it names one of the attachments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// The text of the array, brackets included.
    pub json: Bytes,
    /// What the placeholders' `num` is an index of.
    pub attachments: Vec<Bytes>,
}
