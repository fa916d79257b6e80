//! The server's machine, rule by rule.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sockeye_protocol::engine::{
    CloseReason, Config, Dialect, Event, Input, Message, Outgoing, RequestId, Response, Session,
    Transport, WebSocketId, WebSocketState,
};

use crate::pair::{millis, secs};

/// A session, the time, and short words for what is done to it.
struct Rig {
    start: Instant,
    now: Instant,
    config: Config,
    session: Session,
    /// Events that have been taken out, and are still to be told by [`Self::event`].
    told: Vec<Event>,
}

const WS: WebSocketId = WebSocketId(1);

impl Rig {
    /// A session on polling whose handshake has been fetched: no poll is open.
    fn polling() -> Self {
        let (start, config) = (Instant::now(), Config::default());
        let session = Session::polling(
            start,
            &config,
            Dialect::default(),
            Outgoing::text("0{}"),
            RequestId(0),
        );
        let mut rig = Self { start, now: start, config, session, told: Vec::new() };
        assert_eq!(rig.answer(0), payload("0{}"));
        rig
    }

    fn websocket() -> Self {
        let (start, config) = (Instant::now(), Config::default());
        let session =
            Session::websocket(start, &config, Dialect::default(), Outgoing::text("0{}"), WS);
        let mut rig = Self { start, now: start, config, session, told: Vec::new() };
        assert_eq!(rig.frames(WS, 0), (vec!["0{}".to_owned()], WebSocketState::Open));
        rig
    }

    /// On polling, and a WebSocket was probed and answered.
    fn probed() -> Self {
        let mut rig = Self::polling();
        rig.handle(Input::WebSocketOpened(WS));
        rig.say(WS, "2probe");
        assert_eq!(rig.frames(WS, 0), (vec!["3probe".to_owned()], WebSocketState::Open));
        rig
    }

    fn at(&mut self, after_start: Duration) -> &mut Self {
        self.now = self.start + after_start;
        self
    }

    fn tick(&mut self, after_start: Duration) {
        self.at(after_start).handle(Input::Tick);
    }

    fn handle(&mut self, input: Input) {
        self.session.handle(self.now, &self.config, input);
    }

    fn send(&mut self, packet: &str) {
        let packet = Outgoing::text(packet.to_owned());
        self.session.send(self.now, &self.config, [packet]);
    }

    fn send_bytes(&mut self, bytes: usize) {
        self.session.send(self.now, &self.config, [Outgoing::binary(vec![0; bytes])]);
    }

    fn poll(&mut self, id: u32) -> Option<Response> {
        self.handle(Input::PollOpened(RequestId(id)));
        self.answer(id)
    }

    /// A POST whose body is here, and not decoded yet.
    fn bring(&mut self, id: u32, body: &'static str) {
        self.handle(Input::PostOpened(RequestId(id)));
        self.handle(Input::PostReceived(RequestId(id), body.into()));
    }

    /// A POST whose body is decoded to its end.
    fn post(&mut self, id: u32, body: &'static str) -> Option<Response> {
        self.bring(id, body);
        self.told = self.events();
        self.answer(id)
    }

    /// The next event, and no more than it takes to get it.
    fn event(&mut self) -> Option<Event> {
        if !self.told.is_empty() {
            return Some(self.told.remove(0));
        }
        self.session.poll_event(self.now, &self.config)
    }

    fn answer(&mut self, id: u32) -> Option<Response> {
        let has_response = self.session.has_response(RequestId(id));
        let response = self.session.poll_response(self.now, RequestId(id));
        assert_eq!(has_response, response.is_some());
        response
    }

    fn say(&mut self, id: WebSocketId, text: &'static str) {
        let message = Message::Text(text.into());
        let event = self.session.receive(self.now, &self.config, id, message);
        self.told.extend(event);
    }

    fn frames(&mut self, id: WebSocketId, unwritten_bytes: usize) -> (Vec<String>, WebSocketState) {
        let mut frames = VecDeque::new();
        let state = self.session.poll_websocket(self.now, id, unwritten_bytes, &mut frames);
        let text = |packet: Outgoing| String::from_utf8_lossy(packet.bytes()).into_owned();
        (frames.into_iter().map(text).collect(), state)
    }

    fn events(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.told);
        events.extend(std::iter::from_fn(|| self.event()));
        assert!(!self.session.has_events());
        events
    }

    fn deadline(&self) -> Option<Duration> {
        self.session.deadline(&self.config).map(|at| at - self.start)
    }

    #[track_caller]
    fn assert_closed(&mut self, reason: CloseReason) {
        assert_eq!(self.events(), [Event::Closed(reason)]);
        assert!(!self.session.is_open());
        assert!(!self.session.is_writable());
        assert!(self.session.is_finished());
        assert_eq!(self.deadline(), None);
    }

    #[track_caller]
    fn assert_alive(&mut self) {
        assert_eq!(self.events(), []);
        assert!(self.session.is_open());
    }
}

fn payload(packets: &'static str) -> Option<Response> {
    Some(Response::Payload(Bytes::from(packets)))
}

fn heard(text: &'static str) -> Event {
    Event::Message(Message::Text(text.into()))
}

const NOTHING: Vec<String> = Vec::new();

// Polling.

#[test]
fn the_handshake_is_answered_at_once_and_alone() {
    let (now, config) = (Instant::now(), Config::default());
    let mut session =
        Session::polling(now, &config, Dialect::default(), Outgoing::text("0{}"), RequestId(0));
    session.send(now, &config, [Outgoing::text("4a")]);
    assert!(session.has_response(RequestId(0)));
    assert!(!session.is_writable(), "no poll is open");
    assert_eq!(session.waiting_bytes(), 2);
    assert_eq!(session.poll_response(now, RequestId(0)), payload("0{}"));
    session.handle(now, &config, Input::PollOpened(RequestId(1)));
    assert_eq!(session.poll_response(now, RequestId(1)), payload("4a"));
    assert!(session.is_open());
}

