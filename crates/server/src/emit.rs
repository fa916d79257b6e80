//! Encoding what is emitted.

use serde::Serialize;
use sockeye_event::{EncodeError, EncodedArgs, encode_args};
use sockeye_protocol::socket::{EncodedPacket, PacketBuilder, is_reserved};

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
}

pub(crate) fn encode_event<T: Serialize>(
    namespace: &str,
    id: Option<u64>,
    event: &str,
    args: &T,
) -> Result<EncodedPacket, EmitError> {
    if is_reserved(event) {
        return Err(EmitError::ReservedName(event.to_owned()));
    }
    let mut packet = PacketBuilder::event(namespace, id, event);
    let mut attachments = Vec::new();
    encode_args(args, packet.json(), &mut attachments)?;
    Ok(packet.finish(attachments))
}

pub(crate) fn encode_ack(namespace: &str, id: u64, args: EncodedArgs) -> EncodedPacket {
    let mut packet = PacketBuilder::ack(namespace, id);
    packet.json().extend_from_slice(&args.json);
    packet.finish(args.attachments)
}

/// Tells the log what an `emit` cannot return.
pub(crate) fn log_failure(namespace: &str, event: &str, error: &EmitError) {
    tracing::error!(namespace, event, %error, "could not emit");
}
