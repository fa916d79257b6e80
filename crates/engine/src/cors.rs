//! Which pages of other origins may talk to the server.

use std::{fmt, sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderValue, Uri,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, HOST, ORIGIN, VARY,
    },
};

/// Cross-origin resource sharing: lets pages of other origins use the server.
///
/// A browser sends a page's origin along. Requests from an origin that is not allowed are refused
/// on every transport (polling 403, WebSocket 400, code 4), so a page that may not read the
/// answers cannot speak either. Requests without an origin (other programs), and from the origin
/// of the server itself, are always let in.
///
/// ```
/// use sockeye_engine::Cors;
///
/// let one = Cors::origin("http://localhost:5173");
/// let several = Cors::origins(["https://example.com", "https://www.example.com"]);
/// let computed = Cors::predicate(|origin| origin.ends_with(".example.com")).credentials(true);
/// ```
#[derive(Clone)]
pub struct Cors {
    allowed: Allowed,
    credentials: bool,
    max_age: Option<Duration>,
}

#[derive(Clone)]
enum Allowed {
    Any,
    Origins(Vec<String>),
    Predicate(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl Cors {
    /// Allows one origin, written as a browser does: scheme, host, and the port unless it is the
    /// scheme's own; no slash at the end. `*` is [`any`](Self::any).
    pub fn origin(origin: impl Into<String>) -> Self {
        Self::origins([origin])
    }

    /// Allows these origins, or with `*` among them [`any`](Self::any).
    pub fn origins<O: Into<String>>(origins: impl IntoIterator<Item = O>) -> Self {
        let origins = origins.into_iter().map(|origin| {
            let mut origin: String = origin.into();
            origin.truncate(origin.trim_end_matches('/').len());
            origin
        });
        let origins: Vec<_> = origins.collect();
        if origins.iter().any(|origin| origin == "*") {
            return Self::any();
        }
        Self::new(Allowed::Origins(origins))
    }

    /// Allows every origin that the function says yes to.
    pub fn predicate(allow: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::new(Allowed::Predicate(Arc::new(allow)))
    }

    /// Allows every page on the web.
    pub fn any() -> Self {
        Self::new(Allowed::Any)
    }

    fn new(allowed: Allowed) -> Self {
        Self { allowed, credentials: false, max_age: None }
    }

    /// Lets pages send cookies and the like (`withCredentials` in the client). Default false.
    pub fn credentials(mut self, credentials: bool) -> Self {
        self.credentials = credentials;
        self
    }

    /// For how long a browser may remember the answer to a preflight. Default: the browser's own.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    fn allows(&self, origin: &str) -> bool {
        match &self.allowed {
            Allowed::Any => true,
            Allowed::Origins(origins) => origins.iter().any(|allowed| allowed == origin),
            Allowed::Predicate(allow) => allow(origin),
        }
    }

    /// Puts the headers of an answer to a request with `request` headers.
    pub(crate) fn apply(&self, request: &HeaderMap, response: &mut HeaderMap) {
        let origin = request.get(ORIGIN);
        let reflected = origin.filter(|o| o.to_str().is_ok_and(|origin| self.allows(origin)));
        let allowed = match &self.allowed {
            Allowed::Any if !self.credentials => Some(HeaderValue::from_static("*")),
            // With one origin only there is nothing to choose, so every answer names it.
            Allowed::Origins(origins) if origins.len() == 1 => {
                HeaderValue::from_str(&origins[0]).ok()
            }
            _ => reflected.cloned(),
        };
        if allowed.as_ref().is_none_or(|allowed| allowed != "*") {
            response.insert(VARY, HeaderValue::from_static("Origin"));
        }
        response.extend(allowed.map(|allowed| (ACCESS_CONTROL_ALLOW_ORIGIN, allowed)));
        if self.credentials {
            response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    /// Puts the headers of the answer to a preflight.
    pub(crate) fn apply_preflight(&self, request: &HeaderMap, response: &mut HeaderMap) {
        self.apply(request, response);
        let methods = HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE");
        response.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        let vary = match response.contains_key(VARY) {
            true => "Origin, Access-Control-Request-Headers",
            false => "Access-Control-Request-Headers",
        };
        response.insert(VARY, HeaderValue::from_static(vary));
        if let Some(headers) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            response.insert(ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
        }
        if let Some(max_age) = self.max_age {
            response.insert(ACCESS_CONTROL_MAX_AGE, max_age.as_secs().into());
        }
    }
}

impl fmt::Debug for Cors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.allowed {
            Allowed::Any => f.write_str("any origin"),
            Allowed::Origins(origins) => f.write_str(&origins.join(", ")),
            Allowed::Predicate(_) => f.write_str("the origins that a function accepts"),
        }
    }
}

/// Whether a request's origin may speak; the refused origin if not.
///
/// Without CORS a polling request needs no check: a page of another origin cannot read the sid. A
/// WebSocket knows no such rule in the browser, so it is checked here.
pub(crate) fn check_origin(
    cors: Option<&Cors>,
    uri: &Uri,
    headers: &HeaderMap,
    upgrade: bool,
) -> Result<(), String> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = String::from_utf8_lossy(origin.as_bytes()).into_owned();
    // In HTTP/2 the host is in the URI, and there need be no header.
    let host = match headers.get(HOST) {
        Some(host) => host.to_str().ok(),
        None => uri.authority().map(|authority| authority.as_str()),
    };
    let origin_host = origin.split_once("://").map(|(_, host)| host);
    let is_same_host = host.is_some() && origin_host == host;
    let is_allowed = match cors {
        Some(cors) => cors.allows(&origin),
        None => !upgrade,
    };
    if is_allowed || is_same_host { Ok(()) } else { Err(origin) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (http::HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn an_origin_is_checked_on_every_transport_once_cors_is_set() {
        let page = headers(&[("origin", "https://a.example"), ("host", "b.example")]);
        let same = headers(&[("origin", "https://b.example"), ("host", "b.example")]);
        let listed = Cors::origin("https://a.example/");
        let other = Cors::origins(["https://c.example", "https://d.example"]);
        let suffix = Cors::predicate(|origin| origin.ends_with("a.example"));
        let path = Uri::from_static("/socket.io/");
        for upgrade in [false, true] {
            assert_eq!(check_origin(None, &path, &page, upgrade).is_ok(), !upgrade);
            assert!(check_origin(None, &path, &same, upgrade).is_ok());
            assert!(check_origin(None, &path, &HeaderMap::new(), upgrade).is_ok());
            for cors in [&listed, &suffix, &Cors::any()] {
                assert!(check_origin(Some(cors), &path, &page, upgrade).is_ok());
            }
            assert!(check_origin(Some(&other), &path, &page, upgrade).is_err());
            assert!(check_origin(Some(&other), &path, &same, upgrade).is_ok());
        }
    }

    #[test]
    fn without_a_host_header_the_uri_tells_the_host() {
        let page = headers(&[("origin", "https://a.example:8443")]);
        let check = |uri| check_origin(None, &Uri::from_static(uri), &page, true).is_ok();
        assert!(check("https://a.example:8443/socket.io/"));
        assert!(!check("https://b.example/socket.io/"));
        assert!(!check("/socket.io/"));
    }

    #[test]
    fn a_star_is_any_origin() {
        for cors in [Cors::origin("*"), Cors::origins(["https://a.example", "*"])] {
            assert!(matches!(cors.allowed, Allowed::Any));
        }
    }

    #[test]
    fn the_headers_say_who_may_read() {
        let page = headers(&[("origin", "https://a.example")]);
        let allow_origin = |cors: Cors| {
            let mut response = HeaderMap::new();
            cors.apply(&page, &mut response);
            let value = response.get(ACCESS_CONTROL_ALLOW_ORIGIN);
            let varies = response.get(VARY).is_some();
            (value.map(|value| value.to_str().unwrap().to_owned()), varies)
        };
        let page_origin = Some("https://a.example".to_owned());
        assert_eq!(allow_origin(Cors::any()), (Some("*".to_owned()), false));
        assert_eq!(allow_origin(Cors::any().credentials(true)), (page_origin.clone(), true));
        assert_eq!(allow_origin(Cors::origin("https://a.example")), (page_origin.clone(), true));
        assert_eq!(allow_origin(Cors::predicate(|_| true)), (page_origin, true));
        assert_eq!(allow_origin(Cors::predicate(|_| false)), (None, true));
    }
}