#[test]
fn a_handshake_that_is_given_up_leaves_the_session_open() {
    let (now, config) = (Instant::now(), Config::default());
    let mut session =
        Session::polling(now, &config, Dialect::default(), Outgoing::text("0{}"), RequestId(0));
    session.handle(now, &config, Input::PollAborted(RequestId(0)));
    assert_eq!(session.poll_early_response(RequestId(0)), None, "nobody is there to fetch it");
    assert!(session.is_open());
}

#[test]
fn a_session_that_closes_before_its_handshake_is_fetched_answers_it_nevertheless() {
    let (now, config) = (Instant::now(), Config::default());
    let mut session =
        Session::polling(now, &config, Dialect::default(), Outgoing::text("0{}"), RequestId(0));
    session.send(now, &config, [Outgoing::text("4a")]);
    session.handle(now, &config, Input::Close);
    assert_eq!(session.poll_response(now, RequestId(0)), payload("0{}"));
    for (id, farewell) in [(1, "4a"), (2, "6\u{1e}1")] {
        session.handle(now, &config, Input::PollOpened(RequestId(id)));
        assert_eq!(session.poll_response(now, RequestId(id)), payload(farewell));
    }
    assert!(session.is_finished());
}

#[test]
fn a_poll_waits_until_there_is_something_and_takes_all_of_it() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    rig.send("4a");
    rig.send("4b");
    assert_eq!(rig.answer(1), payload("4a\u{1e}4b"));
    rig.send("4c");
    assert_eq!(rig.poll(2), payload("4c"));
    rig.assert_alive();
}

#[test]
fn a_post_brings_packets_in_their_order() {
    let mut rig = Rig::polling();
    assert_eq!(rig.post(1, "4a\u{1e}bAQI=\u{1e}4b"), Some(Response::Ok));
    let binary = Event::Message(Message::Binary(vec![1, 2].into()));
    assert_eq!(rig.events(), [heard("a"), binary, heard("b")]);
}

#[test]
fn a_body_is_decoded_as_the_application_takes_events_and_answered_at_its_end() {
    let mut rig = Rig::polling();
    rig.bring(1, "4a\u{1e}3\u{1e}4b\u{1e}6");
    assert!(rig.session.has_events());
    assert_eq!(rig.answer(1), None);
    assert_eq!(rig.event(), Some(heard("a")));
    assert_eq!(rig.answer(1), None);
    assert_eq!(rig.event(), Some(heard("b")));
    assert!(rig.session.has_events(), "there may be something yet");
    assert_eq!(rig.answer(1), None);
    assert_eq!(rig.event(), None);
    assert_eq!(rig.answer(1), Some(Response::Ok));
    rig.assert_alive();
    // Without a packet behind it the last event is the end.
    rig.bring(2, "4a\u{1e}4b");
    assert_eq!((rig.event(), rig.answer(2)), (Some(heard("a")), None));
    assert_eq!((rig.event(), rig.answer(2)), (Some(heard("b")), Some(Response::Ok)));
    rig.assert_alive();
}

#[test]
fn a_reply_to_one_packet_leaves_before_the_next_one_in_the_body_does_harm() {
    for (harm, reason) in [
        ("4a\u{1e}1", CloseReason::TransportClose),
        ("4a\u{1e}2", CloseReason::TransportError),
        ("4a\u{1e}xyz", CloseReason::ParseError),
        ("4a\u{1e}", CloseReason::ParseError),
    ] {
        let mut rig = Rig::polling();
        assert_eq!(rig.poll(1), None);
        rig.bring(2, harm);
        assert_eq!(rig.event(), Some(heard("a")));
        rig.send("4b");
        rig.assert_closed(reason);
        assert_eq!(rig.answer(1), payload("4b"), "{harm}");
        assert_eq!(rig.answer(2), Some(Response::Ok), "{harm}");
    }
}

#[test]
fn a_pong_counts_when_it_is_decoded() {
    let mut rig = Rig::polling();
    rig.tick(secs(25));
    rig.at(secs(26)).bring(1, "3");
    assert_eq!(rig.deadline(), Some(secs(45)));
    assert_eq!(rig.at(secs(27)).events(), []);
    assert_eq!(rig.deadline(), Some(secs(52)));
}

#[test]
fn broken_base64_is_read_as_far_as_it_goes() {
    let mut rig = Rig::polling();
    assert_eq!(rig.post(1, "b!!!!\u{1e}bAQ ID\nBA==BA\u{1e}bA"), Some(Response::Ok));
    let binary = |data: &'static [u8]| Event::Message(Message::Binary(data.into()));
    assert_eq!(rig.events(), [binary(&[]), binary(&[1, 2, 3, 4]), binary(&[])]);
    rig.assert_alive();
}

#[test]
fn a_second_poll_ends_the_session() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    assert_eq!(rig.poll(2), Some(Response::Refused));
    assert_eq!(rig.answer(1), payload("1"));
    rig.assert_closed(CloseReason::TransportError);
}

#[test]
fn a_second_poll_does_not_take_from_the_first_one_what_waits_for_it() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    rig.send("4a");
    assert_eq!(rig.poll(2), Some(Response::Refused));
    assert_eq!(rig.answer(1), payload("4a"));
    rig.assert_closed(CloseReason::TransportError);
}

#[test]
fn a_second_post_ends_the_session() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    rig.handle(Input::PostOpened(RequestId(2)));
    assert_eq!(rig.session.poll_early_response(RequestId(2)), None);
    rig.handle(Input::PostOpened(RequestId(3)));
    assert_eq!(rig.session.poll_early_response(RequestId(2)), Some(Response::Cut));
    assert_eq!(rig.answer(3), Some(Response::Refused));
    assert_eq!(rig.answer(1), payload("1"));
    rig.assert_closed(CloseReason::TransportError);
}

#[test]
fn a_second_post_before_the_first_body_is_decoded_ends_the_session() {
    let mut rig = Rig::polling();
    rig.bring(1, "4a\u{1e}4b");
    assert_eq!(rig.event(), Some(heard("a")));
    rig.handle(Input::PostOpened(RequestId(2)));
    rig.handle(Input::PostReceived(RequestId(2), "4c".into()));
    assert_eq!(rig.answer(1), Some(Response::Ok), "its body is here");
    assert_eq!(rig.answer(2), Some(Response::Refused));
    rig.assert_closed(CloseReason::TransportError);
}

