//! A little server, and the link to it: what arrives when is drawn from the seed.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, Instant},
};

use bytes::Bytes;
use sockeye_protocol::{
    client::{Output, SessionId},
    engine::{ClientInput, ClientOutput, Failure, Message, RequestId, WebSocketId},
};

use crate::{rig::OPEN, seed::Rng};

/// What arrives at one of the two ends.
#[derive(Debug)]
pub(crate) enum Arrival {
    ToClient(SessionId, ClientInput),
    ToServer(SessionId, Heard),
    Ping(SessionId),
}

/// What a server hears.
#[derive(Debug)]
pub(crate) enum Heard {
    WebSocketOpened(WebSocketId),
    Text(String),
    Get(RequestId),
    Post(RequestId, Bytes),
    Gone,
}

#[derive(Default)]
struct Session {
    websocket: Option<WebSocketId>,
    /// The open poll.
    get: Option<RequestId>,
    queue: Vec<String>,
    joined: bool,
}

/// The server and the link.
pub(crate) struct World {
    pub(crate) rng: Rng,
    pub(crate) now: Instant,
    /// What is on its way, by the time of its arrival.
    pub(crate) wire: BTreeMap<(Instant, u64), Arrival>,
    sent: u64,
    /// When the last thing arrives of a session, at either end: order is kept.
    last: HashMap<(bool, SessionId), Instant>,
    sessions: HashMap<SessionId, Session>,
    /// Requests and WebSockets of the client that are not over.
    requests: HashSet<(SessionId, RequestId)>,
    websockets: HashSet<(SessionId, WebSocketId)>,
    pub(crate) is_up: bool,
    /// Sessions whose traffic is lost, and nobody notices.
    silent: HashSet<SessionId>,
    pub(crate) longest_delay: Duration,
    /// Numbers of the events that were heard, in their order.
    pub(crate) heard: Vec<u64>,
    /// How many of ten acknowledgements are sent.
    pub(crate) answers_of_ten: u64,
    said: u64,
    joins: u64,
}

impl World {
    pub(crate) fn new(now: Instant, rng: Rng) -> Self {
        Self {
            rng,
            now,
            wire: BTreeMap::new(),
            sent: 0,
            last: HashMap::new(),
            sessions: HashMap::new(),
            requests: HashSet::new(),
            websockets: HashSet::new(),
            is_up: true,
            silent: HashSet::new(),
            longest_delay: Duration::ZERO,
            heard: Vec::new(),
            answers_of_ten: 10,
            said: 0,
            joins: 0,
        }
    }

    /// The client does something.
    pub(crate) fn perform<W>(&mut self, output: &Output<W>) {
        let Output::Io(session, io) = output else { return };
        let session = *session;
        match io {
            ClientOutput::Get(id) => {
                self.requests.insert((session, *id));
                self.tell_server(session, Heard::Get(*id));
            }
            ClientOutput::Post(id, body) => {
                self.requests.insert((session, *id));
                self.tell_server(session, Heard::Post(*id, body.clone()));
            }
            ClientOutput::Abort(id) => {
                self.requests.remove(&(session, *id));
            }
            ClientOutput::OpenWebSocket(id) => {
                self.websockets.insert((session, *id));
                self.tell_server(session, Heard::WebSocketOpened(*id));
            }
            ClientOutput::Write(id, packet) => {
                let text = String::from_utf8(packet.bytes().to_vec()).unwrap();
                self.tell_server(session, Heard::Text(text));
                self.tell_client(session, ClientInput::WebSocketWritten(*id));
            }
            ClientOutput::CloseWebSocket(id) => {
                self.tell_server(session, Heard::Gone);
                self.tell_client(session, ClientInput::WebSocketClosed(*id));
            }
            ClientOutput::Event(_) => (),
        }
    }

    pub(crate) fn deliver(&mut self, session: SessionId, heard: Heard) {
        if !self.is_up {
            return self.refuse(session);
        }
        match heard {
            Heard::WebSocketOpened(id) => {
                let websocket = Some(id);
                self.sessions.insert(session, Session { websocket, ..Session::default() });
                self.tell_client(session, ClientInput::WebSocketOpened(id));
                self.say(session, OPEN.to_owned());
                self.schedule_ping(session);
            }
            Heard::Text(text) => self.hear(session, &text),
            Heard::Get(id) => {
                if let Some(known) = self.sessions.get_mut(&session) {
                    known.get = Some(id);
                } else {
                    let known = Session { get: Some(id), ..Session::default() };
                    self.sessions.insert(session, known);
                    self.say(session, OPEN.to_owned());
                    self.schedule_ping(session);
                }
                self.flush(session);
            }
            Heard::Post(id, body) => {
                for packet in String::from_utf8(body.to_vec()).unwrap().split('\u{1e}') {
                    self.hear(session, packet);
                }
                self.tell_client(session, ClientInput::PostAnswered(id, 200));
            }
            Heard::Gone => {
                self.sessions.remove(&session);
            }
        }
    }

