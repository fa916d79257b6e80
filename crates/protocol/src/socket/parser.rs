//! Other forms of packets than the default one.

use std::fmt;

use bytestring::ByteString;

use super::{DecodeError, Decoder, EncodedPacket, Limits, Packet, is_reserved};
use crate::engine::Message;

/// How packets become messages, and messages packets. Server and clients must agree on it: nothing
/// on the wire tells which one is used.
///
/// Whatever the form, the payload of a packet is a [`Payload`](super::Payload): the text of a JSON
/// array, and binary data apart from it.
pub trait Parser: Send + Sync + 'static {
    /// A packet as it goes out: a message, and binary messages behind it if need be. It is called
    /// once for a packet, however many get it.
    ///
    /// # Errors
    ///
    /// If the packet has no such form. It is not sent then, which is logged.
    fn encode(&self, packet: &Packet) -> Result<EncodedPacket, UnfitPacket>;

    /// What decodes the messages of one connection.
    fn decoder(&self, limits: &Limits) -> Box<dyn Decode>;
}

/// Decodes the messages of one connection.
pub trait Decode: Send + fmt::Debug {
    /// Takes a message in. `None`: the packet waits for further ones, which must come within
    /// [`Limits::attachment_timeout`].
    ///
    /// # Errors
    ///
    /// If it is no packet. The connection is closed then.
    fn decode(&mut self, message: Message) -> Result<Option<Packet>, DecodeError>;
}

/// A packet has no form that a parser could give it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnfitPacket(pub String);

/// The decoder of a connection. The default one is no object, since everything goes through it.
#[derive(Debug)]
pub(crate) enum AnyDecoder {
    Default(Decoder),
    Other(Box<dyn Decode>),
}

impl AnyDecoder {
    /// A decoder of this parser's, or the default one.
    pub(crate) fn new(parser: Option<&dyn Parser>, limits: &Limits) -> Self {
        match parser {
            Some(parser) => Self::Other(parser.decoder(limits)),
            None => Self::Default(Decoder::new(limits.clone())),
        }
    }

    /// The namespace of the packet whose attachments are on the way, if it is known.
    pub(super) fn partial_namespace(&self) -> Option<&ByteString> {
        match self {
            Self::Default(decoder) => decoder.partial_namespace(),
            Self::Other(_) => None,
        }
    }

    pub(crate) fn decode(&mut self, message: Message) -> Result<Option<Packet>, DecodeError> {
        match (self, message) {
            (Self::Default(decoder), Message::Text(text)) => decoder.decode_text(text),
            (Self::Default(decoder), Message::Binary(data)) => decoder.decode_binary(data),
            (Self::Other(decoder), message) => match decoder.decode(message)? {
                // Under these names the libraries keep handlers of their own.
                Some(Packet::Event(event)) if is_reserved(&event.name) => {
                    Err(DecodeError::InvalidPayload)
                }
                packet => Ok(packet),
            },
        }
    }
}
