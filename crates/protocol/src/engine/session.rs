//! One session, server side: from the handshake over the upgrade to its end. What that looks like
//! on the wire, and when, is in `docs/protocol/engine-io.md`.

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

use bytes::{Buf, Bytes};

use super::{
    Dialect, Message, Outgoing, Packet, PacketError, Revision, Transport,
    heartbeat::{Due, Heartbeat},
    outbox::Outbox,
};

/// How sessions behave; one for all sessions of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long after the handshake, and after each pong, a ping goes out. Default 25 s. In revision
    /// 3 it is the client that pings, in this interval.
    pub ping_interval: Duration,
    /// How long a pong, or in revision 3 a ping that is due, is waited for. Default 20 s.
    pub ping_timeout: Duration,
    /// How long a WebSocket may take to take a polling session over. Default 10 s.
    pub upgrade_timeout: Duration,
    /// How many bytes may wait for a peer that takes nothing. Default 4 MiB; see
    /// [`CloseReason::SlowConsumer`].
    pub max_waiting_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            max_waiting_bytes: 4 << 20,
        }
    }
}

/// Names one HTTP request of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub u32);

/// Names one WebSocket of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WebSocketId(pub u32);

/// What happens to a session.
#[derive(Clone, Debug)]
pub enum Input {
    /// A GET came: the client is ready to be told something.
    PollOpened(RequestId),
    /// The client gave a GET up before it was answered.
    PollAborted(RequestId),
    /// A POST came; its body is still on the way.
    PostOpened(RequestId),
    /// The whole body is here, and it is text.
    PostReceived(RequestId, Bytes),
    /// The whole body is here, and it is bytes, which are for revision 3 only.
    BinaryPostReceived(RequestId, Bytes),
    /// The body is over the limit and is not read.
    PostTooLarge(RequestId),
    /// The body has a content type that this revision does not know.
    PostUnsupported(RequestId),
    /// The client gave a POST up before its body was here.
    PostAborted(RequestId),
    /// A WebSocket asks to take the session over.
    WebSocketOpened(WebSocketId),
    /// A message came on a WebSocket.
    WebSocketMessage(WebSocketId, Message),
    /// The peer closed a WebSocket.
    WebSocketClosed(WebSocketId),
    /// A WebSocket broke, or its peer broke the rules of WebSocket.
    WebSocketFailed(WebSocketId),
    /// The application closes the session.
    Close,
    /// The deadline has come.
    Tick,
}

/// What the application is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer says something.
    Message(Message),
    /// The session moved from polling to a WebSocket.
    Upgraded,
    /// The session has ended; nothing follows.
    Closed(CloseReason),
}

/// The answer to one HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// 200 with these packets, for a GET.
    Payload(Bytes),
    /// 200 with these packets, for a GET, as bytes that are no text.
    BinaryPayload(Bytes),
    /// 200 with `ok`, for a POST.
    Ok,
    /// 400 without a body: the request overlaps another one, or its session is over.
    Refused,
    /// 413 without a body.
    TooLarge,
    /// None: the connection is cut.
    Cut,
}

/// Why a session ended. The texts are those of the reference, [`Self::SlowConsumer`] aside, which
/// has no counterpart there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer closed the WebSocket or sent a close packet.
    TransportClose,
    /// The transport broke: a poll was given up, requests overlapped, a frame was too large.
    TransportError,
    /// What came is no Engine.IO packet.
    ParseError,
    /// No pong came in time, or in revision 3 no ping.
    PingTimeout,
    /// This end closed the session.
    ForcedClose,
    /// More waits for the peer than the bound allows, and it has taken nothing for ten seconds;
    /// or four times the bound waits.
    SlowConsumer,
}