    fn hear(&mut self, session: SessionId, text: &str) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        if text.starts_with("40") {
            known.joined = true;
            self.joins += 1;
            let yes = format!(r#"40{{"sid":"s{}"}}"#, self.joins);
            self.say(session, yes);
        } else if text.starts_with("41") {
            known.joined = false;
        } else if text == "1" {
            self.say(session, "6".to_owned());
            self.sessions.remove(&session);
        } else if let Some(event) = text.strip_prefix("42") {
            assert!(known.joined, "an event before the socket has joined");
            let (id, name) = event.split_once("[\"k").unwrap();
            self.heard.push(name.trim_end_matches("\"]").parse().unwrap());
            if !id.is_empty() && self.rng.below(10) < self.answers_of_ten {
                self.say(session, format!("43{id}[]"));
            }
        }
    }

    /// Emits a numbered event to whoever is there.
    pub(crate) fn emit(&mut self) {
        let joined = self.sessions.iter().filter(|(_, session)| session.joined);
        let mut ids: Vec<_> = joined.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        for id in ids {
            self.said += 1;
            self.say(id, format!(r#"42["s{}"]"#, self.said));
        }
    }

    /// A ping is due.
    pub(crate) fn ping(&mut self, session: SessionId) {
        if self.sessions.contains_key(&session) {
            self.say(session, "2".to_owned());
            self.schedule_ping(session);
        }
    }

    fn schedule_ping(&mut self, session: SessionId) {
        self.put(self.now + Duration::from_secs(25), Arrival::Ping(session));
    }

    fn say(&mut self, session: SessionId, text: String) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.queue.push(text);
            self.flush(session);
        }
    }

    fn flush(&mut self, session: SessionId) {
        let Some(known) = self.sessions.get_mut(&session) else { return };
        if known.queue.is_empty() {
            return;
        }
        if let Some(id) = known.websocket {
            for text in std::mem::take(&mut known.queue) {
                let message = Message::Text(text.into());
                self.tell_client(session, ClientInput::WebSocketMessage(id, message));
            }
        } else if let Some(id) = known.get.take() {
            let body = std::mem::take(&mut known.queue).join("\u{1e}");
            self.tell_client(session, ClientInput::GetAnswered(id, 200, body.into()));
        }
    }

    /// Everything breaks, and both ends notice.
    pub(crate) fn cut(&mut self) {
        self.wire.retain(|_, arrival| matches!(arrival, Arrival::Ping(_)));
        self.sessions.clear();
        let mut sessions: Vec<_> = self.requests.iter().map(|(session, _)| *session).collect();
        sessions.extend(self.websockets.iter().map(|(session, _)| *session));
        sessions.sort_unstable();
        sessions.dedup();
        sessions.into_iter().for_each(|session| self.refuse(session));
    }

    /// From now on nothing of the present sessions gets through, and nobody notices.
    pub(crate) fn silence(&mut self) {
        self.silent.extend(self.sessions.keys());
    }

    /// The client notices that a session is over.
    fn refuse(&mut self, session: SessionId) {
        let failure = || Failure::Io("cut".to_owned());
        let mut requests: Vec<_> =
            self.requests.iter().filter(|(of, _)| *of == session).map(|(_, id)| *id).collect();
        requests.sort_unstable_by_key(|id| id.0);
        for id in requests {
            self.tell_client(session, ClientInput::RequestFailed(id, failure()));
        }
        let websockets: Vec<_> =
            self.websockets.iter().filter(|(of, _)| *of == session).map(|(_, id)| *id).collect();
        for id in websockets {
            self.tell_client(session, ClientInput::WebSocketFailed(id, failure()));
        }
    }

    /// Something reaches the client; false if it is for a request that it has given up.
    pub(crate) fn is_awaited(&mut self, session: SessionId, input: &ClientInput) -> bool {
        match input {
            ClientInput::GetAnswered(id, ..)
            | ClientInput::PostAnswered(id, _)
            | ClientInput::RequestFailed(id, _) => self.requests.remove(&(session, *id)),
            ClientInput::WebSocketClosed(id) | ClientInput::WebSocketFailed(id, _) => {
                self.websockets.remove(&(session, *id))
            }
            _ => true,
        }
    }

    fn tell_client(&mut self, session: SessionId, input: ClientInput) {
        if !self.silent.contains(&session) {
            let at = self.arrival_time(true, session);
            self.put(at, Arrival::ToClient(session, input));
        }
    }

    fn tell_server(&mut self, session: SessionId, heard: Heard) {
        if !self.silent.contains(&session) {
            let at = self.arrival_time(false, session);
            self.put(at, Arrival::ToServer(session, heard));
        }
    }

    fn arrival_time(&mut self, to_client: bool, session: SessionId) -> Instant {
        let at = self.now + self.rng.up_to(self.longest_delay);
        let last = self.last.entry((to_client, session)).or_insert(at);
        *last = at.max(*last);
        *last
    }

    fn put(&mut self, at: Instant, arrival: Arrival) {
        self.sent += 1;
        self.wire.insert((at, self.sent), arrival);
    }
}
