//! One session, client side: from the handshake over the upgrade to its end.

mod liveness;
mod queue;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use self::{
    liveness::{Due, Liveness},
    queue::Queue,
};
use super::{
    CloseReason, Dialect, Failure, Handshake, Message, Outgoing, Packet, PacketError, RequestId,
    Revision, Transport, WebSocketId,
};

/// How a client's session behaves.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The revision that is spoken. Default 4.
    pub revision: Revision,
    /// How long the open packet may take to come. Default 20 s.
    pub handshake_timeout: Duration,
    /// Whether a session on polling moves to a WebSocket if the server offers it. Default true.
    pub upgrade: bool,
    /// How long a WebSocket may take to take a polling session over. Default 10 s.
    pub upgrade_timeout: Duration,
    /// How long what was sent before a close may take to leave. Default 30 s.
    pub close_timeout: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            revision: Revision::default(),
            handshake_timeout: Duration::from_secs(20),
            upgrade: true,
            upgrade_timeout: Duration::from_secs(10),
            close_timeout: Duration::from_secs(30),
        }
    }
}

/// What happens to a session.
#[derive(Clone, Debug)]
pub enum ClientInput {
    /// A GET was answered with this status and body. The body of a success is valid UTF-8.
    GetAnswered(RequestId, u16, Bytes),
    /// A POST was answered with this status; the body means nothing.
    PostAnswered(RequestId, u16),
    /// A GET or a POST got no answer.
    RequestFailed(RequestId, Failure),
    /// A WebSocket is open.
    WebSocketOpened(WebSocketId),
    /// A message came on a WebSocket.
    WebSocketMessage(WebSocketId, Message),
    /// A WebSocket is closed, by the peer or because [`ClientOutput::CloseWebSocket`] said so.
    WebSocketClosed(WebSocketId),
    /// A WebSocket could not be opened, or broke.
    WebSocketFailed(WebSocketId, Failure),
    /// All that a WebSocket was given is written.
    WebSocketWritten(WebSocketId),
    /// The application sends a packet. Packets that are sent before the next
    /// [`poll_output`](ClientSession::poll_output) leave together. What is sent before the session
    /// is open waits; what is sent after a close goes nowhere.
    Send(Outgoing),
    /// The application closes the session: what was sent before still leaves.
    Close,
    /// The application ends the session at once: what waits is lost.
    Abort(CloseReason),
    /// The deadline has come.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOutput {
    /// Start a GET.
    Get(RequestId),
    /// Start a POST with this body.
    Post(RequestId, Bytes),
    /// Give a request up; its answer is of no interest any more.
    Abort(RequestId),
    /// Open a WebSocket.
    OpenWebSocket(WebSocketId),
    /// Write a message on a WebSocket.
    Write(WebSocketId, Outgoing),
    /// Close a WebSocket once all that it was given is written, or give up opening it.
    CloseWebSocket(WebSocketId),
    /// Tell the application.
    Event(ClientEvent),
}

/// What the application is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// The session is open. Its requests carry the handshake's `sid` from now on.
    Opened(Handshake<Box<str>>),
    /// The peer says something.
    Message(Message),
    /// The session moved from polling to a WebSocket.
    Upgraded,
    /// A WebSocket was to take the session over and did not; the session stays on polling.
    UpgradeFailed,
    /// The session has ended, or never opened; nothing follows.
    Closed(CloseReason),
}

