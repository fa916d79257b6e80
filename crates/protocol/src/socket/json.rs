//! A validating scan over JSON text: what is valid, how deep, and where an item ends. It decodes
//! nothing and allocates nothing; who needs the values parses them later.

/// Why the text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonError {
    Invalid,
    TooDeep,
}

/// Reads JSON from a position that only moves forward.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    position: usize,
    max_depth: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8], max_depth: usize) -> Self {
        Self { bytes, position: 0, max_depth }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The next byte that is not white space, without taking it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.position) {
            self.position += 1;
        }
        self.bytes.get(self.position).copied()
    }

    /// Takes `byte` if it is the next one, white space aside.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.position += usize::from(is_next);
        is_next
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(JsonError::Invalid) }
    }

    /// Nothing but white space may follow.
    pub(super) fn end(&mut self) -> Result<(), JsonError> {
        if self.peek().is_none() { Ok(()) } else { Err(JsonError::Invalid) }
    }

    /// Passes over one value; `depth` arrays and objects are open around it.
    pub(super) fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        match self.peek().ok_or(JsonError::Invalid)? {
            b'"' => self.string(),
            b'{' => self.items(depth, b'{', b'}'),
            b'[' => self.items(depth, b'[', b']'),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn items(&mut self, depth: usize, open: u8, close: u8) -> Result<(), JsonError> {
        if depth >= self.max_depth {
            return Err(JsonError::TooDeep);
        }
        self.expect(open)?;
        if self.take(close) {
            return Ok(());
        }
        loop {
            if open == b'{' {
                self.peek();
                self.string()?;
                self.expect(b':')?;
            }
            self.value(depth + 1)?;
            if !self.take(b',') {
                return self.expect(close);
            }
        }
    }

    /// Passes over a string that starts here.
    pub(super) fn string(&mut self) -> Result<(), JsonError> {
        if self.bytes.get(self.position) != Some(&b'"') {
            return Err(JsonError::Invalid);
        }
        self.position += 1;
        loop {
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => (),
                    b'u' => {
                        for _ in 0..4 {
                            if !self.next()?.is_ascii_hexdigit() {
                                return Err(JsonError::Invalid);
                            }
                        }
                    }
                    _ => return Err(JsonError::Invalid),
                },
                0..0x20 => return Err(JsonError::Invalid),
                _ => (),
            }
        }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        self.take_if(|byte| byte == b'-');
        match self.next()? {
            b'0' => (),
            b'1'..=b'9' => self.digits(),
            _ => return Err(JsonError::Invalid),
        }
        if self.take_if(|byte| byte == b'.') {
            self.some_digits()?;
        }
        if self.take_if(|byte| matches!(byte, b'e' | b'E')) {
            self.take_if(|byte| matches!(byte, b'+' | b'-'));
            self.some_digits()?;
        }
        Ok(())
    }

    fn some_digits(&mut self) -> Result<(), JsonError> {
        if !self.next()?.is_ascii_digit() {
            return Err(JsonError::Invalid);
        }
        self.digits();
        Ok(())
    }

    fn digits(&mut self) {
        while self.take_if(|byte| byte.is_ascii_digit()) {}
    }

    fn word(&mut self, word: &[u8]) -> Result<(), JsonError> {
        if !self.bytes[self.position..].starts_with(word) {
            return Err(JsonError::Invalid);
        }
        self.position += word.len();
        Ok(())
    }

    fn next(&mut self) -> Result<u8, JsonError> {
        let byte = *self.bytes.get(self.position).ok_or(JsonError::Invalid)?;
        self.position += 1;
        Ok(byte)
    }

    fn take_if(&mut self, accept: impl Fn(u8) -> bool) -> bool {
        let taken = self.bytes.get(self.position).is_some_and(|&byte| accept(byte));
        self.position += usize::from(taken);
        taken
    }
}

/// Checks that `bytes` are one JSON value.
pub(super) fn validate(bytes: &[u8], max_depth: usize) -> Result<(), JsonError> {
    let mut scanner = Scanner::new(bytes, max_depth);
    scanner.value(0)?;
    scanner.end()
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
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = validate(&bytes, 8);
        }
    }
}
