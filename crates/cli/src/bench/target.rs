//! Where the server is, and how a client asks for it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
    num::NonZeroUsize,
};

use http::Uri;
use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

use super::{Failure, Options, failure::excerpt};
use crate::arguments::parse_header;

/// The server, its path and namespace, and what every request to it says.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// `/socket.io/?EIO=4&transport=`; the transport's name follows.
    path_and_query: String,
    /// All header lines that every request has, each ended.
    header_lines: String,
    pub(crate) namespace: String,
    /// `/admin,` between a packet's type and its data; empty for the namespace `/`.
    pub(crate) namespace_prefix: String,
    /// `40/admin,{"token":1}`, which joins the namespace.
    pub(crate) connect_packet: String,
    sources: Option<NonZeroUsize>,
}

/// RFC 6455's own sample. The answer is always the same, and is not checked.
const WEBSOCKET_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

impl Target {
    pub(crate) fn new(options: &Options) -> Result<Self, String> {
        let uri: Uri =
            options.url.parse().map_err(|error| format!("`{}`: {error}", options.url))?;
        if uri.scheme_str() != Some("http") && uri.scheme_str() != Some("ws") {
            let hint = "it has to start with http://; `bench` speaks no TLS";
            return Err(format!("`{}`: {hint}", options.url));
        }
        if uri.path().len() > 1 {
            let path = uri.path();
            return Err(format!("give the path as `--path {path}`, not in the URL"));
        }
        let authority = uri.authority().expect("a URI with a scheme has an authority");
        let host = authority.host().trim_matches(['[', ']']);
        let address = (host, authority.port_u16().unwrap_or(80))
            .to_socket_addrs()
            .map_err(|error| format!("`{host}`: {error}"))?
            .next()
            .ok_or_else(|| format!("`{host}` has no address"))?;
        check_sources(options.source_addresses, address.ip())?;

        let path = format!("/{}/", options.path.trim_matches('/')).replace("//", "/");
        let namespace = format!("/{}", options.namespace.trim_start_matches('/'));
        let namespace_prefix =
            if namespace == "/" { String::new() } else { format!("{namespace},") };
        let auth = options.auth.as_deref().unwrap_or_default();
        if !auth.is_empty() {
            serde_json::from_str::<serde::de::IgnoredAny>(auth)
                .map_err(|error| format!("`--auth` is not JSON: {error}"))?;
        }
        Ok(Self {
            address,
            path_and_query: format!("{path}?EIO=4&transport="),
            header_lines: header_lines(authority.as_str(), options)?,
            connect_packet: format!("40{namespace_prefix}{auth}"),
            namespace,
            namespace_prefix,
            sources: options.source_addresses,
        })
    }

    /// The request that opens a WebSocket.
    pub(crate) fn websocket_request(&self) -> Vec<u8> {
        let Self { path_and_query, header_lines, .. } = self;
        format!(
            "GET {path_and_query}websocket HTTP/1.1\r\n\
             Connection: Upgrade\r\n\
             Upgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: {WEBSOCKET_KEY}\r\n\
             {header_lines}\r\n"
        )
        .into_bytes()
    }

    /// The request that opens a session on polling, or polls it.
    pub(crate) fn poll_request(&self, sid: Option<&str>) -> String {
        let Self { path_and_query, header_lines, .. } = self;
        let sid = sid.map(|sid| format!("&sid={sid}")).unwrap_or_default();
        format!("GET {path_and_query}polling{sid} HTTP/1.1\r\n{header_lines}\r\n")
    }

    /// The request that sends packets on polling, up to and with `Content-Length: `.
    pub(crate) fn post_request(&self, sid: &str) -> String {
        let Self { path_and_query, header_lines, .. } = self;
        format!(
            "POST {path_and_query}polling&sid={sid} HTTP/1.1\r\n\
             {header_lines}\
             Content-Type: text/plain;charset=UTF-8\r\n\
             Content-Length: "
        )
    }

    /// What a packet says that refuses the namespace, `/admin,{"message":"Not authorized"}`.
    pub(crate) fn refusal(&self, packet: &[u8]) -> Failure {
        #[derive(serde::Deserialize)]
        struct ConnectError {
            message: String,
        }

        let data = packet.strip_prefix(self.namespace_prefix.as_bytes()).unwrap_or(packet);
        let message = match serde_json::from_slice(data) {
            Ok(ConnectError { message }) => message,
            Err(_) => excerpt(data),
        };
        Failure::NamespaceRefused { namespace: self.namespace.clone(), message }
    }

