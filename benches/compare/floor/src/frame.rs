//! WebSocket frames: unmasked where they were read, and appended to what is written.

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;

/// A client's frame at the start of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    /// Where the payload starts, after the header.
    pub(crate) start: usize,
    /// Where it ends, and the frame with it.
    pub(crate) end: usize,
}

/// What is wrong with a frame is of no interest here: the connection is dropped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// The first frame of `input`, its payload unmasked in place; none if it is not complete.
pub(crate) fn take(input: &mut [u8]) -> Result<Option<Frame>, Invalid> {
    let [first, second, ..] = *input else { return Ok(None) };
    // Every client sends whole messages: a fragment is an error here.
    if first & FINAL == 0 || second & MASKED == 0 {
        return Err(Invalid);
    }
    let (length, mask_at) = match (second & 0x7f, &*input) {
        (126, [_, _, a, b, ..]) => (usize::from(u16::from_be_bytes([*a, *b])), 4),
        (126, _) => return Ok(None),
        (127, _) => return Err(Invalid),
        (length, _) => (usize::from(length), 2),
    };
    let start = mask_at + 4;
    let end = start + length;
    if input.len() < end {
        return Ok(None);
    }
    let (header, payload) = input[..end].split_at_mut(start);
    let mask = header[mask_at..].try_into().expect("a mask has four bytes");
    unmask(payload, mask);
    Ok(Some(Frame { opcode: first & 0x0f, start, end }))
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let narrow = u64::from(u32::from_ne_bytes(mask));
    let wide = narrow << 32 | narrow;
    let mut chunks = payload.chunks_exact_mut(8);
    for chunk in &mut chunks {
        let masked = u64::from_ne_bytes((&*chunk).try_into().expect("a chunk has eight bytes"));
        chunk.copy_from_slice(&(masked ^ wide).to_ne_bytes());
    }
    let rest = chunks.into_remainder();
    rest.iter_mut().zip(mask.into_iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}

/// Appends a frame whose payload is made of `parts`.
pub(crate) fn append(output: &mut Vec<u8>, opcode: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    output.push(FINAL | opcode);
    match u8::try_from(length) {
        Ok(short @ ..126) => output.push(short),
        _ => {
            let length =
                u16::try_from(length).expect("what is sent was read into a smaller buffer");
            output.push(126);
            output.extend_from_slice(&length.to_be_bytes());
        }
    }
    parts.iter().for_each(|part| output.extend_from_slice(part));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut frame = Vec::new();
        append(&mut frame, opcode, &[payload]);
        frame[1] |= MASKED;
        frame.truncate(frame.len() - payload.len());
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.into_iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    #[test]
    fn a_masked_frame_is_read_where_it_is() {
        for length in [0, 1, 7, 8, 125, 126, 1000] {
            let payload: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            let mut input = masked(TEXT, &payload);
            let whole = input.len();
            input.push(0x81);
            let frame = take(&mut input).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.end), (TEXT, whole));
            assert_eq!(input[frame.start..frame.end], payload);
        }
    }

    #[test]
    fn what_is_not_complete_is_left_alone() {
        let input = masked(BINARY, &[7; 200]);
        for length in 0..input.len() {
            let mut part = input[..length].to_vec();
            assert_eq!(take(&mut part), Ok(None));
            assert_eq!(part, input[..length]);
        }
    }

    #[test]
    fn fragments_and_bare_payloads_are_refused() {
        assert_eq!(take(&mut [TEXT, 0x80, 0, 0, 0, 0]), Err(Invalid));
        assert_eq!(take(&mut [FINAL | TEXT, 0]), Err(Invalid));
    }
}
