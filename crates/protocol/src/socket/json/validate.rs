//! Is it JSON?

use super::{plain_end, skip_whitespace};

/// Why the text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::socket) enum JsonError {
    Invalid,
    TooDeep,
}

/// The most arrays and objects inside one another that can be told apart.
const MAX_DEPTH: usize = 128;

/// Checks that `text` is one JSON value.
pub(in crate::socket) fn validate(text: &[u8], max_depth: usize) -> Result<(), JsonError> {
    let end = Validator { text, max_depth }.value(0, 0)?;
    expect_end(text, end)
}

/// Checks that `text` is an array, and notes where the first of its elements end.
pub(in crate::socket) fn array(
    text: &[u8],
    max_depth: usize,
    ends: &mut [u32],
) -> Result<(), JsonError> {
    let validator = Validator { text, max_depth };
    let open = skip_whitespace(text, 0);
    if text.get(open) != Some(&b'[') {
        return Err(JsonError::Invalid);
    }
    if max_depth == 0 {
        return Err(JsonError::TooDeep);
    }
    let mut at = skip_whitespace(text, open + 1);
    if text.get(at) == Some(&b']') {
        return expect_end(text, at + 1);
    }
    let mut ends = ends.iter_mut();
    loop {
        at = validator.value(at, 1)?;
        if let (Some(end), Ok(at)) = (ends.next(), u32::try_from(at)) {
            *end = at;
        }
        at = skip_whitespace(text, at);
        match text.get(at) {
            Some(b',') => at += 1,
            Some(b']') => return expect_end(text, at + 1),
            _ => return Err(JsonError::Invalid),
        }
    }
}

/// Nothing but white space may follow.
fn expect_end(text: &[u8], at: usize) -> Result<(), JsonError> {
    if skip_whitespace(text, at) == text.len() { Ok(()) } else { Err(JsonError::Invalid) }
}

struct Validator<'a> {
    text: &'a [u8],
    max_depth: usize,
}

/// The arrays and objects that are open, the innermost last: a bit each, set for objects.
#[derive(Default)]
struct Open {
    kinds: u128,
    count: usize,
}

impl Open {
    fn push(&mut self, is_object: bool) {
        self.kinds = self.kinds << 1 | u128::from(is_object);
        self.count += 1;
    }

    fn pop(&mut self) {
        self.kinds >>= 1;
        self.count -= 1;
    }

    fn is_object(&self) -> bool {
        self.kinds & 1 == 1
    }
}