    /// Begins to connect, without waiting; from the address that is the `index`th one's turn.
    pub(crate) fn connect(&self, index: usize) -> Result<TcpStream, Failure> {
        self.try_connect(index).map_err(|error| Failure::from_io(error, self.address))
    }

    fn try_connect(&self, index: usize) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(sources) = self.sources {
            let source = source_address(index % sources.get());
            // A port may be one that a closed connection still occupies.
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddr::from((source, 0)).into())?;
        }
        match socket.connect(&self.address.into()) {
            Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => return Err(error),
            _ => (),
        }
        Ok(TcpStream::from_std(socket.into()))
    }
}

const IN_PROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();

/// 127.0.0.1 and those after it.
fn source_address(index: usize) -> IpAddr {
    Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + index as u32).into()
}

fn check_sources(sources: Option<NonZeroUsize>, target: IpAddr) -> Result<(), String> {
    let Some(sources) = sources else { return Ok(()) };
    let in_127 = matches!(target, IpAddr::V4(address) if address.is_loopback());
    if !in_127 {
        return Err(format!("`--source-addresses` needs a server in 127.0.0.0/8, not at {target}"));
    }
    if sources.get() > 1 << 16 {
        return Err(format!("{sources} source addresses are over the limit of 65536"));
    }
    Ok(())
}

/// What Chromium sends with the handshake of a WebSocket, but for cookies and the offer of
/// compression.
const BROWSER_HEADERS: [(&str, &str); 5] = [
    ("Pragma", "no-cache"),
    ("Cache-Control", "no-cache"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
         Chrome/142.0.0.0 Safari/537.36",
    ),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en-US;q=0.9,en;q=0.8"),
];

/// Host, the browser's headers if asked for, and the user's, which replace others of their name.
fn header_lines(authority: &str, options: &Options) -> Result<String, String> {
    let own = options.headers.iter().map(|header| parse_header(header));
    let own = own.collect::<Result<Vec<_>, String>>()?;
    let origin = format!("http://{authority}");
    let mut headers = vec![("Host", authority)];
    if options.browser_headers {
        headers.extend(BROWSER_HEADERS);
        headers.push(("Origin", &origin));
    }
    headers.retain(|(name, _)| !own.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)));
    headers.extend(own);
    Ok(headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Bench {
        #[command(flatten)]
        options: Options,
    }

    fn target(arguments: &[&str]) -> Result<Target, String> {
        Target::new(&Bench::parse_from([&["bench", "echo"], arguments].concat()).options)
    }

    #[test]
    fn requests_say_what_was_asked_for() {
        let arguments = "http://127.0.0.1:81 --path=chat --namespace=admin --auth={\"a\":1}";
        let arguments: Vec<&str> = arguments.split(' ').chain(["-H", "X-Key:  7 "]).collect();
        let target = target(&arguments).unwrap();
        assert_eq!(target.address, "127.0.0.1:81".parse().unwrap());
        assert_eq!(target.connect_packet, r#"40/admin,{"a":1}"#);
        let request = String::from_utf8(target.websocket_request()).unwrap();
        assert!(request.starts_with("GET /chat/?EIO=4&transport=websocket HTTP/1.1\r\n"));
        assert!(request.ends_with("\r\nHost: 127.0.0.1:81\r\nX-Key: 7\r\n\r\n"), "{request}");
        let poll = target.poll_request(Some("abc"));
        assert!(poll.starts_with("GET /chat/?EIO=4&transport=polling&sid=abc HTTP/1.1\r\n"));
    }

    #[test]
    fn own_headers_replace_the_browser_s() {
        let arguments = ["http://[::1]:81", "--browser-headers", "-H", "user-agent: me"];
        let target = target(&arguments).unwrap();
        let request = String::from_utf8(target.websocket_request()).unwrap();
        assert!(request.contains("Origin: http://[::1]:81\r\n"));
        assert!(request.contains("user-agent: me\r\n") && !request.contains("User-Agent"));
        assert!(!request.contains("Sec-WebSocket-Extensions"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (arguments, expected) in [
            (&["https://127.0.0.1"][..], "no TLS"),
            (&["127.0.0.1:3000"], "http://"),
            (&["http://127.0.0.1/chat"], "--path /chat"),
            (&["http://127.0.0.1", "--auth", "{"], "not JSON"),
            (&["http://127.0.0.1", "-H", "nonsense"], "'Name: value'"),
            (&["http://[::1]:1", "--source-addresses", "2"], "127.0.0.0/8"),
        ] {
            let error = target(arguments).err().expect(expected);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn source_addresses_follow_each_other() {
        assert_eq!(source_address(0).to_string(), "127.0.0.1");
        assert_eq!(source_address(255).to_string(), "127.0.1.0");
    }
}
