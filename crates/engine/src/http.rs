//! HTTP requests on their way to a session.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
    request::Parts,
};
use http_body_util::Full;
use hyper::upgrade::OnUpgrade;
use sockeye_protocol::{
    Sid,
    engine::{Input, Method, Query, Refusal, RequestLine, Transport, Wanted, WebSocketId, check},
};
use sockeye_websocket::handshake::{self, HandshakeError};

use crate::{
    Application, Config, Handshake,
    cors::check_origin,
    polling,
    service::{EngineLayer, EngineService},
    session::{Inner, Shared},
    websocket,
};

/// An Engine.IO server: the sessions, and what answers their requests. Cheap to clone.
#[derive(Clone)]
pub struct Engine(pub(crate) Arc<Shared>);

pub(crate) type Answer = Response<Full<Bytes>>;

impl Engine {
    /// An engine for an application. It listens nowhere yet: see [`service`](Self::service),
    /// [`layer`](Self::layer) and [`listen`](Self::listen).
    pub fn new(config: Config, application: Arc<dyn Application>) -> Self {
        Self(Arc::new(Shared::new(config, application)))
    }

    /// A tower service that answers the engine's requests, and all others with 404.
    pub fn service(&self) -> EngineService {
        EngineService(self.clone())
    }

    /// A tower layer that answers the engine's requests and passes all others on.
    pub fn layer(&self) -> EngineLayer {
        EngineLayer(self.clone())
    }

    /// The options.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// How many sessions there are, those included that were closed and wait for a last poll.
    pub fn sessions_count(&self) -> usize {
        self.0.sessions().len()
    }

    /// Closes all sessions, opens no more, and stops listening where the engine itself listens.
    /// Returns when the WebSockets are closed, which takes a few seconds if a peer does not answer.
    pub async fn close(&self) {
        self.0.closing.send_replace(true);
        let sessions: Vec<_> = self.0.sessions().values().cloned().collect();
        sessions.into_iter().for_each(|session| crate::Session(session).close());
        let mut websockets = self.0.websockets.subscribe();
        let _ = websockets.wait_for(|count| *count == 0).await;
    }

    /// Whether requests to this path belong to the engine.
    pub(crate) fn is_mine(&self, path: &str) -> bool {
        path.starts_with(&self.0.config.path)
    }

    /// Answers a request whose path is the engine's.
    pub(crate) async fn handle<B>(&self, mut request: Request<B>) -> Answer
    where
        B: http_body::Body + Send,
        B::Data: Buf + Send,
        B::Error: Send,
    {
        let mut headers = HeaderMap::new();
        if let Some(cors) = &self.0.config.cors {
            if request.method() == http::Method::OPTIONS {
                let mut answer = status(StatusCode::NO_CONTENT);
                cors.apply_preflight(request.headers(), answer.headers_mut());
                return answer;
            }
            cors.apply(request.headers(), &mut headers);
        }
        // The connection's own part of the request must not end up in the session's handshake.
        let on_upgrade = hyper::upgrade::on(&mut request);
        request.extensions_mut().remove::<OnUpgrade>();
        let (parts, body) = request.into_parts();
        let upgrade = self.0.config.transports.contains(Transport::WebSocket)
            && asks_for_upgrade(&parts.headers);
        let mut answer = self.route(parts, body, upgrade.then_some(on_upgrade)).await;
        // A page cannot read how its WebSocket was refused, whatever the headers say.
        if !upgrade || answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            answer.headers_mut().extend(headers);
        }
        answer
    }

    async fn route<B>(&self, parts: Parts, body: B, on_upgrade: Option<OnUpgrade>) -> Answer
    where
        B: http_body::Body + Send,
        B::Data: Buf + Send,
        B::Error: Send,
    {
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let upgrade = on_upgrade.is_some();
        let method = match parts.method {
            http::Method::GET => Method::Get,
            http::Method::POST => Method::Post,
            _ => Method::Other,
        };
        let mut session = None;
        let line = RequestLine { method, query: &query, upgrade };
        let wanted = check(line, self.0.config.transports, self.0.config.allow_eio3, |sid| {
            session = self.0.session(sid);
            session.as_ref().map(|session| (session.transport(), session.handshake.revision()))
        })
        .and_then(|wanted| self.check_origin(&parts.uri, &parts.headers, upgrade).map(|()| wanted));
        let wanted = match wanted {
            Ok(wanted) => wanted,
            Err(refusal) => return refuse(&refusal, upgrade),
        };
        match (wanted, session, on_upgrade) {
            (Wanted::Session(Transport::Polling), ..) => {
                match self.open(parts, Transport::Polling) {
                    Ok(session) => polling::get(session).await,
                    Err(refusal) => refuse(&refusal, upgrade),
                }
            }
            (Wanted::Polling, Some(session), _) => match method {
                Method::Get => polling::poll(session).await,
                Method::Post => polling::post(session, &parts.headers, body).await,
                Method::Other => status(StatusCode::INTERNAL_SERVER_ERROR),
            },
            (Wanted::Session(Transport::WebSocket), _, Some(on_upgrade)) => {
                let agreement = match agree(&parts) {
                    Ok(agreement) => agreement,
                    Err(refusal) => return refusal,
                };
                match self.open(parts, Transport::WebSocket) {
                    Ok(session) => switch_protocols(agreement, on_upgrade, session, WebSocketId(0)),
                    Err(refusal) => refuse(&refusal, true),
                }
            }
            (Wanted::Upgrade, Some(session), Some(on_upgrade)) => match agree(&parts) {
                Ok(agreement) => {
                    let id = WebSocketId(session.next_id());
                    session.handle(Input::WebSocketOpened(id));
                    switch_protocols(agreement, on_upgrade, session, id)
                }
                Err(refusal) => refusal,
            },
            // The checks let nothing else through.
            _ => refuse(&Refusal::BadRequest, upgrade),
        }
    }

    fn check_origin(
        &self,
        uri: &http::Uri,
        headers: &HeaderMap,
        upgrade: bool,
    ) -> Result<(), Refusal> {
        let cors = self.0.config.cors.as_ref();
        check_origin(cors, uri, headers, upgrade).map_err(|origin| {
            match cors {
                Some(allowed) => tracing::warn!(
                    "refused the origin {origin}: only {allowed:?} may connect; to let it in, add \
                     it to the server's `Cors::origins([…])`"
                ),
                None => tracing::warn!(
                    "refused a WebSocket from the origin {origin}: it is not the server's own; to \
                     let it in, build the server with `.cors(Cors::origin(\"{origin}\"))`"
                ),
            }
            Refusal::forbidden()
        })
    }

    fn open(&self, parts: Parts, transport: Transport) -> Result<Arc<Inner>, Refusal> {
        let mut bits = [0; 15];
        getrandom::fill(&mut bits).expect("the operating system has random bits");
        let handshake = Handshake::new(parts);
        Inner::open(&self.0, Sid::from_random(bits), handshake, transport)
    }
}

