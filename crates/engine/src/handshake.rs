//! The request that opened a session.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    time::SystemTime,
};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri, request::Parts};
use sockeye_protocol::engine::{Dialect, Query, Revision};

/// The address of the peer, as an extension of a request. Where the engine itself listens it puts
/// this there; a service around it may do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteAddr(pub SocketAddr);

/// The request that opened a session, kept for as long as its sockets are.
///
/// A server has one for every client, and few are ever looked at, so it is kept as bytes in one
/// piece. [`uri`](Self::uri), [`query`](Self::query) and [`headers`](Self::headers) take it apart
/// each time they are called; [`header`](Self::header) finds one header without that.
pub struct Handshake {
    head: Head,
    extensions: Extensions,
    time: SystemTime,
    remote_addr: Option<SocketAddr>,
    is_secure: bool,
    dialect: Dialect,
}

impl Handshake {
    pub(crate) fn new(mut parts: Parts) -> Self {
        let dialect = Dialect::asked_by(&Query::parse(parts.uri.query().unwrap_or_default()));
        let remote_addr = parts.extensions.remove::<RemoteAddr>().map(|addr| addr.0);
        Self {
            head: Head::new(&parts.uri, &parts.headers),
            // One that is empty may hold memory, too.
            extensions: if parts.extensions.is_empty() {
                Extensions::new()
            } else {
                parts.extensions
            },
            time: SystemTime::now(),
            remote_addr,
            is_secure: parts.uri.scheme() == Some(&http::uri::Scheme::HTTPS),
            dialect,
        }
    }

    /// The path and query of the request.
    pub fn uri(&self) -> Uri {
        self.head.uri().parse().expect("it was a URI before")
    }

    /// The headers of the request.
    pub fn headers(&self) -> HeaderMap {
        self.head.headers().map(|(name, value)| (to_name(name), to_value(value))).collect()
    }

    /// The first header of that name, in any case, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let is_it = |found: &[u8]| found.eq_ignore_ascii_case(name.as_bytes());
        let (_, value) = self.head.headers().find(|(found, _)| is_it(found))?;
        std::str::from_utf8(value).ok()
    }

    /// The parameters of the query, decoded: `EIO`, `transport`, and what the client adds.
    pub fn query(&self) -> Query<'_> {
        Query::parse(self.head.uri().split_once('?').map_or("", |(_, query)| query))
    }

    /// The revision of Engine.IO that the client speaks. [`Revision::V3`] is that of Socket.IO 1 and
    /// 2; see [`Config::allow_eio3`](crate::Config::allow_eio3).
    pub fn revision(&self) -> Revision {
        self.dialect.revision
    }

    /// How the client wants its packets.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What layers around the engine have put into the request, but for [`RemoteAddr`], which is
    /// [`remote_addr`](Self::remote_addr).
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// When the session was opened.
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// The address of the peer, if it is known: the other end of the connection, which may be a
    /// proxy.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote_addr
    }

    /// The IP address of the peer, if it is known.
    pub fn address(&self) -> Option<IpAddr> {
        self.remote_addr.map(|addr| addr.ip())
    }

    /// Whether the request came from a page of some origin: it has an `Origin` header.
    pub fn is_cross_domain(&self) -> bool {
        self.header("origin").is_some()
    }

    /// Whether the request came over TLS, as far as its URI tells.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("uri", &self.head.uri())
            .field("headers", &self.headers())
            .field("extensions", &self.extensions)
            .field("time", &self.time)
            .field("remote_addr", &self.remote_addr)
            .finish()
    }
}

/// A URI and headers in one piece of memory: the URI, then each name and value, each of them after
/// its length in two bytes. Instead of a name that browsers send there are two bytes that say which.
///
/// What hyper parses shares the buffer it was read into, 8 KiB and more, and its map of headers
/// takes three times as much memory as the headers themselves.
struct Head(Box<[u8]>);

/// What browsers send when they open a session, and proxies add.
const COMMON: [&str; 32] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "pragma",
    "priority",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-storage-access",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
];

/// In place of a length: from here on it is an index into [`COMMON`].
const FIRST_COMMON: u16 = u16::MAX - COMMON.len() as u16;

impl Head {
    fn new(uri: &Uri, headers: &HeaderMap) -> Self {
        // hyper takes no head of such a length; should another server, what is too long is left out.
        let fits = |part: &[u8]| part.len() < usize::from(FIRST_COMMON);
        let uri = uri.to_string();
        let uri = if fits(uri.as_bytes()) { uri.as_str() } else { "/" };
        let length = |(name, value): (&HeaderName, &HeaderValue)| {
            2 + name.as_str().len() + 2 + value.as_bytes().len()
        };
        let most = 2 + uri.len() + headers.iter().map(length).sum::<usize>();
        let mut bytes = Vec::with_capacity(most);
        push(&mut bytes, uri.as_bytes());
        for (name, value) in headers {
            if !fits(name.as_str().as_bytes()) || !fits(value.as_bytes()) {
                continue;
            }
            match COMMON.binary_search(&name.as_str()) {
                Ok(index) => {
                    bytes.extend_from_slice(&(FIRST_COMMON + index as u16).to_be_bytes());
                }
                Err(_) => push(&mut bytes, name.as_str().as_bytes()),
            }
            push(&mut bytes, value.as_bytes());
        }
        Self(bytes.into())
    }

    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk()?;
            let length = u16::from_be_bytes(*length);
            let common = length.checked_sub(FIRST_COMMON).map(usize::from);
            if let Some(name) = common.and_then(|index| COMMON.get(index)) {
                rest = after;
                return Some(name.as_bytes());
            }
            let (part, after) = after.split_at(usize::from(length));
            rest = after;
            Some(part)
        })
    }

    fn uri(&self) -> &str {
        let uri = self.parts().next().unwrap_or_default();
        std::str::from_utf8(uri).expect("a URI is text")
    }

    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut parts = self.parts().skip(1);
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }
}

/// Appends what is shorter than [`FIRST_COMMON`].
fn push(bytes: &mut Vec<u8>, part: &[u8]) {
    let length = u16::try_from(part.len()).expect("it is not that long");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(part);
}

fn to_name(name: &[u8]) -> HeaderName {
    HeaderName::from_bytes(name).expect("it was a name before")
}

fn to_value(value: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(value).expect("it was a value before")
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_request_is_kept_as_it_was() {
        let request = Request::get("/socket.io/?EIO=4&name=%C3%A9")
            .header("Origin", "http://example.com")
            .header("User-Agent", "")
            .header("X-Twice", "1")
            .header("X-Twice", "2")
            .header("X-Odd", HeaderValue::from_bytes(b"\xff").unwrap())
            .body(())
            .unwrap();
        let (parts, ()) = request.into_parts();
        let handshake = Handshake::new(parts.clone());
        assert!(COMMON.is_sorted());
        assert_eq!((handshake.uri(), handshake.headers()), (parts.uri, parts.headers));
        assert_eq!(handshake.query().get("name"), Some("é"));
        assert_eq!(handshake.header("x-twice"), Some("1"));
        assert_eq!((handshake.header("x-odd"), handshake.header("x")), (None, None));
        assert!(handshake.is_cross_domain() && !handshake.is_secure());
    }
}