#[test]
fn the_end_of_a_session_answers_a_post_whose_body_is_here_and_cuts_another_one() {
    let ends: [fn(&mut Rig); 4] = [
        |rig| rig.handle(Input::PollAborted(RequestId(1))),
        |rig| rig.handle(Input::Close),
        |rig| drop(rig.poll(2)),
        |rig| {
            rig.tick(secs(25));
            rig.tick(secs(45));
        },
    ];
    for end in ends {
        let mut rig = Rig::polling();
        assert_eq!(rig.poll(1), None);
        rig.bring(3, "4a\u{1e}4b");
        assert_eq!(rig.event(), Some(heard("a")));
        end(&mut rig);
        assert_eq!(rig.answer(3), Some(Response::Ok));
        let events = rig.events();
        assert!(matches!(events[..], [Event::Closed(_)]), "nothing is taken in: {events:?}");

        let mut rig = Rig::polling();
        assert_eq!(rig.poll(1), None);
        rig.handle(Input::PostOpened(RequestId(3)));
        end(&mut rig);
        assert_eq!(rig.session.poll_early_response(RequestId(3)), Some(Response::Cut));
        let events = rig.events();
        assert!(matches!(events[..], [Event::Closed(_)]), "{events:?}");
    }
}

#[test]
fn a_session_that_ends_by_itself_gives_its_poll_what_waits() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    rig.tick(secs(25));
    assert_eq!(rig.answer(1), payload("2"));
    assert_eq!(rig.poll(2), None);
    rig.send("4a");
    rig.tick(secs(45));
    assert_eq!(rig.answer(2), payload("4a"));
    rig.assert_closed(CloseReason::PingTimeout);
    assert_eq!(rig.poll(3), Some(Response::Refused));
}

#[test]
fn a_poll_and_a_post_may_overlap() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    assert_eq!(rig.post(2, "4a"), Some(Response::Ok));
    assert_eq!(rig.events(), [heard("a")]);
    assert_eq!(rig.answer(1), None);
}

#[test]
fn a_poll_that_is_given_up_ends_the_session() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    rig.handle(Input::PollAborted(RequestId(1)));
    rig.assert_closed(CloseReason::TransportError);
    assert_eq!(rig.session.poll_early_response(RequestId(1)), None, "nobody is there to fetch it");
    assert_eq!(rig.poll(2), Some(Response::Refused));
}

#[test]
fn giving_up_a_poll_that_was_answered_means_nothing() {
    let mut rig = Rig::polling();
    rig.send("4a");
    assert_eq!(rig.poll(1), payload("4a"));
    rig.handle(Input::PollAborted(RequestId(1)));
    rig.assert_alive();
}

#[test]
fn a_post_that_is_given_up_ends_the_session() {
    let mut rig = Rig::polling();
    rig.handle(Input::PostOpened(RequestId(1)));
    rig.handle(Input::PostAborted(RequestId(1)));
    rig.assert_closed(CloseReason::TransportError);
}

#[test]
fn a_post_that_is_too_large_leaves_the_session_open() {
    let mut rig = Rig::polling();
    rig.handle(Input::PostOpened(RequestId(1)));
    rig.handle(Input::PostTooLarge(RequestId(1)));
    assert_eq!(rig.answer(1), Some(Response::TooLarge));
    assert_eq!(rig.post(2, "4a"), Some(Response::Ok));
    assert_eq!(rig.events(), [heard("a")]);
}

#[test]
fn an_unsupported_content_type_ends_the_session() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    rig.handle(Input::PostOpened(RequestId(2)));
    rig.handle(Input::PostUnsupported(RequestId(2)));
    assert_eq!(rig.answer(2), Some(Response::Refused));
    assert_eq!(rig.answer(1), payload("1"));
    rig.assert_closed(CloseReason::TransportError);
}

#[test]
fn a_body_that_is_no_packet_is_answered_and_ends_the_session() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    assert_eq!(rig.post(2, "4a\u{1e}abc\u{1e}4b"), Some(Response::Ok));
    assert_eq!(rig.answer(1), payload("1"));
    assert_eq!(rig.events(), [heard("a"), Event::Closed(CloseReason::ParseError)]);
    let mut rig = Rig::polling();
    assert_eq!(rig.post(1, ""), Some(Response::Ok));
    rig.assert_closed(CloseReason::ParseError);
}

#[test]
fn a_request_of_a_session_that_is_over_is_refused() {
    let mut rig = Rig::polling();
    assert_eq!(rig.post(1, "1"), Some(Response::Ok));
    rig.assert_closed(CloseReason::TransportClose);
    assert_eq!(rig.poll(2), Some(Response::Refused));
    assert_eq!(rig.post(3, "4a"), Some(Response::Refused));
    assert_eq!(rig.session.poll_early_response(RequestId(3)), None);
    rig.send("4a");
    assert_eq!(rig.session.waiting_bytes(), 0);
    assert_eq!(rig.events(), []);
}

// Closing.

#[test]
fn a_close_packet_releases_the_poll_with_a_noop() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    assert_eq!(rig.post(2, "4a\u{1e}1\u{1e}4b"), Some(Response::Ok));
    assert_eq!(rig.answer(1), payload("6"));
    assert_eq!(rig.events(), [heard("a"), Event::Closed(CloseReason::TransportClose)]);
    assert_eq!(rig.deadline(), None);
}

#[test]
fn a_close_packet_releases_the_poll_with_what_waits() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    rig.send("4a");
    assert_eq!(rig.post(2, "1"), Some(Response::Ok));
    assert_eq!(rig.answer(1), payload("4a"));
    rig.assert_closed(CloseReason::TransportClose);
}

#[test]
fn a_close_packet_without_a_poll_drops_what_waits() {
    let mut rig = Rig::polling();
    rig.send("4a");
    assert_eq!(rig.post(1, "1"), Some(Response::Ok));
    rig.assert_closed(CloseReason::TransportClose);
    assert_eq!(rig.session.waiting_bytes(), 0);
    assert_eq!(rig.poll(2), Some(Response::Refused));
}

#[test]
fn closing_tells_the_poll_that_is_open() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    rig.handle(Input::Close);
    assert_eq!(rig.answer(1), payload("1"));
    rig.assert_closed(CloseReason::ForcedClose);
}

