//! Where the server is, and what every request to it carries.

use std::{sync::Mutex, time::Duration};

use form_urlencoded::Serializer;
use http::{HeaderMap, HeaderValue, Uri, header::COOKIE};
use sockeye_protocol::engine::{Revision, Transport};

use super::cookies::Jar;

/// A server, and how to speak to it.
pub(crate) struct Target {
    pub(super) secure: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    /// As it stands in the header `Host`: without a port that goes without saying.
    pub(super) authority: String,
    pub(super) options: TargetOptions,
    cookies: Option<Mutex<Jar>>,
}

/// What a user can choose.
pub(crate) struct TargetOptions {
    /// The path of the requests, slashes included.
    pub(crate) path: String,
    pub(crate) revision: Revision,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) keep_cookies: bool,
    /// The name of a parameter that makes each request different, for caches on the way.
    pub(crate) timestamp_param: Option<String>,
    /// Whether WebSockets have it as well.
    pub(crate) timestamp_websockets: bool,
    pub(crate) proxy: Option<super::Proxy>,
    pub(crate) max_message_bytes: usize,
    /// How long the answer to a POST may take.
    pub(crate) request_timeout: Duration,
    #[cfg(feature = "tls")]
    pub(crate) tls: super::Tls,
}

/// What is left of a URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) secure: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) authority: String,
    /// The path, which names a namespace: `/` or `/admin`.
    pub(crate) namespace: String,
    pub(crate) query: Vec<(String, String)>,
}

/// The address of the server is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It is no URL: why. The URL itself is not repeated, since it may hold a password or a token.
    #[error("this is no URL: {0}")]
    Invalid(String),
    /// It has no scheme, or another one.
    #[error("the URL must begin with http://, https://, ws:// or wss://")]
    Scheme,
    /// The proxy's URL has another scheme.
    #[error("the URL of a proxy must begin with http://")]
    ProxyScheme,
    /// It has no host.
    #[error("the URL has no host")]
    Host,
    /// The URL wants TLS, and the feature `tls` is switched off.
    #[error("this client was built without the feature `tls`")]
    Tls,
}

