//! `session`: what goes over the wire, and when, as the server's state machine has it.
//!
//! A line is `<seconds> s <arrow> <channel> <what>`. Lines that begin at the client (`→`) or with a
//! deed of the application are played; what the machine does must be the other lines.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sockeye_protocol::engine::{
    Config, Dialect, Event, Input, Kind, Message, Outgoing, RequestId, Response, Revision, Session,
    WebSocketId, WebSocketState,
};

use crate::{Line, engine::describe_message, escape, hex, unescape, unhex};

/// One line of a script.
pub(crate) struct Step {
    pub(crate) place: String,
    pub(crate) at: Duration,
    /// `→` to the server, `←` to the client, `·` inside one of them.
    pub(crate) arrow: char,
    /// `GET`, `POST`, `WS`, each perhaps with a number behind it, or `app`.
    pub(crate) channel: String,
    pub(crate) what: String,
}

impl Step {
    pub(crate) fn parse(line: &Line) -> Self {
        let mut words = line.text.split(' ').filter(|word| !word.is_empty());
        let mut word = || words.next().unwrap_or_else(|| panic!("{}: too short", line.place));
        let seconds: f64 = word().parse().unwrap_or_else(|_| panic!("{}: no time", line.place));
        assert_eq!(word(), "s", "{}", line.place);
        let arrow = word().chars().next().expect("a word is not empty");
        let channel = word().to_owned();
        let what = unescape(&words.collect::<Vec<_>>().join(" "));
        let at = Duration::from_secs_f64(seconds);
        Self { place: line.place.clone(), at, arrow, channel, what }
    }

    /// As it is compared: what is done at the same time is not in order.
    pub(crate) fn printed(&self) -> (u128, String) {
        (self.at.as_millis(), format!("{} {} {}", self.arrow, self.channel, escape(&self.what)))
    }
}

/// A frame in words: text as it is, binary as `bytes 01 02`.
pub(crate) fn frame(packet: &Outgoing) -> String {
    match packet.kind() {
        Kind::Text => String::from_utf8(packet.bytes().to_vec()).expect("text is UTF-8"),
        Kind::Binary => format!("bytes {}", hex(packet.bytes())),
    }
}

/// The message of [`frame`].
pub(crate) fn message(what: &str) -> Message {
    match what.strip_prefix("bytes ") {
        Some(bytes) => Message::Binary(unhex(bytes).expect("bytes in hex").into()),
        None => Message::Text(Bytes::from(what.to_owned())),
    }
}

struct Rig {
    dialect: Dialect,
    session: Session,
    config: Config,
    start: Instant,
    now: Instant,
    next_id: u32,
    /// Requests that are not answered; false while the body of a POST is on the way.
    requests: Vec<(String, RequestId, bool)>,
    websockets: Vec<(String, WebSocketId)>,
    happened: Vec<(u128, String)>,
}

impl Rig {
    /// The first line opens the session.
    fn new(first: &Step, revision: Revision) -> Self {
        let start = Instant::now();
        let config = Config::default();
        let dialect = Dialect { revision, base64: false };
        let open = Outgoing::text("0{…}");
        let (mut requests, mut websockets) = (Vec::new(), Vec::new());
        let session = if first.channel == "WS" {
            websockets.push((first.channel.clone(), WebSocketId(0)));
            Session::websocket(start, &config, dialect, open, WebSocketId(0))
        } else {
            requests.push((first.channel.clone(), RequestId(0), true));
            Session::polling(start, &config, dialect, open, RequestId(0))
        };
        let happened = Vec::new();
        let mut rig = Self {
            dialect,
            session,
            config,
            start,
            now: start,
            next_id: 0,
            requests,
            websockets,
            happened,
        };
        rig.collect();
        rig
    }

    fn handle(&mut self, input: Input) {
        self.session.handle(self.now, &self.config, input);
    }

    fn note(&mut self, arrow: char, channel: &str, what: &str) {
        let at = (self.now - self.start).as_millis();
        self.happened.push((at, format!("{arrow} {channel} {}", escape(what))));
    }

