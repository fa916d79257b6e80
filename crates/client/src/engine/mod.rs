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
    engine::{ClientEvent, ClientInput, ClientOutput, Failure, Outgoing, RequestId, WebSocketId},
};
use tokio::{
    sync::mpsc,
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

/// The I/O of one manager's sessions. Dropping it ends all of it at once.
pub(crate) struct Io {
    target: Arc<Target>,
    polling: Polling,
    sessions: HashMap<SessionId, Session>,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
}

/// What happened to a session.
pub(crate) type Report = (SessionId, ClientInput);

#[derive(Default)]
struct Session {
    sid: Option<Arc<str>>,
    requests: HashMap<RequestId, AbortHandle>,
    /// What is to be written; a WebSocket whose sender is dropped closes.
    websockets: HashMap<WebSocketId, mpsc::UnboundedSender<Outgoing>>,
}

/// Where a task reports to.
#[derive(Clone)]
struct Reporter {
    session: SessionId,
    sender: mpsc::Sender<Report>,
}

impl Reporter {
    async fn report(&self, input: ClientInput) {
        // Nobody listens when the manager is gone, and then the task is about to be ended.
        let _ = self.sender.send((self.session, input)).await;
    }
}

impl Io {
    pub(crate) fn new(target: Target) -> Self {
        let target = Arc::new(target);
        let (sender, reports) = mpsc::channel(REPORTS);
        let polling = Polling::new(target.clone());
        let tasks = JoinSet::new();
        Self { target, polling, sessions: HashMap::new(), tasks, sender, reports }
    }

    /// What happened next.
    ///
    /// # Cancel safety
    /// Nothing is lost if this is dropped before it is ready.
    pub(crate) async fn next(&mut self) -> Report {
        self.reports.recv().await.expect("a sender is kept here")
    }

    /// What has happened already.
    pub(crate) fn try_next(&mut self) -> Option<Report> {
        self.reports.try_recv().ok()
    }

    /// Does what the machine says. Answers to requests that were given up may still be reported.
    pub(crate) fn perform(&mut self, id: SessionId, output: ClientOutput) {
        while self.tasks.try_join_next().is_some() {}
        let reporter = Reporter { session: id, sender: self.sender.clone() };
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
                session.websockets.insert(websocket, sender);
                let (target, sid) = (self.target.clone(), session.sid.clone());
                self.tasks.spawn(async move {
                    websocket::run(&target, sid.as_deref(), websocket, packets, &reporter).await;
                });
            }
            ClientOutput::Write(websocket, packet) => {
                if let Some(packets) = session.websockets.get(&websocket) {
                    // A WebSocket that has just ended reports that itself.
                    let _ = packets.send(packet);
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

    /// Waits until nothing is read or written any more.
    pub(crate) async fn finish(mut self, patience: Duration) {
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
