//! The course of a run: open all connections, warm up, measure, wait for what is under way.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use mio::{Events, Poll, event::Event};

use super::{
    Failure, Options,
    failure::Failures,
    process::{Process, own_cpu_time},
    progress::Progress,
    tally::{Counts, Tally},
};

/// Connections with something to do per round.
const MAX_EVENTS: usize = 1024;

/// How often deadlines, Ctrl-C and the progress are looked at when nothing else happens.
const TICK: Duration = Duration::from_millis(50);

/// The same while connections have to be opened at a rate.
const RAMP_TICK: Duration = Duration::from_millis(2);

/// How long messages may take that are under way when the measurement is over.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections of a run, whatever they speak. Each has an index.
pub(crate) trait Clients {
    /// Whether all connections are to be open before anything is measured.
    const ARE_KEPT: bool;

    /// Begins to open a connection.
    fn open(&mut self, index: usize, tally: &mut Tally) -> Result<(), Failure>;

    /// Something can be read or written.
    fn handle(&mut self, event: &Event, tally: &mut Tally);

    /// Gives up what has been opening for too long.
    fn expire(&mut self, tally: &mut Tally);

    /// Sends the first messages.
    fn start(&mut self, tally: &mut Tally);

    /// All events of a round have been handled.
    fn finish_round(&mut self, tally: &mut Tally);

    /// How many messages are under way.
    fn outstanding(&self) -> u64;
}

/// What a run came to.
pub(crate) struct Measurement {
    pub(crate) elapsed: Duration,
    pub(crate) counts: Counts,
    pub(crate) failures: Failures,
    pub(crate) own_cpu_time: Duration,
    /// `None` if the process is not known.
    pub(crate) server: Option<ServerUse>,
    pub(crate) was_interrupted: bool,
}

/// What the server's process used.
pub(crate) struct ServerUse {
    pub(crate) cpu_time: Duration,
    pub(crate) rss_before_kib: u64,
    pub(crate) rss_after_kib: u64,
}

/// A run.
pub(crate) struct Run<'a, C> {
    poll: Poll,
    events: Events,
    clients: C,
    tally: Tally,
    options: &'a Options,
    process: Option<Process>,
    progress: Progress,
    interrupted: Arc<AtomicBool>,
    begun_at: Instant,
    /// How many connections were begun.
    opened: usize,
}

impl<'a, C: Clients> Run<'a, C> {
    pub(crate) fn new(
        poll: Poll,
        clients: C,
        options: &'a Options,
        process: Option<Process>,
        interrupted: Arc<AtomicBool>,
    ) -> Self {
        Self {
            poll,
            events: Events::with_capacity(MAX_EVENTS),
            clients,
            tally: Tally::new(options.connections()),
            options,
            process,
            progress: Progress::new(options.quiet),
            interrupted,
            begun_at: Instant::now(),
            opened: 0,
        }
    }

    /// Measures. The error is what to tell the user if there is nothing to report.
    pub(crate) fn measure(mut self) -> Result<Measurement, String> {
        let result = self.try_measure();
        self.progress.finish();
        result
    }

    fn try_measure(&mut self) -> Result<Measurement, String> {
        let rss_before_kib = self.rss_kib()?;
        if C::ARE_KEPT {
            self.open_all()?;
        }
        let rss_joined_kib = self.rss_kib()?;
        self.tally.sending = true;
        self.clients.start(&mut self.tally);
        self.clients.finish_round(&mut self.tally);
        self.pass("warming up", self.options.warmup)?;

        self.tally.reset();
        let server_before = self.cpu_time()?;
        let own_before = own_cpu_time();
        let started_at = Instant::now();
        self.pass("measuring", self.options.duration)?;
        let elapsed = started_at.elapsed();
        let own_cpu_time = own_cpu_time() - own_before;
        let server_after = self.cpu_time()?;
        let counts = self.tally.take();

        let was_interrupted = self.is_interrupted();
        let keeps_still = self.options.scenario.default_event().is_none();
        // Without traffic, memory is what was held to the end.
        let rss_after_kib = if keeps_still { self.rss_kib()? } else { rss_joined_kib };
        self.drain()?;
        let server = match (server_before, server_after, rss_before_kib, rss_after_kib) {
            (Some(before), Some(after), Some(rss_before_kib), Some(rss_after_kib)) => {
                let cpu_time = after.saturating_sub(before);
                Some(ServerUse { cpu_time, rss_before_kib, rss_after_kib })
            }
            _ => None,
        };
        let failures = std::mem::take(&mut self.tally.failures);
        Ok(Measurement { elapsed, counts, failures, own_cpu_time, server, was_interrupted })
    }