/// What a WebSocket is agreed to with: the proof that the request was understood, and the
/// subprotocol.
struct Agreement {
    accept: HeaderValue,
    protocol: Option<HeaderValue>,
}

#[expect(clippy::result_large_err, reason = "it is returned as it is")]
fn agree(parts: &Parts) -> Result<Agreement, Answer> {
    let accept = handshake::accept(&parts.method, parts.version, &parts.headers);
    let protocol = first_protocol(&parts.headers);
    Ok(Agreement {
        accept: accept.map_err(refuse_websocket)?,
        protocol: protocol.map_err(|()| {
            plain(StatusCode::BAD_REQUEST, "Invalid Sec-WebSocket-Protocol header")
        })?,
    })
}

/// Answers 101 and runs the WebSocket once the connection is free for it. The session knows of it
/// already, so that it counts and can be closed.
fn switch_protocols(
    agreement: Agreement,
    on_upgrade: OnUpgrade,
    session: Arc<Inner>,
    id: WebSocketId,
) -> Answer {
    tokio::spawn(async move {
        match on_upgrade.await {
            Ok(upgraded) => {
                websocket::Driver::new(session, id, websocket::Io::new(upgraded)).await;
            }
            Err(error) => {
                tracing::debug!(%error, "a connection was lost before it was a WebSocket");
                session.handle(Input::WebSocketFailed(id));
            }
        }
    });
    let mut answer = status(StatusCode::SWITCHING_PROTOCOLS);
    let headers = answer.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, agreement.accept);
    headers.extend(agreement.protocol.map(|protocol| (SEC_WEBSOCKET_PROTOCOL, protocol)));
    answer
}

/// Whether a request wants its connection to become something else.
fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    let lists_upgrade = |value: &HeaderValue| {
        let mut tokens = value.as_bytes().split(|&byte| byte == b',');
        tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    };
    headers.contains_key(UPGRADE) && headers.get_all(CONNECTION).iter().any(lists_upgrade)
}

/// The first of the subprotocols that a client offers. It is agreed to whatever it is, since a
/// browser gives up otherwise; it changes nothing.
fn first_protocol(headers: &HeaderMap) -> Result<Option<HeaderValue>, ()> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let mut first = None;
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        for protocol in value.as_bytes().split(|&byte| byte == b',') {
            let protocol = protocol.trim_ascii();
            if protocol.is_empty() || !protocol.iter().all(is_token) {
                return Err(());
            }
            first = first.or_else(|| HeaderValue::from_bytes(protocol).ok());
        }
    }
    Ok(first)
}

/// The request may open a WebSocket, but does not ask for it as the protocol wants.
fn refuse_websocket(error: HandshakeError) -> Answer {
    match error {
        HandshakeError::Method => {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "Invalid HTTP method");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
            answer
        }
        HandshakeError::WebSocketVersion => {
            let text = "Missing or invalid Sec-WebSocket-Version header";
            let mut answer = plain(StatusCode::BAD_REQUEST, text);
            answer.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            answer
        }
        HandshakeError::Key => {
            plain(StatusCode::BAD_REQUEST, "Missing or invalid Sec-WebSocket-Key header")
        }
        HandshakeError::Upgrade => plain(StatusCode::BAD_REQUEST, "Invalid Upgrade header"),
        other => plain(StatusCode::BAD_REQUEST, other.to_string()),
    }
}

/// An answer without a body.
pub(crate) fn status(status: StatusCode) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = status;
    answer
}

/// An answer whose content depends on the moment.
pub(crate) fn content(content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn refuse(refusal: &Refusal, upgrade: bool) -> Answer {
    tracing::debug!(code = refusal.code(), %refusal, upgrade, "request refused");
    let code = StatusCode::from_u16(refusal.status(upgrade)).expect("400 and 403 are statuses");
    if upgrade {
        return plain(code, refusal.to_string());
    }
    let mut answer = Response::new(Full::new(refusal.to_json().into()));
    *answer.status_mut() = code;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