#[test]
fn closing_sends_what_waits_with_the_poll_that_is_open_and_tells_the_next_one() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    rig.send("4a");
    rig.handle(Input::Close);
    rig.send("4b");
    assert_eq!(rig.events(), [Event::Closed(CloseReason::ForcedClose)]);
    assert!(!rig.session.is_open());
    assert!(!rig.session.is_writable());
    assert!(!rig.session.is_finished(), "the next poll must find the session");
    assert_eq!(rig.deadline(), Some(secs(30)));
    assert_eq!(rig.answer(1), payload("4a"));
    assert_eq!(rig.poll(2), payload("6\u{1e}1"));
    assert!(rig.session.is_finished());
    assert_eq!((rig.events(), rig.deadline()), (vec![], None));
    assert_eq!(rig.poll(3), Some(Response::Refused));
}

#[test]
fn a_ping_that_waits_shares_no_body_with_a_close_packet_either() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    rig.tick(secs(25));
    rig.handle(Input::Close);
    assert_eq!(rig.answer(1), payload("2"));
    assert_eq!(rig.poll(2), payload("6\u{1e}1"));
    assert!(rig.session.is_finished());
}

#[test]
fn closing_ends_the_wait_for_the_rest_of_a_body() {
    let mut rig = Rig::polling();
    rig.bring(1, "4a\u{1e}4b");
    assert_eq!(rig.event(), Some(heard("a")));
    rig.handle(Input::Close);
    assert_eq!(rig.events(), [Event::Closed(CloseReason::ForcedClose)]);
    assert_eq!(rig.answer(1), Some(Response::Ok));
    assert_eq!(rig.poll(2), payload("6\u{1e}1"));
}

#[test]
fn closing_waits_for_a_poll_to_tell() {
    let mut rig = Rig::polling();
    rig.handle(Input::Close);
    assert_eq!(rig.events(), [Event::Closed(CloseReason::ForcedClose)]);
    assert!(!rig.session.is_open());
    assert!(!rig.session.is_finished(), "the next poll must find the session");
    assert_eq!(rig.deadline(), Some(secs(30)));
    rig.at(secs(29));
    assert_eq!(rig.poll(1), payload("6\u{1e}1"));
    assert!(rig.session.is_finished());
    assert_eq!((rig.events(), rig.deadline()), (vec![], None));
}

#[test]
fn closing_sends_what_waits_with_the_next_poll_and_tells_the_one_after_it() {
    let mut rig = Rig::polling();
    rig.send("4a");
    rig.handle(Input::Close);
    assert_eq!(rig.poll(1), payload("4a"));
    assert!(!rig.session.is_finished(), "the next poll must find the session");
    assert_eq!(rig.deadline(), Some(secs(30)));
    assert_eq!(rig.poll(2), payload("6\u{1e}1"));
    assert!(rig.session.is_finished());
}

#[test]
fn closing_does_not_wait_for_ever() {
    let mut rig = Rig::polling();
    rig.handle(Input::Close);
    assert_eq!(rig.events().len(), 1);
    rig.tick(secs(29));
    assert!(!rig.session.is_finished());
    rig.tick(secs(30));
    assert!(rig.session.is_finished());
    assert_eq!((rig.events(), rig.deadline()), (vec![], None));
    assert_eq!(rig.poll(1), Some(Response::Refused));
}

#[test]
fn what_comes_after_a_close_is_answered_and_ignored() {
    let mut rig = Rig::polling();
    rig.handle(Input::Close);
    assert_eq!(rig.events(), [Event::Closed(CloseReason::ForcedClose)]);
    rig.handle(Input::PostOpened(RequestId(1)));
    assert_eq!(rig.session.poll_early_response(RequestId(1)), None);
    rig.handle(Input::PostReceived(RequestId(1), "4a".into()));
    assert_eq!(rig.answer(1), Some(Response::Ok));
    assert_eq!(rig.post(2, "xyz"), Some(Response::Ok));
    rig.handle(Input::Close);
    assert_eq!(rig.events(), []);
    assert_eq!(rig.poll(3), payload("6\u{1e}1"));
}

#[test]
fn a_post_that_a_close_meets_on_its_way_is_cut_and_not_answered_again() {
    let mut rig = Rig::polling();
    rig.handle(Input::PostOpened(RequestId(1)));
    rig.handle(Input::Close);
    rig.handle(Input::PostReceived(RequestId(1), "4a".into()));
    assert_eq!(rig.session.poll_early_response(RequestId(1)), Some(Response::Cut));
    assert_eq!(rig.session.poll_early_response(RequestId(1)), None);
    assert_eq!(rig.events(), [Event::Closed(CloseReason::ForcedClose)]);
    assert_eq!(rig.poll(2), payload("6\u{1e}1"));
}

#[test]
fn a_close_packet_after_a_close_ends_the_wait_for_a_poll() {
    let mut rig = Rig::polling();
    rig.send("4a");
    rig.handle(Input::Close);
    assert_eq!(rig.events(), [Event::Closed(CloseReason::ForcedClose)]);
    assert_eq!(rig.post(1, "4b\u{1e}1"), Some(Response::Ok));
    assert!(rig.session.is_finished());
    assert_eq!(rig.session.waiting_bytes(), 0);
    assert_eq!((rig.events(), rig.deadline()), (vec![], None));
    assert_eq!(rig.poll(2), Some(Response::Refused));
}

