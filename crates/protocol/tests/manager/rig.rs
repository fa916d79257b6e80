//! A manager whose network is played by the test, on a WebSocket.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sockeye_protocol::{
    client::{
        AckFailure, AckRequest, Config, Emit, Manager, NotSent, Output, Policy, SessionId, SocketId,
    },
    engine::{
        ClientEvent, ClientInput, ClientOutput, Failure, Kind, Message, Transport, WebSocketId,
    },
    socket::PacketBuilder,
};

pub(crate) const WS: WebSocketId = WebSocketId(0);
pub(crate) const OPEN: &str =
    r#"0{"sid":"e","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// On a WebSocket alone, without jitter.
pub(crate) fn config() -> Config {
    Config {
        transports: vec![Transport::WebSocket],
        randomization_factor: 0.0,
        ..Config::default()
    }
}

pub(crate) struct Rig {
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) manager: Manager<&'static str>,
    /// The session that was used last.
    pub(crate) session: SessionId,
    pub(crate) main: SocketId,
}

impl Rig {
    pub(crate) fn new(config: Config) -> Self {
        let now = Instant::now();
        let mut manager = Manager::new(config, 1);
        let main = manager.socket("/");
        Self { start: now, now, manager, session: SessionId(0), main }
    }

    /// With the main socket connected.
    pub(crate) fn connected(config: Config) -> Self {
        let mut rig = Self::new(config);
        rig.manager.open(rig.now, rig.main);
        assert_eq!(rig.news(), ["open a websocket"]);
        rig.accept();
        assert_eq!(rig.say(r#"40{"sid":"s"}"#), ["connected"]);
        rig
    }

    /// The WebSocket opens and the session starts.
    pub(crate) fn accept(&mut self) -> Vec<String> {
        self.io(ClientInput::WebSocketOpened(WS));
        self.say(OPEN)
    }

    pub(crate) fn io(&mut self, input: ClientInput) -> Vec<String> {
        self.manager.handle_io(self.now, self.session, input);
        self.news()
    }

    pub(crate) fn say(&mut self, text: &'static str) -> Vec<String> {
        self.io(ClientInput::WebSocketMessage(WS, Message::Text(text.into())))
    }

    pub(crate) fn say_bytes(&mut self, bytes: &'static [u8]) -> Vec<String> {
        self.io(ClientInput::WebSocketMessage(WS, Message::Binary(bytes.into())))
    }

    pub(crate) fn fail(&mut self) -> Vec<String> {
        self.io(ClientInput::WebSocketFailed(WS, Failure::Io("refused".to_owned())))
    }

    /// Lets time pass until then, deadline by deadline.
    pub(crate) fn run(&mut self, until: Duration) -> Vec<String> {
        let until = self.start + until;
        let mut news = Vec::new();
        for _ in 0..1000 {
            match self.manager.deadline().filter(|at| *at <= until) {
                Some(at) => {
                    self.now = self.now.max(at);
                    self.manager.handle_tick(self.now);
                    news.extend(self.news());
                }
                None => {
                    self.now = until;
                    return news;
                }
            }
        }
        panic!("a deadline is not moved by its tick: {news:?}")
    }

    pub(crate) fn emit(&mut self, name: &str, policy: Policy) -> Result<(), NotSent> {
        self.emit_to(self.main, "/", name, policy, None)
    }

    /// Asks for an acknowledgement under this id; who waits is the name.
    pub(crate) fn ask(&mut self, name: &'static str, id: u64, timeout: Option<Duration>) {
        let ack = AckRequest { id, waiter: Some(name), timeout };
        self.emit_to(self.main, "/", name, Policy::Buffer, Some(ack)).unwrap();
    }

    pub(crate) fn emit_to(
        &mut self,
        socket: SocketId,
        namespace: &str,
        name: &str,
        policy: Policy,
        ack: Option<AckRequest<&'static str>>,
    ) -> Result<(), NotSent> {
        let id = ack.as_ref().map(|ack| ack.id);
        let packet = PacketBuilder::event(namespace, id, name).finish(vec![]);
        self.manager.emit(self.now, socket, Emit { packet, ack, policy })
    }

    /// What came out, a line each.
    pub(crate) fn news(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        while let Some(output) = self.manager.poll_output(self.now) {
            if let Output::Io(session, ClientOutput::OpenWebSocket(_)) = &output {
                self.session = *session;
            }
            if let Output::Io(session, ClientOutput::Write(id, _)) = &output {
                self.manager.handle_io(self.now, *session, ClientInput::WebSocketWritten(*id));
            }
            news.extend(describe(&output));
        }
        news
    }
}

fn describe(output: &Output<&'static str>) -> Option<String> {
    Some(match output {
        Output::Io(_, ClientOutput::OpenWebSocket(_)) => "open a websocket".to_owned(),
        Output::Io(_, ClientOutput::CloseWebSocket(_)) => "close the websocket".to_owned(),
        Output::Io(_, ClientOutput::Write(_, packet)) => match packet.kind() {
            Kind::Text => text(packet.bytes()),
            Kind::Binary => format!("{:?}", packet.bytes()),
        },
        Output::Io(_, ClientOutput::Get(_)) => "GET".to_owned(),
        Output::Io(_, ClientOutput::Event(ClientEvent::Opened(_) | ClientEvent::Closed(_))) => {
            return None;
        }
        Output::Io(_, other) => format!("{other:?}"),
        Output::AuthWanted(socket, number) => format!("auth {number} wanted for {}", socket.0),
        Output::Ack(waiter, Ok(payload)) => format!("{waiter}: {}", payload.json()),
        Output::Ack(waiter, Err(AckFailure::TimedOut)) => format!("{waiter}: timed out"),
        Output::Ack(waiter, Err(AckFailure::Disconnected)) => format!("{waiter}: disconnected"),
        Output::Ack(waiter, Err(failure)) => format!("{waiter}: {failure}"),
        Output::Connected { socket, recovered } => match (socket.0, recovered) {
            (0, false) => "connected".to_owned(),
            (0, true) => "recovered".to_owned(),
            (other, _) => format!("connected {other}"),
        },
        Output::ConnectError { failure, will_retry, .. } => {
            format!("connect error: {failure}{}", if *will_retry { "" } else { ", for good" })
        }
        Output::Disconnected { reason, will_reconnect, .. } => {
            format!("disconnected: {reason}{}", if *will_reconnect { "" } else { ", for good" })
        }
        Output::Event { event, .. } => event.payload.json().to_string(),
        Output::Opened(transport) => {
            assert_eq!(*transport, Transport::WebSocket);
            return None;
        }
        Output::Upgraded => "upgraded".to_owned(),
        Output::Closed(_) => return None,
        Output::ReconnectAttempt(attempt) => format!("attempt {attempt}"),
        Output::Reconnected(attempt) => format!("attempt {attempt} succeeded"),
        Output::ReconnectError(attempt, _) => format!("attempt {attempt} failed"),
        Output::ReconnectFailed => "given up".to_owned(),
    })
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
