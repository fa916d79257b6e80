//! The request that opened a session.

use std::{
    net::{IpAddr, SocketAddr},
    time::SystemTime,
};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Uri, request::Parts};
use sockeye_protocol::engine::Query;

/// The address of the peer, as an extension of a request. Where the engine itself listens it puts
/// this there; a service around it may do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteAddr(pub SocketAddr);

/// The request that opened a session, kept for as long as its sockets are.
#[derive(Debug)]
pub struct Handshake {
    uri: Uri,
    headers: HeaderMap,
    query: Query,
    extensions: Extensions,
    time: SystemTime,
}

impl Handshake {
    pub(crate) fn new(parts: Parts, query: Query) -> Self {
        Self {
            uri: to_owned_uri(&parts.uri),
            headers: to_owned_headers(&parts.headers),
            query,
            extensions: parts.extensions,
            time: SystemTime::now(),
        }
    }

    /// The path and query of the request.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The headers of the request.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The parameters of the query, decoded: `EIO`, `transport`, and what the client adds.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// What layers around the engine have put into the request.
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
        self.extensions.get::<RemoteAddr>().map(|addr| addr.0)
    }

    /// The IP address of the peer, if it is known.
    pub fn address(&self) -> Option<IpAddr> {
        self.remote_addr().map(|addr| addr.ip())
    }

    /// Whether the request came from a page of some origin: it has an `Origin` header.
    pub fn is_cross_domain(&self) -> bool {
        self.headers.contains_key(http::header::ORIGIN)
    }

    /// Whether the request came over TLS, as far as its URI tells.
    pub fn is_secure(&self) -> bool {
        self.uri.scheme() == Some(&http::uri::Scheme::HTTPS)
    }
}

/// What hyper parses shares the buffer it was read into, 8 KiB and more. A handshake lives as long
/// as its session and must not keep that alive, so it is copied.
fn to_owned_headers(headers: &HeaderMap) -> HeaderMap {
    let mut copies = HeaderMap::with_capacity(headers.keys_len());
    for (name, value) in headers {
        let copy = HeaderValue::from_bytes(value.as_bytes()).expect("it was a value before");
        copies.append(to_owned_name(name), copy);
    }
    copies
}

fn to_owned_name(name: &HeaderName) -> HeaderName {
    HeaderName::from_bytes(name.as_str().as_bytes()).expect("it was a name before")
}

fn to_owned_uri(uri: &Uri) -> Uri {
    uri.to_string().parse().expect("it was a URI before")
}
