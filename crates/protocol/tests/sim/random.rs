//! Any sequence of inputs: neither machine panics, tells of its end twice, or forgets a request.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use bytes::Bytes;
use proptest::prelude::*;
use sockeye_protocol::engine::{
    ClientConfig, ClientEvent, ClientInput, ClientOutput, ClientSession, CloseReason, Config,
    Dialect, Event, Failure, Input, Message, Outgoing, RequestId, Response, Session, WebSocketId,
    WebSocketState,
};

use crate::pair::assert_no_data_beside_a_close;

/// What is done to a session. A number picks one of the requests or WebSockets that there are, or
/// one that there never was.
#[derive(Clone, Debug)]
enum Operation {
    Poll,
    AbortPoll(usize),
    Post,
    PostBody(usize, &'static str),
    PostTooLarge(usize),
    PostUnsupported(usize),
    AbortPost(usize),
    OpenWebSocket,
    Say(u32, Message),
    WebSocketClosed(u32),
    WebSocketFailed(u32),
    Close,
    Wait(Duration),
    Send(usize),
    Stray(u32, &'static str),
    Fetch,
    TakeEvent,
    Write(u32, usize),
}

const BODIES: [&str; 9] =
    ["4a", "3", "2", "1", "", "xyz", "4a\u{1e}bAQI=\u{1e}4b", "5\u{1e}6", "4a\u{1e}1\u{1e}4b"];

const TEXTS: [&str; 9] = ["2probe", "5", "2probe", "5", "4a", "3", "2", "1", "xyz"];

fn operation() -> impl Strategy<Value = Operation> {
    let any_request = 0..8usize;
    let message = prop_oneof![
        9 => proptest::sample::select(&TEXTS[..]).prop_map(|text| Message::Text(text.into())),
        1 => Just(Message::Binary(Bytes::from_static(&[1]))),
    ];
    let wait = prop_oneof![0..300u64, 0..30_000u64].prop_map(Duration::from_millis);
    let body = proptest::sample::select(&BODIES[..]);
    prop_oneof![
        4 => Just(Operation::Poll),
        1 => any_request.clone().prop_map(Operation::AbortPoll),
        4 => Just(Operation::Post),
        6 => (any_request.clone(), body.clone()).prop_map(|(id, b)| Operation::PostBody(id, b)),
        1 => any_request.clone().prop_map(Operation::PostTooLarge),
        1 => any_request.clone().prop_map(Operation::PostUnsupported),
        1 => any_request.prop_map(Operation::AbortPost),
        3 => Just(Operation::OpenWebSocket),
        8 => (0..4u32, message).prop_map(|(id, message)| Operation::Say(id, message)),
        1 => (0..4u32).prop_map(Operation::WebSocketClosed),
        1 => (0..4u32).prop_map(Operation::WebSocketFailed),
        1 => Just(Operation::Close),
        6 => wait.prop_map(Operation::Wait),
        6 => prop_oneof![0..100usize, 0..2_000usize].prop_map(Operation::Send),
        1 => (900..905u32, body).prop_map(|(id, body)| Operation::Stray(id, body)),
        6 => Just(Operation::Fetch),
        6 => Just(Operation::TakeEvent),
        4 => (0..4u32, 0..2_000usize).prop_map(|(id, bytes)| Operation::Write(id, bytes)),
    ]
}

/// A request that the session has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Poll,
    /// Its body is on the way.
    Body,
    /// Its body is here, or will not come.
    Post,
}

struct Driver {
    now: Instant,
    config: Config,
    session: Session,
    pending: HashMap<RequestId, Pending>,
    answered: Vec<RequestId>,
    next_request: u32,
    next_websocket: u32,
    /// Whether the application takes events only now and then.
    is_busy: bool,
    is_closed: bool,
}

impl Driver {
    fn new(on_websocket: bool, is_busy: bool) -> Self {
        let now = Instant::now();
        let config = Config { max_waiting_bytes: 1000, ..Config::default() };
        let open = Outgoing::text("0{}");
        let mut pending = HashMap::new();
        let session = if on_websocket {
            Session::websocket(now, &config, Dialect::default(), open, WebSocketId(0))
        } else {
            pending.insert(RequestId(0), Pending::Poll);
            Session::polling(now, &config, Dialect::default(), open, RequestId(0))
        };
        Self {
            now,
            config,
            session,
            pending,
            answered: Vec::new(),
            next_request: 1,
            next_websocket: u32::from(on_websocket),
            is_busy,
            is_closed: false,
        }
    }

    fn handle(&mut self, input: Input) {
        self.session.handle(self.now, &self.config, input);
        self.drain_events();
    }

    fn drain_events(&mut self) {
        if !self.is_busy {
            while self.take_event() {}
            assert!(!self.session.has_events());
            assert_eq!(self.is_closed, !self.session.is_open());
        }
    }

