//! `client-session`: as `session`, as the client's state machine has it. What comes from the server
//! (`←`) is played.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sockeye_protocol::engine::{
    ClientConfig, ClientEvent, ClientInput, ClientOutput, ClientSession, Outgoing, RequestId,
    WebSocketId,
};

use crate::{
    Line,
    engine::describe_message,
    escape,
    session::{Step, frame, message},
};

struct Rig {
    session: ClientSession,
    start: Instant,
    now: Instant,
    get: RequestId,
    post: RequestId,
    websocket: WebSocketId,
    happened: Vec<(u128, String)>,
}

impl Rig {
    fn new(first: &Step) -> Self {
        let start = Instant::now();
        let config = ClientConfig::default();
        let session = match first.channel.as_str() {
            "WS" => ClientSession::websocket(start, config),
            _ => ClientSession::polling(start, config),
        };
        let none = RequestId(u32::MAX);
        let websocket = WebSocketId(u32::MAX);
        let happened = Vec::new();
        let mut rig =
            Self { session, start, now: start, get: none, post: none, websocket, happened };
        rig.collect();
        rig
    }

    fn advance(&mut self, until: Duration) {
        let until = self.start + until;
        while let Some(at) = self.session.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.session.handle(self.now, ClientInput::Tick);
            self.collect();
        }
        self.now = until;
    }

    fn play(&mut self, step: &Step) {
        let what = step.what.as_str();
        let input = match (step.channel.as_str(), what) {
            ("GET", "400") => ClientInput::GetAnswered(self.get, 400, Bytes::new()),
            ("GET", body) => ClientInput::GetAnswered(self.get, 200, Bytes::from(body.to_owned())),
            ("POST", "ok") => ClientInput::PostAnswered(self.post, 200),
            ("POST", "400") => ClientInput::PostAnswered(self.post, 400),
            ("WS", "is open") => ClientInput::WebSocketOpened(self.websocket),
            ("WS", "closes") => ClientInput::WebSocketClosed(self.websocket),
            ("WS", what) => ClientInput::WebSocketMessage(self.websocket, message(what)),
            ("app", "closes") => ClientInput::Close,
            ("app", what) => {
                let packet = what.strip_prefix("sends ").unwrap_or_else(|| {
                    panic!("{}: the application cannot do `{what}`", step.place)
                });
                ClientInput::Send(Outgoing::text(packet.to_owned()))
            }
            _ => panic!("{}: no such channel", step.place),
        };
        self.session.handle(self.now, input);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(output) = self.session.poll_output() {
            let line = match output {
                ClientOutput::Get(id) => {
                    self.get = id;
                    "→ GET ".to_owned()
                }
                ClientOutput::Post(id, body) => {
                    self.post = id;
                    format!("→ POST {}", String::from_utf8(body.to_vec()).expect("text"))
                }
                ClientOutput::Abort(id) if id == self.get => "→ GET aborted".to_owned(),
                ClientOutput::Abort(_) => "→ POST aborted".to_owned(),
                ClientOutput::OpenWebSocket(id) => {
                    self.websocket = id;
                    "→ WS opens".to_owned()
                }
                ClientOutput::Write(_, packet) => format!("→ WS {}", frame(&packet)),
                ClientOutput::CloseWebSocket(_) => "→ WS closes".to_owned(),
                ClientOutput::Event(event) => match event {
                    ClientEvent::Opened(_) => "· app hears open".to_owned(),
                    ClientEvent::Message(message) => {
                        format!("· app hears {}", describe_message(&message))
                    }
                    ClientEvent::Upgraded => "· app hears upgraded".to_owned(),
                    ClientEvent::UpgradeFailed => "· app hears upgrade failed".to_owned(),
                    ClientEvent::Closed(reason) => format!("· app hears {reason}"),
                },
            };
            self.happened.push(((self.now - self.start).as_millis(), escape(&line)));
        }
    }
}

pub(crate) fn check(lines: &[Line]) {
    let steps: Vec<_> = lines.iter().map(Step::parse).collect();
    let mut rig = Rig::new(&steps[0]);
    let is_played = |step: &Step| match step.arrow {
        '←' => true,
        '→' => false,
        '·' => !step.what.starts_with("hears "),
        other => panic!("{}: no such arrow: {other}", step.place),
    };
    for step in steps.iter().filter(|step| is_played(step)) {
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
