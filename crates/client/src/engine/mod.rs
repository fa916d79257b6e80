//! Engine.IO over real I/O, the client's end: polling over HTTP, and WebSocket, both over TCP or
//! TLS.
//!
//! It does what the machine in `sockeye_protocol` says, reports what happens, and decides nothing:
//! it knows requests and WebSockets, and neither packets nor what they mean.

mod connect;
mod cookies;
mod polling;
mod proxy;
mod target;
#[cfg(feature = "tls")]
mod tls;
mod websocket;

use std::{collections::HashMap, sync::Arc, time::Duration};

use sockeye_protocol::{
    client::SessionId,
    engine::{
        ClientEvent, ClientInput, ClientOutput, Failure, Message, Outgoing, RequestId, WebSocketId,
    },
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::{AbortHandle, JoinSet},
};

use self::polling::Polling;
pub(crate) use self::proxy::Proxy;
pub use self::target::UrlError;
pub(crate) use self::target::{Target, TargetOptions, parse_url};
#[cfg(feature = "tls")]
pub use self::tls::{Tls, TlsError};

/// How many reports may wait for the manager. Beyond that nothing is read from the network.
const REPORTS: usize = 128;

/// How many bytes they may hold, and those that the manager was just told of. One that is larger
/// comes alone.
const REPORT_BYTES: usize = 1 << 20;

/// The I/O of one manager's sessions. Dropping it ends all of it at once.
pub(crate) struct Io {
    target: Arc<Target>,
    polling: Polling,
    sessions: HashMap<SessionId, Session>,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<(Report, OwnedSemaphorePermit)>,
    reports: mpsc::Receiver<(Report, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
    /// The room that was taken by reports which the manager was told of since it last waited.
    told: Vec<OwnedSemaphorePermit>,
}

/// What happened to a session.
pub(crate) type Report = (SessionId, ClientInput);

#[derive(Default)]
struct Session {
    sid: Option<Arc<str>>,
    requests: HashMap<RequestId, AbortHandle>,
    websockets: HashMap<WebSocketId, WebSocket>,
}

/// A WebSocket closes when this is dropped.
struct WebSocket {
    /// What is to be written.
    packets: mpsc::UnboundedSender<Outgoing>,
    /// Never sent: its task learns that this is dropped while it waits for the network, too.
    _held: oneshot::Sender<()>,
}

/// Where a task reports to.
#[derive(Clone)]
struct Reporter {
    session: SessionId,
    sender: mpsc::Sender<(Report, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
}

impl Reporter {
    async fn report(&self, input: ClientInput) {
        let bytes = match &input {
            ClientInput::GetAnswered(_, _, body) => body.len(),
            ClientInput::WebSocketMessage(_, Message::Text(text)) => text.len(),
            ClientInput::WebSocketMessage(_, Message::Binary(data)) => data.len(),
            _ => 0,
        };
        let bytes = u32::try_from(bytes.min(REPORT_BYTES)).expect("the bound is no more");
        let room = self.room.clone().acquire_many_owned(bytes).await;
        let room = room.expect("the semaphore is never closed");
        // Nobody listens when the manager is gone, and then the task is about to be ended.
        let _ = self.sender.send(((self.session, input), room)).await;
    }
}

impl Io {
    pub(crate) fn new(target: Target) -> Self {
        let target = Arc::new(target);
        let (sender, reports) = mpsc::channel(REPORTS);
        let polling = Polling::new(target.clone());
        Self {
            target,
            polling,
            sessions: HashMap::new(),
            tasks: JoinSet::new(),
            sender,
            reports,
            room: Arc::new(Semaphore::new(REPORT_BYTES)),
            told: Vec::new(),
        }
    }

    /// What happened next. What came of the reports before it is done by now.
    ///
    /// # Cancel safety
    /// Nothing is lost if this is dropped before it is ready.
    pub(crate) async fn next(&mut self) -> Report {
        self.told.clear();
        let (report, room) = self.reports.recv().await.expect("a sender is kept here");
        self.told.push(room);
        self.forget_request(&report);
        report
    }

    /// What has happened already.
    pub(crate) fn try_next(&mut self) -> Option<Report> {
        let (report, room) = self.reports.try_recv().ok()?;
        self.told.push(room);
        self.forget_request(&report);
        Some(report)
    }

    /// A request that is over needs no handle any more, which would keep its task's memory.
    fn forget_request(&mut self, (session, input): &Report) {
        let (ClientInput::GetAnswered(request, ..)
        | ClientInput::PostAnswered(request, _)
        | ClientInput::RequestFailed(request, _)) = input
        else {
            return;
        };
        if let Some(session) = self.sessions.get_mut(session) {
            session.requests.remove(request);
        }
    }

