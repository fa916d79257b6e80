//! From bytes to messages: fragments, limits, UTF-8.

use bytes::{Buf, Bytes, BytesMut};

use crate::frame::{IncomingHeader, apply_mask};
use crate::{Close, CloseCode, DecodeError, Message, Opcode};

/// Which end of the connection we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes masked frames only.
    Server,
    /// Takes unmasked frames only.
    Client,
}

/// What a peer may make a [`Decoder`] hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    max_message_bytes: usize,
    max_fragments: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // The size is what Engine.IO calls `maxHttpBufferSize`. A browser sends no fragments unless
        // messages are large; 1024 of them are 1 kB each at the default size.
        Limits { max_message_bytes: 1_000_000, max_fragments: 1024 }
    }
}

impl Limits {
    /// Largest text or binary message in bytes, all fragments together. Default: 1 000 000.
    ///
    /// A larger one is refused when a header says so, before the payload arrives. This also bounds
    /// memory: the payload of an unfinished message, in the decoder and in the read buffer together,
    /// takes at most `max_message_bytes`.
    #[must_use]
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// Most frames of one message, empty ones included. Default: 1024; 0 counts as 1, which leaves
    /// only messages of a single frame.
    ///
    /// This bounds work, not memory: without it a peer could send empty fragments for ever.
    #[must_use]
    pub fn max_fragments(mut self, fragments: usize) -> Self {
        self.max_fragments = fragments.max(1);
        self
    }
}

/// Takes messages off a read buffer.
///
/// Contract: after each read, call [`decode`](Decoder::decode) until it returns `None`. While a
/// connection is idle a decoder owns no memory but its own few words.
#[derive(Debug)]
pub struct Decoder {
    max_message_bytes: usize,
    max_fragments: usize,
    role: Role,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The next frame starts a message or is a control frame.
    BetweenMessages,
    /// The next frame continues this message or is a control frame. Boxed since it is rare, and
    /// idle decoders are many.
    InMessage(Box<Partial>),
    /// After a close frame or an error.
    Finished,
}

/// The fragments of an unfinished message.
#[derive(Debug, Default)]
struct Partial {
    /// For text: how many bytes at the front of `payload` are known to be whole, valid characters.
    valid_text: Option<usize>,
    payload: Vec<u8>,
    fragments: usize,
}

impl Decoder {
    /// A decoder for the frames that `role` receives.
    pub fn new(role: Role, limits: &Limits) -> Decoder {
        let Limits { max_message_bytes, max_fragments } = *limits;
        Decoder { max_message_bytes, max_fragments, role, state: State::BetweenMessages }
    }

    /// Takes the next message from the front of `input`; `None` if it needs more bytes.
    ///
    /// Payloads are unmasked in place. The payload of an unfragmented message is split off `input`
    /// without copying; an incomplete frame stays there untouched. Nothing is ever reserved in
    /// `input`. Control frames are delivered in their place between the fragments of a message.
    ///
    /// A close message or an error is the end: from then on `input` is emptied unread and the
    /// result is `None`.
    ///
    /// # Errors
    ///
    /// What is wrong is reported with the first bytes that show it, but a frame's text is only
    /// looked at once the frame is complete. Messages before the fault have been returned by earlier
    /// calls.
    pub fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Message>, DecodeError> {
        let result = self.decode_frames(input);
        if matches!(result, Err(_) | Ok(Some(Message::Close(_)))) {
            self.state = State::Finished;
        }
        if self.is_finished() {
            input.clear();
        }
        result
    }

    /// Whether no fragments of an unfinished message are held.
    ///
    /// Part of a frame may still wait in the read buffer.
    pub fn is_idle(&self) -> bool {
        !matches!(self.state, State::InMessage(_))
    }