/// The state machine of one session. It is told what happens ([`handle`](Self::handle)) and by
/// when it wants to be woken ([`deadline`](Self::deadline)), and says what is to be done.
///
/// Contract: after each `handle`, and once after it was made, drain
/// [`poll_output`](Self::poll_output) to `None`; then wait for input or the deadline.
/// [`ClientEvent::Closed`] is the last output. By then every request has been answered or aborted,
/// and every WebSocket has ended or was told to close. Nothing waits for the latter: bounding how
/// long it writes is the driver's.
///
/// On polling there is at most one GET and one POST at a time, and no POST is longer than the
/// server's `maxPayload`, unless a single packet is. Packets leave in the order in which they were
/// sent, over an upgrade too; only the answer to a ping overtakes them. A WebSocket is given no
/// more than a little at once, until the driver says that it is
/// [written](ClientInput::WebSocketWritten). How much waits is not bounded here, since it is this
/// end that sends: see [`waiting_bytes`](Self::waiting_bytes).
///
/// ```
/// use std::time::Instant;
/// use sockeye_protocol::engine::{ClientConfig, ClientInput, ClientOutput, ClientSession};
///
/// let now = Instant::now();
/// let mut session = ClientSession::polling(now, ClientConfig::default());
/// let Some(ClientOutput::Get(id)) = session.poll_output() else { panic!() };
/// let body = r#"0{"sid":"49TeYsySa4zpYsxQAAAA","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
/// session.handle(now, ClientInput::GetAnswered(id, 200, body.into()));
/// assert!(matches!(session.poll_output(), Some(ClientOutput::Event(_))));
/// assert!(matches!(session.poll_output(), Some(ClientOutput::Get(_))));
/// assert_eq!(session.poll_output(), None);
/// ```
#[derive(Debug)]
pub struct ClientSession {
    config: ClientConfig,
    phase: Phase,
    queue: Queue,
    outputs: VecDeque<ClientOutput>,
    /// Bytes that the WebSocket was given and has not written yet.
    unwritten: usize,
    /// Whether it was given a heartbeat and has not written that yet. Another one waits: a server
    /// that asks without end and never reads must not make us hold an answer each.
    is_beating: bool,
    failure: Option<Failure>,
    /// How many requests there were.
    requests: u32,
    /// How many WebSockets there were.
    websockets: u32,
}

#[derive(Debug)]
enum Phase {
    OpeningPolling {
        /// `None` while its answer is read.
        get: Option<RequestId>,
        until: Instant,
    },
    OpeningWebSocket {
        id: WebSocketId,
        until: Instant,
    },
    Polling(Polling),
    WebSocket {
        id: WebSocketId,
        liveness: Liveness,
    },
    /// Closed by this end; the WebSocket writes what it was given.
    Leaving {
        id: WebSocketId,
        until: Instant,
    },
    Closed,
}

#[derive(Debug)]
struct Polling {
    get: Option<RequestId>,
    post: Option<RequestId>,
    /// The longest body that the server takes.
    max_payload: usize,
    liveness: Liveness,
    plan: Plan,
}

/// What a session on polling is up to.
#[derive(Debug)]
enum Plan {
    Stay,
    Upgrade(Candidate),
    /// Closed by this end: a close packet follows what was sent before.
    Leave {
        until: Instant,
        /// Whether the close packet is on its way.
        said: bool,
    },
}

/// A WebSocket that is to take a polling session over.
#[derive(Debug)]
struct Candidate {
    id: WebSocketId,
    stage: Stage,
    /// Without an upgrade by then the WebSocket is closed; the session stays on polling.
    until: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Connecting,
    /// `2probe` is on its way.
    Probing,
    /// `3probe` came. No request starts any more, and when those in flight are answered, `5`
    /// follows: then nothing can come or go on both transports at once.
    Pausing,
}

impl Polling {
    fn is_pausing(&self) -> bool {
        matches!(&self.plan, Plan::Upgrade(Candidate { stage: Stage::Pausing, .. }))
    }

    fn candidate(&mut self, id: WebSocketId) -> Option<&mut Candidate> {
        match &mut self.plan {
            Plan::Upgrade(candidate) if candidate.id == id => Some(candidate),
            _ => None,
        }
    }
}

impl ClientSession {
    /// A session that opens on polling.
    pub fn polling(now: Instant, config: ClientConfig) -> Self {
        let until = later(now, config.handshake_timeout);
        let mut session = Self::new(config);
        let get = session.start_get();
        session.phase = Phase::OpeningPolling { get: Some(get), until };
        session
    }