    fn take_event(&mut self) -> bool {
        let Some(event) = self.session.poll_event(self.now, &self.config) else { return false };
        assert!(!self.is_closed, "{event:?} after the end");
        self.is_closed = matches!(event, Event::Closed(_));
        true
    }

    fn fetch(&mut self) {
        for (id, pending) in self.pending.clone() {
            let response = if pending == Pending::Body {
                self.session.poll_early_response(id)
            } else {
                let has_response = self.session.has_response(id);
                let response = self.session.poll_response(self.now, id);
                assert_eq!(has_response, response.is_some(), "{id:?}");
                assert!(
                    pending == Pending::Poll || self.session.has_events() || response.is_some(),
                    "a body is answered"
                );
                response
            };
            if let Some(response) = response {
                assert_no_data_beside_a_close(&response);
                match (pending, &response) {
                    (Pending::Poll, Response::Payload(_) | Response::Refused) => (),
                    (Pending::Poll, _) | (_, Response::Payload(_)) => {
                        panic!("{id:?}: {response:?}")
                    }
                    _ => (),
                }
                self.pending.remove(&id);
                self.answered.push(id);
            }
        }
    }

    /// One that is pending in that way, if there is one.
    fn pick(&self, number: usize, wanted: Pending) -> Option<RequestId> {
        let mut ids: Vec<_> =
            self.pending.iter().filter(|(_, p)| **p == wanted).map(|(id, _)| *id).collect();
        ids.sort_by_key(|id| id.0);
        ids.get(number % ids.len().max(1)).copied()
    }

    fn new_request(&mut self, pending: Pending) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.pending.insert(id, pending);
        id
    }

    fn end_post(&mut self, number: usize, input: impl FnOnce(RequestId) -> Input) {
        if let Some(id) = self.pick(number, Pending::Body) {
            self.pending.insert(id, Pending::Post);
            self.handle(input(id));
        }
    }

    fn abort(&mut self, number: usize, pending: Pending, input: impl FnOnce(RequestId) -> Input) {
        if let Some(id) = self.pick(number, pending) {
            self.pending.remove(&id);
            self.handle(input(id));
            self.answered.push(id);
        }
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Poll => {
                let id = self.new_request(Pending::Poll);
                self.handle(Input::PollOpened(id));
            }
            Operation::AbortPoll(number) => self.abort(number, Pending::Poll, Input::PollAborted),
            Operation::Post => {
                let id = self.new_request(Pending::Body);
                self.handle(Input::PostOpened(id));
            }
            Operation::PostBody(number, body) => {
                self.end_post(number, |id| Input::PostReceived(id, body.into()));
            }
            Operation::PostTooLarge(number) => self.end_post(number, Input::PostTooLarge),
            Operation::PostUnsupported(number) => self.end_post(number, Input::PostUnsupported),
            Operation::AbortPost(number) => self.abort(number, Pending::Body, Input::PostAborted),
            Operation::OpenWebSocket => {
                let id = WebSocketId(self.next_websocket);
                self.next_websocket += 1;
                self.handle(Input::WebSocketOpened(id));
            }
            Operation::Say(id, message) => {
                self.handle(Input::WebSocketMessage(WebSocketId(id), message));
            }
            Operation::WebSocketClosed(id) => self.handle(Input::WebSocketClosed(WebSocketId(id))),
            Operation::WebSocketFailed(id) => self.handle(Input::WebSocketFailed(WebSocketId(id))),
            Operation::Close => self.handle(Input::Close),
            Operation::Wait(time) => self.wait(time),
            Operation::Send(bytes) => {
                self.session.send(self.now, &self.config, [Outgoing::binary(vec![0; bytes])]);
                self.drain_events();
            }
            Operation::Stray(id, body) => {
                let id = RequestId(id);
                self.handle(Input::PollAborted(id));
                self.handle(Input::PostReceived(id, body.into()));
                self.handle(Input::PostAborted(id));
                self.handle(Input::PostTooLarge(id));
                self.handle(Input::PostUnsupported(id));
                let _ = self.session.poll_response(self.now, id);
            }
            Operation::Fetch => self.fetch(),
            Operation::TakeEvent => _ = self.take_event(),
            Operation::Write(id, unwritten) => {
                let mut frames = VecDeque::new();
                let id = WebSocketId(id);
                let state = self.session.poll_websocket(self.now, id, unwritten, &mut frames);
                let wants = self.session.wants_websocket(id);
                assert_eq!(wants, state != WebSocketState::Open, "all was taken");
            }
        }
    }

    /// Lets time pass, with a tick at each deadline.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        let mut ticks = 0;
        while let Some(at) = self.session.deadline(&self.config).filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.handle(Input::Tick);
            ticks += 1;
            assert!(ticks < 1000, "a deadline is not moved by its tick");
        }
        self.now = end;
    }

    /// Ends the session and checks that nobody is left waiting.
    fn finish(mut self) {
        self.is_busy = false;
        self.handle(Input::Close);
        self.wait(Duration::from_secs(30));
        assert!(self.is_closed && self.session.is_finished());
        assert_eq!(self.session.deadline(&self.config), None);
        for number in (0..100).take(self.pending.len()) {
            self.end_post(number, |id| Input::PostReceived(id, "4a".into()));
        }
        self.fetch();
        assert!(
            self.pending.values().all(|pending| *pending == Pending::Body),
            "{:?}",
            self.pending
        );
        for id in &self.answered {
            assert_eq!(self.session.poll_early_response(*id), None, "{id:?} is answered twice");
        }
        self.session.send(self.now, &self.config, [Outgoing::text("4a")]);
        self.handle(Input::Tick);
        self.handle(Input::Close);
        assert!(!self.session.has_events());
    }
}

