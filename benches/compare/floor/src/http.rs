//! Requests, read no further than it takes to answer them.

use base64::{Engine, engine::general_purpose::STANDARD};
use memchr::{memchr, memchr_iter, memmem};
use sha1::{Digest, Sha1};

/// A request at the start of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) kind: Kind<'a>,
    /// Where the request ends, its body included.
    pub(crate) end: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// To open a WebSocket, with this key.
    WebSocket { key: &'a [u8] },
    /// To open a polling session.
    Open,
    /// To get what there is for a session.
    Poll { session: usize },
    /// To give these packets to a session.
    Post { session: usize, body: &'a [u8] },
}

/// The connection is dropped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// The first request of `input`; none if it is not complete.
pub(crate) fn parse(input: &[u8]) -> Result<Option<Request<'_>>, Invalid> {
    let Some(head) = memmem::find(input, b"\r\n\r\n") else { return Ok(None) };
    let line_end = memchr(b'\r', input).ok_or(Invalid)?;
    let (line, headers) = input[..head + 2].split_at(line_end);
    let key = header(headers, b"\nsec-websocket-key:");
    let length = match header(headers, b"\ncontent-length:") {
        Some(digits) => number(digits).ok_or(Invalid)?,
        None => 0,
    };
    let end = (head + 4).checked_add(length).ok_or(Invalid)?;
    if input.len() < end {
        return Ok(None);
    }
    let kind = match (key, session(line)) {
        (Some(key), None) => Kind::WebSocket { key },
        // There are no upgrades, and clients are told so.
        (Some(_), Some(_)) => return Err(Invalid),
        (None, None) => Kind::Open,
        (None, Some(session)) if line.starts_with(b"GET ") => Kind::Poll { session },
        (None, Some(session)) => Kind::Post { session, body: &input[head + 4..end] },
    };
    Ok(Some(Request { kind, end }))
}

/// The value of the header that starts with this line break and name. `headers` ends with one.
fn header<'a>(headers: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let mut breaks = memchr_iter(b'\n', headers);
    let starts = |at: &usize| {
        headers.get(*at..*at + start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start))
    };
    let value = &headers[breaks.find(starts)? + start.len()..];
    Some(value[..memchr(b'\r', value)?].trim_ascii())
}

/// The `sid` of the query.
fn session(line: &[u8]) -> Option<usize> {
    let at = memmem::find(line, b"sid=")?;
    number(line[at + 4..].split(|byte| matches!(byte, b'&' | b' ')).next()?)
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Appends the answer that makes a connection a WebSocket.
pub(crate) fn append_switch(output: &mut Vec<u8>, key: &[u8]) {
    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: ";
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let mut accept = [0; 28];
    STANDARD.encode_slice(hash.finalize(), &mut accept).expect("20 bytes are 28 characters");
    output.extend_from_slice(HEAD);
    output.extend_from_slice(&accept);
    output.extend_from_slice(b"\r\n\r\n");
}

/// Appends an answer with this body.
pub(crate) fn append_answer(output: &mut Vec<u8>, body: &[u8]) {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\n\
        Content-Length: ";
    let mut digits = [0; 20];
    output.extend_from_slice(HEAD);
    output.extend_from_slice(decimal(body.len(), &mut digits));
    output.extend_from_slice(b"\r\n\r\n");
    output.extend_from_slice(body);
}

/// The digits of `number`, at the end of `digits`.
fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Result<Option<Kind<'_>>, Invalid> {
        Ok(parse(text.as_bytes())?.map(|request| request.kind))
    }

    #[test]
    fn requests_are_told_apart() {
        assert_eq!(kind("GET /?transport=polling HTTP/1.1\r\n\r\n"), Ok(Some(Kind::Open)));
        assert_eq!(
            kind("GET /?sid=00017&t=x HTTP/1.1\r\nHost: x\r\n\r\n"),
            Ok(Some(Kind::Poll { session: 17 }))
        );
        assert_eq!(
            kind("POST /?x=y&sid=3 HTTP/1.1\r\ncontent-length: 2\r\n\r\n40GET"),
            Ok(Some(Kind::Post { session: 3, body: b"40" }))
        );
        assert_eq!(
            kind("GET / HTTP/1.1\r\nSec-WebSocket-Key: abc\r\n\r\n"),
            Ok(Some(Kind::WebSocket { key: b"abc" }))
        );
        assert_eq!(kind("GET /?sid=1 HTTP/1.1\r\nSec-WebSocket-Key: abc\r\n\r\n"), Err(Invalid));
    }

    #[test]
    fn what_is_not_complete_is_waited_for() {
        let whole = "POST /?sid=3 HTTP/1.1\r\nContent-Length: 2\r\n\r\n40";
        for length in 0..whole.len() {
            assert_eq!(kind(&whole[..length]), Ok(None), "{length}");
        }
    }

    #[test]
    fn the_key_is_answered_as_rfc_6455_shows() {
        let mut output = Vec::new();
        append_switch(&mut output, b"dGhlIHNhbXBsZSBub25jZQ==");
        assert!(output.ends_with(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"));
    }

    #[test]
    fn lengths_are_decimal() {
        for (number, expected) in [(0, "0"), (7, "7"), (1234, "1234")] {
            assert_eq!(decimal(number, &mut [0; 20]), expected.as_bytes());
        }
    }
}
