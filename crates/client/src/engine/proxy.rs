//! Connections through an HTTP proxy, which is asked for a tunnel:
//!
//! ```text
//! CONNECT example.com:443 HTTP/1.1
//! Host: example.com:443
//! Proxy-Authorization: Basic dXNlcjpwYXNz
//!
//! HTTP/1.1 200 Connection established
//! ```

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::Uri;
use sockeye_protocol::engine::Failure;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::UrlError;

/// A proxy.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    host: String,
    port: u16,
    /// `user:password` in base64.
    credentials: Option<String>,
}

/// How much of a proxy's answer is read.
const MAX_HEAD_BYTES: usize = 16 << 10;

impl Proxy {
    /// Reads `http://user:password@proxy.example:3128`.
    pub(crate) fn parse(url: &str) -> Result<Self, UrlError> {
        let uri: Uri = url.parse().map_err(UrlError::invalid)?;
        if uri.scheme_str() != Some("http") {
            return Err(UrlError::ProxyScheme);
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(UrlError::Host)?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let credentials = authority.rsplit_once('@').map(|(credentials, _)| unescape(credentials));
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: uri.port_u16().unwrap_or(80),
            credentials: credentials.map(|credentials| STANDARD.encode(credentials)),
        })
    }

    /// Connects to a server through the proxy. `address` has a port in any case.
    pub(super) async fn connect(&self, address: &str) -> Result<TcpStream, Failure> {
        let failed = |error: std::io::Error| Failure::Proxy(error.to_string());
        let mut stream =
            TcpStream::connect((self.host.as_str(), self.port)).await.map_err(failed)?;
        let mut request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n");
        if let Some(credentials) = &self.credentials {
            request += &format!("Proxy-Authorization: Basic {credentials}\r\n");
        }
        request += "\r\n";
        stream.write_all(request.as_bytes()).await.map_err(failed)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= MAX_HEAD_BYTES {
                return Err(Failure::Proxy("its answer has no end".to_owned()));
            }
            // One byte at a time: what follows belongs to the tunnel. It is little, and once.
            head.push(stream.read_u8().await.map_err(failed)?);
        }
        let head = String::from_utf8_lossy(&head);
        let status_line = head.lines().next().unwrap_or_default();
        match status_line.split(' ').nth(1) {
            Some(status) if status.starts_with('2') => Ok(stream),
            Some("407") => Err(Failure::Proxy("it wants other credentials (407)".to_owned())),
            _ => Err(Failure::Proxy(format!("it answered `{status_line}`"))),
        }
    }
}

/// Undoes percent-escapes, which a password may need.
fn unescape(text: &str) -> String {
    // A plus sign stands for itself here.
    let pairs = text.replace('+', "%2B");
    form_urlencoded::parse(pairs.as_bytes()).map(|(text, _)| text.into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_address_and_maybe_credentials() {
        let proxy = Proxy::parse("http://user:p%40ss+@proxy.example:3128").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.example", 3128));
        assert_eq!(proxy.credentials.unwrap(), STANDARD.encode("user:p@ss+"));
        let proxy = Proxy::parse("http://[::1]").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("::1", 80));
        assert!(proxy.credentials.is_none());
        assert_eq!(Proxy::parse("socks5://x").unwrap_err(), UrlError::ProxyScheme);
        let error = Proxy::parse("http://user:p ss@x").unwrap_err().to_string();
        assert!(!error.contains("p ss"), "{error}");
    }
}