impl UrlError {
    pub(super) fn invalid(error: http::uri::InvalidUri) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// Takes a URL apart: `https://example.com/admin?token=t` is the namespace `/admin` on that server.
pub(crate) fn parse_url(url: &str) -> Result<Parts, UrlError> {
    let uri: Uri = url.parse().map_err(UrlError::invalid)?;
    let secure = match uri.scheme_str() {
        Some("http" | "ws") => false,
        Some("https" | "wss") => true,
        _ => return Err(UrlError::Scheme),
    };
    if secure && cfg!(not(feature = "tls")) {
        return Err(UrlError::Tls);
    }
    let host = uri.host().filter(|host| !host.is_empty()).ok_or(UrlError::Host)?;
    let default_port = if secure { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(default_port);
    let authority = if port == default_port { host.to_owned() } else { format!("{host}:{port}") };
    let query = uri.query().unwrap_or_default();
    Ok(Parts {
        secure,
        host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        port,
        authority,
        namespace: uri.path().to_owned(),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
    })
}

impl Target {
    pub(crate) fn new(parts: Parts, options: TargetOptions) -> Self {
        let Parts { secure, host, port, authority, .. } = parts;
        let cookies = options.keep_cookies.then(Mutex::default);
        Self { secure, host, port, authority, options, cookies }
    }

    /// Host and port, as a proxy wants them.
    pub(super) fn full_authority(&self) -> String {
        let is_v6 = self.host.contains(':');
        let (open, close) = if is_v6 { ("[", "]") } else { ("", "") };
        format!("{open}{}{close}:{}", self.host, self.port)
    }

    /// Path and query of a request: `/socket.io/?EIO=4&transport=polling&t=…&sid=…`.
    pub(super) fn path_and_query(&self, transport: Transport, sid: Option<&str>) -> String {
        let start = format!("{}?", self.options.path);
        let position = start.len();
        let mut query = Serializer::for_suffix(start, position);
        query.append_pair("EIO", self.options.revision.number());
        query.append_pair("transport", transport.name());
        if self.options.revision == Revision::V3 {
            query.append_pair("b64", "1");
        }
        let reserved = ["EIO", "transport", "sid"];
        for (name, value) in &self.options.query {
            if !reserved.contains(&name.as_str()) {
                query.append_pair(name, value);
            }
        }
        let is_stamped = transport == Transport::Polling || self.options.timestamp_websockets;
        if let Some(name) = self.options.timestamp_param.as_ref().filter(|_| is_stamped) {
            query.append_pair(name, &stamp());
        }
        if let Some(sid) = sid {
            query.append_pair("sid", sid);
        }
        query.finish()
    }

    /// The headers of a request: those of the user, and the cookies that the server has set.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = self.options.headers.clone();
        let kept = self.cookies.as_ref().and_then(|jar| jar.lock().ok()?.header());
        if let Some(kept) = kept {
            let own = headers.get(COOKIE).and_then(|own| own.to_str().ok());
            let both = own.map_or(kept.clone(), |own| format!("{own}; {kept}"));
            if let Ok(value) = HeaderValue::try_from(both) {
                headers.insert(COOKIE, value);
            }
        }
        headers
    }

    /// Keeps the cookies of an answer.
    pub(super) fn keep_cookies(&self, headers: &HeaderMap) {
        if let Some(mut jar) = self.cookies.as_ref().and_then(|jar| jar.lock().ok()) {
            jar.keep(headers);
        }
    }
}

/// Eight characters that no other request had.
fn stamp() -> String {
    const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("the operating system has random bits");
    random.iter().map(|byte| char::from(DIGITS[usize::from(byte % 64)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_the_server_and_the_namespace() {
        let parts = parse_url("http://example.com/admin?a=1&b=%20").unwrap();
        assert_eq!((parts.secure, parts.port), (false, 80));
        assert_eq!((&*parts.host, &*parts.authority), ("example.com", "example.com"));
        assert_eq!(parts.namespace, "/admin");
        assert_eq!(parts.query, [("a".into(), "1".into()), ("b".into(), " ".into())]);
        let parts = parse_url("ws://[::1]:3000").unwrap();
        assert_eq!((&*parts.host, &*parts.authority, parts.port), ("::1", "[::1]:3000", 3000));
        assert_eq!(parts.namespace, "/");
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_port_that_goes_without_saying_is_not_said() {
        let parts = parse_url("https://example.com:443").unwrap();
        assert_eq!((&*parts.authority, parts.port, parts.secure), ("example.com", 443, true));
    }

    #[test]
    fn a_request_carries_what_the_protocol_and_the_user_want() {
        let options = TargetOptions {
            path: "/socket.io/".to_owned(),
            revision: Revision::V4,
            query: vec![("a b".into(), "&é".into()), ("EIO".into(), "9".into())],
            headers: HeaderMap::new(),
            keep_cookies: true,
            timestamp_param: None,
            timestamp_websockets: true,
            proxy: None,
            max_message_bytes: 1,
            request_timeout: Duration::ZERO,
            #[cfg(feature = "tls")]
            tls: crate::Tls::default(),
        };
        let mut target = Target::new(parse_url("http://x").unwrap(), options);
        let expected = "/socket.io/?EIO=4&transport=polling&a+b=%26%C3%A9&sid=s%2F";
        assert_eq!(target.path_and_query(Transport::Polling, Some("s/")), expected);
        target.options.timestamp_param = Some("t".to_owned());
        let stamped = |transport| target.path_and_query(transport, None);
        assert_ne!(stamped(Transport::WebSocket), stamped(Transport::WebSocket));
        assert!(stamped(Transport::Polling).contains("&t="));
    }

    #[test]
    fn cookies_go_along_with_those_of_the_user() {
        let options = TargetOptions {
            path: "/".to_owned(),
            revision: Revision::V3,
            query: Vec::new(),
            headers: [(COOKIE, HeaderValue::from_static("own=1"))].into_iter().collect(),
            keep_cookies: true,
            timestamp_param: None,
            timestamp_websockets: false,
            proxy: None,
            max_message_bytes: 1,
            request_timeout: Duration::ZERO,
            #[cfg(feature = "tls")]
            tls: crate::Tls::default(),
        };
        let target = Target::new(parse_url("http://x").unwrap(), options);
        let mut answer = HeaderMap::new();
        answer.insert(http::header::SET_COOKIE, HeaderValue::from_static("lb=2; Path=/"));
        target.keep_cookies(&answer);
        assert_eq!(target.headers()[COOKIE], "own=1; lb=2");
        let path = target.path_and_query(Transport::WebSocket, None);
        assert_eq!(path, "/?EIO=3&transport=websocket&b64=1");
    }

    #[test]
    fn what_is_no_address_says_why() {
        assert_eq!(parse_url("localhost:3000"), Err(UrlError::Scheme));
        assert_eq!(parse_url("ftp://x"), Err(UrlError::Scheme));
        assert_eq!(parse_url("/path"), Err(UrlError::Scheme));
        assert!(matches!(parse_url("http://a b"), Err(UrlError::Invalid(_))));
    }
}
