//! The engine as a tower service and layer.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use tower_layer::Layer;
use tower_service::Service;

use crate::Engine;

/// A service that answers the engine's requests, and all others with 404.
#[derive(Clone)]
pub struct EngineService(pub(crate) Engine);

/// A layer that answers the engine's requests and passes all others on.
#[derive(Clone)]
pub struct EngineLayer(pub(crate) Engine);

/// A service with the engine in front of it.
#[derive(Clone)]
pub struct LayerService<S> {
    engine: Engine,
    inner: S,
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<B> Service<Request<B>> for EngineService
where
    B: http_body::Body + Send + 'static,
    B::Data: Buf + Send,
    B::Error: Send,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let engine = self.0.clone();
        Box::pin(async move {
            if engine.is_mine(request.uri().path()) {
                Ok(engine.handle(request).await)
            } else {
                let mut response = Response::default();
                *response.status_mut() = StatusCode::NOT_FOUND;
                Ok(response)
            }
        })
    }
}

impl<S> Layer<S> for EngineLayer {
    type Service = LayerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LayerService { engine: self.0.clone(), inner }
    }
}

impl<S, B, R> Service<Request<B>> for LayerService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Send,
    S::Future: Send + 'static,
    B: http_body::Body + Send + 'static,
    B::Data: Buf + Send,
    B::Error: Send,
{
    type Response = Response<Either<Full<Bytes>, R>>;
    type Error = S::Error;
    type Future = BoxFuture<Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.engine.is_mine(request.uri().path()) {
            let engine = self.engine.clone();
            Box::pin(async move { Ok(engine.handle(request).await.map(Either::Left)) })
        } else {
            let response = self.inner.call(request);
            Box::pin(async move { Ok(response.await?.map(Either::Right)) })
        }
    }
}