impl CloseReason {
    /// The text: `transport close`, `ping timeout`, …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::ParseError => "parse error",
            Self::PingTimeout => "ping timeout",
            Self::ForcedClose => "forced close",
            Self::SlowConsumer => "slow consumer",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the driver of a WebSocket does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebSocketState {
    /// Write the frames and wait for more.
    Open,
    /// Write the frames and close.
    Closing,
    /// Cut the connection; writing is of no use.
    Cut,
}

/// How long a session that this end closed waits for a poll that takes the news, if a peer that
/// has gone is not found out earlier by the time of a heartbeat.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// How many probes are answered, of those that come before an answer leaves.
const MAX_PROBES: usize = 4;

/// How often a poll is released while a WebSocket takes the session over.
const NOOP_INTERVAL: Duration = Duration::from_millis(100);

/// The state machine of one session. It is told what happens ([`handle`](Self::handle)), by when
/// it wants to be woken ([`deadline`](Self::deadline)), and asked what comes of it.
///
/// Contract: after each `handle`, drain [`poll_event`](Self::poll_event); let those who wait for a
/// request's answer ask [`poll_response`](Self::poll_response), and the driver of a WebSocket
/// [`poll_websocket`](Self::poll_websocket). Packets leave in the order in which they were sent,
/// on whichever transport is the session's when they leave.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    heartbeat: Heartbeat,
    outbox: Outbox,
    /// What is left of a POST's body. It is decoded packet by packet as the application takes
    /// events, so that what it answers to one packet is sent before the next one does harm.
    body: Option<Box<Body>>,
    /// There are none to speak of: what a WebSocket brings is told at once.
    events: VecDeque<Event>,
    /// Answers that are decided and not yet fetched.
    answers: Vec<(RequestId, Response)>,
}

/// What is left of a POST's body.
#[derive(Debug)]
struct Body {
    post: RequestId,
    rest: Bytes,
    /// Whether it is no text.
    is_bytes: bool,
}

#[derive(Debug)]
enum Phase {
    Polling {
        /// The GET that waits for something to say.
        poll: Option<RequestId>,
        /// The POST whose body is on the way.
        post: Option<RequestId>,
        candidate: Option<Box<Candidate>>,
    },
    WebSocket(WebSocketId),
    /// Closed by this end while no poll was open: the next one is told.
    Closing {
        until: Instant,
        /// A WebSocket whose probe was answered. Its client may have stopped to poll for good, and
        /// takes what waits when it has taken the session over.
        candidate: Option<WebSocketId>,
    },
    Closed(End),
}

/// How the session's WebSocket ends, if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// There is none: the session was on polling.
    Polling,
    /// What still waits leaves before it is closed.
    Flush(WebSocketId),
    /// The peer takes nothing, so it is cut.
    Cut(WebSocketId),
}

/// A WebSocket that wants to take a polling session over.
#[derive(Debug)]
struct Candidate {
    id: WebSocketId,
    probe: Probe,
    /// Without an upgrade packet by then the WebSocket is closed; the session lives on.
    until: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Probe {
    Awaited,
    /// `2probe` came, so often; each `3probe` is to be sent.
    Answering {
        probes: usize,
        noop_at: Instant,
    },
    Answered {
        noop_at: Instant,
    },
}

impl Session {
    /// A session that a GET opened: its answer is the handshake, and nothing else.
    pub fn polling(
        now: Instant,
        config: &Config,
        dialect: Dialect,
        open: Outgoing,
        poll: RequestId,
    ) -> Self {
        let phase = Phase::Polling { poll: None, post: None, candidate: None };
        let mut session = Self::new(now, config, dialect, phase);
        session.answers.push((poll, payload(dialect, &[open])));
        session
    }

    /// A session that a WebSocket opened.
    ///
    /// What [`poll_websocket`](Self::poll_websocket) gives is the same in every dialect; the driver
    /// puts it through [`Dialect::to_websocket`].
    pub fn websocket(
        now: Instant,
        config: &Config,
        dialect: Dialect,
        open: Outgoing,
        id: WebSocketId,
    ) -> Self {
        let mut session = Self::new(now, config, dialect, Phase::WebSocket(id));
        session.outbox.push(now, open);
        session
    }

    fn new(now: Instant, config: &Config, dialect: Dialect, phase: Phase) -> Self {
        Self {
            phase,
            heartbeat: Heartbeat::new(now, config, dialect.revision),
            outbox: Outbox::new(now, dialect),
            body: None,
            events: VecDeque::new(),
            answers: Vec::new(),
        }
    }

    /// The revision that the client speaks.
    pub fn revision(&self) -> Revision {
        self.outbox.dialect.revision
    }

