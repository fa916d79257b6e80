//! What is not Socket.IO: `/healthz` and `/counts`.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower_service::Service;

/// How long a shutdown may take.
pub(crate) const GRACE: Duration = Duration::from_millis(1500);

/// Answers the requests that are not the library's.
#[derive(Clone)]
pub(crate) struct Fallback {
    counts: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Fallback {
    pub(crate) fn new(counts: Arc<dyn Fn() -> String + Send + Sync>) -> Self {
        Self { counts }
    }
}

impl<B> Service<Request<B>> for Fallback {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut response = Response::default();
        match request.uri().path() {
            "/healthz" => {
                *response.body_mut() = "ok".into();
                let text = http::HeaderValue::from_static("text/plain");
                response.headers_mut().insert(http::header::CONTENT_TYPE, text);
            }
            "/counts" => *response.body_mut() = (self.counts)().into(),
            _ => *response.status_mut() = StatusCode::NOT_FOUND,
        }
        ready(Ok(response))
    }
}
