//! Frames on the wire: writing them, reading their headers, masking.

use bytes::{BufMut, Bytes, BytesMut};

use crate::{CloseCode, DecodeError, Role};

/// The longest header of an unmasked frame: two bytes and a length of eight.
pub const MAX_HEADER_BYTES: usize = 10;

/// The longest payload of a control frame.
const MAX_CONTROL_BYTES: usize = 125;

const FINAL_BIT: u8 = 0x80;
const MASK_BIT: u8 = 0x80;
/// In the place of a length: it follows in two bytes.
const LENGTH_IN_2: u8 = 126;
/// In the place of a length: it follows in eight bytes.
const LENGTH_IN_8: u8 = 127;

/// The kind of a frame that starts a message or is a control frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// The payload has to be UTF-8.
    Text = 1,
    /// Any bytes.
    Binary = 2,
    /// The last frame of a connection; [`close_frame`] writes its payload.
    Close = 8,
    /// Asks for a pong with the same payload.
    Ping = 9,
    /// Answers a ping.
    Pong = 10,
}

impl Opcode {
    fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

/// The header of an unmasked frame, made by [`frame_header`].
#[derive(Clone, Copy, Debug)]
pub struct FrameHeader {
    bytes: [u8; MAX_HEADER_BYTES],
    len: u8,
}

impl FrameHeader {
    /// The header as it goes on the wire, 2, 4 or 10 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Makes the header of an unfragmented, unmasked frame, as a server sends it.
///
/// # Panics
///
/// If a control frame is given more than 125 bytes of payload. Echoing a decoded ping is safe.
pub fn frame_header(opcode: Opcode, payload_len: usize) -> FrameHeader {
    assert!(
        !opcode.is_control() || payload_len <= MAX_CONTROL_BYTES,
        "control frame of {payload_len} bytes is over the limit of {MAX_CONTROL_BYTES} bytes",
    );
    let mut bytes = [0; MAX_HEADER_BYTES];
    bytes[0] = FINAL_BIT | opcode as u8;
    let len = match payload_len {
        0..=125 => {
            bytes[1] = payload_len as u8;
            2
        }
        126..=0xffff => {
            bytes[1] = LENGTH_IN_2;
            bytes[2..4].copy_from_slice(&(payload_len as u16).to_be_bytes());
            4
        }
        _ => {
            bytes[1] = LENGTH_IN_8;
            bytes[2..].copy_from_slice(&(payload_len as u64).to_be_bytes());
            10
        }
    };
    FrameHeader { bytes, len }
}

/// Appends an unfragmented frame to `out`.
///
/// Clients have to give a `mask`, from a random source that the other side cannot predict and
/// fresh for every frame; servers have to give none.
///
/// # Panics
///
/// If a control frame is given more than 125 bytes of payload. Echoing a decoded ping is safe.
pub fn encode_frame(out: &mut BytesMut, opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>) {
    let mut header = frame_header(opcode, payload.len());
    let Some(key) = mask else {
        out.reserve(header.as_bytes().len() + payload.len());
        out.put_slice(header.as_bytes());
        out.put_slice(payload);
        return;
    };
    header.bytes[1] |= MASK_BIT;
    out.reserve(header.as_bytes().len() + key.len() + payload.len());
    out.put_slice(header.as_bytes());
    out.put_slice(&key);
    let start = out.len();
    out.put_slice(payload);
    apply_mask(&mut out[start..], key);
}

/// Makes a whole close frame without a reason. For `mask` see [`encode_frame`].
pub fn close_frame(code: Option<CloseCode>, mask: Option<[u8; 4]>) -> Bytes {
    let mut out = BytesMut::new();
    match code {
        Some(code) => {
            encode_frame(&mut out, Opcode::Close, &code.as_u16().to_be_bytes(), mask);
        }
        None => encode_frame(&mut out, Opcode::Close, &[], mask),
    }
    out.freeze()
}

/// The header of an incoming frame. It obeys every rule that needs no look at other frames.
pub(crate) struct IncomingHeader {
    /// Whether the frame ends its message.
    pub(crate) is_final: bool,
    /// `None` for a continuation.
    pub(crate) opcode: Option<Opcode>,
    /// Present exactly if the peer is a client.
    pub(crate) mask: Option<[u8; 4]>,
    /// Bytes of the header itself.
    pub(crate) len: usize,
    pub(crate) payload_len: u64,
}

impl IncomingHeader {
    /// Reads the header at the front of `input`; `None` if part of it is still to come.
    pub(crate) fn decode(role: Role, input: &[u8]) -> Result<Option<Self>, DecodeError> {
        let Some((&[first, second], rest)) = input.split_first_chunk() else { return Ok(None) };
        let is_final = first & FINAL_BIT != 0;
        let reserved = first >> 4 & 0b111;
        if reserved != 0 {
            return Err(DecodeError::ReservedBits(reserved));
        }
        let opcode = match first & 0x0f {
            0 => None,
            1 => Some(Opcode::Text),
            2 => Some(Opcode::Binary),
            8 => Some(Opcode::Close),
            9 => Some(Opcode::Ping),
            10 => Some(Opcode::Pong),
            unknown => return Err(DecodeError::UnknownOpcode(unknown)),
        };

        let is_masked = second & MASK_BIT != 0;
        match role {
            Role::Server if !is_masked => return Err(DecodeError::UnmaskedFrame),
            Role::Client if is_masked => return Err(DecodeError::MaskedFrame),
            Role::Server | Role::Client => (),
        }
        let short_len = second & !MASK_BIT;
        if opcode.is_some_and(Opcode::is_control) {
            if !is_final {
                return Err(DecodeError::FragmentedControl);
            }
            if usize::from(short_len) > MAX_CONTROL_BYTES {
                return Err(DecodeError::ControlTooLong);
            }
        }

        let Some((payload_len, rest)) = decode_length(short_len, rest)? else { return Ok(None) };
        let (mask, rest) = match rest.split_first_chunk() {
            _ if !is_masked => (None, rest),
            Some((key, rest)) => (Some(*key), rest),
            None => return Ok(None),
        };
        let len = input.len() - rest.len();
        Ok(Some(IncomingHeader { is_final, opcode, mask, len, payload_len }))
    }
}

/// Reads what follows the first byte of a length; `None` if that is still to come.
fn decode_length(short_len: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, DecodeError> {
    let (len, shortest, rest) = match short_len {
        LENGTH_IN_2 => match rest.split_first_chunk() {
            Some((len, rest)) => (u64::from(u16::from_be_bytes(*len)), 126, rest),
            None => return Ok(None),
        },
        LENGTH_IN_8 => match rest.split_first_chunk() {
            Some((len, rest)) => (u64::from_be_bytes(*len), 0x1_0000, rest),
            None => return Ok(None),
        },
        len => (u64::from(len), 0, rest),
    };
    if len < shortest {
        return Err(DecodeError::NonMinimalLength(len));
    }
    if len > i64::MAX as u64 {
        return Err(DecodeError::LengthOverflow(len));
    }
    Ok(Some((len, rest)))
}

/// Masks or unmasks `payload`; the operation is its own inverse.
pub(crate) fn apply_mask(payload: &mut [u8], key: [u8; 4]) {
    // Blocks of exactly 16 bytes compile to vector instructions. Byte by byte, and with blocks that
    // may be shorter, the compiler does not get there, which cost a factor of ten.
    let block_key: [u8; 16] = std::array::from_fn(|i| key[i % 4]);
    let mut blocks = payload.chunks_exact_mut(16);
    for block in &mut blocks {
        for (byte, key) in block.iter_mut().zip(block_key) {
            *byte ^= key;
        }
    }
    for (byte, key) in blocks.into_remainder().iter_mut().zip(block_key) {
        *byte ^= key;
    }
}
