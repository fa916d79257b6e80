//! The client's machine and the server's, joined by a simulated link.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use sockeye_protocol::engine::{
    ClientConfig, ClientEvent, ClientInput, ClientOutput, ClientSession, CloseReason, Config,
    Dialect, Event, Failure, Handshake, Input, Kind, Message, Outgoing, RequestId, Response,
    Revision, Session, Transport, WebSocketId, WebSocketState,
};

use crate::seed::Rng;

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What the link does to what it carries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    /// Everything takes up to so long, each by itself; a WebSocket keeps its order.
    pub(crate) delay: Duration,
    /// HTTP: what would arrive between these two times arrives at the second one.
    pub(crate) stall: Option<(Duration, Duration)>,
    /// Everything breaks then, and both ends notice, and nothing works any more.
    pub(crate) cut_at: Option<Duration>,
    /// From then on everything is lost, and nobody notices.
    pub(crate) silent_from: Option<Duration>,
    pub(crate) sabotage: Option<Sabotage>,
}

/// How an upgrade is made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// The WebSocket cannot be opened.
    NoWebSocket,
    /// The client's probe arrives as something else.
    BadProbe,
    /// The answer to the probe arrives as something else.
    BadAnswer,
    /// Somebody in the middle closes the WebSocket when it is probed.
    Closed,
    /// The probe is lost.
    ProbeLost,
    /// The answer to the probe is lost.
    AnswerLost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum To {
    Client,
    Server,
}

/// What keeps its order on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Channel {
    Request(RequestId),
    WebSocket(WebSocketId),
}

#[derive(Clone, Debug)]
enum Arrival {
    Get(RequestId),
    PostHead(RequestId),
    PostBody(RequestId, Bytes),
    Abort(RequestId),
    Answer(RequestId, Response),
    WebSocketOpen(WebSocketId),
    WebSocketAccepted(WebSocketId),
    Message(WebSocketId, Message),
    WebSocketClosed(WebSocketId),
    WebSocketFailed(WebSocketId),
    Cut,
    Act(Act),
}

/// What an application does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    ClientSends(Vec<Outgoing>),
    ServerSends(Vec<Outgoing>),
    ClientCloses,
    ServerCloses,
}

pub(crate) struct Pair {
    rng: Rng,
    link: Link,
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) client: ClientSession,
    pub(crate) server: Option<Session>,
    dialect: Dialect,
    pub(crate) config: Config,
    handshake: Handshake,
    /// What is on its way, by the time of its arrival.
    wire: BTreeMap<(Instant, u64), (To, Arrival)>,
    sent: u64,
    /// When the last thing arrives on a channel.
    last: HashMap<(To, Channel), Instant>,
    /// The client's requests that are not answered: whether each is a GET.
    asked: HashMap<RequestId, bool>,
    client_websockets: HashSet<WebSocketId>,
    /// Requests that the server has to answer: whether the body of a POST is on the way.
    unanswered: Vec<(RequestId, bool)>,
    server_websockets: Vec<WebSocketId>,
    pub(crate) client_events: Vec<(Duration, ClientEvent)>,
    pub(crate) server_events: Vec<(Duration, Event)>,
    /// Bodies of all POSTs.
    pub(crate) posts: Vec<Bytes>,
    /// How often anything happened.
    pub(crate) steps: usize,
}

pub(crate) const MAX_PAYLOAD: usize = 1000;

impl Pair {
    pub(crate) fn new(seed: u64, on: Transport, link: Link, client: ClientConfig) -> Self {
        let start = Instant::now();
        // Our client asks for base64 in revision 3.
        let is_old = client.revision == Revision::V3;
        let dialect = Dialect { revision: client.revision, base64: is_old };
        let config = Config::default();
        let handshake = Handshake {
            sid: "49TeYsySa4zpYsxQAAAA".parse().unwrap(),
            upgrade_to_websocket: on == Transport::Polling,
            ping_interval: config.ping_interval,
            ping_timeout: config.ping_timeout,
            max_payload: MAX_PAYLOAD,
        };
        let client = match on {
            Transport::Polling => ClientSession::polling(start, client),
            Transport::WebSocket => ClientSession::websocket(start, client),
        };
        let mut pair = Self {
            rng: Rng::new(seed),
            start,
            now: start,
            client,
            server: None,
            dialect,
            config,
            handshake,
            wire: BTreeMap::new(),
            sent: 0,
            last: HashMap::new(),
            asked: HashMap::new(),
            client_websockets: HashSet::new(),
            unanswered: Vec::new(),
            server_websockets: Vec::new(),
            client_events: Vec::new(),
            server_events: Vec::new(),
            posts: Vec::new(),
            steps: 0,
            link,
        };
        if let Some(at) = pair.link.cut_at {
            pair.arrive(start + at, To::Client, Arrival::Cut);
        }
        pair.drain_client();
        pair
    }