impl Validator<'_> {
    /// Passes over the value that comes at `at`, where `depth` arrays and objects are open around
    /// it; the answer is where it ends.
    fn value(&self, at: usize, depth: usize) -> Result<usize, JsonError> {
        let max_depth = self.max_depth.min(MAX_DEPTH);
        let mut at = at;
        let mut open = Open::default();
        loop {
            at = skip_whitespace(self.text, at);
            at = match self.byte(at) {
                b'"' => self.string(at)?,
                bracket @ (b'{' | b'[') => {
                    if depth + open.count >= max_depth {
                        return Err(JsonError::TooDeep);
                    }
                    let is_object = bracket == b'{';
                    at = skip_whitespace(self.text, at + 1);
                    // The closing brackets are two after the opening ones.
                    if self.byte(at) == bracket + 2 {
                        at + 1
                    } else {
                        open.push(is_object);
                        if is_object {
                            at = self.key(at)?;
                        }
                        continue;
                    }
                }
                b't' => self.word(at, b"true")?,
                b'f' => self.word(at, b"false")?,
                b'n' => self.word(at, b"null")?,
                _ => self.number(at)?,
            };
            // A value has ended, and perhaps those around it.
            loop {
                if open.count == 0 {
                    return Ok(at);
                }
                at = skip_whitespace(self.text, at);
                match (self.byte(at), open.is_object()) {
                    (b',', true) => {
                        at = self.key(skip_whitespace(self.text, at + 1))?;
                        break;
                    }
                    (b',', false) => {
                        at += 1;
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        at += 1;
                        open.pop();
                    }
                    _ => return Err(JsonError::Invalid),
                }
            }
        }
    }

    /// Passes over `"key":`.
    #[inline]
    fn key(&self, at: usize) -> Result<usize, JsonError> {
        if self.byte(at) != b'"' {
            return Err(JsonError::Invalid);
        }
        let colon = skip_whitespace(self.text, self.string(at)?);
        if self.byte(colon) == b':' { Ok(colon + 1) } else { Err(JsonError::Invalid) }
    }

    /// Passes over the string whose quote is at `at`.
    #[inline]
    fn string(&self, at: usize) -> Result<usize, JsonError> {
        let mut at = at + 1;
        loop {
            at = plain_end(self.text, at);
            match self.byte(at) {
                b'"' => return Ok(at + 1),
                b'\\' => at = self.escape(at + 1)?,
                _ => return Err(JsonError::Invalid),
            }
        }
    }

    fn escape(&self, at: usize) -> Result<usize, JsonError> {
        match self.byte(at) {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 1),
            b'u' => {
                let digits = self.text.get(at + 1..at + 5).ok_or(JsonError::Invalid)?;
                let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
                if is_hex { Ok(at + 5) } else { Err(JsonError::Invalid) }
            }
            _ => Err(JsonError::Invalid),
        }
    }

    fn number(&self, at: usize) -> Result<usize, JsonError> {
        let mut at = at + usize::from(self.byte(at) == b'-');
        at = match self.byte(at) {
            b'0' => at + 1,
            _ => self.digits(at)?,
        };
        if self.byte(at) == b'.' {
            at = self.digits(at + 1)?;
        }
        if matches!(self.byte(at), b'e' | b'E') {
            at += 1;
            at += usize::from(matches!(self.byte(at), b'+' | b'-'));
            at = self.digits(at)?;
        }
        Ok(at)
    }

    /// Passes over one digit or more.
    fn digits(&self, at: usize) -> Result<usize, JsonError> {
        let mut end = at;
        while self.byte(end).is_ascii_digit() {
            end += 1;
        }
        if end > at { Ok(end) } else { Err(JsonError::Invalid) }
    }

    fn word(&self, at: usize, word: &[u8]) -> Result<usize, JsonError> {
        if self.text[at..].starts_with(word) {
            Ok(at + word.len())
        } else {
            Err(JsonError::Invalid)
        }
    }

    /// The byte at `at`; behind the end it is 0, which is nowhere valid.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    #[test]
    fn depth_is_counted_in_open_brackets() {
        assert_eq!(validate(b"[[1]]", 2), Ok(()));
        assert_eq!(validate(b"[[[1]]]", 2), Err(JsonError::TooDeep));
        assert_eq!(validate(br#"[{"a":{}}]"#, 2), Err(JsonError::TooDeep));
        let bomb = vec![b'['; 1_000_000];
        assert_eq!(validate(&bomb, 128), Err(JsonError::TooDeep));
    }

    fn nearly_json() -> impl Strategy<Value = String> {
        let token = prop_oneof![
            Just("["),
            Just("]"),
            Just("{"),
            Just("}"),
            Just(","),
            Just(":"),
            Just(" "),
            Just("\"a\""),
            Just("\"\\u00e9\""),
            Just("\"\\x\""),
            Just("\"\\ud800\""),
            Just("true"),
            Just("null"),
            Just("-1.5e+3"),
            Just("01"),
            Just("0"),
            Just("1."),
            Just("\u{1}"),
            Just("\"€\""),
            Just("nul"),
            Just("-"),
            Just("\""),
            Just("\"\\\"\""),
            Just("12"),
        ];
        proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn it_accepts_what_serde_json_accepts(text in nearly_json()) {
            let expected = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            prop_assert_eq!(validate(text.as_bytes(), 128).is_ok(), expected, "{}", text);
        }

        #[test]
        fn an_array_is_judged_like_any_value(text in nearly_json()) {
            let text = format!("[{text}]");
            prop_assert_eq!(array(text.as_bytes(), 128, &mut []), validate(text.as_bytes(), 128));
        }

        #[test]
        fn long_strings_are_judged_by_every_byte(
            before in "[a-zé]{0,20}", odd in any::<u8>(), after in "[a-z]{0,20}",
        ) {
            let text = [b"\"", before.as_bytes(), &[odd], after.as_bytes(), b"\""].concat();
            let expected = serde_json::from_str::<IgnoredAny>(&String::from_utf8_lossy(&text));
            prop_assert_eq!(validate(&text, 1).is_ok(), expected.is_ok());
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = validate(&bytes, 8);
            let _ = array(&bytes, 8, &mut [0; 2]);
        }
    }
}
