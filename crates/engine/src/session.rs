//! One session as its drivers, its senders and its application share it.

use std::{
    collections::HashMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::Waker,
    time::Instant,
};

use sockeye_protocol::{
    Sid,
    engine::{
        self, CloseReason, Event, Input, Message, Outgoing, Refusal, RequestId, Response,
        Transport, WebSocketId, WebSocketState,
    },
};
use tokio::{runtime::Handle, sync::watch};

use crate::{Config, Engine, Handshake, timers::Timers};

/// What speaks over sessions: Socket.IO, or anything else.
pub trait Application: Send + Sync + 'static {
    /// A session has opened. What is sent now follows the handshake.
    fn open(&self, session: &Session) -> Box<dyn Connection>;
}

/// The application's end of one session.
///
/// Its methods are called one after another, never two at a time, in the order in which things
/// happened, by whichever task found them out. They must not block.
pub trait Connection: Send {
    /// The peer said something.
    fn handle_message(&mut self, now: Instant, message: Message);

    /// The session moved from polling to a WebSocket.
    fn handle_upgrade(&mut self) {}

    /// The session has ended; nothing follows.
    fn handle_close(&mut self, reason: CloseReason);

    /// By when [`handle_deadline`](Self::handle_deadline) is wanted. Asked after each call.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The deadline has come.
    fn handle_deadline(&mut self, _now: Instant) {}
}

/// The time, which stands still where a test has paused tokio's clock.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A handle to one session: sends, closes, and tells about it. Cheap to clone.
#[derive(Clone)]
pub struct Session(pub(crate) Arc<Inner>);

/// What all sessions of an engine share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) application: Arc<dyn Application>,
    /// True once the engine is closing: no session is opened and nobody listens any more.
    pub(crate) closing: watch::Sender<bool>,
    /// How many WebSockets have not been closed to the end.
    pub(crate) websockets: watch::Sender<usize>,
    sessions: Mutex<HashMap<Sid, Arc<Inner>>>,
    runtime: OnceLock<(Handle, Timers)>,
}

impl Shared {
    pub(crate) fn new(config: Config, application: Arc<dyn Application>) -> Self {
        Self {
            config,
            application,
            closing: watch::Sender::new(false),
            websockets: watch::Sender::new(0),
            sessions: Mutex::default(),
            runtime: OnceLock::new(),
        }
    }

    /// The runtime and the timers, which start with the first request.
    fn runtime(&self) -> &(Handle, Timers) {
        self.runtime.get_or_init(|| {
            let runtime = Handle::current();
            let timers = Timers::start(&runtime);
            (runtime, timers)
        })
    }

    pub(crate) fn sessions(&self) -> MutexGuard<'_, HashMap<Sid, Arc<Inner>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn session(&self, sid: &str) -> Option<Arc<Inner>> {
        let sid = sid.parse::<Sid>().ok()?;
        self.sessions().get(&sid).cloned()
    }
}

/// A session. Its state is behind one lock that is held for a few instructions only, never while
/// anything waits and never while the application runs; the lock of `Shared::sessions` is not
/// taken while it is held.
pub(crate) struct Inner {
    pub(crate) id: Sid,
    pub(crate) handshake: Handshake,
    pub(crate) shared: Arc<Shared>,
    state: Mutex<State>,
}

