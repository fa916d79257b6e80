//! Responses of HTTP/1.1, as far as Engine.IO needs them.

use std::borrow::Cow;

use super::{Failure, failure::excerpt};

/// More than any server sends.
const MAX_HEADERS: usize = 64;

/// A response; `body` is what came of it, if only the head was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    reason: String,
    pub(crate) body: Cow<'a, [u8]>,
}

enum Length {
    Bytes(usize),
    Chunked,
}

struct Head {
    status: u16,
    reason: String,
    length: Length,
    len: usize,
}

impl Response<'_> {
    /// The response as a failure: it is not the one that was hoped for.
    pub(crate) fn into_failure(self) -> Failure {
        let Self { status, reason, body } = self;
        let body = excerpt(&body);
        let separator = if body.is_empty() { "" } else { ": " };
        Failure::Answered(format!("{status} {reason}{separator}{body}"))
    }
}

/// Takes a whole response off the front of `input`; `None` if part of it is still to come.
pub(crate) fn read_response<'a>(input: &mut &'a [u8]) -> Result<Option<Response<'a>>, Failure> {
    let Some(Head { status, reason, length, len }) = read_head(input)? else { return Ok(None) };
    let rest = &input[len..];
    let (body, rest) = match length {
        Length::Bytes(len) => match rest.split_at_checked(len) {
            Some((body, rest)) => (Cow::Borrowed(body), rest),
            None => return Ok(None),
        },
        Length::Chunked => match read_chunks(rest)? {
            Some((body, rest)) => (Cow::Owned(body), rest),
            None => return Ok(None),
        },
    };
    *input = rest;
    Ok(Some(Response { status, reason, body }))
}

/// Takes the head off the front of `input` if it is one of a new protocol; any other response is
/// returned with what has come of its body.
pub(crate) fn read_upgrade<'a>(input: &mut &'a [u8]) -> Result<Option<Response<'a>>, Failure> {
    let Some(Head { status, reason, len, .. }) = read_head(input)? else { return Ok(None) };
    let (_, rest) = input.split_at(len);
    *input = rest;
    let body = if status == 101 { &[] } else { rest };
    Ok(Some(Response { status, reason, body: body.into() }))
}

fn read_head(input: &[u8]) -> Result<Option<Head>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let len = match response.parse(input) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Failure::NotSocketIo(excerpt(input))),
    };
    let mut length = Length::Bytes(0);
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).unwrap_or_default();
            let bytes =
                text.parse().map_err(|_| Failure::Protocol("Content-Length is no number"))?;
            length = Length::Bytes(bytes);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            length = Length::Chunked;
        }
    }
    let status = response.code.unwrap_or_default();
    let reason = response.reason.unwrap_or_default().to_owned();
    Ok(Some(Head { status, reason, length, len }))
}

/// The body that starts at `input`, and what follows it.
fn read_chunks(mut input: &[u8]) -> Result<Option<(Vec<u8>, &[u8])>, Failure> {
    const WRONG: Failure = Failure::Protocol("a chunk of a response is malformed");
    let mut body = Vec::new();
    loop {
        let (start, size) = match httparse::parse_chunk_size(input) {
            Ok(httparse::Status::Complete((start, size))) => (start, size as usize),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(WRONG),
        };
        // Trailers are not expected: an empty line ends each chunk and the body.
        let Some((chunk, rest)) = input[start..].split_at_checked(size) else { return Ok(None) };
        let Some((end, rest)) = rest.split_at_checked(2) else { return Ok(None) };
        if end != b"\r\n" {
            return Err(WRONG);
        }
        body.extend_from_slice(chunk);
        input = rest;
        if size == 0 {
            return Ok(Some((body, input)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_once_it_is_whole() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        for wire in [&plain[..], chunked] {
            for cut in 0..wire.len() {
                assert_eq!(read_response(&mut &wire[..cut]).unwrap(), None);
            }
            let mut input = &[wire, b"next"].concat()[..];
            let response = read_response(&mut input).unwrap().unwrap();
            assert_eq!((response.status, &*response.body), (200, &b"hello"[..]));
            assert_eq!(input, b"next");
        }
    }

    #[test]
    fn frames_may_follow_an_upgrade() {
        let mut input = &b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81"[..];
        assert_eq!(read_upgrade(&mut input).unwrap().unwrap().status, 101);
        assert_eq!(input, b"\x81");
    }

    #[test]
    fn a_refusal_shows_what_the_server_said() {
        let mut input = &b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nno page"[..];
        let failure = read_upgrade(&mut input).unwrap().unwrap().into_failure();
        assert!(failure.to_string().contains("404 Not Found: no page"), "{failure}");
        let failure = read_upgrade(&mut &b"SSH-2.0-OpenSSH_9.6\r\n"[..]).unwrap_err();
        assert!(failure.to_string().contains("SSH-2.0"), "{failure}");
    }
}
