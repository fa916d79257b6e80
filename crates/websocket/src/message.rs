//! Messages as the decoder hands them out, and the codes of close frames.

use std::fmt;

use bytes::Bytes;

/// A whole message or control frame from the peer.
///
/// The payload of an unfragmented text or binary message is a slice of the read buffer and keeps
/// that buffer alive: copy what is small and lives long. Payloads of control frames are copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Valid UTF-8; the decoder has checked it.
    Text(Bytes),
    /// Any bytes.
    Binary(Bytes),
    /// At most 125 bytes, to be sent back in a pong. Of several unanswered pings only the last
    /// needs an answer, so one pending pong is enough.
    Ping(Bytes),
    /// At most 125 bytes: those of our ping, or anything if we sent none.
    Pong(Bytes),
    /// The last message there is; `None` if the peer gave no code.
    Close(Option<Close>),
}

/// Why the peer closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The cause as a number.
    pub code: CloseCode,
    /// The cause in words, often empty, at most 123 bytes. Not meant for end users.
    pub reason: String,
}

/// A close code that may appear on the wire: 1000–1003, 1007–1014 or 3000–4999.
///
/// The others are reserved, or, like 1006, only stand for the absence of a close frame
/// ([RFC 6455, section 7.4](https://www.rfc-editor.org/rfc/rfc6455#section-7.4)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: CloseCode = CloseCode(1000);
    /// 1001: the server shuts down or the page is left.
    pub const GOING_AWAY: CloseCode = CloseCode(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: CloseCode = CloseCode(1002);
    /// 1003: a kind of data that this endpoint does not take.
    pub const UNSUPPORTED_DATA: CloseCode = CloseCode(1003);
    /// 1007: the payload contradicts its type, as text that is not UTF-8.
    pub const INVALID_PAYLOAD: CloseCode = CloseCode(1007);
    /// 1008: a rule of this endpoint was broken that has no code of its own.
    pub const POLICY_VIOLATION: CloseCode = CloseCode(1008);
    /// 1009: a message over the size limit.
    pub const TOO_BIG: CloseCode = CloseCode(1009);
    /// 1011: the server failed.
    pub const INTERNAL_ERROR: CloseCode = CloseCode(1011);

    /// `None` if `code` must not be sent.
    pub const fn new(code: u16) -> Option<CloseCode> {
        match code {
            // 1012–1014 came after the RFC, through its registry at IANA.
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(CloseCode(code)),
            _ => None,
        }
    }

    /// The code as a number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