    /// A session that opens on a WebSocket and stays there.
    pub fn websocket(now: Instant, config: ClientConfig) -> Self {
        let until = later(now, config.handshake_timeout);
        let mut session = Self::new(config);
        let id = session.open_websocket();
        session.phase = Phase::OpeningWebSocket { id, until };
        session
    }

    fn new(config: ClientConfig) -> Self {
        Self {
            config,
            phase: Phase::Closed,
            queue: Queue::default(),
            outputs: VecDeque::new(),
            unwritten: 0,
            is_beating: false,
            failure: None,
            requests: 0,
            websockets: 0,
        }
    }

    /// The transport on which packets leave now; none before the handshake and after the end.
    pub fn transport(&self) -> Option<Transport> {
        match self.phase {
            Phase::Polling(_) => Some(Transport::Polling),
            Phase::WebSocket { .. } | Phase::Leaving { .. } => Some(Transport::WebSocket),
            Phase::OpeningPolling { .. } | Phase::OpeningWebSocket { .. } | Phase::Closed => None,
        }
    }

    /// Whether the handshake is done and neither end has closed.
    pub fn is_open(&self) -> bool {
        match &self.phase {
            Phase::Polling(polling) => !matches!(polling.plan, Plan::Leave { .. }),
            Phase::WebSocket { .. } => true,
            _ => false,
        }
    }

    /// Whether the session is over: once its outputs are drained, nothing follows.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// What went wrong, once the session has ended for a reason that is not one of the two ends'.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Bytes that wait for the handshake, for a POST, for the end of an upgrade, or to be written.
    pub fn waiting_bytes(&self) -> usize {
        self.queue.bytes() + self.unwritten
    }

    /// Whether a packet would leave now: no POST is in flight, or there is a WebSocket that is not
    /// behind.
    pub fn is_writable(&self) -> bool {
        match &self.phase {
            Phase::Polling(polling) => {
                self.is_open() && polling.post.is_none() && !polling.is_pausing()
            }
            Phase::WebSocket { .. } => self.may_write(),
            _ => false,
        }
    }

    /// Whether the WebSocket has written most of what it was given.
    fn may_write(&self) -> bool {
        self.unwritten < WRITE_AHEAD_BYTES
    }

    /// Takes one thing in. Ids that mean nothing any more are passed over: an answer may have
    /// raced with the end of what it answers.
    pub fn handle(&mut self, now: Instant, input: ClientInput) {
        match input {
            ClientInput::GetAnswered(id, status, body) => self.get_answered(now, id, status, body),
            ClientInput::PostAnswered(id, status) => self.post_answered(id, status),
            ClientInput::RequestFailed(id, failure) => {
                if self.finish_get(id) || self.finish_post(id) {
                    self.fail(CloseReason::TransportError, failure);
                }
            }
            ClientInput::WebSocketOpened(id) => self.websocket_opened(id),
            ClientInput::WebSocketMessage(id, message) => self.websocket_message(now, id, message),
            ClientInput::WebSocketClosed(id) => {
                self.websocket_ended(id, CloseReason::TransportClose, None);
            }
            ClientInput::WebSocketFailed(id, failure) => {
                self.websocket_ended(id, CloseReason::TransportError, Some(failure));
            }
            ClientInput::WebSocketWritten(id) => {
                if matches!(&self.phase, Phase::WebSocket { id: current, .. } if *current == id) {
                    self.unwritten = 0;
                    self.is_beating = false;
                }
            }
            ClientInput::Send(packet) => self.send(now, packet),
            ClientInput::Close => self.close(now),
            ClientInput::Abort(reason) => {
                if !self.is_finished() {
                    self.end(reason);
                }
            }
            ClientInput::Tick => self.tick(now),
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<ClientOutput> {
        if self.outputs.is_empty() {
            self.advance();
        }
        self.outputs.pop_front()
    }

    /// By when [`ClientInput::Tick`] is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::OpeningPolling { until, .. }
            | Phase::OpeningWebSocket { until, .. }
            | Phase::Leaving { until, .. } => Some(*until),
            Phase::Polling(polling) => Some(match &polling.plan {
                Plan::Stay => polling.liveness.deadline(),
                Plan::Upgrade(candidate) => candidate.until.min(polling.liveness.deadline()),
                Plan::Leave { until, .. } => *until,
            }),
            Phase::WebSocket { liveness, .. } => Some(liveness.deadline()),
            Phase::Closed => None,
        }
    }

