//! The client's machine, rule by rule.

use std::time::{Duration, Instant};

use bytes::Bytes;
use sockeye_protocol::engine::{
    ClientConfig, ClientEvent, ClientInput, ClientOutput, ClientSession, CloseReason, Failure,
    Handshake, Message, Outgoing, RequestId, Transport, WebSocketId,
};

use crate::pair::{millis, secs};

struct Rig {
    start: Instant,
    now: Instant,
    session: ClientSession,
}

const WS: WebSocketId = WebSocketId(0);
const OPEN: &str = r#"0{"sid":"49TeYsySa4zpYsxQAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":10}"#;

impl Rig {
    fn new(on: Transport, config: ClientConfig) -> Self {
        let start = Instant::now();
        let session = match on {
            Transport::Polling => ClientSession::polling(start, config),
            Transport::WebSocket => ClientSession::websocket(start, config),
        };
        let mut rig = Self { start, now: start, session };
        let first = match on {
            Transport::Polling => ClientOutput::Get(RequestId(0)),
            Transport::WebSocket => ClientOutput::OpenWebSocket(WS),
        };
        assert_eq!(rig.outputs(), [first]);
        rig
    }

    /// On polling to stay; the GET with id 1 is open.
    fn polling() -> Self {
        let config = ClientConfig { upgrade: false, ..ClientConfig::default() };
        let mut rig = Self::new(Transport::Polling, config);
        assert_eq!(rig.got(0, OPEN), [ClientOutput::Event(opened()), get(1)]);
        rig
    }

    /// On polling with a WebSocket that is to be opened; the GET with id 1 is open.
    fn upgrading() -> Self {
        let mut rig = Self::new(Transport::Polling, ClientConfig::default());
        let expected = [ClientOutput::Event(opened()), ClientOutput::OpenWebSocket(WS), get(1)];
        assert_eq!(rig.got(0, OPEN), expected);
        rig
    }

    /// On polling, with the answer to the probe; the GET with id 1 is open.
    fn pausing() -> Self {
        let mut rig = Self::upgrading();
        rig.handle(ClientInput::WebSocketOpened(WS));
        assert_eq!(rig.outputs(), [write("2probe")]);
        rig.say("3probe");
        assert_eq!(rig.outputs(), []);
        rig
    }

    fn websocket() -> Self {
        let mut rig = Self::new(Transport::WebSocket, ClientConfig::default());
        rig.handle(ClientInput::WebSocketOpened(WS));
        assert_eq!(rig.outputs(), []);
        rig.say(OPEN);
        assert_eq!(rig.outputs(), [ClientOutput::Event(opened())]);
        rig
    }

    fn at(&mut self, after_start: Duration) -> &mut Self {
        self.now = self.start + after_start;
        self
    }

    fn tick(&mut self, after_start: Duration) -> Vec<ClientOutput> {
        self.at(after_start).handle(ClientInput::Tick);
        self.outputs()
    }

    fn handle(&mut self, input: ClientInput) {
        self.session.handle(self.now, input);
    }

    fn send(&mut self, packet: &'static str) {
        self.handle(ClientInput::Send(Outgoing::text(packet)));
    }

    fn say(&mut self, text: &'static str) {
        self.handle(ClientInput::WebSocketMessage(WS, Message::Text(text.into())));
    }

    fn got(&mut self, id: u32, body: &'static str) -> Vec<ClientOutput> {
        self.handle(ClientInput::GetAnswered(RequestId(id), 200, body.into()));
        self.outputs()
    }

    fn posted(&mut self, id: u32) -> Vec<ClientOutput> {
        self.handle(ClientInput::PostAnswered(RequestId(id), 200));
        self.outputs()
    }

    fn close(&mut self) -> Vec<ClientOutput> {
        self.handle(ClientInput::Close);
        self.outputs()
    }

    fn outputs(&mut self) -> Vec<ClientOutput> {
        std::iter::from_fn(|| self.session.poll_output()).collect()
    }

    fn deadline(&self) -> Option<Duration> {
        self.session.deadline().map(|at| at - self.start)
    }

