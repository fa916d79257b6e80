//! Which pages may talk to the server.

use std::{
    io,
    sync::{Arc, Mutex},
};

use sockeye::{Cors, Server};
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    client::{Client, get, request},
    serve,
};

const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";
const FOREIGN: &str = "Origin: http://foreign.example\r\n";
const LISTED: &str = "Origin: http://localhost:5173\r\n";

fn listed() -> Cors {
    Cors::origin("http://localhost:5173")
}

#[tokio::test]
async fn without_cors_a_websocket_from_a_foreign_origin_is_refused() {
    let (_io, addr) = serve(Server::builder()).await;
    let refused = Client::try_open(addr, FOREIGN).await.err().expect("it is refused");
    assert_eq!((refused.status, &*refused.body), (400, "Forbidden"));
}

#[tokio::test]
async fn without_cors_the_own_host_and_no_origin_are_let_in() {
    let (_io, addr) = serve(Server::builder()).await;
    assert!(Client::try_open(addr, &format!("Origin: http://{addr}\r\n")).await.is_ok());
    assert!(Client::try_open(addr, "").await.is_ok());
}

#[tokio::test]
async fn without_cors_polling_answers_and_browsers_keep_the_answer_to_themselves() {
    let (_io, addr) = serve(Server::builder()).await;
    let response = get(addr, HANDSHAKE, FOREIGN).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn with_cors_the_listed_origin_is_let_in_on_both_transports() {
    let (_io, addr) = serve(Server::builder().cors(listed().credentials(true))).await;
    assert!(Client::try_open(addr, LISTED).await.is_ok());
    let response = get(addr, HANDSHAKE, LISTED).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("access-control-allow-origin"), Some("http://localhost:5173"));
    assert_eq!(response.header("access-control-allow-credentials"), Some("true"));
}

#[tokio::test]
async fn with_cors_another_origin_is_refused_on_both_transports() {
    let (_io, addr) = serve(Server::builder().cors(listed())).await;
    let refused = Client::try_open(addr, FOREIGN).await.err().expect("it is refused");
    assert_eq!((refused.status, &*refused.body), (400, "Forbidden"));
    let refused = get(addr, HANDSHAKE, FOREIGN).await;
    assert_eq!((refused.status, &*refused.body), (403, r#"{"code":4,"message":"Forbidden"}"#));
    assert_eq!(refused.header("access-control-allow-origin"), Some("http://localhost:5173"));
}

#[tokio::test]
async fn any_origin_may_be_let_in() {
    let (_io, addr) = serve(Server::builder().cors(Cors::any())).await;
    assert!(Client::try_open(addr, FOREIGN).await.is_ok());
    let response = get(addr, HANDSHAKE, FOREIGN).await;
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn a_preflight_is_answered() {
    let (_io, addr) = serve(Server::builder().cors(listed())).await;
    let asks = format!("{LISTED}Access-Control-Request-Headers: x-token\r\n");
    let response = request(addr, "OPTIONS", HANDSHAKE, &asks, "").await;
    assert_eq!(response.status, 204);
    assert_eq!(response.header("access-control-allow-origin"), Some("http://localhost:5173"));
    assert_eq!(response.header("access-control-allow-headers"), Some("x-token"));
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// Logs here, from this thread, where the test and its server run.
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_writer(log.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn a_refused_origin_is_logged_with_what_lets_it_in() {
    let (log, _guard) = Log::start();
    let (_io, addr) = serve(Server::builder()).await;
    assert!(Client::try_open(addr, FOREIGN).await.is_err());
    let [line] = &log.lines()[..] else { panic!("one line: {:?}", log.lines()) };
    assert!(line.contains("WARN") && line.contains("http://foreign.example"), "{line}");
    assert!(line.contains(r#".cors(Cors::origin("http://foreign.example"))"#), "{line}");
}

#[tokio::test]
async fn an_origin_that_is_not_listed_is_logged_with_those_that_are() {
    let (log, _guard) = Log::start();
    let (_io, addr) = serve(Server::builder().cors(listed())).await;
    assert_eq!(get(addr, HANDSHAKE, FOREIGN).await.status, 403);
    let [line] = &log.lines()[..] else { panic!("one line: {:?}", log.lines()) };
    assert!(line.contains("http://foreign.example"), "{line}");
    assert!(line.contains("only http://localhost:5173 may connect"), "{line}");
}

#[tokio::test]
async fn an_emit_that_fails_is_logged() {
    let (log, _guard) = Log::start();
    let (io, _addr) = serve(Server::builder()).await;
    io.emit("connect", ());
    let [line] = &log.lines()[..] else { panic!("one line: {:?}", log.lines()) };
    assert!(
        line.contains("ERROR") && line.contains("\"connect\" is a reserved event name"),
        "{line}"
    );
}