    /// Starts what the phase allows: requests, the end of an upgrade, writing what waits.
    fn advance(&mut self) {
        match &mut self.phase {
            Phase::Polling(polling) if !polling.is_pausing() => self.advance_polling(),
            Phase::Polling(Polling { get: None, post: None, .. }) => self.finish_upgrade(),
            Phase::WebSocket { id, .. } => {
                let id = *id;
                if !self.is_beating {
                    let beat = self.queue.pop_heartbeat();
                    self.is_beating = beat.is_some();
                    self.outputs.extend(beat.map(|beat| ClientOutput::Write(id, beat)));
                }
                while self.may_write() {
                    let Some(packet) = self.queue.pop() else { break };
                    self.write(id, packet);
                }
            }
            _ => (),
        }
    }

    fn write(&mut self, id: WebSocketId, packet: Outgoing) {
        let packet = Dialect::of_client(self.config.revision).to_websocket(packet);
        self.unwritten += packet.bytes().len();
        self.outputs.push_back(ClientOutput::Write(id, packet));
    }

    fn advance_polling(&mut self) {
        let Phase::Polling(polling) = &mut self.phase else { return };
        // While what was sent before a close leaves, the server's pings still want an answer.
        let may_get = !matches!(polling.plan, Plan::Leave { said: true, .. });
        let wants_get = polling.get.is_none() && may_get;
        if polling.post.is_none() {
            let mut body = self.queue.take_body(self.config.revision, polling.max_payload);
            if let (None, Plan::Leave { said: said @ false, .. }) = (&body, &mut polling.plan) {
                *said = true;
                let dialect = Dialect::of_client(self.config.revision);
                body = Some(dialect.encode_body(&[Outgoing::CLOSE]).bytes);
            }
            if let Some(body) = body {
                let id = RequestId(self.requests);
                self.requests = self.requests.wrapping_add(1);
                polling.post = Some(id);
                self.outputs.push_back(ClientOutput::Post(id, body));
            }
        }
        if wants_get {
            let get = self.start_get();
            if let Phase::Polling(polling) = &mut self.phase {
                polling.get = Some(get);
            }
        }
    }

    fn start_get(&mut self) -> RequestId {
        let id = RequestId(self.requests);
        self.requests = self.requests.wrapping_add(1);
        self.outputs.push_back(ClientOutput::Get(id));
        id
    }

    fn open_websocket(&mut self) -> WebSocketId {
        let id = WebSocketId(self.websockets);
        self.websockets = self.websockets.wrapping_add(1);
        self.outputs.push_back(ClientOutput::OpenWebSocket(id));
        id
    }

    fn send(&mut self, now: Instant, packet: Outgoing) {
        let liveness = match &self.phase {
            Phase::OpeningPolling { .. } | Phase::OpeningWebSocket { .. } => None,
            Phase::Polling(polling) if !matches!(polling.plan, Plan::Leave { .. }) => {
                Some(&polling.liveness)
            }
            Phase::WebSocket { liveness, .. } => Some(liveness),
            _ => return,
        };
        // After the machine has slept this may come before the tick that is long overdue, and the
        // server has long forgotten the session.
        if liveness.is_some_and(|liveness| liveness.is_dead(now)) {
            self.end(CloseReason::PingTimeout);
        } else {
            self.queue.push(packet);
        }
    }

