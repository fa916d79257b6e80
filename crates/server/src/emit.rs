//! Encoding what is emitted.

use serde::Serialize;
use sockeye_event::{EncodeError, EncodedArgs, encode_args};
use sockeye_protocol::socket::{
    DecodeError, EncodedPacket, Packet, PacketBuilder, UnfitPacket, is_reserved,
};

use crate::{Namespace, server::Core};

/// An event cannot be emitted; nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmitError {
    /// The name means something to the library itself, as `connect` does.
    #[error("\"{0}\" is a reserved event name")]
    ReservedName(String),
    /// A value has no form on the wire.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The server's [parser](crate::ServerBuilder::parser) has no form for it.
    #[error(transparent)]
    Parser(#[from] UnfitPacket),
}

pub(crate) fn encode_event<T: Serialize>(
    namespace: &Namespace,
    id: Option<u64>,
    event: &str,
    args: &T,
) -> Result<EncodedPacket, EmitError> {
    if is_reserved(event) {
        return Err(EmitError::ReservedName(event.to_owned()));
    }
    let mut packet = PacketBuilder::event(namespace.name(), id, event);
    let mut attachments = Vec::new();
    encode_args(args, packet.json(), &mut attachments)?;
    Ok(namespace.core().convert(packet.finish(attachments))?)
}

pub(crate) fn encode_ack(
    namespace: &Namespace,
    id: u64,
    args: EncodedArgs,
) -> Result<EncodedPacket, UnfitPacket> {
    let mut packet = PacketBuilder::ack(namespace.name(), id);
    packet.json().extend_from_slice(&args.json);
    namespace.core().convert(packet.finish(args.attachments))
}

impl Core {
    /// A packet in the form that clients understand. It comes in the default one, so that servers
    /// without a parser of their own pay nothing for those that have one.
    pub(crate) fn convert(&self, packet: EncodedPacket) -> Result<EncodedPacket, UnfitPacket> {
        let Some(parser) = &self.options.parser else { return Ok(packet) };
        let packet = packet.decode().map_err(|error| UnfitPacket(error.to_string()))?;
        parser.encode(&packet)
    }

    /// The same for what the server itself says.
    pub(crate) fn convert_own(&self, packet: EncodedPacket) -> Option<EncodedPacket> {
        let converted = self.convert(packet);
        converted.inspect_err(|error| tracing::error!(%error, "a packet was not sent")).ok()
    }

    /// Reads what this server has encoded.
    pub(crate) fn decode(&self, packet: &EncodedPacket) -> Result<Option<Packet>, DecodeError> {
        let Some(parser) = &self.options.parser else { return packet.decode().map(Some) };
        let mut decoder = parser.decoder(&self.options.limits);
        let mut decoded = None;
        for message in packet.messages() {
            decoded = decoder.decode(message)?;
        }
        Ok(decoded)
    }
}

/// Tells the log what an `emit` cannot return.
pub(crate) fn log_failure(namespace: &str, event: &str, error: &EmitError) {
    tracing::error!(namespace, event, %error, "could not emit");
}
