//! WebSocket frames: what a client sends, masked, and what a server sends.
//!
//! The mask key is a constant. A real client draws one per frame, to protect proxies from its
//! user; a load generator has no such user, and the server's work is the same for any key but
//! zero, which some servers skip.

use super::failure::Failure;

const FINAL_BIT: u8 = 0x80;
const RESERVED_BITS: u8 = 0x70;
const MASK_BIT: u8 = 0x80;
const MASK_KEY: [u8; 4] = [0x5a, 0x2d, 0xc3, 0x96];

/// The kinds of frames that are sent or understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Opcode {
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// A whole frame of a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: Opcode,
    pub(crate) payload: &'a [u8],
}

/// The byte that masks the one at `offset` of a payload.
pub(crate) fn mask_at(offset: usize) -> u8 {
    MASK_KEY[offset % 4]
}

/// Appends a masked frame to `out`; returns where its payload starts there.
pub(crate) fn write_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) -> usize {
    out.push(FINAL_BIT | opcode as u8);
    match payload.len() {
        len @ 0..=125 => out.push(MASK_BIT | len as u8),
        len @ 126..=0xffff => {
            out.push(MASK_BIT | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(MASK_BIT | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(MASK_KEY);
    let start = out.len();
    out.extend(payload.iter().zip(MASK_KEY.iter().cycle()).map(|(byte, key)| byte ^ key));
    start
}

/// Takes a server's frame off the front of `input`; `None` if part of it is still to come.
pub(crate) fn read_frame<'a>(input: &mut &'a [u8]) -> Result<Option<Frame<'a>>, Failure> {
    let Some((&[first, second], rest)) = input.split_first_chunk() else { return Ok(None) };
    let (len, rest) = match second {
        0..=125 => (usize::from(second), rest),
        126 => match rest.split_first_chunk() {
            Some((len, rest)) => (usize::from(u16::from_be_bytes(*len)), rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((len, rest)) => (u64::from_be_bytes(*len) as usize, rest),
            None => return Ok(None),
        },
        _ => return Err(Failure::Protocol("a frame of the server is masked")),
    };
    let opcode = opcode(first)?;
    if len > MAX_PAYLOAD_BYTES {
        return Err(Failure::Protocol("a frame is larger than 64 MiB"));
    }
    let Some((payload, rest)) = rest.split_at_checked(len) else { return Ok(None) };
    *input = rest;
    Ok(Some(Frame { opcode, payload }))
}

/// Far above the limit of any server; what claims more is not a frame.
const MAX_PAYLOAD_BYTES: usize = 64 << 20;

fn opcode(first: u8) -> Result<Opcode, Failure> {
    if first & RESERVED_BITS != 0 {
        return Err(Failure::Protocol("a frame is compressed, which was not agreed"));
    }
    if first & FINAL_BIT == 0 {
        return Err(Failure::Protocol("a message is fragmented, which `bench` does not read"));
    }
    match first & 0x0f {
        1 => Ok(Opcode::Text),
        2 => Ok(Opcode::Binary),
        8 => Ok(Opcode::Close),
        9 => Ok(Opcode::Ping),
        10 => Ok(Opcode::Pong),
        _ => Err(Failure::Protocol("a frame has an unknown opcode")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server sends: as a client's, without the mask.
    fn server_frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            len @ 0..=125 => frame.push(len as u8),
            len @ 126..=0xffff => {
                frame.push(126);
                frame.extend((len as u16).to_be_bytes());
            }
            len => {
                frame.push(127);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        frame
    }

    #[test]
    fn a_client_masks_what_it_sends() {
        for (len, header) in [(5, 2), (125, 2), (126, 4), (65535, 4), (65536, 10)] {
            let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let mut out = vec![0xff];
            let start = write_frame(&mut out, Opcode::Text, &payload);
            assert_eq!(start, 1 + header + 4);
            assert_eq!(out[1..3], [0x81, MASK_BIT | [len as u8, 126, 127][header / 4]]);
            let unmasked: Vec<u8> =
                out[start..].iter().enumerate().map(|(i, byte)| byte ^ mask_at(i)).collect();
            assert_eq!(unmasked, payload);
        }
    }

    #[test]
    fn frames_are_read_once_they_are_whole() {
        for len in [0, 1, 125, 126, 65535, 65536] {
            let payload = vec![b'x'; len];
            let wire = server_frame(0x82, &payload);
            for cut in [0, 1, 2, wire.len() - 1].into_iter().filter(|cut| *cut < wire.len()) {
                let mut input = &wire[..cut];
                assert_eq!(read_frame(&mut input).unwrap(), None);
                assert_eq!(input.len(), cut);
            }
            let mut input = &[&wire[..], b"next"].concat()[..];
            let frame = Frame { opcode: Opcode::Binary, payload: &payload };
            assert_eq!(read_frame(&mut input).unwrap(), Some(frame));
            assert_eq!(input, b"next");
        }
    }

    #[test]
    fn what_no_server_should_send_is_refused() {
        let claims = [&[0x81, 127][..], &u64::MAX.to_be_bytes()].concat();
        let masked = [0x81, 0x80, 0, 0, 0, 0];
        let compressed = server_frame(0xc1, b"x");
        let fragment = server_frame(0x01, b"x");
        let unknown = server_frame(0x83, b"x");
        for wire in [&claims[..], &masked, &compressed, &fragment, &unknown] {
            assert!(read_frame(&mut &*wire).is_err(), "{wire:x?}");
        }
    }
}
