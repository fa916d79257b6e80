//! Listening without another HTTP server around.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, ToSocketAddrs},
    sync::watch,
    task::JoinHandle,
};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Engine, RemoteAddr, stall::StallGuard};

/// A server that listens. Dropping the handle changes nothing; the server goes on.
#[derive(Debug)]
pub struct Listening {
    local_addr: SocketAddr,
    task: JoinHandle<()>,
}

/// What can answer the requests that are not the engine's: a router, a function, another layer.
pub trait Served:
    Service<
        Request<Incoming>,
        Response = Response<<Self as Served>::Body>,
        Error = Infallible,
        Future = <Self as Served>::Future,
    > + Clone
    + Send
    + 'static
{
    /// The body of its answers.
    type Body: http_body::Body<Data = Bytes, Error = <Self as Served>::BodyError> + Send + 'static;
    /// What can go wrong with a body.
    type BodyError: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static;
    /// The future of an answer.
    type Future: Future<Output = Result<Response<<Self as Served>::Body>, Infallible>>
        + Send
        + 'static;
}

impl<S, B> Served for S
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    type Body = B;
    type BodyError = B::Error;
    type Future = S::Future;
}

impl Listening {
    /// The address it is bound to, with the port that the system chose if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Waits until the engine has been closed and the last request is answered.
    pub async fn wait(self) {
        let _ = self.task.await;
    }
}

impl Engine {
    /// Binds to an address and serves the engine there over HTTP/1.1; other paths are answered
    /// with 404. Returns when it is bound.
    pub async fn listen(&self, addr: impl ToSocketAddrs) -> io::Result<Listening> {
        self.listen_with(addr, NotFound).await
    }

    /// The same with a service for all other paths.
    pub async fn listen_with(
        &self,
        addr: impl ToSocketAddrs,
        service: impl Served,
    ) -> io::Result<Listening> {
        let listener = TcpListener::bind(addr).await?;
        let local_addr = listener.local_addr()?;
        let stopped = self.0.closing.subscribe();
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.config().header_timeout)
            .max_buf_size(self.config().max_header_bytes);
        let service = self.layer().layer(service);
        let timeout = self.config().body_timeout;
        let task = tokio::spawn(accept(listener, Arc::new(http), timeout, service, stopped));
        Ok(Listening { local_addr, task })
    }
}

async fn accept<S: Served>(
    listener: TcpListener,
    http: Arc<http1::Builder>,
    stall_timeout: Duration,
    service: S,
    mut stopped: watch::Receiver<bool>,
) {
    let (open, mut all_closed) = tokio::sync::mpsc::channel::<Infallible>(1);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told(&mut stopped) => break,
        };
        match accepted {
            Ok((stream, remote)) => {
                // Packets are small and somebody waits for each; gathering them is done before they
                // are written.
                let _ = stream.set_nodelay(true);
                let stream = StallGuard::new(stream, stall_timeout);
                let connection =
                    serve(stream, remote, http.clone(), service.clone(), stopped.clone());
                let open = open.clone();
                tokio::spawn(async move {
                    connection.await;
                    drop(open);
                });
            }
            // Out of file descriptors, most likely; some connection will end.
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(open);
    all_closed.recv().await;
}

async fn serve<S: Served>(
    stream: StallGuard,
    remote: SocketAddr,
    http: Arc<http1::Builder>,
    service: S,
    mut stopped: watch::Receiver<bool>,
) {
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(RemoteAddr(remote));
        let mut service = service.clone();
        async move {
            std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
            service.call(request).await
        }
    });
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %remote, "connection ended");
    }
}

/// Waits until the server is to stop.
async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Answers everything with 404.
#[derive(Clone)]
struct NotFound;

impl Service<Request<Incoming>> for NotFound {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: Request<Incoming>) -> Self::Future {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_FOUND;
        std::future::ready(Ok(response))
    }
}