    /// The transport on which packets leave now.
    pub fn transport(&self) -> Transport {
        match self.phase {
            Phase::WebSocket(_) | Phase::Closed(End::Flush(_) | End::Cut(_)) => {
                Transport::WebSocket
            }
            _ => Transport::Polling,
        }
    }

    /// Whether the session is over and nobody needs to find it any more.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Closed(_))
    }

    /// Whether packets can still be sent.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Polling { .. } | Phase::WebSocket(_))
    }

    /// Bytes that wait for the transport, those that its driver holds included.
    pub fn waiting_bytes(&self) -> usize {
        self.outbox.waiting_bytes()
    }

    /// Whether a packet would leave now: a poll is open, or the WebSocket takes what is written.
    pub fn is_writable(&self) -> bool {
        match self.phase {
            Phase::Polling { poll, .. } => poll.is_some(),
            Phase::WebSocket(_) => !self.outbox.is_blocked(),
            Phase::Closing { .. } | Phase::Closed(_) => false,
        }
    }

    /// Queues packets that leave adjacent to each other. After a close they go nowhere.
    pub fn send(
        &mut self,
        now: Instant,
        config: &Config,
        packets: impl IntoIterator<Item = Outgoing>,
    ) {
        if !self.is_open() {
            return;
        }
        packets.into_iter().for_each(|packet| self.outbox.push(now, packet));
        self.check_stall(now, config);
    }

    /// Takes one thing in.
    pub fn handle(&mut self, now: Instant, config: &Config, input: Input) {
        match input {
            Input::PollOpened(id) => self.poll_opened(now, id),
            Input::PollAborted(id) => {
                self.answers.retain(|(answered, _)| *answered != id);
                if let Phase::Polling { poll, .. } = &mut self.phase {
                    if poll.take_if(|poll| *poll == id).is_some() {
                        self.end(now, CloseReason::TransportError);
                    }
                }
            }
            Input::PostOpened(id) => self.post_opened(now, id),
            Input::PostReceived(id, body) => self.post_received(id, body, false),
            Input::BinaryPostReceived(id, body) if self.revision() == Revision::V3 => {
                self.post_received(id, body, true);
            }
            Input::PostTooLarge(id) => {
                if self.finish_post(id) {
                    self.answers.push((id, Response::TooLarge));
                }
            }
            Input::BinaryPostReceived(id, _) | Input::PostUnsupported(id) => {
                if self.finish_post(id) {
                    self.answers.push((id, Response::Refused));
                    self.end(now, CloseReason::TransportError);
                }
            }
            Input::PostAborted(id) => {
                self.answers.retain(|(answered, _)| *answered != id);
                if self.finish_post(id) {
                    self.end(now, CloseReason::TransportError);
                }
            }
            Input::WebSocketOpened(id) => {
                if let Phase::Polling { candidate: candidate @ None, .. } = &mut self.phase {
                    let until = now + config.upgrade_timeout;
                    *candidate = Some(Box::new(Candidate { id, probe: Probe::Awaited, until }));
                }
            }
            Input::WebSocketMessage(id, message) => {
                self.websocket_message(now, config, id, message);
            }
            Input::WebSocketClosed(id) => {
                self.websocket_ended(now, id, CloseReason::TransportClose);
            }
            Input::WebSocketFailed(id) => {
                self.websocket_ended(now, id, CloseReason::TransportError);
            }
            Input::Close => self.close(now, config),
            Input::Tick => self.tick(now, config),
        }
    }

    /// Takes in a message that came on a WebSocket, and answers with the next thing to tell the
    /// application: [`handle`](Self::handle) and [`poll_event`](Self::poll_event) in one, since
    /// nearly every message is an event.
    pub fn receive(
        &mut self,
        now: Instant,
        config: &Config,
        id: WebSocketId,
        message: Message,
    ) -> Option<Event> {
        let is_current = matches!(self.phase, Phase::WebSocket(current) if current == id);
        if is_current && self.events.is_empty() && self.body.is_none() {
            let message = match message {
                Message::Text(mut text) if text.first() == Some(&b'4') => {
                    text.advance(1);
                    Message::Text(text)
                }
                binary @ Message::Binary(_) if self.revision() == Revision::V4 => binary,
                other => {
                    self.packet(now, config, self.revision().decode_message(other));
                    return self.events.pop_front();
                }
            };
            self.heartbeat.handle_packet(now, config.ping_timeout);
            return Some(Event::Message(message));
        }
        self.websocket_message(now, config, id, message);
        self.poll_event(now, config)
    }

    /// The next thing to tell the application.
    pub fn poll_event(&mut self, now: Instant, config: &Config) -> Option<Event> {
        while self.events.is_empty() && self.decode_packet(now, config) {}
        let event = self.events.pop_front();
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
        event
    }

    /// Whether [`poll_event`](Self::poll_event) may have something.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty() || self.body.is_some()
    }

    /// The answer to a request, once there is one: for a GET, all that waits.
    pub fn poll_response(&mut self, now: Instant, id: RequestId) -> Option<Response> {
        if let Some(answer) = self.poll_early_response(id) {
            return Some(answer);
        }
        match &mut self.phase {
            Phase::Polling { poll, .. } if *poll == Some(id) => {
                if self.outbox.is_empty() {
                    return None;
                }
                *poll = None;
                Some(self.take_payload(now))
            }
            Phase::Polling { post, .. } if *post == Some(id) => None,
            _ => Some(Response::Refused),
        }
    }

    /// Whether [`poll_response`](Self::poll_response) would answer this request.
    pub fn has_response(&self, id: RequestId) -> bool {
        match &self.phase {
            Phase::Polling { poll, post, .. } if *poll == Some(id) || *post == Some(id) => {
                self.is_answered(id) || *poll == Some(id) && !self.outbox.is_empty()
            }
            _ => true,
        }
    }

    /// The answer to a POST whose body is still on the way: there is one only if the session does
    /// not wait for the body any more.
    pub fn poll_early_response(&mut self, id: RequestId) -> Option<Response> {
        let index = self.answers.iter().position(|(answered, _)| *answered == id)?;
        Some(self.answers.swap_remove(index).1)
    }

    /// What a WebSocket is to write, appended to `frames`, and whether it goes on after that.
    /// `unwritten_bytes` of what it was given before could not be written yet: as long as there are
    /// some it is given its heartbeat at most, which it writes before them.
    pub fn poll_websocket(
        &mut self,
        now: Instant,
        id: WebSocketId,
        unwritten_bytes: usize,
        frames: &mut impl Extend<Outgoing>,
    ) -> WebSocketState {
        match &mut self.phase {
            Phase::WebSocket(current) if *current == id => {
                self.outbox.set_unwritten(now, unwritten_bytes);
                if self.outbox.is_blocked() {
                    frames.extend(self.outbox.hand_over_heartbeat());
                } else {
                    frames.extend(self.outbox.hand_over());
                }
                WebSocketState::Open
            }
            Phase::Polling { candidate: Some(candidate), .. } if candidate.id == id => {
                if let Probe::Answering { probes, noop_at } = candidate.probe {
                    candidate.probe = Probe::Answered { noop_at };
                    frames.extend(std::iter::repeat_n(Outgoing::PONG_PROBE, probes));
                }
                WebSocketState::Open
            }
            Phase::Closing { candidate, .. } if *candidate == Some(id) => WebSocketState::Open,
            Phase::Closed(End::Flush(current)) if *current == id => {
                frames.extend(self.outbox.hand_over());
                WebSocketState::Closing
            }
            Phase::Closed(End::Cut(current)) if *current == id => WebSocketState::Cut,
            _ => WebSocketState::Closing,
        }
    }

    /// Whether the driver of a WebSocket has something to do.
    pub fn wants_websocket(&self, id: WebSocketId) -> bool {
        match &self.phase {
            Phase::WebSocket(current) if *current == id => self.outbox.has_some_to_hand_over(),
            Phase::Polling { candidate: Some(candidate), .. } if candidate.id == id => {
                matches!(candidate.probe, Probe::Answering { .. })
            }
            Phase::Closing { candidate, .. } => *candidate != Some(id),
            _ => true,
        }
    }

    /// By when [`Input::Tick`] is wanted.
    pub fn deadline(&self, config: &Config) -> Option<Instant> {
        let stall = self.outbox.stalls_at(config.max_waiting_bytes);
        let beat = self.heartbeat.deadline();
        match &self.phase {
            Phase::Polling { poll, candidate, .. } => {
                let candidate = candidate.as_ref().map(|candidate| match candidate.probe {
                    Probe::Answering { noop_at, .. } | Probe::Answered { noop_at }
                        if poll.is_some() && self.outbox.is_empty() =>
                    {
                        noop_at.min(candidate.until)
                    }
                    _ => candidate.until,
                });
                [stall, candidate].into_iter().flatten().chain([beat]).min()
            }
            Phase::WebSocket(_) => Some(stall.map_or(beat, |stall| stall.min(beat))),
            Phase::Closing { until, .. } => Some(*until),
            Phase::Closed(_) => None,
        }
    }

    fn poll_opened(&mut self, now: Instant, id: RequestId) {
        match &mut self.phase {
            Phase::Polling { poll: Some(_), .. } => {
                self.answers.push((id, Response::Refused));
                self.end(now, CloseReason::TransportError);
            }
            Phase::Polling { poll: poll @ None, candidate, .. } => {
                *poll = Some(id);
                if let Some(Candidate {
                    probe: Probe::Answering { noop_at, .. } | Probe::Answered { noop_at },
                    ..
                }) = candidate.as_deref_mut()
                {
                    *noop_at = now + NOOP_INTERVAL;
                }
            }
            Phase::Closing { .. } => {
                if self.outbox.is_empty() {
                    let farewell = [Outgoing::NOOP, Outgoing::CLOSE];
                    self.answers.push((id, payload(self.outbox.dialect, &farewell)));
                    self.phase = Phase::Closed(End::Polling);
                } else {
                    let payload = self.take_payload(now);
                    self.answers.push((id, payload));
                }
            }
            Phase::WebSocket(_) | Phase::Closed(_) => self.answers.push((id, Response::Refused)),
        }
    }

    fn post_opened(&mut self, now: Instant, id: RequestId) {
        match &mut self.phase {
            Phase::Polling { post: Some(_), .. } => {
                self.answers.push((id, Response::Refused));
                self.end(now, CloseReason::TransportError);
            }
            Phase::Polling { post: post @ None, .. } => *post = Some(id),
            // What comes after our close is read and ignored, as on a WebSocket.
            Phase::Closing { .. } => (),
            Phase::WebSocket(_) | Phase::Closed(_) => self.answers.push((id, Response::Refused)),
        }
    }

    /// Ends the wait for a POST's body; false if nobody waits for it any more.
    fn finish_post(&mut self, id: RequestId) -> bool {
        match &mut self.phase {
            Phase::Polling { post, .. } if *post == Some(id) => {
                *post = None;
                true
            }
            _ => false,
        }
    }

    fn post_received(&mut self, id: RequestId, body: Bytes, is_bytes: bool) {
        match self.phase {
            Phase::Closing { .. } => {
                // One that our close met on its way is cut.
                if !self.is_answered(id) {
                    self.answers.push((id, Response::Ok));
                }
                // Both ends have said it now.
                let mut packets = self.revision().decode_body(body, is_bytes);
                if packets.any(|packet| packet == Ok(Packet::Close)) {
                    self.phase = Phase::Closed(End::Polling);
                    self.outbox.clear();
                }
            }
            Phase::Polling { post, .. } if post == Some(id) => {
                let body = Body { post: id, rest: body, is_bytes };
                self.body.get_or_insert_with(|| Box::new(body));
            }
            _ => (),
        }
    }

    /// Takes the next packet of a POST's body in; false if none is left.
    fn decode_packet(&mut self, now: Instant, config: &Config) -> bool {
        let Some(Body { post, rest, is_bytes }) = self.body.take().map(|body| *body) else {
            return false;
        };
        let (packet, rest) = self.revision().decode_first(rest, is_bytes);
        match rest {
            Some(rest) => self.body = Some(Box::new(Body { post, rest, is_bytes })),
            None if self.finish_post(post) => self.answers.push((post, Response::Ok)),
            None => (),
        }
        self.packet(now, config, packet);
        true
    }

    fn websocket_message(
        &mut self,
        now: Instant,
        config: &Config,
        id: WebSocketId,
        message: Message,
    ) {
        match &mut self.phase {
            Phase::WebSocket(current) if *current == id => {
                self.packet(now, config, self.revision().decode_message(message));
            }
            Phase::Polling { candidate: slot, .. } => {
                let Some(candidate) = slot.as_mut().filter(|candidate| candidate.id == id) else {
                    return;
                };
                match message {
                    Message::Text(text) if text == "2probe" => {
                        // The poll that is open now is released at once, a later one after a while.
                        let probes = match candidate.probe {
                            Probe::Answering { probes, .. } => (probes + 1).min(MAX_PROBES),
                            Probe::Awaited | Probe::Answered { .. } => 1,
                        };
                        candidate.probe = Probe::Answering { probes, noop_at: now + NOOP_INTERVAL };
                        self.release_poll();
                    }
                    Message::Text(text) if text == "5" => self.upgrade(now, config, id),
                    // Not the language of an upgrade: that WebSocket goes, the session stays.
                    _ => *slot = None,
                }
            }
            Phase::Closing { candidate, .. } if *candidate == Some(id) => match message {
                Message::Text(text) if text == "5" => self.phase = Phase::Closed(End::Flush(id)),
                _ => *candidate = None,
            },
            _ => (),
        }
    }

    /// A WebSocket takes the session over.
    fn upgrade(&mut self, now: Instant, config: &Config, id: WebSocketId) {
        // What is left of a body came before, and may end the session.
        while self.decode_packet(now, config) {}
        if let Phase::Polling { poll, candidate, .. } = &mut self.phase {
            let close = payload(self.outbox.dialect, &[Outgoing::CLOSE]);
            self.answers.extend(poll.take().map(|poll| (poll, close)));
            // A client in a hurry may not have its answers to the probe yet; they come first.
            if let Some(Candidate { probe: Probe::Answering { probes, .. }, .. }) =
                candidate.as_deref()
            {
                self.outbox.push_in_front(now, &Outgoing::PONG_PROBE, *probes);
            }
            self.phase = Phase::WebSocket(id);
            self.events.push_back(Event::Upgraded);
        }
    }

    fn websocket_ended(&mut self, now: Instant, id: WebSocketId, reason: CloseReason) {
        match &mut self.phase {
            Phase::WebSocket(current) if *current == id => {
                self.end(now, reason);
                self.phase = Phase::Closed(End::Cut(id));
                self.outbox.clear();
            }
            Phase::Polling { candidate: slot, .. } => {
                slot.take_if(|candidate| candidate.id == id);
            }
            Phase::Closing { candidate, .. } => {
                candidate.take_if(|candidate| *candidate == id);
            }
            _ => (),
        }
    }

    /// A packet came on the session's transport.
    fn packet(&mut self, now: Instant, config: &Config, packet: Result<Packet, PacketError>) {
        let revision = self.revision();
        match packet {
            Ok(Packet::Pong(_)) if revision == Revision::V4 => {
                self.heartbeat.handle_pong(now, config.ping_interval);
                return;
            }
            Ok(Packet::Ping(_)) if revision == Revision::V3 => {
                self.heartbeat.handle_ping(now, config);
                self.outbox.push_pong();
            }
            Ok(Packet::Message(message)) => self.events.push_back(Event::Message(message)),
            Ok(Packet::Close) => {
                self.release_poll();
                self.end(now, CloseReason::TransportClose);
            }
            // Revision 4 turned the heartbeat around: only one end pings.
            Ok(Packet::Ping(_) | Packet::Pong(_)) => self.end(now, CloseReason::TransportError),
            Ok(Packet::Open(_) | Packet::Upgrade | Packet::Noop) => (),
            Err(_) => self.end(now, CloseReason::ParseError),
        }
        self.heartbeat.handle_packet(now, config.ping_timeout);
    }

    /// The application closes.
    fn close(&mut self, now: Instant, config: &Config) {
        match self.phase {
            Phase::Polling { poll: Some(_), .. } if self.outbox.is_empty() => {
                self.end(now, CloseReason::ForcedClose);
            }
            Phase::Polling { poll, ref candidate, .. } => {
                // A client stops reading at a close packet, so one never shares a body with data.
                let candidate = candidate
                    .as_ref()
                    .filter(|candidate| matches!(candidate.probe, Probe::Answered { .. }))
                    .map(|candidate| candidate.id);
                self.release_post();
                let timeout = CLOSE_TIMEOUT.min(config.ping_interval + config.ping_timeout);
                self.phase = Phase::Closing { until: now + timeout, candidate };
                if let Some(poll) = poll {
                    let payload = self.take_payload(now);
                    self.answers.push((poll, payload));
                }
                self.events.push_back(Event::Closed(CloseReason::ForcedClose));
            }
            Phase::WebSocket(id) => {
                self.phase = Phase::Closed(End::Flush(id));
                self.events.push_back(Event::Closed(CloseReason::ForcedClose));
            }
            Phase::Closing { .. } | Phase::Closed(_) => (),
        }
    }

    fn tick(&mut self, now: Instant, config: &Config) {
        match &mut self.phase {
            Phase::Closing { until, .. } => {
                if *until <= now {
                    self.phase = Phase::Closed(End::Polling);
                    self.outbox.clear();
                }
                return;
            }
            Phase::Closed(_) => return,
            Phase::WebSocket(_) => (),
            Phase::Polling { poll, candidate: slot, .. } => match slot.as_deref() {
                Some(candidate) if candidate.until <= now => *slot = None,
                Some(Candidate {
                    probe: Probe::Answering { noop_at, .. } | Probe::Answered { noop_at },
                    ..
                }) if poll.is_some() && *noop_at <= now => self.release_poll(),
                _ => (),
            },
        }
        match self.heartbeat.handle_tick(now, config.ping_timeout) {
            Due::Nothing => self.check_stall(now, config),
            Due::Ping => self.outbox.push_ping(),
            Due::TimedOut => self.end(now, CloseReason::PingTimeout),
        }
    }

    /// Answers an open poll that has nothing else to return with.
    fn release_poll(&mut self) {
        if let Phase::Polling { poll, .. } = &mut self.phase {
            if self.outbox.is_empty() {
                let noop = payload(self.outbox.dialect, &[Outgoing::NOOP]);
                self.answers.extend(poll.take().map(|poll| (poll, noop)));
            }
        }
    }

    fn check_stall(&mut self, now: Instant, config: &Config) {
        if self.outbox.stalls_at(config.max_waiting_bytes).is_some_and(|at| at <= now) {
            self.end(now, CloseReason::SlowConsumer);
        }
    }

    fn is_answered(&self, id: RequestId) -> bool {
        self.answers.iter().any(|(answered, _)| *answered == id)
    }

    fn take_payload(&mut self, now: Instant) -> Response {
        let packets: Vec<_> = self.outbox.take(now).collect();
        payload(self.outbox.dialect, &packets)
    }

    /// Answers the POST that is under way: well if its body is here, not at all otherwise.
    fn release_post(&mut self) {
        let is_here = self.body.take().is_some();
        if let Phase::Polling { post, .. } = &mut self.phase {
            if let Some(id) = post.take() {
                if !self.answers.iter().any(|(answered, _)| *answered == id) {
                    let response = if is_here { Response::Ok } else { Response::Cut };
                    self.answers.push((id, response));
                }
            }
        }
    }

    /// Ends the session at once. Requests that wait are released; what waits leaves with them or
    /// on the WebSocket, as far as the peer still takes it.
    fn end(&mut self, now: Instant, reason: CloseReason) {
        self.release_post();
        if let Phase::Polling { poll: Some(poll), .. } = self.phase {
            if !self.is_answered(poll) {
                if self.outbox.is_empty() {
                    self.outbox.push(now, Outgoing::CLOSE);
                }
                let payload = self.take_payload(now);
                self.answers.push((poll, payload));
            }
        }
        self.phase = Phase::Closed(match self.phase {
            Phase::WebSocket(id) if reason == CloseReason::SlowConsumer => End::Cut(id),
            Phase::WebSocket(id) => End::Flush(id),
            _ => End::Polling,
        });
        if !matches!(self.phase, Phase::Closed(End::Flush(_))) {
            self.outbox.clear();
        }
        self.events.push_back(Event::Closed(reason));
    }
}

/// The answer to a GET, with these packets.
fn payload(dialect: Dialect, packets: &[Outgoing]) -> Response {
    let body = dialect.encode_body(packets);
    if body.is_bytes { Response::BinaryPayload(body.bytes) } else { Response::Payload(body.bytes) }
}
