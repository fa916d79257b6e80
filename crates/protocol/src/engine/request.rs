//! Whether an HTTP request may do what it asks for: the checks, in their order, and the refusals.
//! See "Requests" in `docs/protocol/engine-io.md`.

use std::borrow::Cow;

use super::{Revision, Transport, Transports};

/// The decoded parameters of a request's query, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Parses `EIO=4&transport=polling`. Percent-escapes are decoded, `+` is a space.
    pub fn parse(query: &'a str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).collect())
    }

    /// The value of that name; the last one if there are several, as in the reference.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// All pairs.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// The methods that mean something to Engine.IO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Opens a session, or polls.
    Get,
    /// Brings packets.
    Post,
    /// Any other.
    Other,
}

/// What the checks look at.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'a> {
    /// The method.
    pub method: Method,
    /// The query.
    pub query: &'a Query<'a>,
    /// Whether the request asks to become a WebSocket (it has an `Upgrade` header).
    pub upgrade: bool,
}

/// A request may not do what it asks for.
///
/// A polling request is told so in JSON, `{"code":1,"message":"Session ID unknown"}`; an upgrade
/// gets the bare message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The `transport` parameter is absent, unknown, or names a transport that is switched off.
    #[error("Transport unknown")]
    TransportUnknown,
    /// No session has this `sid`.
    #[error("Session ID unknown")]
    SessionUnknown,
    /// A session can be opened with GET only.
    #[error("Bad handshake method")]
    BadHandshakeMethod,
    /// The request contradicts itself or its session.
    #[error("Bad request")]
    BadRequest,
    /// The application or the origin check refused it; the text is theirs.
    #[error("{0}")]
    Forbidden(String),
    /// The `EIO` parameter is not a revision that this server speaks.
    #[error("Unsupported protocol version")]
    UnsupportedProtocolVersion,
}

impl Refusal {
    /// Forbidden without a text of the application's.
    pub fn forbidden() -> Self {
        Self::Forbidden("Forbidden".to_owned())
    }

    /// The number that clients see.
    pub fn code(&self) -> u8 {
        match self {
            Self::TransportUnknown => 0,
            Self::SessionUnknown => 1,
            Self::BadHandshakeMethod => 2,
            Self::BadRequest => 3,
            Self::Forbidden(_) => 4,
            Self::UnsupportedProtocolVersion => 5,
        }
    }

    /// The status of the answer. An upgrade request gets 400 for everything.
    pub fn status(&self, upgrade: bool) -> u16 {
        match self {
            Self::Forbidden(_) if !upgrade => 403,
            _ => 400,
        }
    }

    /// The body for a polling request.
    pub fn to_json(&self) -> String {
        let message = serde_json::Value::from(self.to_string());
        format!(r#"{{"code":{},"message":{message}}}"#, self.code())
    }
}

/// What a request that passed the checks wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A new session on this transport.
    Session(Transport),
    /// A poll, or a POST of packets, of the session that was looked up.
    Polling,
    /// To take the session that was looked up over to a WebSocket.
    Upgrade,
}