    /// Nothing is wanted any more, and nothing comes of anything.
    #[track_caller]
    fn assert_over(&mut self) {
        assert!(self.session.is_finished());
        assert!(!self.session.is_open());
        assert!(!self.session.is_writable());
        assert_eq!((self.session.transport(), self.deadline()), (None, None));
        self.send("4a");
        self.say("4a");
        self.handle(ClientInput::WebSocketClosed(WS));
        self.handle(ClientInput::RequestFailed(RequestId(1), Failure::TimedOut));
        self.handle(ClientInput::Close);
        self.handle(ClientInput::Tick);
        assert_eq!(self.got(1, "4a"), []);
        assert_eq!(self.posted(1), []);
        assert_eq!(self.session.waiting_bytes(), 0);
    }
}

fn opened() -> ClientEvent {
    ClientEvent::Opened(Handshake::decode(&OPEN.as_bytes()[1..]).unwrap())
}

fn get(id: u32) -> ClientOutput {
    ClientOutput::Get(RequestId(id))
}

fn post(id: u32, body: &'static str) -> ClientOutput {
    ClientOutput::Post(RequestId(id), body.into())
}

fn abort(id: u32) -> ClientOutput {
    ClientOutput::Abort(RequestId(id))
}

fn write(packet: &'static str) -> ClientOutput {
    ClientOutput::Write(WS, Outgoing::text(packet))
}

fn heard(text: &'static str) -> ClientOutput {
    ClientOutput::Event(ClientEvent::Message(Message::Text(text.into())))
}

fn closed(reason: CloseReason) -> ClientOutput {
    ClientOutput::Event(ClientEvent::Closed(reason))
}

const CLOSE_WS: ClientOutput = ClientOutput::CloseWebSocket(WS);
const UPGRADED: ClientOutput = ClientOutput::Event(ClientEvent::Upgraded);
const UPGRADE_FAILED: ClientOutput = ClientOutput::Event(ClientEvent::UpgradeFailed);

// Handshake.

#[test]
fn the_handshake_may_bring_more_than_the_open_packet() {
    let config = ClientConfig { upgrade: false, ..ClientConfig::default() };
    let mut rig = Rig::new(Transport::Polling, config);
    let body = Bytes::from(format!("{OPEN}\u{1e}4hi"));
    rig.handle(ClientInput::GetAnswered(RequestId(0), 200, body));
    assert_eq!(rig.outputs(), [ClientOutput::Event(opened()), heard("hi"), get(1)]);
}

#[test]
fn what_is_sent_before_the_handshake_follows_it() {
    let mut rig = Rig::new(Transport::Polling, ClientConfig::default());
    rig.send("4a");
    rig.send("4b");
    assert_eq!((rig.outputs(), rig.session.waiting_bytes()), (vec![], 4));
    let expected = [
        ClientOutput::Event(opened()),
        ClientOutput::OpenWebSocket(WS),
        post(1, "4a\u{1e}4b"),
        get(2),
    ];
    assert_eq!(rig.got(0, OPEN), expected);
    let mut rig = Rig::new(Transport::WebSocket, ClientConfig::default());
    rig.send("4a");
    rig.say(OPEN);
    assert_eq!(rig.outputs(), [ClientOutput::Event(opened()), write("4a")]);
}

#[test]
fn a_first_packet_that_does_not_open_ends_the_session() {
    let table = [
        ("1", CloseReason::TransportClose),
        ("4a", CloseReason::TransportError),
        ("0{}", CloseReason::ParseError),
        ("0", CloseReason::ParseError),
        ("", CloseReason::ParseError),
        ("<html>", CloseReason::ParseError),
    ];
    for (body, reason) in table {
        let mut rig = Rig::new(Transport::Polling, ClientConfig::default());
        assert_eq!(rig.got(0, body), [closed(reason)], "{body}");
        rig.assert_over();
        let mut rig = Rig::new(Transport::WebSocket, ClientConfig::default());
        rig.handle(ClientInput::WebSocketOpened(WS));
        rig.say(body);
        assert_eq!(rig.outputs(), [CLOSE_WS, closed(reason)], "{body}");
        rig.assert_over();
    }
}