    fn get_answered(&mut self, now: Instant, id: RequestId, status: u16, body: Bytes) {
        if !self.finish_get(id) {
            return;
        }
        if !is_success(status) {
            return self.fail(CloseReason::TransportError, Failure::refused(status, &body));
        }
        let is_first = matches!(self.phase, Phase::OpeningPolling { .. });
        if is_first && self.config.revision == Revision::V4 && Failure::is_old_revision(&body) {
            return self.fail(CloseReason::ParseError, Failure::OldRevision);
        }
        for packet in self.config.revision.decode_body(body, false) {
            self.packet(now, packet);
            if self.is_finished() {
                return;
            }
        }
    }

    fn post_answered(&mut self, id: RequestId, status: u16) {
        if !self.finish_post(id) {
            return;
        }
        if !is_success(status) {
            return self.fail(CloseReason::TransportError, Failure::refused(status, b""));
        }
        if matches!(
            &self.phase,
            Phase::Polling(Polling { plan: Plan::Leave { said: true, .. }, .. })
        ) {
            self.end(CloseReason::ForcedClose);
        }
    }

    /// Ends the wait for a GET's answer; false if nobody waits for it any more.
    fn finish_get(&mut self, id: RequestId) -> bool {
        match &mut self.phase {
            Phase::OpeningPolling { get, .. } | Phase::Polling(Polling { get, .. }) => {
                get.take_if(|get| *get == id).is_some()
            }
            _ => false,
        }
    }

    /// Ends the wait for a POST's answer; false if nobody waits for it any more.
    fn finish_post(&mut self, id: RequestId) -> bool {
        match &mut self.phase {
            Phase::Polling(Polling { post, .. }) => post.take_if(|post| *post == id).is_some(),
            _ => false,
        }
    }

    fn websocket_opened(&mut self, id: WebSocketId) {
        let Phase::Polling(polling) = &mut self.phase else { return };
        if let Some(candidate @ Candidate { stage: Stage::Connecting, .. }) = polling.candidate(id)
        {
            candidate.stage = Stage::Probing;
            self.outputs.push_back(ClientOutput::Write(id, Outgoing::PING_PROBE));
        }
    }

    fn websocket_message(&mut self, now: Instant, id: WebSocketId, message: Message) {
        match &mut self.phase {
            Phase::OpeningWebSocket { id: current, .. } | Phase::WebSocket { id: current, .. }
                if *current == id =>
            {
                let packet = self.config.revision.decode_message(message);
                self.packet(now, packet);
            }
            Phase::Polling(polling) => {
                let Some(candidate) = polling.candidate(id) else { return };
                match (candidate.stage, message) {
                    (Stage::Probing, Message::Text(text)) if text == "3probe" => {
                        candidate.stage = Stage::Pausing;
                    }
                    // Not the language of an upgrade: that WebSocket goes, the session stays.
                    _ => {
                        self.outputs.push_back(ClientOutput::CloseWebSocket(id));
                        self.upgrade_failed();
                    }
                }
            }
            _ => (),
        }
    }

    fn websocket_ended(&mut self, id: WebSocketId, reason: CloseReason, failure: Option<Failure>) {
        match &mut self.phase {
            Phase::OpeningWebSocket { id: current, .. } | Phase::WebSocket { id: current, .. }
                if *current == id =>
            {
                self.failure = failure;
                self.finish(reason);
            }
            Phase::Leaving { id: current, .. } if *current == id => {
                self.finish(CloseReason::ForcedClose);
            }
            Phase::Polling(Polling { plan: Plan::Upgrade(candidate), .. })
                if candidate.id == id =>
            {
                self.upgrade_failed();
            }
            _ => (),
        }
    }