    /// Does what the machine says. Answers to requests that were given up may still be reported.
    pub(crate) fn perform(&mut self, id: SessionId, output: ClientOutput) {
        while self.tasks.try_join_next().is_some() {}
        let reporter = self.reporter(id);
        let session = self.sessions.entry(id).or_default();
        match output {
            ClientOutput::Get(request) => {
                let answer = self.polling.get(session.sid.as_deref());
                let task = self.tasks.spawn(async move {
                    reporter
                        .report(match answer.await {
                            Ok((status, body)) => ClientInput::GetAnswered(request, status, body),
                            Err(failure) => ClientInput::RequestFailed(request, failure),
                        })
                        .await;
                });
                session.requests.insert(request, task);
            }
            ClientOutput::Post(request, body) => {
                let answer = self.polling.post(session.sid.as_deref(), body);
                let task = self.tasks.spawn(async move {
                    reporter
                        .report(match answer.await {
                            Ok(status) => ClientInput::PostAnswered(request, status),
                            Err(failure) => ClientInput::RequestFailed(request, failure),
                        })
                        .await;
                });
                session.requests.insert(request, task);
            }
            ClientOutput::Abort(request) => {
                if let Some(task) = session.requests.remove(&request) {
                    task.abort();
                }
            }
            ClientOutput::OpenWebSocket(websocket) => {
                let (sender, packets) = mpsc::unbounded_channel();
                let (held, dropped) = oneshot::channel();
                session.websockets.insert(websocket, WebSocket { packets: sender, _held: held });
                let (target, sid) = (self.target.clone(), session.sid.clone());
                self.tasks.spawn(async move {
                    let commands = websocket::Commands { packets, dropped };
                    websocket::run(&target, sid.as_deref(), websocket, commands, &reporter).await;
                });
            }
            ClientOutput::Write(websocket, packet) => {
                if let Some(websocket) = session.websockets.get(&websocket) {
                    // A WebSocket that has just ended reports that itself.
                    let _ = websocket.packets.send(packet);
                }
            }
            ClientOutput::CloseWebSocket(websocket) => {
                session.websockets.remove(&websocket);
            }
            ClientOutput::Event(ClientEvent::Opened(handshake)) => {
                session.sid = Some(handshake.sid.into());
            }
            ClientOutput::Event(ClientEvent::Closed(_)) => {
                // Its WebSockets were told to close, and bound that themselves.
                self.sessions.remove(&id);
            }
            ClientOutput::Event(_) => (),
        }
    }

    fn reporter(&self, session: SessionId) -> Reporter {
        Reporter { session, sender: self.sender.clone(), room: self.room.clone() }
    }

    /// Waits until nothing is read or written any more.
    pub(crate) async fn finish(mut self, patience: Duration) {
        self.told.clear();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // What is not done by then is cut off.
        let _ = tokio::time::timeout(patience, async {
            tokio::select! {
                () = all => (),
                // Reports are nobody's business any more, but must not hold up who makes them.
                () = async { while self.reports.recv().await.is_some() {} } => (),
            }
        })
        .await;
    }
}

/// What the system says about an error, the innermost cause being the one that tells something.
fn failure_of(error: &(dyn std::error::Error + 'static)) -> Failure {
    let mut innermost = error;
    loop {
        if let Some(failure) = innermost.downcast_ref::<Failure>() {
            return failure.clone();
        }
        match innermost.source() {
            Some(source) => innermost = source,
            None => return Failure::Io(innermost.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use sockeye_protocol::engine::Outgoing;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const SESSION: SessionId = SessionId(0);

    fn io(address: std::net::SocketAddr) -> Io {
        let client = crate::Client::builder(format!("http://{address}")).build().unwrap();
        client.shared().take_io().expect("no task has started")
    }

    #[tokio::test]
    async fn a_request_that_was_answered_is_forgotten() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut io = io(listener.local_addr().unwrap());
        drop(listener);
        for number in 0..3 {
            io.perform(SESSION, ClientOutput::Get(RequestId(2 * number)));
            io.perform(SESSION, ClientOutput::Post(RequestId(2 * number + 1), "2".into()));
            io.next().await;
            io.next().await;
            assert!(io.sessions[&SESSION].requests.is_empty());
        }
    }

    #[tokio::test]
    async fn what_waits_for_the_manager_is_bounded_in_bytes() {
        let mut io = io(([127, 0, 0, 1], 1).into());
        let reporter = io.reporter(SESSION);
        let sizes = [REPORT_BYTES / 2, REPORT_BYTES / 2, 1, 3 * REPORT_BYTES, 0, 1];
        let sending = tokio::spawn(async move {
            for size in sizes {
                let message = Message::Binary(vec![0; size].into());
                reporter.report(ClientInput::WebSocketMessage(WebSocketId(0), message)).await;
            }
        });
        let size = |(_, input): Report| match input {
            ClientInput::WebSocketMessage(_, Message::Binary(data)) => data.len(),
            other => panic!("{other:?}"),
        };
        let mut taken = Vec::new();
        while taken.len() < sizes.len() {
            let mut round = vec![size(io.next().await)];
            // The other task goes as far as it can.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            round.extend(std::iter::from_fn(|| io.try_next()).map(size));
            let held: usize = round.iter().map(|size| size.min(&REPORT_BYTES)).sum();
            assert!(held <= REPORT_BYTES, "{round:?}");
            taken.extend(round);
        }
        assert_eq!(taken, sizes);
        sending.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_websocket_that_is_not_read_is_cut_when_it_should_have_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut io = io(listener.local_addr().unwrap());
        let (id, large) = (WebSocketId(0), Outgoing::text("x".repeat(64 << 20)));
        io.perform(SESSION, ClientOutput::OpenWebSocket(id));
        let _unread = accept_websocket(&listener).await;
        assert!(matches!(io.next().await, (SESSION, ClientInput::WebSocketOpened(_))));
        io.perform(SESSION, ClientOutput::Write(id, large));
        io.perform(SESSION, ClientOutput::CloseWebSocket(id));
        assert!(matches!(io.next().await, (SESSION, ClientInput::WebSocketFailed(..))));
    }

    async fn accept_websocket(listener: &TcpListener) -> tokio::net::TcpStream {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let (_, key) =
            lines.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key")).unwrap();
        let accept = sockeye_websocket::handshake::accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            accept.to_str().unwrap(),
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream
    }
}
