//! The HTTP exchange that turns a connection into a WebSocket.
//!
//! ```text
//! GET /socket.io/?EIO=4&transport=websocket HTTP/1.1
//! Connection: Upgrade
//! Upgrade: websocket
//! Sec-WebSocket-Version: 13
//! Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
//!
//! HTTP/1.1 101 Switching Protocols
//! Connection: Upgrade
//! Upgrade: websocket
//! Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
//! ```
//!
//! A server calls [`is_upgrade`] to route a request and [`accept`] to check it; a client makes a key
//! with [`generate_key`] and checks the response with [`verify`]. Reading and writing HTTP is left
//! to the caller, and so are `Origin` and subprotocols. All header values are read in one pass.
//!
//! # Examples
//!
//! ```
//! use http::{Method, Request, Version};
//! use sockeye_websocket::handshake;
//!
//! let request = Request::get("/socket.io/?EIO=4&transport=websocket")
//!     .header("connection", "keep-alive, Upgrade")
//!     .header("upgrade", "websocket")
//!     .header("sec-websocket-version", "13")
//!     .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
//!     .body(())?;
//!
//! let accept = handshake::accept(request.method(), request.version(), request.headers())?;
//! assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, StatusCode, Version};
use sha1::{Digest, Sha1};
use thiserror::Error;

/// Fixed by the protocol, so that only who knows it can answer a key.
const ACCEPT_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A request or a response that does not lead to a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The request's method has to be GET.
    #[error("request method is not GET")]
    Method,
    /// HTTP/1.0 knows no upgrades, HTTP/2 and later do them another way.
    #[error("request is not HTTP/1.1")]
    HttpVersion,
    /// Also raised for a response.
    #[error("header `Connection` does not contain `upgrade`")]
    Connection,
    /// Also raised for a response.
    #[error("header `Upgrade` does not contain `websocket`")]
    Upgrade,
    /// Missing, repeated, or another version.
    #[error("header `Sec-WebSocket-Version` is not 13")]
    WebSocketVersion,
    /// Missing, repeated, or malformed.
    #[error("header `Sec-WebSocket-Key` is not 16 bytes in base64")]
    Key,
    /// The server answered something else than 101.
    #[error("response status is {0}, not 101")]
    Status(u16),
    /// Missing, repeated, or the answer to another key.
    #[error("header `Sec-WebSocket-Accept` does not match the key")]
    Accept,
    /// The server uses an extension that was not offered.
    #[error("response has a header `Sec-WebSocket-Extensions` that was not asked for")]
    Extensions,
}

impl HandshakeError {
    /// The status of a server's refusal.
    ///
    /// A response of 426 should also carry `Sec-WebSocket-Version: 13`, one of 405 `Allow: GET`.
    pub fn status(&self) -> StatusCode {
        match self {
            HandshakeError::Method => StatusCode::METHOD_NOT_ALLOWED,
            HandshakeError::WebSocketVersion => StatusCode::UPGRADE_REQUIRED,
            HandshakeError::HttpVersion
            | HandshakeError::Connection
            | HandshakeError::Upgrade
            | HandshakeError::Key => StatusCode::BAD_REQUEST,
            // Faults of a server that we asked, should someone pass them on.
            HandshakeError::Status(_) | HandshakeError::Accept | HandshakeError::Extensions => {
                StatusCode::BAD_GATEWAY
            }
        }
    }
}

/// Whether a request asks for a WebSocket at all, which does not make it a valid one.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    contains_token(headers, &UPGRADE, b"websocket")
}

/// Checks a request, and returns the value of `Sec-WebSocket-Accept` for the response.
///
/// # Errors
///
/// The first thing that is missing or wrong.
pub fn accept(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
) -> Result<HeaderValue, HandshakeError> {
    if method != Method::GET {
        return Err(HandshakeError::Method);
    }
    if version != Version::HTTP_11 {
        return Err(HandshakeError::HttpVersion);
    }
    check_upgrade_headers(headers)?;
    if only_value(headers, &SEC_WEBSOCKET_VERSION) != Some(b"13") {
        return Err(HandshakeError::WebSocketVersion);
    }
    match only_value(headers, &SEC_WEBSOCKET_KEY) {
        Some(key) if is_key(key) => Ok(accept_key(key)),
        _ => Err(HandshakeError::Key),
    }
}

/// The value of `Sec-WebSocket-Accept` that answers `key`, as base64 and not decoded.
pub fn accept_key(key: &[u8]) -> HeaderValue {
    let digest = Sha1::new().chain_update(key).chain_update(ACCEPT_GUID).finalize();
    base64_value(&digest)
}

/// The value of `Sec-WebSocket-Key` for a request, from bytes that are random for each request.
pub fn generate_key(random: [u8; 16]) -> HeaderValue {
    base64_value(&random)
}

/// Checks the response to a request that carried `key` and offered no extension.
///
/// # Errors
///
/// The first thing that is missing or wrong.
pub fn verify(
    key: &HeaderValue,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<(), HandshakeError> {
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(HandshakeError::Status(status.as_u16()));
    }
    check_upgrade_headers(headers)?;
    if only_value(headers, &SEC_WEBSOCKET_ACCEPT) != Some(accept_key(key.as_bytes()).as_bytes()) {
        return Err(HandshakeError::Accept);
    }
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err(HandshakeError::Extensions);
    }
    Ok(())
}

fn check_upgrade_headers(headers: &HeaderMap) -> Result<(), HandshakeError> {
    if !contains_token(headers, &CONNECTION, b"upgrade") {
        return Err(HandshakeError::Connection);
    }
    if !contains_token(headers, &UPGRADE, b"websocket") {
        return Err(HandshakeError::Upgrade);
    }
    Ok(())
}

/// Looks for `token` in the comma-separated lists of all headers called `name`.
fn contains_token(headers: &HeaderMap, name: &HeaderName, token: &[u8]) -> bool {
    let mut lists = headers.get_all(name).iter();
    lists.any(|list| {
        let mut tokens = list.as_bytes().split(|&byte| byte == b',');
        tokens.any(|candidate| candidate.trim_ascii().eq_ignore_ascii_case(token))
    })
}

/// The value of a header that occurs exactly once.
fn only_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes().trim_ascii()),
        _ => None,
    }
}

/// Whether `key` is 16 bytes in base64.
///
/// The four bits that its last digit has too many may be anything: some clients draw random digits
/// instead of random bytes, and the key is never decoded.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key[..22].iter().all(is_digit) && key.ends_with(b"==")
}

fn base64_value(bytes: &[u8]) -> HeaderValue {
    HeaderValue::try_from(STANDARD.encode(bytes)).expect("base64 is visible ASCII")
}