    /// The requests that were in flight are answered: the WebSocket takes over.
    fn finish_upgrade(&mut self) {
        let Phase::Polling(Polling { plan: Plan::Upgrade(candidate), liveness, .. }) = &self.phase
        else {
            return;
        };
        let (id, liveness) = (candidate.id, *liveness);
        self.phase = Phase::WebSocket { id, liveness };
        self.outputs.push_back(ClientOutput::Write(id, Outgoing::UPGRADE));
        self.outputs.push_back(ClientOutput::Event(ClientEvent::Upgraded));
    }

    fn upgrade_failed(&mut self) {
        let Phase::Polling(polling) = &mut self.phase else { return };
        polling.plan = Plan::Stay;
        self.outputs.push_back(ClientOutput::Event(ClientEvent::UpgradeFailed));
    }

    /// A packet came on the session's transport.
    fn packet(&mut self, now: Instant, packet: Result<Packet, PacketError>) {
        let liveness = match &mut self.phase {
            Phase::OpeningPolling { .. } | Phase::OpeningWebSocket { .. } => {
                return self.first_packet(now, packet);
            }
            Phase::Polling(Polling { liveness, .. }) | Phase::WebSocket { liveness, .. } => {
                liveness
            }
            Phase::Leaving { .. } | Phase::Closed => return,
        };
        match packet {
            Ok(Packet::Ping(_)) => {
                liveness.handle_ping(now);
                self.queue.push_heartbeat(Outgoing::PONG);
            }
            Ok(Packet::Message(message)) => {
                // Nobody listens after a close.
                if self.is_open() {
                    self.outputs.push_back(ClientOutput::Event(ClientEvent::Message(message)));
                }
            }
            Ok(Packet::Close) => self.end(CloseReason::TransportClose),
            Ok(Packet::Pong(_)) => liveness.handle_pong(now),
            Ok(Packet::Open(_) | Packet::Upgrade | Packet::Noop) => (),
            Err(error) => self.fail(CloseReason::ParseError, Failure::Protocol(error.to_string())),
        }
    }

    /// The first packet came: it opens the session, or ends it.
    fn first_packet(&mut self, now: Instant, packet: Result<Packet, PacketError>) {
        let is_no_server = |reason| (reason, Failure::NotEngineIo);
        let handshake = match packet {
            Ok(Packet::Open(data)) => Handshake::decode(&data)
                .map_err(|error| (CloseReason::ParseError, Failure::Protocol(error.to_string()))),
            Ok(Packet::Close) => return self.end(CloseReason::TransportClose),
            Ok(_) => Err(is_no_server(CloseReason::TransportError)),
            Err(_) => Err(is_no_server(CloseReason::ParseError)),
        };
        match handshake {
            Ok(handshake) => self.open(now, handshake),
            Err((reason, failure)) => self.fail(reason, failure),
        }
    }

    fn open(&mut self, now: Instant, handshake: Handshake<Box<str>>) {
        let liveness = Liveness::new(now, self.config.revision, &handshake);
        let may_upgrade = self.config.upgrade && handshake.upgrade_to_websocket;
        let max_payload = handshake.max_payload;
        self.outputs.push_back(ClientOutput::Event(ClientEvent::Opened(handshake)));
        if let Phase::OpeningWebSocket { id, .. } = self.phase {
            self.phase = Phase::WebSocket { id, liveness };
            return;
        }
        let plan = if may_upgrade {
            let id = self.open_websocket();
            let until = later(now, self.config.upgrade_timeout);
            Plan::Upgrade(Candidate { id, stage: Stage::Connecting, until })
        } else {
            Plan::Stay
        };
        self.phase = Phase::Polling(Polling { get: None, post: None, max_payload, liveness, plan });
    }