    /// Opens all connections and waits until each has joined or failed.
    fn open_all(&mut self) -> Result<(), String> {
        let all = self.options.connections();
        self.progress.begin("connecting", &format!("{all} connections"));
        self.begun_at = Instant::now();
        while self.tally.opening > 0 || !self.tally.vacant.is_empty() {
            self.open_some();
            let is_ramping = self.options.ramp.is_some() && !self.tally.vacant.is_empty();
            self.round(if is_ramping { RAMP_TICK } else { TICK })?;
            self.progress.opened(self.tally.joined, all);
            if self.is_interrupted() {
                return Err("interrupted before anything was measured".to_owned());
            }
        }
        if self.tally.joined == 0 {
            return Err("no connection is left".to_owned());
        }
        Ok(())
    }

    /// Begins as many connections as may be opening now.
    fn open_some(&mut self) {
        let elapsed = self.begun_at.elapsed().as_secs_f64();
        let ramp = self.options.ramp.map(|rate| (elapsed * rate.get() as f64) as usize + 1);
        while self.tally.opening < self.options.concurrency.get()
            && ramp.is_none_or(|limit| self.opened < limit)
        {
            let Some(index) = self.tally.vacant.pop() else { return };
            self.opened += 1;
            self.tally.opening += 1;
            if let Err(failure) = self.clients.open(index, &mut self.tally) {
                self.tally.lose(&failure, false);
                if !C::ARE_KEPT {
                    self.tally.vacant.push(index);
                }
                // The next one would fail as well.
                return;
            }
        }
    }

    /// Lets the scenario go on for a time, or until it is interrupted or no connection is left.
    fn pass(&mut self, stage: &'static str, duration: Duration) -> Result<(), String> {
        if duration.is_zero() || self.is_interrupted() {
            return Ok(());
        }
        self.progress.begin(stage, &format!("{} s", duration.as_secs_f64()));
        let start = Instant::now();
        loop {
            let elapsed = start.elapsed();
            let is_deserted = C::ARE_KEPT && self.tally.joined == 0;
            if elapsed >= duration || is_deserted || self.is_interrupted() {
                return Ok(());
            }
            if !C::ARE_KEPT {
                self.open_some();
            }
            self.round(TICK.min(duration - elapsed))?;
            self.progress.elapsed(elapsed, duration, self.tally.counts.messages);
        }
    }

    /// Waits for what is under way; what does not come counts as a failure.
    fn drain(&mut self) -> Result<(), String> {
        self.tally.sending = false;
        let start = Instant::now();
        while self.clients.outstanding() > 0 && start.elapsed() < DRAIN_TIMEOUT {
            self.round(TICK)?;
        }
        let seconds = DRAIN_TIMEOUT.as_secs();
        let text = format!("a message was not answered within {seconds} s");
        self.tally.failures.add_many(text, self.clients.outstanding());
        Ok(())
    }

    /// Waits for events and handles them.
    fn round(&mut self, timeout: Duration) -> Result<(), String> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(format!("waiting for events: {error}"));
            }
            _ => (),
        }
        for event in &self.events {
            self.clients.handle(event, &mut self.tally);
        }
        self.clients.finish_round(&mut self.tally);
        self.clients.expire(&mut self.tally);
        if !self.tally.has_joined && self.tally.failures.total() > 0 {
            // What fails for the first one will fail for all.
            return Err(self.tally.failures.by_frequency()[0].0.to_owned());
        }
        Ok(())
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn rss_kib(&self) -> Result<Option<u64>, String> {
        self.process.as_ref().map(Process::rss_kib).transpose().map_err(gone)
    }

    fn cpu_time(&self) -> Result<Option<Duration>, String> {
        self.process.as_ref().map(Process::cpu_time).transpose().map_err(gone)
    }
}

fn gone(error: io::Error) -> String {
    format!("the server's process can no longer be read: {error}")
}