#[test]
fn a_handshake_that_fails_ends_the_session() {
    let mut rig = Rig::new(Transport::Polling, ClientConfig::default());
    rig.handle(ClientInput::GetAnswered(RequestId(0), 400, "{}".into()));
    assert_eq!(rig.outputs(), [closed(CloseReason::TransportError)]);
    rig.assert_over();
    let mut rig = Rig::new(Transport::Polling, ClientConfig::default());
    rig.handle(ClientInput::RequestFailed(RequestId(0), Failure::TimedOut));
    assert_eq!(rig.outputs(), [closed(CloseReason::TransportError)]);
    let mut rig = Rig::new(Transport::WebSocket, ClientConfig::default());
    rig.handle(ClientInput::WebSocketFailed(WS, Failure::TimedOut));
    assert_eq!(rig.outputs(), [closed(CloseReason::TransportError)]);
    rig.assert_over();
}

#[test]
fn a_handshake_has_a_deadline() {
    let mut rig = Rig::new(Transport::Polling, ClientConfig::default());
    assert_eq!(rig.deadline(), Some(secs(20)));
    assert_eq!(rig.tick(secs(19)), []);
    assert_eq!(rig.tick(secs(20)), [abort(0), closed(CloseReason::TransportError)]);
    rig.assert_over();
    let mut rig = Rig::new(Transport::WebSocket, ClientConfig::default());
    rig.handle(ClientInput::WebSocketOpened(WS));
    assert_eq!(rig.tick(secs(20)), [CLOSE_WS, closed(CloseReason::TransportError)]);
}

#[test]
fn closing_during_the_handshake_gives_it_up() {
    let mut rig = Rig::new(Transport::Polling, ClientConfig::default());
    assert_eq!(rig.close(), [abort(0), closed(CloseReason::ForcedClose)]);
    rig.assert_over();
    let mut rig = Rig::new(Transport::WebSocket, ClientConfig::default());
    assert_eq!(rig.close(), [CLOSE_WS, closed(CloseReason::ForcedClose)]);
    rig.assert_over();
}

#[test]
fn a_server_that_does_not_offer_an_upgrade_is_left_on_polling() {
    let mut rig = Rig::new(Transport::Polling, ClientConfig::default());
    let open = r#"0{"sid":"49TeYsySa4zpYsxQAAAA","upgrades":["webtransport"],"pingInterval":1,"pingTimeout":1}"#;
    let outputs = rig.got(0, open);
    assert!(matches!(outputs[..], [ClientOutput::Event(_), ClientOutput::Get(_)]), "{outputs:?}");
}