struct State {
    machine: engine::Session,
    sleepers: Sleepers,
    turn: Turn,
    /// The WebSocket that waits until the turn is free before it reads on.
    reader: Option<Waker>,
    /// By when the application wants to be called.
    application_deadline: Option<Instant>,
    /// That time has come, and the application has not been called yet.
    application_is_due: bool,
    /// The earliest entry that the timers hold for this session.
    timer_at: Option<Instant>,
    /// When the task that has the turn looked at the clock.
    turn_at: Instant,
    next_id: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Party {
    Request(RequestId),
    WebSocket(WebSocketId),
}

/// Who may call the application: one task at a time.
enum Turn {
    Free(Box<dyn Connection>),
    Taken,
    Over,
}

/// What the task that has the turn tells the application next.
struct Call {
    connection: Box<dyn Connection>,
    now: Instant,
    event: Option<Event>,
    /// The application's deadline has come.
    is_due: bool,
}

impl Inner {
    /// Opens a session that the request `handshake` asked for and makes it known, unless there are
    /// enough or the engine is closing.
    pub(crate) fn open(
        shared: &Arc<Shared>,
        sid: Sid,
        handshake: Handshake,
        transport: Transport,
    ) -> Result<Arc<Self>, Refusal> {
        let config = &shared.config;
        let open = sockeye_protocol::engine::Handshake {
            sid,
            upgrade_to_websocket: transport == Transport::Polling
                && config.allow_upgrades
                && config.transports.contains(Transport::WebSocket),
            ping_interval: config.session.ping_interval,
            ping_timeout: config.session.ping_timeout,
            max_payload: config.max_payload,
        }
        .encode();
        let now = now();
        let dialect = handshake.dialect();
        let machine = match transport {
            Transport::Polling => {
                engine::Session::polling(now, &config.session, dialect, open, RequestId(0))
            }
            Transport::WebSocket => {
                engine::Session::websocket(now, &config.session, dialect, open, WebSocketId(0))
            }
        };
        let session = Arc::new(Self {
            id: sid,
            handshake,
            shared: shared.clone(),
            state: Mutex::new(State {
                machine,
                sleepers: Sleepers::default(),
                turn: Turn::Taken,
                reader: None,
                application_deadline: None,
                application_is_due: false,
                timer_at: None,
                turn_at: now,
                next_id: 1,
            }),
        });
        {
            // `close` looks at the sessions when it has said so, thus it meets every one that does
            // not see this.
            let mut sessions = shared.sessions();
            if *shared.closing.borrow() {
                return Err(Refusal::Forbidden("Server shutting down".to_owned()));
            }
            if sessions.len() >= config.max_connections {
                return Err(Refusal::Forbidden("Too many connections".to_owned()));
            }
            sessions.insert(sid, session.clone());
        }
        tracing::debug!(sid = %SidDigest(sid), %transport, "session opened");
        let connection = shared.application.open(&Session(session.clone()));
        // What has happened already, the application is told like everything else.
        session.run_turn(session.go_on(connection));
        Ok(session)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn transport(&self) -> Transport {
        self.state().machine.transport()
    }

    pub(crate) fn next_id(&self) -> u32 {
        let mut state = self.state();
        state.next_id += 1;
        state.next_id
    }

    /// Tells the machine what happened, and the application what came of it.
    pub(crate) fn handle(self: &Arc<Self>, input: Input) {
        let call = self.change_state(now(), |state, config, now| {
            state.machine.handle(now, config, input);
            state.take_turn(config, now)
        });
        self.run_turn(call);
    }

    /// The same for a message that came on a WebSocket. Its driver is awake, so it is not woken for
    /// what comes of it.
    pub(crate) fn receive(self: &Arc<Self>, now: Instant, id: WebSocketId, message: Message) {
        let call = self.change_state(now, |state, config, now| {
            state.sleepers.park(Party::WebSocket(id), None);
            if !matches!(state.turn, Turn::Free(_)) || state.application_is_due {
                state.machine.handle(now, config, Input::WebSocketMessage(id, message));
                return state.take_turn(config, now);
            }
            let event = state.machine.receive(now, config, id, message)?;
            state.start_turn(Some(event), now)
        });
        self.run_turn(call);
    }

    /// Changes the machine for callers that are no drivers, such as an application that holds locks
    /// of its own: if that ends the session, another task tells the application. Without a time, it
    /// is that of the turn.
    fn change_elsewhere<R>(
        self: &Arc<Self>,
        now: Option<Instant>,
        change: impl FnOnce(&mut engine::Session, &engine::Config, Instant) -> R,
    ) -> R {
        let (result, ended) = self.change_state(now, |state, config, now| {
            let machine = &mut state.machine;
            let was_open = machine.is_open();
            (change(machine, config, now), was_open && !machine.is_open())
        });
        if ended {
            self.run_turn_elsewhere();
        }
        result
    }

    fn run_turn_elsewhere(self: &Arc<Self>) {
        let session = self.clone();
        self.shared.runtime().0.spawn(async move {
            session.run_turn(session.change_state(now(), State::take_turn));
        });
    }

    /// Changes the machine and sees to what follows from that outside of it.
    fn change<R>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut engine::Session, &engine::Config, Instant) -> R,
    ) -> R {
        self.change_state(now(), |state, config, now| change(&mut state.machine, config, now))
    }