    /// The application closes.
    fn close(&mut self, now: Instant) {
        let until = later(now, self.config.close_timeout);
        match &mut self.phase {
            // Nothing was said yet, and nobody knows the session.
            Phase::OpeningPolling { .. } | Phase::OpeningWebSocket { .. } => {
                self.end(CloseReason::ForcedClose);
            }
            Phase::Polling(Polling { plan: Plan::Leave { .. }, .. }) => (),
            Phase::Polling(polling) => {
                // Until `5` is said the session is on polling, so an upgrade can be dropped.
                if let Plan::Upgrade(candidate) = &polling.plan {
                    self.outputs.push_back(ClientOutput::CloseWebSocket(candidate.id));
                }
                polling.plan = Plan::Leave { until, said: false };
            }
            Phase::WebSocket { id, .. } => {
                let id = *id;
                // How long this takes has a bound from now on, so nothing is held back any more.
                while let Some(packet) = self.queue.pop_any() {
                    self.write(id, packet);
                }
                self.outputs.push_back(ClientOutput::CloseWebSocket(id));
                self.phase = Phase::Leaving { id, until };
            }
            Phase::Leaving { .. } | Phase::Closed => (),
        }
    }

    fn tick(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::OpeningPolling { until, .. } | Phase::OpeningWebSocket { until, .. } => {
                if *until <= now {
                    self.fail(CloseReason::TransportError, Failure::TimedOut);
                }
            }
            Phase::Polling(Polling { plan: Plan::Leave { until, .. }, .. }) => {
                if *until <= now {
                    self.end(CloseReason::ForcedClose);
                }
            }
            Phase::Polling(Polling { liveness, .. }) | Phase::WebSocket { liveness, .. }
                if liveness.deadline() <= now =>
            {
                match liveness.handle_tick(now) {
                    Due::Dead => self.end(CloseReason::PingTimeout),
                    Due::Ping => self.queue.push_heartbeat(Outgoing::PING),
                    Due::Nothing => (),
                }
            }
            Phase::Polling(Polling { plan: Plan::Upgrade(candidate), .. }) => {
                if candidate.until <= now {
                    self.outputs.push_back(ClientOutput::CloseWebSocket(candidate.id));
                    self.upgrade_failed();
                }
            }
            Phase::Leaving { until, .. } => {
                if *until <= now {
                    self.finish(CloseReason::ForcedClose);
                }
            }
            Phase::Polling(_) | Phase::WebSocket { .. } | Phase::Closed => (),
        }
    }

    /// Ends the session at once, and says what went wrong.
    fn fail(&mut self, reason: CloseReason, failure: Failure) {
        self.failure = Some(failure);
        self.end(reason);
    }

    /// Ends the session at once: what is in flight is given up, what waits is lost.
    fn end(&mut self, mut reason: CloseReason) {
        let mut requests = [None, None];
        let mut websocket = None;
        match &self.phase {
            Phase::OpeningPolling { get, .. } => requests[0] = *get,
            Phase::Polling(polling) => {
                requests = [polling.get, polling.post];
                match &polling.plan {
                    Plan::Stay => (),
                    Plan::Upgrade(candidate) => websocket = Some(candidate.id),
                    // Whatever it was in the end, it was the application that wanted it.
                    Plan::Leave { .. } => reason = CloseReason::ForcedClose,
                }
            }
            Phase::OpeningWebSocket { id, .. } | Phase::WebSocket { id, .. } => {
                websocket = Some(*id);
            }
            Phase::Leaving { .. } | Phase::Closed => (),
        }
        self.outputs.extend(requests.into_iter().flatten().map(ClientOutput::Abort));
        self.outputs.extend(websocket.map(ClientOutput::CloseWebSocket));
        self.finish(reason);
    }

    /// The session has ended, and nothing of it is left.
    fn finish(&mut self, reason: CloseReason) {
        self.phase = Phase::Closed;
        self.queue = Queue::default();
        self.unwritten = 0;
        self.outputs.push_back(ClientOutput::Event(ClientEvent::Closed(reason)));
    }
}

/// What a server or a configuration says may be more than the clock can hold.
pub(crate) fn later(now: Instant, wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    now + wait.min(YEAR)
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// How much a WebSocket is given before it has written what it was given before: enough to keep
/// the network busy, and little enough that a ping's answer does not wait long behind it.
const WRITE_AHEAD_BYTES: usize = 64 * 1024;