#[test]
fn closing_during_an_upgrade_leaves_it_to_the_client_where_it_is_told() {
    let mut rig = Rig::probed();
    rig.send("4a");
    rig.handle(Input::Close);
    assert_eq!(rig.events(), [Event::Closed(CloseReason::ForcedClose)]);
    assert!(!rig.session.wants_websocket(WS));
    assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Open));
    // It polls no more: the WebSocket takes over, is told, and closed.
    rig.say(WS, "5");
    assert_eq!(rig.frames(WS, 0), (vec!["4a".to_owned()], WebSocketState::Closing));
    assert!(rig.session.is_finished());
    assert_eq!((rig.events(), rig.deadline()), (vec![], None));

    // It polls again.
    let mut rig = Rig::probed();
    rig.send("4a");
    rig.handle(Input::Close);
    assert_eq!(rig.poll(1), payload("4a"));
    assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Open));
    assert_eq!(rig.poll(2), payload("6\u{1e}1"));
    assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Closing));
    assert!(rig.session.is_finished());

    // It was told while it polled, and takes the session over nevertheless.
    let mut rig = Rig::probed();
    assert_eq!(rig.poll(1), None);
    rig.send("4a");
    rig.handle(Input::Close);
    assert_eq!(rig.answer(1), payload("4a"));
    rig.say(WS, "5");
    assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Closing));
    assert!(rig.session.is_finished());
}

#[test]
fn closing_before_a_probe_is_answered_closes_the_candidate() {
    let mut rig = Rig::polling();
    rig.handle(Input::WebSocketOpened(WS));
    rig.say(WS, "2probe");
    rig.handle(Input::Close);
    assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Closing));
    for end in [Input::WebSocketClosed(WS), Input::WebSocketFailed(WS)] {
        let mut rig = Rig::probed();
        rig.handle(Input::Close);
        rig.handle(end);
        rig.say(WS, "5");
        assert!(!rig.session.is_finished(), "it still waits for a poll");
        assert_eq!(rig.poll(1), payload("6\u{1e}1"));
    }
}

#[test]
fn closing_a_websocket_writes_what_waits() {
    let mut rig = Rig::websocket();
    rig.send("4a");
    rig.handle(Input::Close);
    assert!(rig.session.wants_websocket(WS));
    assert_eq!(rig.frames(WS, 0), (vec!["4a".to_owned()], WebSocketState::Closing));
    rig.assert_closed(CloseReason::ForcedClose);
    rig.say(WS, "4b");
    rig.handle(Input::WebSocketClosed(WS));
    assert_eq!(rig.events(), []);
}

#[test]
fn what_waits_is_written_before_a_websocket_is_closed_however_its_session_ends() {
    for (text, reason) in [
        ("1", CloseReason::TransportClose),
        ("2", CloseReason::TransportError),
        ("xyz", CloseReason::ParseError),
    ] {
        let mut rig = Rig::websocket();
        rig.send("4a");
        rig.say(WS, text);
        rig.send("4b");
        rig.assert_closed(reason);
        assert!(rig.session.wants_websocket(WS));
        assert_eq!(rig.frames(WS, 0), (vec!["4a".to_owned()], WebSocketState::Closing), "{text}");
        assert_eq!(rig.session.waiting_bytes(), 0);
    }
    let mut rig = Rig::websocket();
    rig.tick(secs(25));
    rig.send("4a");
    rig.tick(secs(45));
    rig.assert_closed(CloseReason::PingTimeout);
    let frames = ["2", "4a"].map(str::to_owned).to_vec();
    assert_eq!(rig.frames(WS, 0), (frames, WebSocketState::Closing));
}

#[test]
fn the_end_of_a_websocket_ends_its_session() {
    let mut rig = Rig::websocket();
    rig.handle(Input::WebSocketClosed(WS));
    rig.assert_closed(CloseReason::TransportClose);
    let mut rig = Rig::websocket();
    rig.handle(Input::WebSocketFailed(WS));
    rig.assert_closed(CloseReason::TransportError);
    let mut rig = Rig::websocket();
    rig.say(WS, "1");
    rig.assert_closed(CloseReason::TransportClose);
    assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Closing));
}

#[test]
fn a_message_that_is_no_packet_ends_the_session() {
    for text in ["", "xyz", "7"] {
        let mut rig = Rig::websocket();
        rig.say(WS, text);
        rig.assert_closed(CloseReason::ParseError);
    }
}

// Heartbeat.

#[test]
fn a_ping_goes_out_every_interval_and_a_pong_puts_the_next_one_off() {
    let mut rig = Rig::websocket();
    assert_eq!(rig.deadline(), Some(secs(25)));
    rig.tick(secs(25));
    assert_eq!(rig.frames(WS, 0).0, ["2"]);
    assert_eq!(rig.deadline(), Some(secs(45)));
    rig.at(secs(26)).say(WS, "3");
    assert_eq!(rig.deadline(), Some(secs(51)));
    rig.tick(secs(51));
    assert_eq!(rig.frames(WS, 0).0, ["2"]);
    rig.assert_alive();
}

#[test]
fn without_a_pong_the_session_ends() {
    let mut rig = Rig::polling();
    rig.tick(secs(25));
    assert_eq!(rig.poll(1), payload("2"));
    assert_eq!(rig.poll(2), None);
    rig.tick(secs(45));
    assert_eq!(rig.answer(2), payload("1"));
    rig.assert_closed(CloseReason::PingTimeout);
}

#[test]
fn another_packet_extends_the_wait_for_a_pong_once() {
    let mut rig = Rig::websocket();
    rig.tick(secs(25));
    rig.at(secs(40)).say(WS, "4a");
    rig.at(secs(50)).say(WS, "4b");
    assert_eq!(rig.deadline(), Some(secs(60)));
    rig.tick(secs(60));
    assert_eq!(rig.events().last(), Some(&Event::Closed(CloseReason::PingTimeout)));
}

#[test]
fn a_ping_does_not_overtake_the_handshake() {
    let mut rig = Rig::websocket();
    let open = Outgoing::text("0{}");
    rig.session = Session::websocket(rig.start, &rig.config, Dialect::default(), open, WS);
    rig.send("4a");
    rig.tick(rig.config.ping_interval);
    assert_eq!(rig.frames(WS, 0).0, ["0{}", "2", "4a"]);
}

#[test]
fn a_ping_overtakes_data() {
    let mut rig = Rig::polling();
    rig.send("4a");
    rig.tick(secs(25));
    assert_eq!(rig.poll(1), payload("2\u{1e}4a"));
    let mut rig = Rig::websocket();
    rig.send("4a");
    rig.tick(secs(25));
    assert_eq!(rig.frames(WS, 0).0, ["2", "4a"]);
}

