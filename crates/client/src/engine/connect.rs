//! Connections to the server: TCP, or TLS over it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use hyper_util::client::legacy::connect::{Connected, Connection};
use sockeye_protocol::engine::Failure;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::Target;

/// A connection.
pub(super) enum Stream {
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// Connects to the server.
pub(super) async fn connect(target: &Target) -> Result<Stream, Failure> {
    let failed = |error: io::Error| Failure::Io(error.to_string());
    let tcp = match &target.options.proxy {
        Some(proxy) => proxy.connect(&target.full_authority()).await?,
        None => {
            let address = (target.host.as_str(), target.port);
            TcpStream::connect(address).await.map_err(failed)?
        }
    };
    // Small packets leave at once.
    tcp.set_nodelay(true).map_err(failed)?;
    if !target.secure {
        return Ok(Stream::Tcp(tcp));
    }
    secure(target, tcp).await
}

#[cfg(feature = "tls")]
async fn secure(target: &Target, tcp: TcpStream) -> Result<Stream, Failure> {
    let stream = target.options.tls.connect(&target.host, tcp).await?;
    Ok(Stream::Tls(Box::new(stream)))
}

#[cfg(not(feature = "tls"))]
async fn secure(_: &Target, _: TcpStream) -> Result<Stream, Failure> {
    unreachable!("no URL that wants TLS is accepted without it")
}

/// Delegates to whichever stream it is.
macro_rules! either {
    ($stream:expr, $io:ident => $call:expr) => {
        match $stream.get_mut() {
            Stream::Tcp($io) => {
                let $io = Pin::new($io);
                $call
            }
            #[cfg(feature = "tls")]
            Stream::Tls($io) => {
                let $io = Pin::new(&mut **$io);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, io => io.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => io.poll_shutdown(cx))
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
