//! Ten thousand schedules of cuts, delays, restarts and silences, and of an application that emits,
//! leaves and returns meanwhile.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use sockeye_protocol::{
    client::{
        AckFailure, AckRequest, Config, DisconnectReason, Emit, Manager, Output, Policy, SocketId,
    },
    engine::Transport,
    socket::PacketBuilder,
};

use crate::{
    rig::{millis, secs},
    seed::{Rng, for_seeds},
    server::{Arrival, World},
};

/// How long the network misbehaves.
const TROUBLE: Duration = Duration::from_secs(200);

struct Schedule {
    world: World,
    manager: Manager<u64>,
    socket: SocketId,
    start: Instant,
    emitted: u64,
    /// The numbers of events that are kept for a connection, and must leave in order.
    kept: Vec<u64>,
    /// Who waits for an acknowledgement, and how it ended.
    waiters: HashMap<u64, Option<Result<(), AckFailure>>>,
    /// Numbers of the server's events.
    heard: Vec<u64>,
    steps: usize,
}

impl Schedule {
    fn new(rng: &mut Rng, on: Transport, retries: Option<u32>) -> Self {
        let start = Instant::now();
        let config =
            Config { transports: vec![on], retries, retry_timeout: secs(1), ..Config::default() };
        let mut manager = Manager::new(config, rng.next());
        let socket = manager.socket("/");
        let mut world = World::new(start, Rng::new(rng.next()));
        world.longest_delay = rng.pick(&[Duration::ZERO, millis(20), millis(400), secs(3)]);
        world.answers_of_ten = rng.pick(&[10, 10, 7]);
        Self {
            world,
            manager,
            socket,
            start,
            emitted: 0,
            kept: Vec::new(),
            waiters: HashMap::new(),
            heard: Vec::new(),
            steps: 0,
        }
    }