    /// Whether a close message or an error was returned, so that no message will follow.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished)
    }

    /// Bytes allocated for the payload of an unfinished message.
    ///
    /// Never more than [`Limits::max_message_bytes`], nor than twice what has arrived.
    pub fn held_bytes(&self) -> usize {
        match &self.state {
            State::InMessage(partial) => partial.payload.capacity(),
            State::BetweenMessages | State::Finished => 0,
        }
    }

    fn decode_frames(&mut self, input: &mut BytesMut) -> Result<Option<Message>, DecodeError> {
        // A loop, since a fragment that does not end its message yields nothing.
        while !self.is_finished() {
            let Some(header) = IncomingHeader::decode(self.role, input)? else { return Ok(None) };
            self.check(&header)?;
            if ((input.len() - header.len) as u64) < header.payload_len {
                return Ok(None);
            }
            // Not truncated: that much is in memory.
            let payload_len = header.payload_len as usize;
            input.advance(header.len);
            if let Some(key) = header.mask {
                apply_mask(&mut input[..payload_len], key);
            }
            if let Some(message) = self.handle_frame(&header, payload_len, input)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Checks a data frame against the frames before it and against the limits.
    fn check(&self, header: &IncomingHeader) -> Result<(), DecodeError> {
        let (held_bytes, held_fragments) = match (&self.state, header.opcode) {
            (_, Some(Opcode::Close | Opcode::Ping | Opcode::Pong)) => return Ok(()),
            (State::InMessage(partial), None) => (partial.payload.len(), partial.fragments),
            (State::InMessage(_), Some(_)) => return Err(DecodeError::UnfinishedMessage),
            (_, None) => return Err(DecodeError::UnexpectedContinuation),
            (_, Some(_)) => (0, 0),
        };
        // No overflow: both are below 2^63.
        let bytes = held_bytes as u64 + header.payload_len;
        if bytes > self.max_message_bytes as u64 {
            return Err(DecodeError::MessageTooBig { bytes, limit: self.max_message_bytes });
        }
        let fragments = held_fragments + 1;
        if fragments > self.max_fragments {
            return Err(DecodeError::TooManyFragments { fragments, limit: self.max_fragments });
        }
        Ok(())
    }

    /// Takes a checked frame's payload, already unmasked, from the front of `input`.
    fn handle_frame(
        &mut self,
        header: &IncomingHeader,
        payload_len: usize,
        input: &mut BytesMut,
    ) -> Result<Option<Message>, DecodeError> {
        let message = match header.opcode {
            Some(Opcode::Text) if header.is_final => {
                if simdutf8::basic::from_utf8(&input[..payload_len]).is_err() {
                    return Err(DecodeError::InvalidText);
                }
                Message::Text(share_front(input, payload_len))
            }
            Some(Opcode::Binary) if header.is_final => {
                Message::Binary(share_front(input, payload_len))
            }
            Some(opcode @ (Opcode::Text | Opcode::Binary)) => {
                let valid_text = (opcode == Opcode::Text).then_some(0);
                let partial = Partial { valid_text, ..Partial::default() };
                self.state = State::InMessage(Box::new(partial));
                return self.handle_fragment(header.is_final, payload_len, input);
            }
            None => return self.handle_fragment(header.is_final, payload_len, input),
            // Copied: the answer to a ping may wait long, and must not keep a read buffer alive.
            Some(Opcode::Ping) => Message::Ping(copy_front(input, payload_len)),
            Some(Opcode::Pong) => Message::Pong(copy_front(input, payload_len)),
            Some(Opcode::Close) => Message::Close(decode_close(&input[..payload_len])?),
        };
        Ok(Some(message))
    }

    fn handle_fragment(
        &mut self,
        is_final: bool,
        payload_len: usize,
        input: &mut BytesMut,
    ) -> Result<Option<Message>, DecodeError> {
        let State::InMessage(partial) = &mut self.state else {
            // `check` has said so before.
            return Err(DecodeError::UnexpectedContinuation);
        };
        partial.append(&input[..payload_len], self.max_message_bytes)?;
        input.advance(payload_len);
        if !is_final {
            return Ok(None);
        }
        let message = std::mem::take(&mut **partial).into_message()?;
        self.state = State::BetweenMessages;
        Ok(Some(message))
    }
}

impl Partial {
    /// Adds a fragment; `max_bytes` is what the sum has been checked against.
    fn append(&mut self, fragment: &[u8], max_bytes: usize) -> Result<(), DecodeError> {
        let needed = self.payload.len() + fragment.len();
        if needed > self.payload.capacity() {
            // Doubling as `Vec` would do itself, but not past the limit.
            let doubled = self.payload.capacity().saturating_mul(2).min(max_bytes);
            self.payload.reserve_exact(needed.max(doubled) - self.payload.len());
        }
        self.payload.extend_from_slice(fragment);
        self.fragments += 1;

        let Some(valid) = &mut self.valid_text else { return Ok(()) };
        match simdutf8::compat::from_utf8(&self.payload[*valid..]) {
            Ok(_) => *valid = self.payload.len(),
            // The fragment ends inside a character.
            Err(error) if error.error_len().is_none() => *valid += error.valid_up_to(),
            Err(_) => return Err(DecodeError::InvalidText),
        }
        Ok(())
    }

    fn into_message(self) -> Result<Message, DecodeError> {
        match self.valid_text {
            None => Ok(Message::Binary(self.payload.into())),
            Some(valid) if valid == self.payload.len() => Ok(Message::Text(self.payload.into())),
            Some(_) => Err(DecodeError::InvalidText),
        }
    }
}

fn share_front(input: &mut BytesMut, len: usize) -> Bytes {
    // An empty slice would keep the read buffer alive for nothing.
    if len == 0 { Bytes::new() } else { input.split_to(len).freeze() }
}

fn copy_front(input: &mut BytesMut, len: usize) -> Bytes {
    let copy = Bytes::copy_from_slice(&input[..len]);
    input.advance(len);
    copy
}

fn decode_close(payload: &[u8]) -> Result<Option<Close>, DecodeError> {
    let Some((&code, reason)) = payload.split_first_chunk() else {
        let is_empty = payload.is_empty();
        return if is_empty { Ok(None) } else { Err(DecodeError::TruncatedCloseCode) };
    };
    let code = u16::from_be_bytes(code);
    let code = CloseCode::new(code).ok_or(DecodeError::ReservedCloseCode(code))?;
    let reason = std::str::from_utf8(reason).map_err(|_| DecodeError::InvalidCloseReason)?;
    Ok(Some(Close { code, reason: reason.to_owned() }))
}