    /// A pair on this transport that stays there.
    pub(crate) fn staying(seed: u64, on: Transport, link: Link) -> Self {
        Self::new(seed, on, link, ClientConfig { upgrade: false, ..ClientConfig::default() })
    }

    /// An application does something at some time after the start.
    pub(crate) fn schedule(&mut self, at: Duration, act: Act) {
        let to = match act {
            Act::ClientSends(_) | Act::ClientCloses => To::Client,
            Act::ServerSends(_) | Act::ServerCloses => To::Server,
        };
        self.arrive(self.start + at, to, Arrival::Act(act));
    }

    /// Runs to a time after the start.
    pub(crate) fn run(&mut self, until: Duration) {
        let end = self.start + until;
        let mut ticks_at_once = 0;
        loop {
            let arrival = self.wire.first_key_value().map(|((at, _), _)| *at);
            let client = self.client.deadline();
            let server = self.server.as_ref().and_then(|server| server.deadline(&self.config));
            let deadline = client.into_iter().chain(server).min();
            let Some(next) = arrival.into_iter().chain(deadline).min() else { return };
            if next > end {
                self.now = end;
                return;
            }
            self.steps += 1;
            ticks_at_once = if next > self.now { 0 } else { ticks_at_once + 1 };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, (to, arrival)) = self.wire.pop_first().expect("something arrives");
                self.deliver(to, arrival);
                ticks_at_once = 0;
                continue;
            }
            assert!(ticks_at_once < 10, "a deadline is not moved by its tick");
            if client == Some(next) {
                self.tell_client(ClientInput::Tick);
            } else {
                self.tell_server(Input::Tick);
            }
        }
    }

    pub(crate) fn client_reason(&self) -> Option<CloseReason> {
        self.client_events.iter().find_map(|(_, event)| match event {
            ClientEvent::Closed(reason) => Some(*reason),
            _ => None,
        })
    }

    pub(crate) fn server_reason(&self) -> Option<CloseReason> {
        self.server_events.iter().find_map(|(_, event)| match event {
            Event::Closed(reason) => Some(*reason),
            _ => None,
        })
    }

    pub(crate) fn client_heard(&self) -> Vec<Message> {
        let events = self.client_events.iter();
        events
            .filter_map(|(_, event)| match event {
                ClientEvent::Message(message) => Some(message.clone()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn server_heard(&self) -> Vec<Message> {
        let events = self.server_events.iter();
        events
            .filter_map(|(_, event)| match event {
                Event::Message(message) => Some(message.clone()),
                _ => None,
            })
            .collect()
    }

    /// Both ends are over, and want nothing any more.
    pub(crate) fn assert_ended(&self) {
        assert!(self.client.is_finished(), "the client goes on");
        assert!(self.client_reason().is_some());
        assert_eq!(self.client.deadline(), None);
        let server = self.server.as_ref().expect("there was a server");
        assert!(server.is_finished(), "the server goes on");
        assert!(self.server_reason().is_some());
        assert_eq!(server.deadline(&self.config), None);
    }

    /// Both ends are on this transport.
    pub(crate) fn assert_open(&self, on: Transport) {
        assert!(self.client.is_open(), "{:?}", self.client_events.last());
        assert_eq!(self.client.transport(), Some(on));
        let server = self.server.as_ref().expect("there is a server");
        assert!(server.is_open(), "{:?}", self.server_events.last());
        assert_eq!(server.transport(), on);
    }

    fn arrive(&mut self, at: Instant, to: To, arrival: Arrival) {
        self.sent += 1;
        self.wire.insert((at, self.sent), (to, arrival));
    }

    /// Puts something on the wire.
    fn send(&mut self, to: To, channel: Channel, arrival: Arrival) {
        let elapsed = self.now - self.start;
        if self.link.silent_from.is_some_and(|from| from <= elapsed) {
            return;
        }
        if self.link.cut_at.is_some_and(|at| at <= elapsed) {
            let at = self.now + millis(1);
            match arrival {
                Arrival::Get(id) | Arrival::PostHead(id) => {
                    self.arrive(at, To::Client, Arrival::Answer(id, Response::Cut));
                }
                Arrival::WebSocketOpen(id) => {
                    self.arrive(at, To::Client, Arrival::WebSocketFailed(id));
                }
                _ => (),
            }
            return;
        }
        let mut at = self.now + self.rng.up_to(self.link.delay);
        if let (Channel::Request(_), Some((from, until))) = (channel, self.link.stall) {
            if (from..until).contains(&(at - self.start)) {
                at = self.start + until;
            }
        }
        let last = self.last.entry((to, channel)).or_insert(at);
        *last = at.max(*last);
        let at = *last;
        self.arrive(at, to, arrival);
    }

    fn deliver(&mut self, to: To, arrival: Arrival) {
        match (to, arrival) {
            (_, Arrival::Act(act)) => self.act(act),
            (_, Arrival::Cut) => self.cut(),
            (To::Server, arrival) => self.deliver_to_server(arrival),
            (To::Client, arrival) => self.deliver_to_client(arrival),
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::ClientSends(packets) => {
                for packet in packets {
                    self.client.handle(self.now, ClientInput::Send(packet));
                }
                self.drain_client();
            }
            Act::ClientCloses => self.tell_client(ClientInput::Close),
            Act::ServerSends(packets) => {
                if let Some(server) = &mut self.server {
                    server.send(self.now, &self.config, packets);
                    self.drain_server();
                }
            }
            Act::ServerCloses => self.tell_server(Input::Close),
        }
    }

    fn cut(&mut self) {
        self.wire.retain(|_, (_, arrival)| matches!(arrival, Arrival::Act(_)));
        for (id, _) in self.asked.clone() {
            self.deliver_to_client(Arrival::Answer(id, Response::Cut));
        }
        for id in self.client_websockets.clone() {
            self.deliver_to_client(Arrival::WebSocketFailed(id));
        }
        for (id, _) in self.unanswered.clone() {
            self.deliver_to_server(Arrival::Abort(id));
        }
        for id in self.server_websockets.clone() {
            self.deliver_to_server(Arrival::WebSocketFailed(id));
        }
    }

    fn deliver_to_server(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Get(id) => {
                self.unanswered.push((id, false));
                if self.server.is_some() {
                    self.tell_server(Input::PollOpened(id));
                } else {
                    let open = self.handshake.encode();
                    self.server =
                        Some(Session::polling(self.now, &self.config, self.dialect, open, id));
                    self.drain_server();
                }
            }
            Arrival::PostHead(id) => {
                self.unanswered.push((id, true));
                self.tell_server(Input::PostOpened(id));
            }
            Arrival::PostBody(id, body) => {
                let Some(entry) = self.unanswered.iter_mut().find(|(open, _)| *open == id) else {
                    return;
                };
                entry.1 = false;
                self.tell_server(if body.len() > self.handshake.max_payload {
                    Input::PostTooLarge(id)
                } else {
                    Input::PostReceived(id, body)
                });
            }
            Arrival::Abort(id) => {
                let Some(index) = self.unanswered.iter().position(|(open, _)| *open == id) else {
                    return;
                };
                let (_, in_body) = self.unanswered.swap_remove(index);
                self.tell_server(if in_body {
                    Input::PostAborted(id)
                } else {
                    Input::PollAborted(id)
                });
            }
            Arrival::WebSocketOpen(id) => {
                self.server_websockets.push(id);
                self.send(To::Client, Channel::WebSocket(id), Arrival::WebSocketAccepted(id));
                if self.server.is_some() {
                    self.tell_server(Input::WebSocketOpened(id));
                } else {
                    let open = self.handshake.encode();
                    self.server =
                        Some(Session::websocket(self.now, &self.config, self.dialect, open, id));
                    self.drain_server();
                }
            }
            Arrival::Message(id, message) => {
                if self.server_websockets.contains(&id) {
                    self.tell_server(Input::WebSocketMessage(id, message));
                }
            }
            Arrival::WebSocketClosed(id) => {
                if self.server_websockets.contains(&id) {
                    self.server_websockets.retain(|open| *open != id);
                    // The closing handshake is answered.
                    self.send(To::Client, Channel::WebSocket(id), Arrival::WebSocketClosed(id));
                    self.tell_server(Input::WebSocketClosed(id));
                }
            }
            Arrival::WebSocketFailed(id) => {
                self.server_websockets.retain(|open| *open != id);
                self.tell_server(Input::WebSocketFailed(id));
            }
            other => panic!("a server gets no {other:?}"),
        }
    }

    fn deliver_to_client(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Answer(id, response) => {
                let Some(is_get) = self.asked.remove(&id) else { return };
                let (status, body) = match response {
                    Response::Payload(body) => (200, body),
                    Response::BinaryPayload(body) => panic!("nobody asked for {body:?}"),
                    Response::Ok => (200, Bytes::from("ok")),
                    Response::Refused => (400, Bytes::new()),
                    Response::TooLarge => (413, Bytes::new()),
                    Response::Cut => {
                        return self.tell_client(ClientInput::RequestFailed(id, broken()));
                    }
                };
                self.tell_client(if is_get {
                    ClientInput::GetAnswered(id, status, body)
                } else {
                    ClientInput::PostAnswered(id, status)
                });
            }
            Arrival::WebSocketAccepted(id) => self.tell_client(ClientInput::WebSocketOpened(id)),
            Arrival::Message(id, message) => {
                self.tell_client(ClientInput::WebSocketMessage(id, message));
            }
            Arrival::WebSocketClosed(id) => {
                if self.client_websockets.remove(&id) {
                    self.tell_client(ClientInput::WebSocketClosed(id));
                }
            }
            Arrival::WebSocketFailed(id) => {
                if self.client_websockets.remove(&id) {
                    self.tell_client(ClientInput::WebSocketFailed(id, broken()));
                }
            }
            other => panic!("a client gets no {other:?}"),
        }
    }

    fn tell_client(&mut self, input: ClientInput) {
        self.client.handle(self.now, input);
        self.drain_client();
    }

    fn drain_client(&mut self) {
        while let Some(output) = self.client.poll_output() {
            let is_over = matches!(self.client_events.last(), Some((_, ClientEvent::Closed(_))));
            assert!(!is_over, "{output:?} after the end");
            match output {
                ClientOutput::Get(id) => {
                    assert!(!self.asked.values().any(|is_get| *is_get), "two GETs at once");
                    self.asked.insert(id, true);
                    self.send(To::Server, Channel::Request(id), Arrival::Get(id));
                }
                ClientOutput::Post(id, body) => {
                    assert!(self.asked.values().all(|is_get| *is_get), "two POSTs at once");
                    self.asked.insert(id, false);
                    self.posts.push(body.clone());
                    self.send(To::Server, Channel::Request(id), Arrival::PostHead(id));
                    self.send(To::Server, Channel::Request(id), Arrival::PostBody(id, body));
                }
                // The answer may be on its way: half of the time it comes nevertheless.
                ClientOutput::Abort(id) => {
                    if self.rng.below(2) == 0 {
                        self.asked.remove(&id);
                    }
                    self.send(To::Server, Channel::Request(id), Arrival::Abort(id));
                }
                ClientOutput::OpenWebSocket(id) => {
                    self.client_websockets.insert(id);
                    if self.link.sabotage == Some(Sabotage::NoWebSocket) {
                        let at = self.now + self.link.delay;
                        self.arrive(at, To::Client, Arrival::WebSocketFailed(id));
                    } else {
                        self.send(To::Server, Channel::WebSocket(id), Arrival::WebSocketOpen(id));
                    }
                }
                ClientOutput::Write(id, packet) => {
                    self.write_to_server(id, &packet);
                    self.client.handle(self.now, ClientInput::WebSocketWritten(id));
                }
                ClientOutput::CloseWebSocket(id) => {
                    self.send(To::Server, Channel::WebSocket(id), Arrival::WebSocketClosed(id));
                }
                ClientOutput::Event(event) => {
                    self.client_events.push((self.now - self.start, event));
                }
            }
        }
    }

    fn write_to_server(&mut self, id: WebSocketId, packet: &Outgoing) {
        let channel = Channel::WebSocket(id);
        let mut message = message(packet);
        if packet.bytes() == "2probe" {
            match self.link.sabotage {
                Some(Sabotage::ProbeLost) => return,
                Some(Sabotage::BadProbe) => message = Message::Text("2prob".into()),
                Some(Sabotage::Closed) => {
                    self.send(To::Server, channel, Arrival::WebSocketClosed(id));
                    return self.send(To::Client, channel, Arrival::WebSocketClosed(id));
                }
                _ => (),
            }
        }
        self.send(To::Server, channel, Arrival::Message(id, message));
    }

    fn tell_server(&mut self, input: Input) {
        if let Some(server) = &mut self.server {
            server.handle(self.now, &self.config, input);
            self.drain_server();
        }
    }

    fn drain_server(&mut self) {
        let Some(server) = &mut self.server else { return };
        while let Some(event) = server.poll_event(self.now, &self.config) {
            let is_over = matches!(self.server_events.last(), Some((_, Event::Closed(_))));
            assert!(!is_over, "{event:?} after the end");
            self.server_events.push((self.now - self.start, event));
        }
        let mut answers = Vec::new();
        self.unanswered.retain(|&(id, in_body)| {
            let answer = if in_body {
                server.poll_early_response(id)
            } else {
                server.poll_response(self.now, id)
            };
            let is_answered = answer.is_some();
            if let Some(answer) = &answer {
                assert_no_data_beside_a_close(answer);
            }
            answers.extend(answer.map(|answer| (id, answer)));
            !is_answered
        });
        let mut writes = Vec::new();
        let mut frames = VecDeque::new();
        self.server_websockets.retain(|&id| {
            let state = server.poll_websocket(self.now, id, 0, &mut frames);
            writes.extend(frames.drain(..).map(|packet| (id, Some(packet))));
            if state != WebSocketState::Open {
                writes.push((id, None));
            }
            state == WebSocketState::Open
        });
        for (id, answer) in answers {
            self.send(To::Client, Channel::Request(id), Arrival::Answer(id, answer));
        }
        for (id, packet) in writes {
            let channel = Channel::WebSocket(id);
            match packet {
                None => self.send(To::Client, channel, Arrival::WebSocketClosed(id)),
                Some(packet) => match (self.link.sabotage, packet.bytes() == "3probe") {
                    (Some(Sabotage::AnswerLost), true) => (),
                    (Some(Sabotage::BadAnswer), true) => {
                        let bad = Message::Text("3".into());
                        self.send(To::Client, channel, Arrival::Message(id, bad));
                    }
                    _ => {
                        let packet = self.dialect.to_websocket(packet);
                        let arrival = Arrival::Message(id, message(&packet));
                        self.send(To::Client, channel, arrival);
                    }
                },
            }
        }
    }
}

/// A client stops reading at a close packet, so a body with one holds no data.
pub(crate) fn assert_no_data_beside_a_close(answer: &Response) {
    let Response::Payload(body) = answer else { return };
    let mut packets = body.split(|&byte| byte == 0x1e);
    if packets.any(|packet| packet == b"1") {
        assert!(body == "1" || body == "6\u{1e}1", "{answer:?}");
    }
}

/// What the client is told when the link is cut.
fn broken() -> Failure {
    Failure::Io("the link was cut".to_owned())
}

/// A packet as it comes out of a WebSocket.
fn message(packet: &Outgoing) -> Message {
    match packet.kind() {
        Kind::Text => Message::Text(packet.bytes().clone()),
        Kind::Binary => Message::Binary(packet.bytes().clone()),
    }
}

/// Numbered messages of either kind, of many sizes.
pub(crate) fn numbered(numbers: std::ops::Range<u32>) -> Vec<Outgoing> {
    numbers.map(|number| Outgoing::message(&numbered_message(number))).collect()
}

pub(crate) fn numbered_message(number: u32) -> Message {
    let mut text = format!("{number}:");
    text.extend(std::iter::repeat_n('x', (number * 7 % 90) as usize));
    if number % 5 == 0 { Message::Binary(text.into()) } else { Message::Text(text.into()) }
}

pub(crate) fn numbered_messages(numbers: std::ops::Range<u32>) -> Vec<Message> {
    numbers.map(numbered_message).collect()
}
