//! Identifiers of sessions and sockets.

use std::{fmt, ops::Deref, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The id of an Engine.IO session or of a Socket.IO socket: 20 characters of `A-Z a-z 0-9 - _`,
/// such as `lNPkQgD41Qh7mzZTgqWF`.
///
/// Adapters of other implementations test for exactly this length. It is stored inline, is cheap
/// to copy, and derefs to `str`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sid([u8; Sid::LENGTH]);

impl Sid {
    /// How many characters every id has.
    pub const LENGTH: usize = 20;

    /// Makes an id of 120 random bits. They must come from a cryptographically secure source: who
    /// knows a session's id can speak for it.
    ///
    /// ```
    /// # use sockeye_protocol::Sid;
    /// assert_eq!(&*Sid::from_random([0; 15]), "AAAAAAAAAAAAAAAAAAAA");
    /// ```
    pub fn from_random(bits: [u8; 15]) -> Self {
        let mut characters = [0; Self::LENGTH];
        let written = URL_SAFE_NO_PAD.encode_slice(bits, &mut characters);
        assert_eq!(written, Ok(Self::LENGTH), "15 bytes are 20 base64 characters");
        Self(characters)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("ids hold ASCII only")
    }
}

impl Deref for Sid {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Sid {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq<str> for Sid {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Sid {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

/// As text: an id is emitted like a string.
impl serde::Serialize for Sid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

/// The text is not 20 characters of the URL-safe base64 alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 20 characters of A-Z a-z 0-9 - _")]
pub struct InvalidSid;

impl FromStr for Sid {
    type Err = InvalidSid;

    fn from_str(text: &str) -> Result<Self, InvalidSid> {
        let characters: [u8; Self::LENGTH] = text.as_bytes().try_into().map_err(|_| InvalidSid)?;
        let url_safe = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
        if characters.iter().all(url_safe) { Ok(Self(characters)) } else { Err(InvalidSid) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_twenty_url_safe_characters_are_an_id() {
        assert_eq!("49TeYsySa4zpYs-_AAAA".parse::<Sid>().unwrap(), "49TeYsySa4zpYs-_AAAA");
        for text in ["", "short", "49TeYsySa4zpYsxQAAAAA", "49TeYsySa4zpYsxQAAA/", "__proto__"] {
            assert_eq!(text.parse::<Sid>(), Err(InvalidSid), "{text}");
        }
    }
}