    /// Runs to a time after the start.
    fn run(&mut self, until: Duration) {
        let end = self.start + until;
        let mut ticks_at_once = 0;
        loop {
            self.drain();
            let arrival = self.world.wire.first_key_value().map(|((at, _), _)| *at);
            let deadline = self.manager.deadline();
            let next = arrival.into_iter().chain(deadline).min().filter(|at| *at <= end);
            let Some(next) = next else {
                self.world.now = end;
                return;
            };
            self.steps += 1;
            ticks_at_once = if next > self.world.now { 0 } else { ticks_at_once + 1 };
            self.world.now = self.world.now.max(next);
            let now = self.world.now;
            if arrival == Some(next) {
                ticks_at_once = 0;
                let (_, arrival) = self.world.wire.pop_first().expect("something arrives");
                match arrival {
                    Arrival::ToClient(session, input) => {
                        if self.world.is_awaited(session, &input) {
                            self.manager.handle_io(now, session, input);
                        }
                    }
                    Arrival::ToServer(session, heard) => self.world.deliver(session, heard),
                    Arrival::Ping(session) => self.world.ping(session),
                }
            } else {
                assert!(ticks_at_once < 10, "a deadline is not moved by its tick");
                self.manager.handle_tick(now);
            }
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.manager.poll_output(self.world.now) {
            self.world.perform(&output);
            match output {
                Output::Event { event, .. } => {
                    self.heard.push(event.name.trim_start_matches('s').parse().unwrap());
                }
                Output::Ack(waiter, outcome) => {
                    let ended = self.waiters.insert(waiter, Some(outcome.map(drop)));
                    assert_eq!(ended, Some(None), "{waiter} ends twice");
                }
                _ => (),
            }
        }
    }

    fn emit(&mut self, policy: Policy, asks: bool, timeout: Option<Duration>) {
        let number = self.emitted;
        self.emitted += 1;
        let ack = asks.then_some(AckRequest { id: number, waiter: Some(number), timeout });
        let id = ack.as_ref().map(|ack| ack.id);
        let packet = PacketBuilder::event("/", id, &format!("k{number}")).finish(vec![]);
        let emit = Emit { packet, ack, policy };
        if self.manager.emit(self.world.now, self.socket, emit).is_ok() {
            if asks {
                self.waiters.insert(number, None);
            }
            if policy == Policy::Buffer {
                self.kept.push(number);
            }
        }
    }

    /// Something that an application or a network does.
    fn act(&mut self) {
        let now = self.world.now;
        let retries = self.manager.config().retries.is_some();
        let timeout = Some(self.world.rng.up_to(secs(6)) + millis(1));
        match self.world.rng.below(40) {
            0..=11 => self.emit(Policy::Buffer, true, timeout.filter(|_| !retries)),
            12..=15 if !retries => self.emit(Policy::Buffer, false, None),
            16 => self.emit(Policy::Buffer, true, None),
            17..=18 => self.emit(Policy::Volatile, true, timeout),
            19..=20 => self.emit(Policy::Expire(secs(2)), true, timeout),
            21..=25 => self.world.emit(),
            26 => self.manager.disconnect(now, self.socket),
            27..=30 => self.manager.open(now, self.socket),
            31 => self.manager.cut(now, DisconnectReason::ForcedClose),
            32 => self.manager.suspend(now),
            33..=34 => self.manager.resume(now),
            35 => self.world.cut(),
            36 => {
                self.world.is_up = !self.world.is_up;
                self.world.cut();
            }
            37 => self.world.silence(),
            _ => (),
        }
    }

    fn trouble(&mut self) {
        self.manager.open(self.world.now, self.socket);
        let mut at = Duration::ZERO;
        while at < TROUBLE {
            at += self.world.rng.up_to(secs(5));
            self.run(at);
            self.act();
        }
        self.run(TROUBLE);
    }

    /// The network is well again, and stays so.
    fn peace(&mut self) {
        self.world.is_up = true;
        self.world.answers_of_ten = 10;
        self.world.longest_delay = millis(5);
        self.manager.resume(self.world.now);
        self.manager.open(self.world.now, self.socket);
        self.run(TROUBLE + secs(120));
        assert!(self.manager.state(self.socket).id.is_some(), "it is not connected again");
        for _ in 0..5 {
            self.emit(Policy::Buffer, true, None);
        }
        self.run(TROUBLE + secs(125));
        let last: Vec<_> = (self.emitted - 5..self.emitted).collect();
        assert!(self.world.heard.ends_with(&last), "{:?}", self.world.heard);
        for number in last {
            assert_eq!(self.waiters[&number], Some(Ok(())), "{number} was not acknowledged");
        }
    }

    fn close(&mut self) {
        self.manager.close(self.world.now);
        self.run(TROUBLE + secs(170));
        assert!(self.manager.is_finished());
        assert_eq!(self.manager.deadline(), None);
        assert_eq!(self.manager.waiting_bytes(self.socket), 0);
        assert_eq!(self.manager.pending_acks(self.socket), 0);
        for (waiter, outcome) in &self.waiters {
            assert!(outcome.is_some(), "{waiter} waits for ever");
        }
        assert!(self.steps < 20_000, "{} steps", self.steps);
    }
}

fn is_increasing(numbers: &[u64]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

#[test]
fn without_retries_order_is_kept_and_nothing_comes_twice() {
    for_seeds(5_000, |rng| {
        let on = rng.pick(&[Transport::WebSocket, Transport::Polling]);
        let mut schedule = Schedule::new(rng, on, None);
        schedule.trouble();
        schedule.peace();
        schedule.close();
        assert!(is_increasing(&schedule.world.heard), "{:?}", schedule.world.heard);
        assert!(is_increasing(&schedule.heard), "{:?}", schedule.heard);
    });
}

#[test]
fn with_retries_order_is_kept_and_what_was_acknowledged_was_heard() {
    for_seeds(5_000, |rng| {
        let on = rng.pick(&[Transport::WebSocket, Transport::Polling]);
        let mut schedule = Schedule::new(rng, on, Some(1_000));
        schedule.trouble();
        schedule.peace();
        schedule.close();
        let mut firsts = Vec::new();
        for number in &schedule.world.heard {
            if schedule.kept.contains(number) && !firsts.contains(number) {
                firsts.push(*number);
            }
        }
        assert_eq!(firsts, schedule.kept, "with tries enough nothing is lost, and order is kept");
        assert!(is_increasing(&schedule.heard), "{:?}", schedule.heard);
        for number in &schedule.kept {
            assert_eq!(schedule.waiters[number], Some(Ok(())), "{number}");
        }
    });
}