fn client_input() -> impl Strategy<Value = ClientInput> {
    let open = r#"0{"sid":"49TeYsySa4zpYsxQAAAA","upgrades":["websocket"],"pingInterval":250,"pingTimeout":200}"#;
    let bodies = ["4a", "2", "6", "4a\u{1e}2\u{1e}4b", "1", "", "xyz", "3probe", open, open, open];
    let body = proptest::sample::select(bodies.to_vec());
    let texts = ["3probe", "3probe", "4a", "2", "6", "1", "xyz", open, open];
    let text = proptest::sample::select(texts.to_vec());
    let status = prop_oneof![9 => Just(200), 1 => Just(400)];
    let request = || (0..12u32).prop_map(RequestId);
    let websocket = || (0..2u32).prop_map(WebSocketId);
    prop_oneof![
        8 => (request(), status.clone(), body)
            .prop_map(|(id, status, body)| ClientInput::GetAnswered(id, status, body.into())),
        6 => (request(), status).prop_map(|(id, status)| ClientInput::PostAnswered(id, status)),
        1 => request().prop_map(|id| ClientInput::RequestFailed(id, Failure::TimedOut)),
        3 => websocket().prop_map(ClientInput::WebSocketOpened),
        6 => (websocket(), text).prop_map(|(id, text)| {
            ClientInput::WebSocketMessage(id, Message::Text(text.into()))
        }),
        1 => websocket().prop_map(ClientInput::WebSocketClosed),
        1 => websocket().prop_map(|id| ClientInput::WebSocketFailed(id, Failure::TimedOut)),
        3 => websocket().prop_map(ClientInput::WebSocketWritten),
        6 => Just(ClientInput::Send(Outgoing::text("4a"))),
        1 => Just(ClientInput::Close),
        1 => Just(ClientInput::Abort(CloseReason::ForcedClose)),
        2 => Just(ClientInput::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_session_answers_every_request_once_and_ends_once(
        on_websocket in any::<bool>(),
        is_busy in any::<bool>(),
        operations in proptest::collection::vec(operation(), 0..60),
    ) {
        let mut driver = Driver::new(on_websocket, is_busy);
        operations.into_iter().for_each(|operation| driver.apply(operation));
        driver.finish();
    }

    #[test]
    fn a_client_has_one_get_and_one_post_and_ends_once(
        on_websocket in any::<bool>(),
        inputs in proptest::collection::vec((client_input(), 0..200u64), 0..80),
    ) {
        let mut now = Instant::now();
        let mut session = if on_websocket {
            ClientSession::websocket(now, ClientConfig::default())
        } else {
            ClientSession::polling(now, ClientConfig::default())
        };
        let (mut get, mut post, mut is_closed) = (None, None, false);
        for (input, wait) in inputs {
            while let Some(output) = session.poll_output() {
                prop_assert!(!is_closed, "{output:?} after the end");
                match output {
                    ClientOutput::Get(id) => prop_assert_eq!(get.replace(id), None),
                    ClientOutput::Post(id, _) => prop_assert_eq!(post.replace(id), None),
                    ClientOutput::Abort(id) => {
                        let is_open =
                            get.take_if(|get| *get == id).or(post.take_if(|post| *post == id));
                        prop_assert_eq!(is_open, Some(id));
                    }
                    ClientOutput::Event(ClientEvent::Closed(_)) => {
                        prop_assert_eq!((get, post), (None, None), "still in flight");
                        is_closed = true;
                    }
                    _ => (),
                }
            }
            prop_assert_eq!(is_closed, session.is_finished());
            prop_assert_eq!(is_closed, session.deadline().is_none());
            now += Duration::from_millis(wait);
            match &input {
                ClientInput::GetAnswered(id, ..) => _ = get.take_if(|get| get == id),
                ClientInput::PostAnswered(id, _) => _ = post.take_if(|post| post == id),
                ClientInput::RequestFailed(id, _) => {
                    get.take_if(|get| get == id);
                    post.take_if(|post| post == id);
                }
                _ => (),
            }
            session.handle(now, input);
        }
    }
}
