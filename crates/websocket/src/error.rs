//! What can be wrong with incoming frames, and the close code that each fault earns.

use thiserror::Error;

use crate::CloseCode;

/// The peer sent bytes that are not allowed; the connection cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Only an extension could give these bits a meaning, and none was agreed on. The value holds
    /// RSV1 to RSV3 as the bits 4, 2 and 1.
    #[error("reserved bits {0:03b} are set")]
    ReservedBits(u8),
    /// Opcodes 3–7 and 11–15 have no meaning.
    #[error("opcode {0} is unknown")]
    UnknownOpcode(u8),
    /// Frames of a client have to be masked.
    #[error("frame from a client is not masked")]
    UnmaskedFrame,
    /// Frames of a server must not be masked.
    #[error("frame from a server is masked")]
    MaskedFrame,
    /// Raised by the length's first byte, so the actual length is not known.
    #[error("control frame is over the limit of 125 bytes")]
    ControlTooLong,
    /// Control frames consist of one frame.
    #[error("control frame is fragmented")]
    FragmentedControl,
    /// A length that fits a shorter form.
    #[error("length of {0} bytes is not in its shortest form")]
    NonMinimalLength(u64),
    /// A length of 2⁶³ or more.
    #[error("length of {0} bytes is over the protocol's limit of 9223372036854775807 bytes")]
    LengthOverflow(u64),
    /// A continuation frame between messages.
    #[error("continuation frame without a message to continue")]
    UnexpectedContinuation,
    /// A text or binary frame before the message under way has ended.
    #[error("new message inside an unfinished one")]
    UnfinishedMessage,
    /// Found in the header of a frame: `bytes` counts that frame and the fragments before it.
    #[error("message of {bytes} bytes is over the limit of {limit} bytes")]
    MessageTooBig {
        /// Size of the message as far as it is known.
        bytes: u64,
        /// [`Limits::max_message_bytes`](crate::Limits::max_message_bytes).
        limit: usize,
    },
    /// More frames in one message than allowed, whatever their size.
    #[error("message of {fragments} fragments is over the limit of {limit} fragments")]
    TooManyFragments {
        /// Fragments so far, with the one that is refused.
        fragments: usize,
        /// [`Limits::max_fragments`](crate::Limits::max_fragments).
        limit: usize,
    },
    /// A text message, or its fragments so far, cannot be UTF-8.
    #[error("text message is not valid UTF-8")]
    InvalidText,
    /// The reason in a close frame is not UTF-8.
    #[error("close reason is not valid UTF-8")]
    InvalidCloseReason,
    /// A close frame's payload is empty or starts with a code of two bytes.
    #[error("close payload of 1 byte is under the 2 bytes of a code")]
    TruncatedCloseCode,
    /// See [`CloseCode`] for those that are allowed.
    #[error("close code {0} is reserved")]
    ReservedCloseCode(u16),
}

impl DecodeError {
    /// The code to close the connection with.
    pub fn close_code(&self) -> CloseCode {
        match self {
            DecodeError::ReservedBits(_)
            | DecodeError::UnknownOpcode(_)
            | DecodeError::UnmaskedFrame
            | DecodeError::MaskedFrame
            | DecodeError::ControlTooLong
            | DecodeError::FragmentedControl
            | DecodeError::NonMinimalLength(_)
            | DecodeError::UnexpectedContinuation
            | DecodeError::UnfinishedMessage
            | DecodeError::TruncatedCloseCode
            | DecodeError::ReservedCloseCode(_) => CloseCode::PROTOCOL_ERROR,
            DecodeError::InvalidText | DecodeError::InvalidCloseReason => {
                CloseCode::INVALID_PAYLOAD
            }
            DecodeError::LengthOverflow(_) | DecodeError::MessageTooBig { .. } => {
                CloseCode::TOO_BIG
            }
            DecodeError::TooManyFragments { .. } => CloseCode::POLICY_VIOLATION,
        }
    }
}
