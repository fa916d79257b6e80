//! The manager: one connection after another, and the sockets that share them.

mod joining;
mod receiving;
mod sending;

pub use sending::{AckRequest, Emit, Policy};

use std::{collections::VecDeque, time::Instant};

use super::{
    AckFailure, Auth, Config, ConnectFailure, DisconnectReason, NotSent, Output, SessionId,
    SocketId,
    backoff::Backoff,
    buffer::earliest,
    socket::{Socket, Standing},
};
use crate::{
    engine::{
        ClientConfig, ClientEvent, ClientInput, ClientOutput, ClientSession, CloseReason, Failure,
        Revision, Transport, later,
    },
    socket::{AnyDecoder, EncodedPacket},
};

/// The state machine of a client. `W` is what waits for an acknowledgement; it comes back with
/// [`Output::Ack`], always, unless [`forget_ack`](Self::forget_ack) has dropped it or
/// [`emit`](Self::emit) has not taken it.
///
/// Contract: after each command, input or tick, drain [`poll_output`](Self::poll_output) to `None`;
/// then wait for input or the [`deadline`](Self::deadline). Several commands may come before the
/// outputs are drained: what they send leaves together.
///
/// ```
/// use std::time::Instant;
/// use sockeye_protocol::client::{Config, Manager, Output};
/// use sockeye_protocol::engine::ClientOutput;
///
/// let now = Instant::now();
/// let mut manager: Manager<()> = Manager::new(Config::default(), 1);
/// let socket = manager.socket("/admin");
/// manager.open(now, socket);
/// assert!(matches!(manager.poll_output(now), Some(Output::Io(_, ClientOutput::Get(_)))));
/// assert_eq!(manager.poll_output(now), None);
/// ```
#[derive(Debug)]
pub struct Manager<W> {
    config: Config,
    phase: Phase,
    /// The session before, which writes what it was given before it was closed.
    leaving: Option<Live>,
    /// How many sessions there were.
    sessions: u32,
    backoff: Backoff,
    /// Whether the last session came to a WebSocket by an upgrade or was one.
    was_on_websocket: bool,
    /// Why the session that is being cut is cut.
    cut_reason: Option<DisconnectReason>,
    sockets: Vec<Socket<W>>,
    outputs: VecDeque<Output<W>>,
}

#[derive(Debug)]
enum Phase {
    /// No connection is wanted.
    Idle,
    /// A session opens.
    Opening {
        live: Live,
        /// Of a reconnection, from 1; 0 before the first failure.
        attempt: u32,
        /// Which of the configured transports is tried.
        transport: usize,
    },
    Open {
        live: Live,
        decoder: AnyDecoder,
        /// By when the attachments of the packet in the decoder must be there.
        attachments_by: Option<Instant>,
        /// What is known of a server of Socket.IO 2.
        old: Option<OldServer>,
    },
    /// The next attempt starts then.
    Waiting { until: Instant },
    /// No connection is made until [`Manager::resume`].
    Suspended,
    /// For good.
    Closed,
}

/// Socket.IO 2 joins the main namespace by itself, and gives no ids.
#[derive(Debug)]
struct OldServer {
    /// The session's id, from which those of sockets are made.
    sid: Box<str>,
    /// Whether it has joined the main namespace, and not left it.
    has_greeted: bool,
}

/// A session that is not over.
#[derive(Debug)]
struct Live {
    id: SessionId,
    session: ClientSession,
}

impl Phase {
    fn live_mut(&mut self) -> Option<&mut Live> {
        match self {
            Self::Opening { live, .. } | Self::Open { live, .. } => Some(live),
            _ => None,
        }
    }

    fn live(&self) -> Option<&Live> {
        match self {
            Self::Opening { live, .. } | Self::Open { live, .. } => Some(live),
            _ => None,
        }
    }

    fn old_server(&mut self) -> Option<&mut OldServer> {
        match self {
            Self::Open { old, .. } => old.as_mut(),
            _ => None,
        }
    }

    /// The session that sockets can use.
    fn open_session(&mut self) -> Option<&mut ClientSession> {
        match self {
            Self::Open { live, .. } => Some(&mut live.session),
            _ => None,
        }
    }
}

/// How a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State<'a> {
    /// The id that the server gave it, while it is connected.
    pub id: Option<&'a str>,
    /// Whether it is connected or will be without being asked to.
    pub is_active: bool,
    /// Whether the server restored it when it was connected last.
    pub recovered: bool,
}