    /// Changes what is behind the lock. Without a time, it is that of the turn.
    fn change_state<R>(
        self: &Arc<Self>,
        now: impl Into<Option<Instant>>,
        change: impl FnOnce(&mut State, &engine::Config, Instant) -> R,
    ) -> R {
        let (result, wakers, finished) = {
            let mut state = self.state();
            let now = now.into().unwrap_or_else(|| state.now());
            let result = change(&mut state, &self.shared.config.session, now);
            self.set_timer(&mut state);
            (result, state.take_wakers(), state.machine.is_finished())
        };
        wakers.wake();
        if finished {
            self.shared.sessions().remove(&self.id);
        }
        result
    }

    fn set_timer(self: &Arc<Self>, state: &mut State) {
        let machine = state.machine.deadline(&self.shared.config.session);
        let Some(at) = machine.into_iter().chain(state.application_deadline).min() else { return };
        if state.timer_at.is_none_or(|scheduled| at < scheduled) {
            state.timer_at = Some(at);
            self.shared.runtime().1.schedule(at, Arc::downgrade(self));
        }
    }

    /// The timers call: something may be due.
    pub(crate) fn handle_timer(self: &Arc<Self>, now: Instant, at: Instant) {
        let is_due = {
            let mut state = self.state();
            if state.timer_at.take_if(|scheduled| *scheduled == at).is_none() {
                return;
            }
            let is_due = state.application_deadline.take_if(|at| *at <= now).is_some();
            state.application_is_due |= is_due;
            is_due
        };
        // Not at the time of a turn that is taken: nothing would be due at that, and the timers would
        // come back at once, for as long as the turn goes on.
        self.change_elsewhere(Some(now), |machine, config, now| {
            machine.handle(now, config, Input::Tick);
        });
        if is_due {
            self.run_turn_elsewhere();
        }
    }

    /// Calls the application until it knows everything; with `None`, another task is at it already
    /// or there is nothing to tell.
    fn run_turn(self: &Arc<Self>, mut call: Option<Call>) {
        while let Some(Call { mut connection, now, event, is_due }) = call {
            let is_over = matches!(event, Some(Event::Closed(_)));
            let told = catch_unwind(AssertUnwindSafe(|| {
                if is_due {
                    connection.handle_deadline(now);
                }
                match event {
                    Some(Event::Message(message)) => connection.handle_message(now, message),
                    Some(Event::Upgraded) => connection.handle_upgrade(),
                    Some(Event::Closed(reason)) => {
                        tracing::debug!(sid = %SidDigest(self.id), %reason, "session closed");
                        connection.handle_close(reason);
                    }
                    None => (),
                }
            }));
            if told.is_err() {
                tracing::error!(sid = %SidDigest(self.id), "a panic; the session is closed");
                self.change(|machine, config, now| machine.handle(now, config, Input::Close));
            }
            if is_over {
                return self.end_turns();
            }
            call = self.go_on(connection);
        }
    }

    /// The application has been told one thing: the next, or others may call it.
    fn go_on(self: &Arc<Self>, connection: Box<dyn Connection>) -> Option<Call> {
        let deadline = connection.deadline();
        let now = {
            let mut state = self.state();
            let is_same = state.application_deadline == deadline && state.timer_at.is_some();
            state.application_deadline = deadline;
            state.turn = Turn::Free(connection);
            // Nearly always there is nothing more, and nobody waits for the turn.
            if is_same && !state.has_work() && state.reader.is_none() {
                return None;
            }
            now()
        };
        self.change_state(now, State::take_turn)
    }

    fn end_turns(&self) {
        let wakers = {
            let mut state = self.state();
            state.turn = Turn::Over;
            state.application_deadline = None;
            state.take_wakers()
        };
        wakers.wake();
    }

    /// Whether a WebSocket may read on. While another task is busy with what came before, what
    /// comes is left to wait in the connection; the driver is woken when it may go on.
    pub(crate) fn may_read(&self, waker: &Waker) -> bool {
        let mut state = self.state();
        let may_read = state.may_read();
        if !may_read {
            state.reader = Some(waker.clone());
        }
        may_read
    }

    /// The answer to a request; without one, `waker` is woken when there is.
    pub(crate) fn poll_response(&self, id: RequestId, waker: &Waker) -> Option<Response> {
        let mut state = self.state();
        let response = state.machine.poll_response(now(), id);
        state.sleepers.park(Party::Request(id), response.is_none().then_some(waker));
        response
    }

    /// Whether a request that is not finished yet has been answered.
    pub(crate) fn poll_early_response(&self, id: RequestId, waker: &Waker) -> Option<Response> {
        let mut state = self.state();
        let response = state.machine.poll_early_response(id);
        state.sleepers.park(Party::Request(id), response.is_none().then_some(waker));
        response
    }