#[test]
fn a_client_that_pings_ends_the_session() {
    let mut rig = Rig::polling();
    assert_eq!(rig.post(1, "2"), Some(Response::Ok));
    rig.assert_closed(CloseReason::TransportError);
    let mut rig = Rig::websocket();
    rig.say(WS, "2");
    rig.assert_closed(CloseReason::TransportError);
}

#[test]
fn packets_without_a_meaning_on_the_main_transport_are_passed_over() {
    let mut rig = Rig::websocket();
    for text in ["0{}", "5", "6", "3probe"] {
        rig.say(WS, text);
    }
    rig.assert_alive();
}

// Upgrade.

#[test]
fn an_upgrade_moves_what_waits_to_the_websocket() {
    let mut rig = Rig::probed();
    rig.send("4a");
    assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Open));
    assert_eq!(rig.session.transport(), Transport::Polling);
    rig.say(WS, "5");
    assert_eq!(rig.session.transport(), Transport::WebSocket);
    assert_eq!(rig.events(), [Event::Upgraded]);
    assert_eq!(rig.frames(WS, 0), (vec!["4a".to_owned()], WebSocketState::Open));
    rig.say(WS, "4b");
    assert_eq!(rig.events(), [heard("b")]);
}

#[test]
fn a_poll_after_an_upgrade_is_refused_and_the_session_lives() {
    let mut rig = Rig::probed();
    rig.say(WS, "5");
    assert_eq!(rig.events(), [Event::Upgraded]);
    assert_eq!(rig.poll(1), Some(Response::Refused));
    assert_eq!(rig.post(2, "4a"), Some(Response::Refused));
    rig.assert_alive();
}

#[test]
fn a_post_that_an_upgrade_overtakes_is_refused_and_not_taken_in() {
    let mut rig = Rig::probed();
    rig.handle(Input::PostOpened(RequestId(1)));
    rig.say(WS, "5");
    assert_eq!(rig.events(), [Event::Upgraded]);
    rig.handle(Input::PostReceived(RequestId(1), "4a".into()));
    assert_eq!(rig.answer(1), Some(Response::Refused));
    rig.assert_alive();
}

#[test]
fn a_body_that_is_here_at_an_upgrade_is_taken_in_before_it() {
    let mut rig = Rig::probed();
    rig.bring(1, "4a\u{1e}4b\u{1e}4c");
    assert_eq!(rig.event(), Some(heard("a")));
    rig.say(WS, "5");
    rig.say(WS, "4d");
    assert_eq!(rig.answer(1), Some(Response::Ok));
    assert_eq!(rig.events(), [heard("b"), heard("c"), Event::Upgraded, heard("d")]);
    rig.assert_alive();
}

#[test]
fn a_body_that_ends_the_session_prevents_the_upgrade_behind_it() {
    let mut rig = Rig::probed();
    assert_eq!(rig.poll(1), None);
    rig.bring(2, "4a\u{1e}xyz");
    rig.say(WS, "5");
    assert_eq!(rig.answer(1), payload("1"));
    assert_eq!(rig.answer(2), Some(Response::Ok));
    assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Closing));
    assert_eq!(rig.events(), [heard("a"), Event::Closed(CloseReason::ParseError)]);
}

#[test]
fn the_poll_that_is_open_at_the_probe_is_released_at_once() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    rig.handle(Input::WebSocketOpened(WS));
    assert_eq!(rig.answer(1), None, "nothing was probed yet");
    rig.say(WS, "2probe");
    assert_eq!(rig.answer(1), payload("6"));
    rig.assert_alive();
}

#[test]
fn a_poll_that_opens_after_the_probe_is_released_after_100_ms() {
    let mut rig = Rig::probed();
    rig.at(secs(1));
    assert_eq!(rig.poll(1), None);
    assert_eq!(rig.deadline(), Some(millis(1100)));
    rig.tick(millis(1099));
    assert_eq!(rig.answer(1), None);
    rig.tick(millis(1100));
    assert!(rig.deadline() > Some(millis(1100)), "the tick is not due again");
    assert_eq!(rig.answer(1), payload("6"));
    rig.at(millis(1200));
    assert_eq!(rig.poll(2), None);
    assert_eq!(rig.deadline(), Some(millis(1300)));
}

#[test]
fn a_poll_is_released_with_data_if_there_is_some() {
    let mut rig = Rig::polling();
    rig.handle(Input::WebSocketOpened(WS));
    assert_eq!(rig.poll(1), None);
    rig.send("4a");
    rig.say(WS, "2probe");
    assert_eq!(rig.answer(1), payload("4a"));
}

#[test]
fn a_poll_that_is_still_open_at_the_upgrade_is_told_that_polling_is_closed() {
    let mut rig = Rig::probed();
    assert_eq!(rig.poll(1), None);
    rig.send("4a");
    rig.say(WS, "5");
    assert_eq!(rig.answer(1), payload("1"));
    assert_eq!(rig.frames(WS, 0).0, ["4a"]);
    assert_eq!(rig.events(), [Event::Upgraded]);
    rig.assert_alive();
}

#[test]
fn an_upgrade_needs_no_probe() {
    let mut rig = Rig::polling();
    rig.handle(Input::WebSocketOpened(WS));
    assert_eq!(rig.poll(1), None);
    rig.say(WS, "5");
    assert_eq!(rig.events(), [Event::Upgraded]);
    assert_eq!(rig.answer(1), payload("1"));
    assert_eq!(rig.session.transport(), Transport::WebSocket);
    rig.send("4a");
    assert_eq!(rig.frames(WS, 0), (vec!["4a".to_owned()], WebSocketState::Open));
    assert_eq!(rig.deadline(), Some(secs(25)));
    rig.assert_alive();
}

#[test]
fn every_probe_is_answered() {
    let answer = || "3probe".to_owned();
    let mut rig = Rig::probed();
    assert!(!rig.session.wants_websocket(WS));
    rig.say(WS, "2probe");
    assert!(rig.session.wants_websocket(WS));
    assert_eq!(rig.frames(WS, 0), (vec![answer()], WebSocketState::Open));
    // Two that came in one go.
    rig.say(WS, "2probe");
    rig.say(WS, "2probe");
    assert_eq!(rig.frames(WS, 0), (vec![answer(), answer()], WebSocketState::Open));
    assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Open));
    rig.say(WS, "5");
    assert_eq!(rig.events(), [Event::Upgraded]);
}