/// Checks a request. `allow_v3` is whether [`Revision::V3`] may be spoken; `session` tells the
/// transport and the revision of the session with that id, if there is one.
///
/// The order of the checks is the reference's: transport, session, method, revision.
pub fn check(
    line: RequestLine<'_>,
    allowed: Transports,
    allow_v3: bool,
    session: impl FnOnce(&str) -> Option<(Transport, Revision)>,
) -> Result<Wanted, Refusal> {
    let transport = line
        .query
        .get("transport")
        .and_then(Transport::from_name)
        .filter(|&transport| allowed.contains(transport))
        .ok_or(Refusal::TransportUnknown)?;
    // Only a WebSocket is asked for with an upgrade request, and it is asked for in no other way.
    let matches_upgrade = line.upgrade == (transport == Transport::WebSocket);
    let revision = Revision::asked_by(line.query);

    let Some(sid) = line.query.get("sid").filter(|sid| !sid.is_empty()) else {
        if line.method != Method::Get {
            return Err(Refusal::BadHandshakeMethod);
        }
        if !matches_upgrade {
            return Err(Refusal::BadRequest);
        }
        if revision == Revision::V3 && !allow_v3 {
            return Err(Refusal::UnsupportedProtocolVersion);
        }
        return Ok(Wanted::Session(transport));
    };
    let (current, spoken) = session(sid).ok_or(Refusal::SessionUnknown)?;
    if !matches_upgrade || revision != spoken {
        return Err(Refusal::BadRequest);
    }
    match (line.upgrade, current) {
        (true, _) => Ok(Wanted::Upgrade),
        (false, Transport::Polling) => Ok(Wanted::Polling),
        (false, Transport::WebSocket) => Err(Refusal::BadRequest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(method: Method, query: &str, upgrade: bool) -> Result<Wanted, Refusal> {
        let query = Query::parse(query);
        verdict_of(RequestLine { method, query: &query, upgrade }, false)
    }

    fn verdict_of(line: RequestLine<'_>, allow_v3: bool) -> Result<Wanted, Refusal> {
        check(line, Transports::ALL, allow_v3, |sid| match sid {
            "polling" => Some((Transport::Polling, Revision::V4)),
            "websocket" => Some((Transport::WebSocket, Revision::V4)),
            "old" => Some((Transport::Polling, Revision::V3)),
            _ => None,
        })
    }

    #[test]
    fn the_checks_and_their_order() {
        use Method::{Get, Other, Post};
        use Refusal::*;
        let table = [
            (Get, "EIO=4&transport=polling", false, Ok(Wanted::Session(Transport::Polling))),
            (Get, "EIO=4&transport=websocket", true, Ok(Wanted::Session(Transport::WebSocket))),
            (Get, "EIO=4&transport=polling&sid=polling", false, Ok(Wanted::Polling)),
            (Post, "EIO=4&transport=polling&sid=polling", false, Ok(Wanted::Polling)),
            (Get, "EIO=4&transport=websocket&sid=polling", true, Ok(Wanted::Upgrade)),
            (Get, "EIO=4", false, Err(TransportUnknown)),
            (Get, "EIO=4&transport=tcp", false, Err(TransportUnknown)),
            (Post, "transport=tcp&sid=none", false, Err(TransportUnknown)),
            (Get, "EIO=4&transport=polling&sid=none", false, Err(SessionUnknown)),
            (Get, "EIO=4&transport=polling&sid=__proto__", false, Err(SessionUnknown)),
            (Get, "EIO=4&transport=polling&sid=", false, Ok(Wanted::Session(Transport::Polling))),
            (Get, "EIO=4&transport=tcp&transport=polling&sid=polling", false, Ok(Wanted::Polling)),
            (Post, "EIO=4&transport=polling", false, Err(BadHandshakeMethod)),
            (Other, "EIO=3&transport=polling", false, Err(BadHandshakeMethod)),
            (Get, "EIO=4&transport=websocket", false, Err(BadRequest)),
            (Get, "EIO=4&transport=polling", true, Err(BadRequest)),
            (Get, "EIO=4&transport=websocket&sid=polling", false, Err(BadRequest)),
            (Get, "EIO=4&transport=polling&sid=websocket", false, Err(BadRequest)),
            (Get, "EIO=3&transport=polling&sid=polling", false, Err(BadRequest)),
            (Get, "transport=polling", false, Err(UnsupportedProtocolVersion)),
            (Get, "EIO=3&transport=polling", false, Err(UnsupportedProtocolVersion)),
        ];
        for (method, query, upgrade, expected) in table {
            assert_eq!(verdict(method, query, upgrade), expected, "{method:?} {query} {upgrade}");
        }
    }

    #[test]
    fn revision_3_is_spoken_where_it_is_allowed_and_a_session_keeps_its_own() {
        let verdict = |query: &str| {
            let query = Query::parse(query);
            verdict_of(RequestLine { method: Method::Get, query: &query, upgrade: false }, true)
        };
        for eio in ["EIO=3&", "EIO=5&", ""] {
            let opened = verdict(&format!("{eio}transport=polling"));
            assert_eq!(opened, Ok(Wanted::Session(Transport::Polling)), "{eio}");
            let polled = verdict(&format!("{eio}transport=polling&sid=old"));
            assert_eq!(polled, Ok(Wanted::Polling), "{eio}");
            let mixed = verdict(&format!("{eio}transport=polling&sid=polling"));
            assert_eq!(mixed, Err(Refusal::BadRequest), "{eio}");
        }
        let mixed = verdict("EIO=4&transport=polling&sid=old");
        assert_eq!(mixed, Err(Refusal::BadRequest));
    }

    #[test]
    fn a_transport_that_is_off_is_unknown() {
        let query = Query::parse("EIO=4&transport=polling");
        let line = RequestLine { method: Method::Get, query: &query, upgrade: false };
        let only_websocket = Transports::from([Transport::WebSocket]);
        assert_eq!(check(line, only_websocket, false, |_| None), Err(Refusal::TransportUnknown));
    }

    #[test]
    fn every_refusal_has_its_code_status_and_body() {
        let table = [
            (Refusal::TransportUnknown, 400, r#"{"code":0,"message":"Transport unknown"}"#),
            (Refusal::SessionUnknown, 400, r#"{"code":1,"message":"Session ID unknown"}"#),
            (Refusal::BadHandshakeMethod, 400, r#"{"code":2,"message":"Bad handshake method"}"#),
            (Refusal::BadRequest, 400, r#"{"code":3,"message":"Bad request"}"#),
            (Refusal::forbidden(), 403, r#"{"code":4,"message":"Forbidden"}"#),
            (Refusal::Forbidden("a \"no\"".into()), 403, r#"{"code":4,"message":"a \"no\""}"#),
            (
                Refusal::UnsupportedProtocolVersion,
                400,
                r#"{"code":5,"message":"Unsupported protocol version"}"#,
            ),
        ];
        for (refusal, status, body) in table {
            assert_eq!((refusal.status(false), refusal.to_json()), (status, body.to_owned()));
            assert_eq!(refusal.status(true), 400);
        }
    }
}