impl<W> Manager<W> {
    /// A manager that wants no connection yet. The seed decides the jitter between attempts.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            config,
            phase: Phase::Idle,
            leaving: None,
            sessions: 0,
            backoff: Backoff::new(seed),
            was_on_websocket: false,
            cut_reason: None,
            sockets: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    // --- What it is ---

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How a socket is.
    pub fn state(&self, socket: SocketId) -> State<'_> {
        let socket = self.of(socket);
        let id = match &socket.standing {
            Standing::Connected { id } => Some(&**id),
            _ => None,
        };
        State { id, is_active: socket.is_active(), recovered: socket.recovered }
    }

    /// The transport of the open session.
    pub fn transport(&self) -> Option<Transport> {
        match &self.phase {
            Phase::Open { live, .. } => live.session.transport(),
            _ => None,
        }
    }

    /// Bytes that a socket's events occupy until they leave, those of the connection included.
    pub fn waiting_bytes(&self, socket: SocketId) -> usize {
        let session = self.phase.live().map_or(0, |live| live.session.waiting_bytes());
        self.of(socket).waiting_bytes() + session
    }

    /// How many acknowledgements a socket waits for, those of events that are sent again included.
    pub fn pending_acks(&self, socket: SocketId) -> usize {
        let socket = self.of(socket);
        socket.acks.len() + socket.retries.len()
    }

    /// Whether it was closed: nothing will be connected any more.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Whether it was closed and nothing is left to be done.
    pub fn is_finished(&self) -> bool {
        self.is_closed() && self.leaving.is_none() && self.outputs.is_empty()
    }

    // --- Commands of the application ---

    /// Opens the connection again at once if it was lost or [suspended](Self::suspend), instead of
    /// waiting for the next attempt: the machine has woken up, or the network is back.
    pub fn resume(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Suspended | Phase::Waiting { .. }) {
            self.phase = Phase::Idle;
            self.backoff.reset();
            self.open_if_wanted(now);
        }
    }

    /// Closes the connection and makes no other until it is [resumed](Self::resume). Sockets stay
    /// active, and what they emit waits. To the server the connection is lost, so it keeps what it
    /// needs to restore them.
    pub fn suspend(&mut self, now: Instant) {
        if self.is_closed() {
            return;
        }
        let was_open = matches!(self.phase, Phase::Open { .. });
        self.close_session(now);
        self.phase = Phase::Suspended;
        if was_open {
            self.lose_sockets(DisconnectReason::ForcedClose, None, true);
        }
    }

    /// Breaks the open connection, as if the network had. It is made again, if that is configured.
    pub fn cut(&mut self, now: Instant, reason: DisconnectReason) {
        if let Some(session) = self.phase.open_session() {
            self.cut_reason = Some(reason);
            session.handle(now, ClientInput::Abort(CloseReason::ForcedClose));
            self.pump(now);
        }
    }

    /// Breaks the open connection because an event of this socket was not taken: the application is
    /// behind. What it lost so cannot be recovered, so the socket does not ask for it, and does not
    /// say that nothing is missing.
    pub fn cut_backlog(&mut self, now: Instant, socket: SocketId) {
        self.sockets[socket.0 as usize].recovery = None;
        self.cut(now, DisconnectReason::EventBacklog);
    }

    /// Closes everything for good: what was sent still leaves, what waits is dropped, every
    /// acknowledgement fails.
    pub fn close(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        for index in 0..self.sockets.len() {
            self.leave(now, index);
            let socket = &mut self.sockets[index];
            drop(socket.buffer.take());
            let mut lost = socket.lose_acks();
            lost.extend(socket.retries.take().into_iter().filter_map(|entry| entry.waiter));
            self.fail_acks(lost, AckFailure::Disconnected);
        }
        self.close_session(now);
        self.phase = Phase::Closed;
        self.pump(now);
    }

    // --- Inputs and outputs ---

    /// Something happened to a session. Sessions that are over are passed over.
    pub fn handle_io(&mut self, now: Instant, session: SessionId, input: ClientInput) {
        let current = self.phase.live_mut().filter(|live| live.id == session);
        let leaving = self.leaving.as_mut().filter(|live| live.id == session);
        if let Some(live) = current.or(leaving) {
            live.session.handle(now, input);
            self.pump(now);
        }
    }

    /// The deadline has come.
    pub fn handle_tick(&mut self, now: Instant) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        for live in self.phase.live_mut().into_iter().chain(&mut self.leaving) {
            if is_due(live.session.deadline()) {
                live.session.handle(now, ClientInput::Tick);
            }
        }
        if let Phase::Open { live, attachments_by, .. } = &mut self.phase {
            if is_due(*attachments_by) {
                *attachments_by = None;
                live.session.handle(now, ClientInput::Abort(CloseReason::ParseError));
            }
        }
        self.pump(now);
        for index in 0..self.sockets.len() {
            if is_due(self.sockets[index].deadline()) {
                self.tick_socket(now, index);
            }
        }
        self.pump(now);
        if let Phase::Waiting { until } = self.phase {
            if until <= now {
                let attempt = self.backoff.attempts();
                self.outputs.push_back(Output::ReconnectAttempt(attempt));
                self.open_session(now, attempt, 0);
            }
        }
    }

    /// The next thing to do or to tell.
    pub fn poll_output(&mut self, now: Instant) -> Option<Output<W>> {
        if self.outputs.is_empty() {
            self.pump(now);
        }
        let output = self.outputs.pop_front();
        if self.outputs.is_empty() {
            // The room for a burst is not kept for ever.
            self.outputs.shrink_to(64);
        }
        output
    }

    /// By when [`handle_tick`](Self::handle_tick) is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Opening { live, .. } => live.session.deadline(),
            Phase::Open { live, attachments_by, .. } => {
                earliest(live.session.deadline(), *attachments_by)
            }
            Phase::Waiting { until } => Some(*until),
            Phase::Idle | Phase::Suspended | Phase::Closed => None,
        };
        let leaving = self.leaving.as_ref().and_then(|live| live.session.deadline());
        let sockets = self.sockets.iter().map(Socket::deadline);
        sockets.fold(earliest(phase, leaving), earliest)
    }

    // --- Sessions ---

    fn open_if_wanted(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Idle) && self.sockets.iter().any(Socket::is_active) {
            self.open_session(now, 0, 0);
        }
    }

    fn open_session(&mut self, now: Instant, attempt: u32, transport: usize) {
        let transports = &self.config.transports;
        let has_websocket = transports.contains(&Transport::WebSocket);
        let remembers = self.config.remember_upgrade && self.was_on_websocket && has_websocket;
        let on = match transports.get(transport) {
            _ if remembers => Transport::WebSocket,
            Some(on) => *on,
            None => Transport::Polling,
        };
        let config = ClientConfig {
            upgrade: self.config.session.upgrade && has_websocket,
            ..self.config.session.clone()
        };
        let session = match on {
            Transport::Polling => ClientSession::polling(now, config),
            Transport::WebSocket => ClientSession::websocket(now, config),
        };
        let live = Live { id: SessionId(self.sessions), session };
        self.sessions = self.sessions.wrapping_add(1);
        self.phase = Phase::Opening { live, attempt, transport };
    }

    /// Closes the session in good order, if there is one. What it was given still leaves.
    fn close_session(&mut self, now: Instant) {
        let was_open = matches!(self.phase, Phase::Open { .. });
        let phase = std::mem::replace(&mut self.phase, Phase::Idle);
        let (Phase::Opening { mut live, .. } | Phase::Open { mut live, .. }) = phase else {
            return;
        };
        live.session.handle(now, ClientInput::Close);
        // One that still leaves has had its time.
        if let Some(mut before) = self.leaving.replace(live) {
            before.session.handle(now, ClientInput::Abort(CloseReason::ForcedClose));
            self.drain_leaving(&mut before);
        }
        if was_open {
            self.outputs.push_back(Output::Closed(DisconnectReason::ForcedClose));
        }
    }

    /// Takes in what sessions have to say.
    fn pump(&mut self, now: Instant) {
        loop {
            if let Some(mut live) = self.leaving.take() {
                self.drain_leaving(&mut live);
                self.leaving = Some(live).filter(|live| !live.session.is_finished());
            }
            let Some(live) = self.phase.live_mut() else { return };
            let Some(output) = live.session.poll_output() else { return };
            let id = live.id;
            match output {
                ClientOutput::Event(event) => self.handle_event(now, id, event),
                io => self.outputs.push_back(Output::Io(id, io)),
            }
        }
    }

    fn drain_leaving(&mut self, live: &mut Live) {
        while let Some(output) = live.session.poll_output() {
            let is_news = matches!(output, ClientOutput::Event(ClientEvent::Closed(_)));
            if is_news || !matches!(output, ClientOutput::Event(_)) {
                self.outputs.push_back(Output::Io(live.id, output));
            }
        }
    }

    fn handle_event(&mut self, now: Instant, id: SessionId, event: ClientEvent) {
        let pass_on = |event| Output::Io(id, ClientOutput::Event(event));
        match event {
            ClientEvent::Opened(ref handshake) => {
                let sid = handshake.sid.clone();
                self.outputs.push_back(pass_on(event));
                self.handle_opened(now, sid);
            }
            ClientEvent::Message(message) => self.handle_message(now, message),
            ClientEvent::Upgraded => {
                self.was_on_websocket = true;
                self.outputs.push_back(Output::Upgraded);
            }
            ClientEvent::UpgradeFailed => self.was_on_websocket = false,
            ClientEvent::Closed(reason) => {
                self.outputs.push_back(pass_on(event));
                let reason = self.cut_reason.take().unwrap_or(reason.into());
                match std::mem::replace(&mut self.phase, Phase::Idle) {
                    Phase::Opening { live, attempt, transport } => {
                        let failure = live.session.failure().cloned();
                        let failure = failure.unwrap_or_else(|| Failure::Io(reason.to_string()));
                        self.handle_failure(now, attempt, transport, failure);
                    }
                    Phase::Open { live, .. } => {
                        self.handle_loss(now, reason, live.session.failure());
                    }
                    phase => self.phase = phase,
                }
            }
        }
    }

    fn handle_opened(&mut self, now: Instant, sid: Box<str>) {
        let Phase::Opening { live, attempt, .. } = std::mem::replace(&mut self.phase, Phase::Idle)
        else {
            return;
        };
        let transport = live.session.transport().unwrap_or(Transport::Polling);
        self.was_on_websocket = transport == Transport::WebSocket;
        let decoder = AnyDecoder::new(self.config.parser.as_deref(), &self.config.limits);
        let is_old = self.config.session.revision == Revision::V3;
        let old = is_old.then_some(OldServer { sid, has_greeted: false });
        self.phase = Phase::Open { live, decoder, attachments_by: None, old };
        self.backoff.reset();
        self.outputs.push_back(Output::Opened(transport));
        if attempt > 0 {
            self.outputs.push_back(Output::Reconnected(attempt));
        }
        for index in 0..self.sockets.len() {
            if matches!(self.sockets[index].standing, Standing::Waiting) {
                self.join(now, index);
            }
        }
    }

    /// A session could not be opened.
    fn handle_failure(&mut self, now: Instant, attempt: u32, transport: usize, failure: Failure) {
        self.was_on_websocket = false;
        if self.config.try_all_transports && transport + 1 < self.config.transports.len() {
            return self.open_session(now, attempt, transport + 1);
        }
        let will_retry = self.may_retry();
        for index in 0..self.sockets.len() {
            if self.sockets[index].is_active() {
                let failure = ConnectFailure::Transport(failure.clone());
                self.fail_connect(index, failure, will_retry);
            }
        }
        if attempt > 0 {
            self.outputs.push_back(Output::ReconnectError(attempt, failure));
        }
        self.retry(now);
    }

    /// The open session has ended by itself.
    fn handle_loss(&mut self, now: Instant, reason: DisconnectReason, failure: Option<&Failure>) {
        let will_retry = self.may_retry();
        self.outputs.push_back(Output::Closed(reason));
        self.lose_sockets(reason, failure, will_retry);
        self.retry(now);
    }

    fn may_retry(&self) -> bool {
        let attempts = self.config.reconnection_attempts;
        self.config.reconnection && attempts.is_none_or(|max| self.backoff.attempts() < max)
    }

    /// Waits for the next attempt, or gives up.
    fn retry(&mut self, now: Instant) {
        if self.may_retry() {
            if self.sockets.iter().any(Socket::is_active) {
                let until = later(now, self.backoff.next_wait(&self.config));
                self.phase = Phase::Waiting { until };
            }
            return;
        }
        if self.config.reconnection {
            self.outputs.push_back(Output::ReconnectFailed);
        }
        self.backoff.reset();
    }

    /// A packet of the manager's own, in the form that the server understands.
    fn convert(&self, packet: EncodedPacket) -> EncodedPacket {
        let parser = self.config.parser.as_deref();
        let converted = parser.and_then(|parser| parser.encode(&packet.decode().ok()?).ok());
        converted.unwrap_or(packet)
    }

    fn of(&self, socket: SocketId) -> &Socket<W> {
        &self.sockets[socket.0 as usize]
    }

    fn fail_acks(&mut self, waiters: Vec<W>, failure: AckFailure) {
        self.outputs.extend(waiters.into_iter().map(|waiter| Output::Ack(waiter, Err(failure))));
    }
}

/// The id of the socket at this place.
fn id_of(index: usize) -> SocketId {
    SocketId(u32::try_from(index).expect("`socket` has given out this id"))
}
