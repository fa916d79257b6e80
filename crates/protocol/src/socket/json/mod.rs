//! JSON text, looked at without decoding it: whether it is valid, where its items end, and where it
//! has placeholders. Nothing is allocated; who needs the values parses them later.
//!
//! A packet's text is validated once, when it is decoded (`validate`). The other functions are
//! for text that is known to be valid: on any other they find nothing or too much, and never panic.

mod find;
mod validate;

pub use find::{Elements, Entries, placeholders};
pub(super) use validate::{JsonError, array, validate};

/// Where the string whose content goes on at `at` has its next quote, backslash or control
/// character; the end of the text if there is none.
#[inline]
fn plain_end(text: &[u8], mut at: usize) -> usize {
    // Eight bytes at a time. In each test a byte's high bit tells what was found; only bits above
    // the lowest one may be wrong, so the lowest is what counts.
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let chunk = u64::from_le_bytes(*chunk);
        let below = |value: u64, bound: u64| value.wrapping_sub(ONES * bound) & !value & HIGH;
        let equals = |byte: u8| below(chunk ^ (ONES * u64::from(byte)), 1);
        let found = equals(b'"') | equals(b'\\') | below(chunk, 0x20);
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    at + rest.iter().position(is_special).unwrap_or(rest.len())
}

#[inline]
fn skip_whitespace(text: &[u8], mut at: usize) -> usize {
    // Nearly always there is none.
    while text.get(at).is_some_and(|&byte| byte <= b' ' && b" \t\n\r".contains(&byte)) {
        at += 1;
    }
    at
}