    /// Lets the time pass, with all that becomes due.
    fn advance(&mut self, until: Duration) {
        let until = self.start + until;
        while let Some(at) = self.session.deadline(&self.config).filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.handle(Input::Tick);
            self.collect();
        }
        self.now = until;
    }

    fn request(&mut self, channel: &str, is_complete: bool) -> RequestId {
        self.next_id += 1;
        let id = RequestId(self.next_id);
        self.requests.push((channel.to_owned(), id, is_complete));
        id
    }

    fn find_request(&mut self, step: &Step) -> RequestId {
        let found = self.requests.iter_mut().find(|(name, ..)| *name == step.channel);
        let found = found.unwrap_or_else(|| panic!("{}: no such request", step.place));
        found.2 = true;
        found.1
    }

    fn play(&mut self, step: &Step) {
        let kind = step.channel.split('-').next().expect("a split has a first part");
        match (kind, step.what.as_str()) {
            ("GET", "") => {
                let id = self.request(&step.channel, true);
                self.handle(Input::PollOpened(id));
            }
            ("GET", "aborted") => {
                let id = self.find_request(step);
                self.requests.retain(|(_, other, _)| *other != id);
                self.handle(Input::PollAborted(id));
            }
            ("POST", "begins") => {
                let id = self.request(&step.channel, false);
                self.handle(Input::PostOpened(id));
            }
            ("POST", "aborted") => {
                let id = self.find_request(step);
                self.requests.retain(|(_, other, _)| *other != id);
                self.handle(Input::PostAborted(id));
            }
            ("POST", what) => {
                let id = self.request(&step.channel, true);
                self.handle(Input::PostOpened(id));
                self.handle(match what {
                    "too large" => Input::PostTooLarge(id),
                    "of octets" => Input::PostUnsupported(id),
                    body => match message(body) {
                        Message::Text(body) => Input::PostReceived(id, body),
                        Message::Binary(body) => Input::BinaryPostReceived(id, body),
                    },
                });
            }
            ("WS", "opens") => {
                self.next_id += 1;
                let id = WebSocketId(self.next_id);
                self.websockets.push((step.channel.clone(), id));
                self.handle(Input::WebSocketOpened(id));
            }
            ("WS", what) => {
                let found = self.websockets.iter().find(|(name, _)| *name == step.channel);
                let id = found.unwrap_or_else(|| panic!("{}: no such WebSocket", step.place)).1;
                self.handle(match what {
                    "closes" => Input::WebSocketClosed(id),
                    "breaks" => Input::WebSocketFailed(id),
                    what => Input::WebSocketMessage(id, message(what)),
                });
                if matches!(what, "closes" | "breaks") {
                    self.websockets.retain(|(_, other)| *other != id);
                }
            }
            ("app", "closes") => self.handle(Input::Close),
            ("app", what) => {
                let packet = what.strip_prefix("sends ").unwrap_or_else(|| {
                    panic!("{}: the application cannot do `{what}`", step.place)
                });
                let packet = match message(packet) {
                    Message::Text(packet) => Outgoing::text(packet),
                    Message::Binary(data) => Outgoing::binary(data),
                };
                self.session.send(self.now, &self.config, [packet]);
            }
            _ => panic!("{}: no such channel", step.place),
        }
        self.collect();
    }

    /// Notes what has come of it.
    fn collect(&mut self) {
        // The application comes first: bodies are decoded as it takes what is in them.
        while let Some(event) = self.session.poll_event(self.now, &self.config) {
            let event = match event {
                Event::Message(message) => describe_message(&message),
                Event::Upgraded => "upgraded".to_owned(),
                Event::Closed(reason) => reason.to_string(),
            };
            self.note('·', "app", &format!("hears {event}"));
        }
        for (name, id, is_complete) in std::mem::take(&mut self.requests) {
            let answer = if is_complete {
                self.session.poll_response(self.now, id)
            } else {
                self.session.poll_early_response(id)
            };
            let answer = match answer {
                None => {
                    self.requests.push((name, id, is_complete));
                    continue;
                }
                Some(Response::BinaryPayload(body)) => format!("bytes {}", hex(&body)),
                Some(Response::Payload(body)) => String::from_utf8(body.to_vec()).expect("text"),
                Some(Response::Ok) => "ok".to_owned(),
                Some(Response::Refused) => "400".to_owned(),
                Some(Response::TooLarge) => "413".to_owned(),
                Some(Response::Cut) => "cut".to_owned(),
            };
            self.note('←', &name, &answer);
        }
        for (name, id) in std::mem::take(&mut self.websockets) {
            let mut frames = Vec::new();
            let state = self.session.poll_websocket(self.now, id, 0, &mut frames);
            for packet in frames {
                self.note('←', &name, &frame(&self.dialect.to_websocket(packet)));
            }
            match state {
                WebSocketState::Open => self.websockets.push((name, id)),
                WebSocketState::Closing => self.note('←', &name, "closes"),
                WebSocketState::Cut => self.note('←', &name, "is cut"),
            }
        }
    }
}

pub(crate) fn check(lines: &[Line], revision: Revision) {
    let steps: Vec<_> = lines.iter().map(Step::parse).collect();
    let mut rig = Rig::new(&steps[0], revision);
    let is_played = |step: &Step| match step.arrow {
        '→' => true,
        '←' => false,
        '·' => !step.what.starts_with("hears "),
        other => panic!("{}: no such arrow: {other}", step.place),
    };
    for step in steps[1..].iter().filter(|step| is_played(step)) {
        rig.advance(step.at);
        rig.play(step);
    }
    rig.advance(steps.last().expect("a block has lines").at);
    let mut happened = rig.happened;
    let mut expected: Vec<_> =
        steps.iter().filter(|step| !is_played(step)).map(Step::printed).collect();
    happened.sort();
    expected.sort();
    assert_eq!(happened, expected, "{} and below", steps[0].place);
}