#[test]
fn intervals_beyond_the_clock_do_not_matter() {
    let mut rig = Rig::new(
        Transport::WebSocket,
        ClientConfig { handshake_timeout: Duration::MAX, ..ClientConfig::default() },
    );
    rig.say(r#"0{"sid":"49TeYsySa4zpYsxQAAAA","upgrades":[],"pingInterval":18446744073709551615,"pingTimeout":18446744073709551615}"#);
    assert!(rig.session.is_open());
    assert!(rig.deadline() > Some(secs(1_000_000)));
}

// Polling.

#[test]
fn one_get_follows_another() {
    let mut rig = Rig::polling();
    assert_eq!(
        rig.got(1, "4a\u{1e}bAQI=\u{1e}4b"),
        [
            heard("a"),
            ClientOutput::Event(ClientEvent::Message(Message::Binary(vec![1, 2].into()))),
            heard("b"),
            get(2),
        ]
    );
    assert_eq!(rig.got(1, "4again"), [], "it was answered before");
    assert_eq!(rig.got(2, "6"), [get(3)]);
}

#[test]
fn what_is_sent_during_a_post_leaves_with_the_next() {
    let mut rig = Rig::polling();
    assert!(rig.session.is_writable());
    rig.send("4a");
    assert_eq!(rig.outputs(), [post(2, "4a")]);
    assert!(!rig.session.is_writable());
    rig.send("4b");
    rig.send("4c");
    assert_eq!((rig.outputs(), rig.session.waiting_bytes()), (vec![], 4));
    assert_eq!(rig.posted(2), [post(3, "4b\u{1e}4c")]);
    assert_eq!(rig.posted(3), []);
    assert!(rig.session.is_writable());
}

#[test]
fn a_post_stays_within_max_payload_unless_one_packet_does_not() {
    let mut rig = Rig::polling();
    // 10 bytes are allowed.
    rig.send("4abcd");
    rig.send("4efg");
    rig.send("4h");
    rig.send("4much too large");
    rig.send("4");
    rig.handle(ClientInput::Send(Outgoing::binary(vec![1, 2, 3, 4])));
    assert_eq!(rig.outputs(), [post(2, "4abcd\u{1e}4efg")]);
    assert_eq!(rig.posted(2), [post(3, "4h")]);
    assert_eq!(rig.posted(3), [post(4, "4much too large")]);
    assert_eq!(rig.posted(4), [post(5, "4")], "base64 would be one byte too much");
    assert_eq!(rig.posted(5), [post(6, "bAQIDBA==")]);
    assert_eq!(rig.posted(6), []);
}

#[test]
fn a_post_holds_no_more_packets_than_every_server_takes() {
    let config = ClientConfig { upgrade: false, ..ClientConfig::default() };
    let mut rig = Rig::new(Transport::Polling, config);
    rig.got(0, r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#);
    (0..20).for_each(|_| rig.send("4"));
    assert_eq!(rig.outputs(), [ClientOutput::Post(RequestId(2), ["4"; 16].join("\u{1e}").into())]);
    assert_eq!(rig.posted(2), [ClientOutput::Post(RequestId(3), ["4"; 4].join("\u{1e}").into())]);
}

#[test]
fn a_session_that_ended_badly_says_why() {
    let mut rig = Rig::polling();
    rig.handle(ClientInput::GetAnswered(RequestId(1), 404, "Not Found".into()));
    assert_eq!(rig.session.failure(), Some(&Failure::refused(404, b"Not Found")));
    let mut rig = Rig::new(Transport::Polling, ClientConfig::default());
    rig.got(0, "118:0{\"sid\":\"x\"}2:40");
    assert_eq!(rig.session.failure(), Some(&Failure::OldRevision));
    let mut rig = Rig::new(Transport::Polling, ClientConfig::default());
    rig.got(0, "<html>");
    assert_eq!(rig.session.failure(), Some(&Failure::NotEngineIo));
    let mut rig = Rig::websocket();
    rig.handle(ClientInput::Close);
    rig.handle(ClientInput::WebSocketClosed(WS));
    assert_eq!(rig.session.failure(), None, "nothing went wrong");
}

#[test]
fn a_session_can_be_ended_at_once() {
    let mut rig = Rig::polling();
    rig.send("4a");
    assert_eq!(rig.outputs(), [post(2, "4a")]);
    rig.handle(ClientInput::Abort(CloseReason::ParseError));
    assert_eq!(rig.outputs(), [abort(1), abort(2), closed(CloseReason::ParseError)]);
    rig.assert_over();
    rig.handle(ClientInput::Abort(CloseReason::ParseError));
    assert_eq!(rig.outputs(), [], "it is over");
}

#[test]
fn a_websocket_is_given_more_when_it_has_written_what_it_had() {
    let large = || Outgoing::text(format!("4{}", "x".repeat(40_000)));
    let writes = |outputs: Vec<ClientOutput>| {
        outputs.iter().filter(|output| matches!(output, ClientOutput::Write(..))).count()
    };
    let mut rig = Rig::websocket();
    (0..5).for_each(|_| rig.handle(ClientInput::Send(large())));
    assert_eq!(writes(rig.outputs()), 2);
    assert!(!rig.session.is_writable() && rig.session.waiting_bytes() == 5 * 40_001);
    rig.say("2");
    assert_eq!(rig.outputs(), [write("3")], "the answer to a ping does not wait");
    rig.handle(ClientInput::WebSocketWritten(WS));
    assert_eq!(writes(rig.outputs()), 2);
    rig.handle(ClientInput::Close);
    let outputs = rig.outputs();
    assert_eq!(outputs.last(), Some(&ClientOutput::CloseWebSocket(WS)));
    assert_eq!(writes(outputs), 1, "what was sent before a close is not held back");
}

#[test]
fn a_server_that_asks_and_does_not_read_is_owed_one_answer() {
    let mut rig = Rig::websocket();
    rig.say("2");
    assert_eq!(rig.outputs(), [write("3")]);
    for _ in 0..3 {
        rig.say("2");
        assert_eq!(rig.outputs(), []);
    }
    rig.handle(ClientInput::WebSocketWritten(WS));
    assert_eq!(rig.outputs(), [write("3")], "one answers several");
    rig.handle(ClientInput::WebSocketWritten(WS));
    assert_eq!(rig.outputs(), []);
}

#[test]
fn a_request_that_fails_ends_the_session() {
    let mut rig = Rig::polling();
    rig.send("4a");
    assert_eq!(rig.outputs(), [post(2, "4a")]);
    rig.handle(ClientInput::RequestFailed(RequestId(1), Failure::TimedOut));
    assert_eq!(rig.outputs(), [abort(2), closed(CloseReason::TransportError)]);
    rig.assert_over();
    let mut rig = Rig::polling();
    rig.send("4a");
    assert_eq!(rig.outputs(), [post(2, "4a")]);
    rig.handle(ClientInput::PostAnswered(RequestId(2), 413));
    assert_eq!(rig.outputs(), [abort(1), closed(CloseReason::TransportError)]);
    rig.assert_over();
    let mut rig = Rig::polling();
    rig.handle(ClientInput::GetAnswered(RequestId(1), 400, Bytes::new()));
    assert_eq!(rig.outputs(), [closed(CloseReason::TransportError)]);
    rig.assert_over();
}

#[test]
fn a_body_that_is_no_packet_ends_the_session_after_what_came_before() {
    let mut rig = Rig::polling();
    let outputs = rig.got(1, "4a\u{1e}xyz\u{1e}4b");
    assert_eq!(outputs, [heard("a"), closed(CloseReason::ParseError)]);
    rig.assert_over();
}

#[test]
fn a_close_packet_ends_the_session() {
    let mut rig = Rig::polling();
    let outputs = rig.got(1, "4a\u{1e}1\u{1e}4b");
    assert_eq!(outputs, [heard("a"), closed(CloseReason::TransportClose)]);
    rig.assert_over();
}

// Heartbeat.

#[test]
fn a_ping_is_answered_at_once_and_first() {
    let mut rig = Rig::polling();
    assert_eq!(rig.got(1, "2"), [post(2, "3"), get(3)]);
    rig.send("4a");
    assert_eq!(rig.got(3, "2\u{1e}2"), [get(4)], "a POST is in flight");
    assert_eq!(rig.posted(2), [post(5, "3\u{1e}4a")], "one pong is enough");
    let mut rig = Rig::websocket();
    rig.say("2");
    assert_eq!(rig.outputs(), [write("3")]);
}

#[test]
fn only_a_ping_puts_the_deadline_off() {
    for mut rig in [Rig::polling(), Rig::websocket()] {
        assert_eq!(rig.deadline(), Some(secs(45)));
        rig.at(secs(30)).say("4a");
        rig.got(1, "4a");
        assert_eq!(rig.deadline(), Some(secs(45)));
        rig.at(secs(31)).say("2");
        rig.got(2, "2");
        assert_eq!(rig.deadline(), Some(secs(76)));
        assert_eq!(rig.tick(secs(75)), []);
        let outputs = rig.tick(secs(76));
        assert_eq!(outputs.last(), Some(&closed(CloseReason::PingTimeout)));
        rig.assert_over();
    }
}

#[test]
fn the_end_gives_up_what_is_in_flight() {
    let mut rig = Rig::pausing();
    rig.send("4a");
    let mut posting = Rig::upgrading();
    posting.send("4a");
    assert_eq!(posting.outputs(), [post(2, "4a")]);
    let error = closed(CloseReason::PingTimeout);
    assert_eq!(rig.tick(secs(45)), [abort(1), CLOSE_WS, error.clone()]);
    assert_eq!(posting.tick(secs(45)), [abort(1), abort(2), CLOSE_WS, error]);
}

#[test]
fn sending_long_after_the_deadline_finds_the_session_dead() {
    let mut rig = Rig::websocket();
    rig.at(secs(3600)).send("4a");
    assert_eq!(rig.outputs(), [CLOSE_WS, closed(CloseReason::PingTimeout)]);
    rig.assert_over();
}

// Upgrade.

#[test]
fn an_upgrade_waits_for_the_requests_in_flight_and_then_flushes() {
    let mut rig = Rig::upgrading();
    rig.handle(ClientInput::WebSocketOpened(WS));
    assert_eq!(rig.outputs(), [write("2probe")]);
    rig.send("4a");
    assert_eq!(rig.outputs(), [post(2, "4a")], "polling goes on until the probe is answered");
    rig.say("3probe");
    rig.send("4b");
    assert_eq!(rig.outputs(), []);
    assert!(!rig.session.is_writable());
    assert_eq!(rig.got(1, "4x\u{1e}2"), [heard("x")], "no new GET");
    assert_eq!(rig.session.transport(), Some(Transport::Polling));
    assert_eq!(rig.posted(2), [write("5"), UPGRADED, write("3"), write("4b")]);
    assert_eq!(rig.session.transport(), Some(Transport::WebSocket));
    rig.send("4c");
    assert_eq!(rig.outputs(), [write("4c")]);
    rig.say("4y");
    assert_eq!(rig.outputs(), [heard("y")]);
    rig.say("6");
    assert_eq!(rig.outputs(), [], "a noop that was on its way to a poll");
    assert_eq!(rig.deadline(), Some(secs(45)));
}

#[test]
fn an_upgrade_that_fails_leaves_polling_as_it_was() {
    type Breakage = (&'static str, fn(&mut Rig), bool);
    let failures: [Breakage; 5] = [
        ("closed", |rig| rig.handle(ClientInput::WebSocketClosed(WS)), false),
        ("failed", |rig| rig.handle(ClientInput::WebSocketFailed(WS, Failure::TimedOut)), false),
        ("bad answer", |rig| rig.say("3"), true),
        (
            "binary answer",
            |rig| rig.handle(ClientInput::WebSocketMessage(WS, Message::Binary("3probe".into()))),
            true,
        ),
        (
            "timeout",
            |rig| {
                rig.at(secs(10)).handle(ClientInput::Tick);
            },
            true,
        ),
    ];
    for (name, fail, closes) in failures {
        let mut connecting = Rig::upgrading();
        connecting.send("4a");
        assert_eq!(connecting.outputs(), [post(2, "4a")]);
        let mut pausing = Rig::pausing();
        pausing.send("4a");
        assert_eq!(pausing.outputs(), []);
        for (mut rig, resumes) in [(connecting, false), (pausing, true)] {
            assert_eq!(rig.deadline(), Some(secs(10)));
            fail(&mut rig);
            let mut expected = vec![UPGRADE_FAILED];
            if closes {
                expected.insert(0, CLOSE_WS);
            }
            if resumes {
                expected.push(post(2, "4a"));
            }
            assert_eq!(rig.outputs(), expected, "{name}");
            assert_eq!(rig.deadline(), Some(secs(45)));
            // What comes late means nothing.
            rig.handle(ClientInput::WebSocketOpened(WS));
            rig.say("3probe");
            rig.handle(ClientInput::WebSocketClosed(WS));
            assert_eq!(rig.outputs(), [], "{name}");
            assert_eq!(rig.got(1, "4x"), [heard("x"), get(3)], "{name}");
        }
    }
}

#[test]
fn a_pause_that_fails_after_its_requests_starts_new_ones() {
    let mut rig = Rig::upgrading();
    rig.send("4a");
    assert_eq!(rig.outputs(), [post(2, "4a")]);
    rig.handle(ClientInput::WebSocketOpened(WS));
    rig.say("3probe");
    assert_eq!(rig.outputs(), [write("2probe")]);
    assert_eq!(rig.got(1, "6"), [], "the POST is in flight");
    assert_eq!(rig.tick(secs(10)), [CLOSE_WS, UPGRADE_FAILED, get(3)]);
    assert_eq!(rig.posted(2), []);
}

#[test]
fn a_close_packet_during_an_upgrade_ends_the_session() {
    let mut rig = Rig::pausing();
    assert_eq!(rig.got(1, "1"), [CLOSE_WS, closed(CloseReason::TransportClose)]);
    rig.assert_over();
}

// Closing.

#[test]
fn closing_on_polling_says_so_after_what_was_sent() {
    let mut rig = Rig::polling();
    rig.send("4a");
    assert_eq!(rig.outputs(), [post(2, "4a")]);
    rig.send("4b");
    rig.at(secs(1));
    assert_eq!(rig.close(), []);
    rig.send("4c");
    assert!(!rig.session.is_open());
    assert_eq!(rig.deadline(), Some(secs(31)));
    assert_eq!(rig.close(), [], "it is closing already");
    assert_eq!(rig.got(1, "4x\u{1e}2"), [get(3)], "nobody listens, but a ping wants its answer");
    assert_eq!(rig.posted(2), [post(4, "3\u{1e}4b")]);
    assert_eq!(rig.posted(4), [post(5, "1")]);
    assert_eq!(rig.got(3, "6"), [], "no new GET");
    assert_eq!(rig.posted(5), [closed(CloseReason::ForcedClose)]);
    rig.assert_over();
}

#[test]
fn closing_on_polling_gives_the_last_get_up() {
    let mut rig = Rig::polling();
    assert_eq!(rig.close(), [post(2, "1")]);
    assert_eq!(rig.posted(2), [abort(1), closed(CloseReason::ForcedClose)]);
    rig.assert_over();
}

#[test]
fn closing_has_a_deadline_and_always_the_same_reason() {
    let mut rig = Rig::polling();
    assert_eq!(rig.close(), [post(2, "1")]);
    assert_eq!(rig.tick(secs(29)), []);
    assert_eq!(rig.tick(secs(30)), [abort(1), abort(2), closed(CloseReason::ForcedClose)]);
    rig.assert_over();
    let mut rig = Rig::polling();
    assert_eq!(rig.close(), [post(2, "1")]);
    rig.handle(ClientInput::RequestFailed(RequestId(2), Failure::TimedOut));
    assert_eq!(rig.outputs(), [abort(1), closed(CloseReason::ForcedClose)]);
    let mut rig = Rig::websocket();
    assert_eq!(rig.close(), [CLOSE_WS]);
    assert_eq!(rig.tick(secs(30)), [closed(CloseReason::ForcedClose)]);
    rig.assert_over();
}

#[test]
fn closing_a_websocket_writes_what_was_sent() {
    let mut rig = Rig::websocket();
    rig.send("4a");
    assert_eq!(rig.close(), [write("4a"), CLOSE_WS]);
    rig.send("4b");
    rig.say("4x");
    assert_eq!(rig.outputs(), []);
    rig.handle(ClientInput::WebSocketClosed(WS));
    assert_eq!(rig.outputs(), [closed(CloseReason::ForcedClose)]);
    rig.assert_over();
}

#[test]
fn closing_during_an_upgrade_drops_it() {
    let mut rig = Rig::pausing();
    rig.send("4a");
    assert_eq!(rig.close(), [CLOSE_WS, post(2, "4a")]);
    assert_eq!(rig.posted(2), [post(3, "1")]);
    assert_eq!(rig.posted(3), [abort(1), closed(CloseReason::ForcedClose)]);
    rig.assert_over();
}

#[test]
fn the_end_of_the_websocket_ends_the_session() {
    let table: [(fn(&mut Rig), CloseReason, bool); 4] = [
        (|rig| rig.handle(ClientInput::WebSocketClosed(WS)), CloseReason::TransportClose, false),
        (
            |rig| rig.handle(ClientInput::WebSocketFailed(WS, Failure::TimedOut)),
            CloseReason::TransportError,
            false,
        ),
        (|rig| rig.say("1"), CloseReason::TransportClose, true),
        (|rig| rig.say("xyz"), CloseReason::ParseError, true),
    ];
    for (end, reason, closes) in table {
        let mut rig = Rig::websocket();
        end(&mut rig);
        let mut expected = vec![closed(reason)];
        if closes {
            expected.insert(0, CLOSE_WS);
        }
        assert_eq!(rig.outputs(), expected);
        rig.assert_over();
    }
}

#[test]
fn a_late_tick_is_not_an_early_one() {
    let mut rig = Rig::upgrading();
    assert_eq!(rig.tick(millis(1)), []);
    assert_eq!(rig.deadline(), Some(secs(10)));
}