    /// What a WebSocket is to write; `waker` is woken when there is more.
    pub(crate) fn poll_websocket(
        &self,
        now: Instant,
        id: WebSocketId,
        unwritten_bytes: usize,
        frames: &mut impl Extend<Outgoing>,
        waker: &Waker,
    ) -> WebSocketState {
        let mut state = self.state();
        let websocket = state.machine.poll_websocket(now, id, unwritten_bytes, frames);
        let is_open = websocket == WebSocketState::Open;
        state.sleepers.park(Party::WebSocket(id), is_open.then_some(waker));
        websocket
    }
}

impl State {
    fn has_work(&self) -> bool {
        self.machine.has_events() || self.application_is_due
    }

    /// Takes the turn if it is free and there is something to tell the application.
    fn take_turn(&mut self, config: &engine::Config, now: Instant) -> Option<Call> {
        if !matches!(self.turn, Turn::Free(_)) || !self.has_work() {
            return None;
        }
        // What looked like work may be none: a body of nothing but pongs.
        let event = self.machine.poll_event(now, config);
        self.start_turn(event, now)
    }

    fn start_turn(&mut self, event: Option<Event>, now: Instant) -> Option<Call> {
        let is_due = std::mem::take(&mut self.application_is_due);
        if event.is_none() && !is_due {
            return None;
        }
        self.turn_at = now;
        match std::mem::replace(&mut self.turn, Turn::Taken) {
            Turn::Free(connection) => Some(Call { connection, now, event, is_due }),
            _ => unreachable!("a turn is started only if it is free"),
        }
    }

    /// The time, for whoever changes the session from within the turn or without it. A turn takes
    /// no time to speak of, so those within it need not look at the clock for every packet.
    fn now(&self) -> Instant {
        if matches!(self.turn, Turn::Taken) { self.turn_at } else { now() }
    }

    fn may_read(&self) -> bool {
        !(matches!(self.turn, Turn::Taken) && self.machine.has_events())
    }

    /// The wakers of all for whom there is something.
    fn take_wakers(&mut self) -> Wakers {
        let mut wakers = Wakers::default();
        self.sleepers.take_ready(&self.machine, &mut wakers);
        if self.reader.is_some() && self.may_read() {
            wakers.extend(self.reader.take());
        }
        wakers
    }
}

/// Requests and WebSockets whose tasks sleep until the machine has something for them; nearly
/// always one at most.
#[derive(Default)]
#[expect(clippy::box_collection, reason = "nearly all are empty, and their size counts")]
struct Sleepers {
    first: Option<(Party, Waker)>,
    /// `None` if there is no first.
    more: Option<Box<Vec<(Party, Waker)>>>,
}

impl Sleepers {
    /// Registers or forgets the waker of one party.
    fn park(&mut self, party: Party, waker: Option<&Waker>) {
        let index = self.iter().position(|(sleeper, _)| *sleeper == party);
        match (index, waker) {
            (Some(index), Some(waker)) => self.waker_mut(index).clone_from(waker),
            (Some(index), None) => drop(self.take(index)),
            (None, Some(waker)) if self.first.is_none() => {
                self.first = Some((party, waker.clone()));
            }
            (None, Some(waker)) => {
                self.more.get_or_insert_default().push((party, waker.clone()));
            }
            (None, None) => (),
        }
    }

    fn take_ready(&mut self, machine: &engine::Session, wakers: &mut Wakers) {
        let has_something = |party: &Party| match party {
            Party::Request(id) => machine.has_response(*id),
            Party::WebSocket(id) => machine.wants_websocket(*id),
        };
        loop {
            let index = self.iter().position(|(party, _)| has_something(party));
            let Some(index) = index else { return };
            wakers.extend(self.take(index));
        }
    }

    fn iter(&self) -> impl Iterator<Item = &(Party, Waker)> {
        self.first.iter().chain(self.more.iter().flat_map(|more| more.iter()))
    }

    fn waker_mut(&mut self, index: usize) -> &mut Waker {
        let more = self.more.iter_mut().flat_map(|more| more.iter_mut());
        let mut all = self.first.iter_mut().chain(more);
        &mut all.nth(index).expect("an index that was found").1
    }

    fn take(&mut self, index: usize) -> Option<Waker> {
        let more = self.more.as_mut();
        let taken = match index.checked_sub(1) {
            None => std::mem::replace(&mut self.first, more.and_then(|more| more.pop())),
            Some(index) => more.map(|more| more.swap_remove(index)),
        };
        self.more.take_if(|more| more.is_empty());
        taken.map(|(_, waker)| waker)
    }
}

