//! GETs and POSTs, over connections that are kept between them.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, Uri,
    header::{ACCEPT, CONTENT_TYPE, HOST},
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use sockeye_protocol::engine::{Failure, Transport};
use tokio::time::timeout;

use super::{
    Target,
    connect::{Stream, connect},
    failure_of,
};

/// How long a connection is kept for the next request: less than Node.js keeps its end, 5 s, so that
/// a request does not meet its close.
const IDLE: Duration = Duration::from_secs(4);

/// The HTTP client of one manager.
pub(super) struct Polling {
    target: Arc<Target>,
    client: Client<Connector, Full<Bytes>>,
}

impl Polling {
    pub(super) fn new(target: Arc<Target>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(Connector(target.clone()));
        Self { target, client }
    }

    /// A GET: the status and the body of its answer. The body of a success is text.
    pub(super) fn get(
        &self,
        sid: Option<&str>,
    ) -> impl Future<Output = Result<(u16, Bytes), Failure>> + Send + use<> {
        let answer = self.request(Method::GET, sid, Bytes::new());
        let target = self.target.clone();
        async move {
            let answer = answer.await?;
            let status = answer.status();
            let body = read(answer.into_body(), target.options.max_message_bytes).await?;
            if status.is_success() && std::str::from_utf8(&body).is_err() {
                return Err(Failure::Protocol("the answer to a poll is not UTF-8".to_owned()));
            }
            Ok((status.as_u16(), body))
        }
    }

    /// A POST: the status of its answer, if that is a success.
    pub(super) fn post(
        &self,
        sid: Option<&str>,
        body: Bytes,
    ) -> impl Future<Output = Result<u16, Failure>> + Send + use<> {
        let answer = self.request(Method::POST, sid, body);
        let target = self.target.clone();
        async move {
            let exchange = async {
                let answer = answer.await?;
                let status = answer.status();
                // To its end, so that the connection can be used again.
                let body = read(answer.into_body(), target.options.max_message_bytes).await?;
                if status.is_success() {
                    Ok(status.as_u16())
                } else {
                    Err(Failure::refused(status.as_u16(), &body))
                }
            };
            timeout(target.options.request_timeout, exchange)
                .await
                .unwrap_or(Err(Failure::TimedOut))
        }
    }

    fn request(
        &self,
        method: Method,
        sid: Option<&str>,
        body: Bytes,
    ) -> impl Future<Output = Result<Response<Incoming>, Failure>> + Send + use<> {
        let target = self.target.clone();
        let client = self.client.clone();
        let path = target.path_and_query(Transport::Polling, sid);
        async move {
            let scheme = if target.secure { "https" } else { "http" };
            let uri = Uri::builder()
                .scheme(scheme)
                .authority(target.authority.as_str())
                .path_and_query(path)
                .build()
                .map_err(|error| Failure::Io(error.to_string()))?;
            let is_post = method == Method::POST;
            let mut request = Request::new(Full::new(body));
            *request.method_mut() = method;
            *request.uri_mut() = uri;
            let headers = request.headers_mut();
            *headers = target.headers();
            headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
            if is_post {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
            }
            if !headers.contains_key(HOST) {
                let host = HeaderValue::try_from(target.authority.as_str());
                headers.extend(host.ok().map(|host| (HOST, host)));
            }
            let answer = client.request(request).await.map_err(|error| failure_of(&error))?;
            target.keep_cookies(answer.headers());
            Ok(answer)
        }
    }
}

/// Reads a body, up to a limit.
pub(super) async fn read(body: Incoming, max_bytes: usize) -> Result<Bytes, Failure> {
    match Limited::new(body, max_bytes).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Failure::Protocol(format!("an answer is over the limit of {max_bytes} bytes")))
        }
        Err(error) => Err(failure_of(&*error)),
    }
}

/// Makes connections for the HTTP client.
#[derive(Clone)]
struct Connector(Arc<Target>);

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let target = self.0.clone();
        Box::pin(async move { connect(&target).await.map(TokioIo::new) })
    }
}