#[test]
fn an_upgrade_that_does_not_wait_for_the_answer_to_its_probe_gets_it_before_data() {
    let mut rig = Rig::polling();
    rig.handle(Input::WebSocketOpened(WS));
    rig.send("4a");
    rig.say(WS, "2probe");
    rig.say(WS, "2probe");
    rig.say(WS, "5");
    rig.send("4b");
    assert_eq!(rig.events(), [Event::Upgraded]);
    let frames = ["3probe", "3probe", "4a", "4b"].map(str::to_owned).to_vec();
    assert_eq!(rig.frames(WS, 0), (frames, WebSocketState::Open));
    assert_eq!(rig.session.waiting_bytes(), 0);
}

#[test]
fn a_poll_that_was_released_leaves_nothing_for_the_websocket() {
    let mut rig = Rig::polling();
    assert_eq!(rig.poll(1), None);
    rig.handle(Input::WebSocketOpened(WS));
    rig.say(WS, "2probe");
    assert_eq!(rig.frames(WS, 0).0, ["3probe"]);
    rig.say(WS, "5");
    assert_eq!(rig.answer(1), payload("6"));
    assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Open));
    assert_eq!(rig.events(), [Event::Upgraded]);
}

#[test]
fn another_probe_releases_the_poll_that_is_open() {
    let mut rig = Rig::probed();
    assert_eq!(rig.poll(1), None);
    rig.say(WS, "2probe");
    assert_eq!(rig.answer(1), payload("6"));
    rig.at(millis(50));
    assert_eq!(rig.poll(2), None);
    assert_eq!(rig.deadline(), Some(millis(150)));
}

#[test]
fn anything_but_a_probe_and_an_upgrade_closes_the_candidate_only() {
    for text in ["2", "4a", "2prob", "xyz", ""] {
        let mut rig = Rig::polling();
        rig.handle(Input::WebSocketOpened(WS));
        rig.say(WS, text);
        assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Closing), "{text}");
        rig.assert_alive();
        assert_eq!(rig.session.transport(), Transport::Polling);
    }
    let mut rig = Rig::probed();
    rig.handle(Input::WebSocketMessage(WS, Message::Binary("5".into())));
    assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Closing));
    rig.assert_alive();
}

#[test]
fn another_websocket_may_try_after_one_that_failed() {
    let next = WebSocketId(2);
    for end in [Input::WebSocketClosed(WS), Input::WebSocketFailed(WS)] {
        let mut rig = Rig::probed();
        rig.handle(end);
        rig.assert_alive();
        rig.handle(Input::WebSocketOpened(next));
        rig.say(next, "2probe");
        rig.say(WS, "5");
        rig.assert_alive();
        rig.say(next, "5");
        assert_eq!(rig.events(), [Event::Upgraded]);
    }
}

#[test]
fn a_candidate_that_takes_too_long_is_closed() {
    let mut rig = Rig::polling();
    rig.at(secs(1)).handle(Input::WebSocketOpened(WS));
    assert_eq!(rig.deadline(), Some(secs(11)));
    rig.at(secs(9)).say(WS, "2probe");
    assert_eq!(rig.deadline(), Some(secs(11)), "a probe does not buy time");
    rig.tick(secs(11));
    assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Closing));
    rig.say(WS, "5");
    rig.assert_alive();
    assert_eq!(rig.deadline(), Some(secs(25)));
}

#[test]
fn a_second_websocket_is_closed_and_the_first_one_lives() {
    let second = WebSocketId(2);
    for mut rig in [Rig::probed(), Rig::websocket()] {
        rig.handle(Input::WebSocketOpened(second));
        assert!(rig.session.wants_websocket(second));
        assert_eq!(rig.frames(second, 0), (NOTHING, WebSocketState::Closing));
        rig.say(second, "5");
        rig.handle(Input::WebSocketClosed(second));
        rig.assert_alive();
        assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Open));
    }
}

#[test]
fn the_end_of_a_session_on_polling_closes_its_candidate() {
    let mut rig = Rig::probed();
    assert_eq!(rig.post(1, "1"), Some(Response::Ok));
    assert_eq!(rig.frames(WS, 0), (NOTHING, WebSocketState::Closing));
    rig.assert_closed(CloseReason::TransportClose);
}

#[test]
fn the_heartbeat_goes_on_during_an_upgrade() {
    let mut rig = Rig::polling();
    rig.at(secs(20)).handle(Input::WebSocketOpened(WS));
    rig.say(WS, "2probe");
    assert_eq!(rig.frames(WS, 0).0, ["3probe"]);
    rig.tick(secs(25));
    rig.say(WS, "5");
    assert_eq!(rig.frames(WS, 0).0, ["2"]);
    assert_eq!(rig.deadline(), Some(secs(45)));
}

// Slow peers.

#[test]
fn a_peer_that_takes_nothing_for_ten_seconds_is_too_slow() {
    let mut rig = Rig::polling();
    let bound = rig.config.max_waiting_bytes;
    rig.at(secs(5)).send_bytes(bound);
    assert_eq!(rig.deadline(), Some(secs(25)), "up to the bound there is no hurry");
    rig.at(secs(6)).send_bytes(1);
    assert_eq!(rig.session.waiting_bytes(), bound + 1);
    assert_eq!(rig.deadline(), Some(secs(15)));
    rig.tick(millis(14_999));
    rig.assert_alive();
    rig.tick(secs(15));
    rig.assert_closed(CloseReason::SlowConsumer);
    assert_eq!(rig.session.waiting_bytes(), 0);
}

#[test]
fn a_poll_that_takes_what_waits_starts_the_clock_anew() {
    let mut rig = Rig::polling();
    let bound = rig.config.max_waiting_bytes;
    rig.send_bytes(bound + 1);
    assert_eq!(rig.deadline(), Some(secs(10)));
    assert!(rig.at(secs(9)).poll(1).is_some());
    rig.send_bytes(bound + 1);
    assert_eq!(rig.deadline(), Some(secs(19)));
}