/// Wakers to call once no lock is held; nearly always one at most.
#[derive(Default)]
struct Wakers {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Wakers {
    fn extend(&mut self, waker: Option<Waker>) {
        match &self.first {
            None => self.first = waker,
            Some(_) => self.more.extend(waker),
        }
    }

    fn wake(self) {
        if let Some(first) = self.first {
            first.wake();
            self.more.into_iter().for_each(Waker::wake);
        }
    }
}

impl Session {
    /// The session's id. It is a secret: who knows it can speak for the client.
    pub fn id(&self) -> Sid {
        self.0.id
    }

    /// The engine whose session it is.
    pub fn engine(&self) -> Engine {
        Engine(self.0.shared.clone())
    }

    /// The request that opened the session.
    pub fn handshake(&self) -> &Handshake {
        &self.0.handshake
    }

    /// The transport on which packets leave now.
    pub fn transport(&self) -> Transport {
        self.0.transport()
    }

    /// Queues packets, which leave adjacent to each other. After the end they go nowhere. The
    /// iterator must not use the session.
    pub fn send(&self, packets: impl IntoIterator<Item = Outgoing>) {
        self.0.change_elsewhere(None, |machine, config, now| machine.send(now, config, packets));
    }

    /// Queues packets if they would leave now; otherwise they are dropped, and the answer is
    /// false.
    pub fn send_volatile(&self, packets: impl IntoIterator<Item = Outgoing>) -> bool {
        self.0.change_elsewhere(None, |machine, config, now| {
            let is_writable = machine.is_writable();
            if is_writable {
                machine.send(now, config, packets);
            }
            is_writable
        })
    }

    /// Bytes that wait for the client.
    pub fn waiting_bytes(&self) -> usize {
        self.0.state().machine.waiting_bytes()
    }

    /// Closes the session: what was sent before leaves first. The application is told by another
    /// task, so this may be called anywhere.
    pub fn close(&self) {
        self.0.change_elsewhere(None, |machine, config, now| {
            machine.handle(now, config, Input::Close);
        });
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("sid", &SidDigest(self.0.id)).finish_non_exhaustive()
    }
}

/// The first characters of a sid: enough to tell sessions apart in a log, not enough to take one
/// over.
struct SidDigest(Sid);

impl fmt::Display for SidDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", &self.0.as_str()[..6])
    }
}

impl fmt::Debug for SidDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Its session's timer comes up while a message is handled. It tells by when the next one does.
    #[derive(Clone)]
    struct Slow(mpsc::Sender<(Instant, Option<Instant>)>);

    struct SlowConnection(Session, Slow);

    impl Application for Slow {
        fn open(&self, session: &Session) -> Box<dyn Connection> {
            Box::new(SlowConnection(session.clone(), self.clone()))
        }
    }

    impl Connection for SlowConnection {
        fn handle_message(&mut self, _: Instant, _: Message) {
            let inner = &self.0.0;
            let at = inner.state().timer_at.expect("a ping is due some time");
            inner.handle_timer(at, at);
            let _ = self.1.0.send((at, inner.state().timer_at));
        }

        fn handle_close(&mut self, _: CloseReason) {}
    }

    fn open(application: impl Application) -> Arc<Inner> {
        let shared = Arc::new(Shared::new(Config::default(), Arc::new(application)));
        let request = http::Request::get("/engine.io/?EIO=4&transport=websocket").body(()).unwrap();
        let (parts, ()) = request.into_parts();
        let sid = Sid::from_random([7; 15]);
        Inner::open(&shared, sid, Handshake::new(parts), Transport::WebSocket).unwrap()
    }

    #[tokio::test]
    async fn a_session_of_which_nothing_is_heard_has_a_timer() {
        let session = open(Slow(mpsc::channel().0));
        assert!(session.state().timer_at.is_some());
    }

    #[tokio::test]
    async fn a_deadline_that_comes_while_the_application_is_busy_has_its_effect_then() {
        let (tell, told) = mpsc::channel();
        let session = open(Slow(tell));
        session.receive(now(), WebSocketId(0), Message::Text("4".into()));
        let (at, next) = told.try_recv().unwrap();
        assert_eq!(
            next,
            Some(at + session.shared.config.session.ping_timeout),
            "the ping went out"
        );
    }
}
