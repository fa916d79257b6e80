//! Why a session could not be opened, or broke, in words that help.

use std::fmt;

use serde_json::Value;

/// What went wrong on a client's way to the server, or with what the server said. Its text
/// explains itself: it says what is likely to be wrong where the status alone would not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The server could not be reached, or the connection broke: what the system says about it.
    Io(String),
    /// The proxy did not make the connection: why.
    Proxy(String),
    /// No secure connection could be made: what the TLS library says about it.
    Tls(String),
    /// An HTTP request was refused.
    Refused {
        /// The status of the answer.
        status: u16,
        /// The number of Engine.IO's error, if the answer has one.
        code: Option<u64>,
        /// Engine.IO's message, or the beginning of the answer's text.
        message: String,
    },
    /// A server answered, and it does not speak Engine.IO here.
    NotEngineIo,
    /// The server speaks revision 3 of Engine.IO: Socket.IO 2 or older.
    OldRevision,
    /// What the server said breaks the rules of WebSocket or of Engine.IO.
    Protocol(String),
    /// Nothing came in time.
    TimedOut,
}

/// How much of a refusal's text is kept, in characters.
const MAX_MESSAGE: usize = 200;

impl Failure {
    /// An HTTP answer that is no success.
    pub fn refused(status: u16, body: &[u8]) -> Self {
        let error = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let code = error.get("code").and_then(Value::as_u64);
        let message = match error.get("message").and_then(Value::as_str) {
            Some(message) => excerpt(message),
            None => excerpt(&String::from_utf8_lossy(body)),
        };
        // The refusal of a WebSocket is the bare message, in quotes in some versions.
        let message = message.trim_matches('"').to_owned();
        let code =
            code.or_else(|| CODES.iter().find(|(_, text)| *text == message).map(|(n, _)| *n));
        Self::Refused { status, code, message }
    }

    /// Whether the answer to the first GET is one of revision 3, which counts the characters of its
    /// packets in front of them: `96:0{"sid":…`.
    pub(super) fn is_old_revision(body: &[u8]) -> bool {
        let digits = body.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (1..7).contains(&digits) && body[digits..].starts_with(b":0{")
    }
}

/// Engine.IO's errors, which every server knows.
const CODES: [(u64, &str); 6] = [
    (0, "Transport unknown"),
    (1, "Session ID unknown"),
    (2, "Bad handshake method"),
    (3, "Bad request"),
    (4, "Forbidden"),
    (5, "Unsupported protocol version"),
];

/// The beginning of a text on one line.
fn excerpt(text: &str) -> String {
    let visible = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    visible.take(MAX_MESSAGE).collect()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(message) => write!(f, "the server cannot be reached: {message}"),
            Self::Proxy(message) => write!(f, "the proxy did not make the connection: {message}"),
            Self::Tls(message) => write!(f, "no secure connection: {message}"),
            Self::Refused { status, code, message } => {
                write!(f, "the server answered {status}")?;
                if !message.is_empty() {
                    write!(f, " ({message})")?;
                }
                match advice(*status, *code) {
                    Some(advice) => write!(f, ": {advice}"),
                    None => Ok(()),
                }
            }
            Self::NotEngineIo => f.write_str(
                "what answers there is no Socket.IO server: check the address and `path`",
            ),
            Self::OldRevision => f.write_str(
                "the server speaks Socket.IO 2 or older: choose revision 3 of Engine.IO",
            ),
            Self::Protocol(message) => write!(f, "the server broke the protocol: {message}"),
            Self::TimedOut => f.write_str("timeout"),
        }
    }
}

impl std::error::Error for Failure {}

/// What is likely to be wrong.
fn advice(status: u16, code: Option<u64>) -> Option<&'static str> {
    Some(match (status, code) {
        (_, Some(0)) => "the server does not offer this transport",
        (_, Some(1)) => {
            "the session is not known there; behind a load balancer, requests of one client must \
             reach the same server (sticky sessions)"
        }
        (_, Some(3)) => "a proxy on the way may not let WebSockets through",
        (_, Some(4)) => "the server refuses this origin, or these headers",
        (_, Some(5)) => "the server speaks another version of the protocol",
        (301 | 302 | 307 | 308, _) => "use the address that it redirects to",
        (404, _) => "there is no Socket.IO server at this `path`",
        (401 | 407, _) => "the server, or a proxy, wants credentials in the headers",
        (413, _) => "what was sent is over the server's limit",
        (502..=504, _) => "the proxy in front does not reach the server",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_is_likely_to_be_wrong() {
        let table: [(u16, &str, &str); 7] = [
            (404, "<html>Not Found</html>", "at this `path`"),
            (400, r#"{"code":5,"message":"Unsupported protocol version"}"#, "another version"),
            (400, r#"{"code":1,"message":"Session ID unknown"}"#, "sticky sessions"),
            (400, "\"Session ID unknown\"", "sticky sessions"),
            (403, r#"{"code":4,"message":"Forbidden"}"#, "this origin"),
            (413, "", "over the server's limit"),
            (418, "short\nand stout", "the server answered 418 (short and stout)"),
        ];
        for (status, body, expected) in table {
            let text = Failure::refused(status, body.as_bytes()).to_string();
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn a_long_answer_is_cut_short() {
        let Failure::Refused { message, .. } = Failure::refused(500, &[b'x'; 100_000]) else {
            panic!("it is a refusal")
        };
        assert_eq!(message.len(), MAX_MESSAGE);
    }

    #[test]
    fn what_is_no_handshake_is_told_from_an_old_one() {
        assert!(Failure::is_old_revision(b"118:0{\"sid\":\"x\"}2:40"));
        for other in ["", "hello", "0{\"sid\":\"x\"}", "96:", "12345678:0{"] {
            assert!(!Failure::is_old_revision(other.as_bytes()), "{other}");
        }
    }
}