#[test]
fn four_times_the_bound_is_too_much_at_once() {
    let mut rig = Rig::polling();
    let bound = rig.config.max_waiting_bytes;
    assert_eq!(rig.poll(1), None);
    assert!(rig.session.is_open());
    rig.send_bytes(4 * bound);
    rig.assert_alive();
    rig.send_bytes(1);
    rig.assert_closed(CloseReason::SlowConsumer);
    assert_eq!(rig.session.waiting_bytes(), 0);
    // Even this poll is given all of it.
    let Some(Response::Payload(body)) = rig.answer(1) else { panic!("it was open") };
    assert_eq!(body.len(), 1 + (4 * bound).div_ceil(3) * 4 + "\u{1e}bAA==".len());
    assert!(body.ends_with("\u{1e}bAA==".as_bytes()));
}

#[test]
fn a_websocket_that_writes_nothing_is_cut() {
    let mut rig = Rig::websocket();
    let bound = rig.config.max_waiting_bytes;
    rig.send_bytes(bound + 1);
    assert_eq!(rig.frames(WS, 0).0.len(), 1);
    assert_eq!(rig.frames(WS, bound + 1), (NOTHING, WebSocketState::Open));
    // There is more and more to take, and the peer takes nothing.
    for second in 1..10 {
        rig.at(secs(second)).send_bytes(1000);
        assert!(!rig.session.wants_websocket(WS));
        assert_eq!(rig.frames(WS, bound + 1), (NOTHING, WebSocketState::Open));
        assert_eq!(rig.deadline(), Some(secs(10)), "after {second} s");
    }
    rig.tick(secs(10));
    rig.assert_closed(CloseReason::SlowConsumer);
    assert!(rig.session.wants_websocket(WS));
    assert_eq!(rig.frames(WS, bound), (NOTHING, WebSocketState::Cut));
}

#[test]
fn a_websocket_that_writes_slowly_lives() {
    let mut rig = Rig::websocket();
    let bound = rig.config.max_waiting_bytes;
    rig.send_bytes(3 * bound);
    assert_eq!(rig.frames(WS, 0).0.len(), 1);
    for second in 1..20 {
        rig.at(secs(second)).send_bytes(1);
        rig.frames(WS, 3 * bound - second as usize);
        rig.handle(Input::Tick);
        rig.assert_alive();
        assert_eq!(rig.deadline(), Some(secs(25).min(secs(10 + second))));
    }
}

// What a volatile packet asks.

#[test]
fn on_polling_a_packet_leaves_now_if_a_poll_is_open() {
    let mut rig = Rig::polling();
    assert!(!rig.session.is_writable());
    assert_eq!(rig.poll(1), None);
    assert!(rig.session.is_writable());
    rig.send("4a");
    assert!(rig.session.is_writable(), "it would leave with the one before");
    assert_eq!(rig.answer(1), payload("4a"));
    assert!(!rig.session.is_writable());
}

#[test]
fn on_a_websocket_a_packet_leaves_now_if_nothing_is_stuck() {
    let mut rig = Rig::websocket();
    assert!(rig.session.is_writable());
    rig.send("4a");
    assert!(rig.session.is_writable(), "it would leave with the one before");
    assert_eq!(rig.frames(WS, 0).0, ["4a"]);
    rig.frames(WS, 1);
    assert!(!rig.session.is_writable());
    rig.frames(WS, 0);
    assert!(rig.session.is_writable());
    rig.handle(Input::Close);
    assert!(!rig.session.is_writable());
}

#[test]
fn every_phase_has_its_deadline_and_the_end_has_none() {
    let mut rig = Rig::polling();
    assert_eq!(rig.deadline(), Some(secs(25)));
    rig.handle(Input::WebSocketOpened(WS));
    assert_eq!(rig.deadline(), Some(secs(10)));
    rig.say(WS, "2probe");
    assert_eq!(rig.poll(1), None);
    rig.tick(millis(100));
    assert_eq!(rig.answer(1), payload("6"));
    assert_eq!(rig.deadline(), Some(secs(10)));
    rig.say(WS, "5");
    assert_eq!(rig.deadline(), Some(secs(25)));
    rig.tick(secs(25));
    assert_eq!(rig.deadline(), Some(secs(45)));
    rig.handle(Input::Close);
    assert_eq!(rig.deadline(), None);
}

#[test]
fn the_reasons_have_the_texts_of_the_reference() {
    let table = [
        (CloseReason::TransportClose, "transport close"),
        (CloseReason::TransportError, "transport error"),
        (CloseReason::ParseError, "parse error"),
        (CloseReason::PingTimeout, "ping timeout"),
        (CloseReason::ForcedClose, "forced close"),
        (CloseReason::SlowConsumer, "slow consumer"),
    ];
    for (reason, text) in table {
        assert_eq!(reason.to_string(), text);
    }
}

#[test]
fn a_client_in_a_hurry_is_not_slow_at_once() {
    let mut rig = Rig::polling();
    let bound = rig.config.max_waiting_bytes;
    rig.at(secs(20)).handle(Input::WebSocketOpened(WS));
    rig.say(WS, "2probe");
    rig.say(WS, "5");
    rig.send_bytes(bound + 1);
    assert!(rig.session.is_open());
}

#[test]
fn a_blocked_websocket_is_given_a_ping_and_no_data() {
    let mut rig = Rig::websocket();
    rig.send("4first");
    assert_eq!(rig.frames(WS, 0).0.len(), 1);
    rig.send("4second");
    assert_eq!(rig.frames(WS, 7), (NOTHING, WebSocketState::Open));
    rig.tick(secs(25));
    assert!(rig.session.wants_websocket(WS));
    assert_eq!(rig.frames(WS, 7), (vec!["2".to_owned()], WebSocketState::Open));
    assert_eq!(rig.frames(WS, 0), (vec!["4second".to_owned()], WebSocketState::Open));
}

#[test]
fn probes_without_end_are_answered_a_few_times() {
    let mut rig = Rig::polling();
    rig.handle(Input::WebSocketOpened(WS));
    (0..1000).for_each(|_| rig.say(WS, "2probe"));
    assert_eq!(rig.frames(WS, 0).0.len(), 4);
}
