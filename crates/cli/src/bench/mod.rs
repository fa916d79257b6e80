//! `sockeye bench`: load for any Socket.IO server, cheap enough that the server is the bottleneck.
//!
//! One thread waits for all connections at once, reads with one buffer, and answers what one read
//! brings with one write. Messages are made ahead, and only their number changes.

mod failure;
mod frame;
mod http;
mod options;
mod payload;
mod polling;
mod process;
mod progress;
mod report;
mod run;
mod scenario;
mod sequence;
mod stream;
mod tally;
mod target;
mod websocket;

use std::{
    error::Error,
    fs,
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use mio::Poll;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::{consts::SIGINT, flag};

use failure::Failure;
pub(crate) use options::Options;
use options::ScenarioName;
use payload::{Payload, Template};
use polling::Polling;
use process::Process;
use report::Report;
use run::{Clients, Measurement, Run};
use scenario::{Exchange, Groups, Idle, Lanes, Reconnect, Reply, Scenario};
use sequence::Finder;
use target::Target;
use websocket::WebSockets;

/// How long a connection may take from its first byte to joining the namespace.
const OPEN_TIMEOUT: Duration = Duration::from_secs(20);

/// Files that are open beside the connections.
const OTHER_FILES: u64 = 32;

/// Runs the scenario and reports it.
pub(crate) fn main(options: &Options) -> Result<(), Box<dyn Error>> {
    options.check()?;
    let target = Target::new(options)?;
    let payload = Payload::new(options)?;
    let process = options.pid.map(Process::new).transpose()?;
    raise_file_limit(options)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    // A second Ctrl-C does not wait for the report.
    flag::register_conditional_shutdown(SIGINT, 130, interrupted.clone())?;
    flag::register(SIGINT, interrupted.clone())?;

    let measurement = Bench { options, target, payload: &payload, process, interrupted }.run()?;
    let sends = options.scenario.default_event().is_some();
    let name = if sends { payload.name.as_str() } else { "" };
    let report = Report::new(options, name, &measurement);
    match &options.json {
        Some(path) if path == Path::new("-") => print!("{}", report.to_json()),
        Some(path) => {
            print!("{}", report.to_table());
            fs::write(path, report.to_json())
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        None => print!("{}", report.to_table()),
    }
    if report.has_result() {
        return Ok(());
    }
    let scenario = options.scenario.as_str();
    Err(format!(
        "all connections joined, but nothing came back: does the server have the events of \
         `{scenario}`? docs/benchmarking.md lists them"
    )
    .into())
}

struct Bench<'a> {
    options: &'a Options,
    target: Target,
    payload: &'a Payload,
    process: Option<Process>,
    interrupted: Arc<AtomicBool>,
}

impl Bench<'_> {
    /// Sets the scenario up and measures it.
    fn run(self) -> Result<Measurement, Box<dyn Error>> {
        let Self { options, ref target, payload, .. } = self;
        let namespace = target.namespace_prefix.clone();
        let (connections, in_flight) = (options.connections(), options.in_flight.get());
        let finder = Finder::new(payload.marker());
        let event = options.event();
        let lanes = || Lanes::new(connections, in_flight);
        let template = |first: &[String]| Template::event(&namespace, event, first, payload);
        match options.scenario {
            ScenarioName::Echo => {
                self.websockets(Exchange::new(lanes(), template(&[]), Reply::Echo(finder)))
            }
            ScenarioName::Ack => {
                let template = Template::event_with_ack(&namespace, event, payload);
                self.websockets(Exchange::new(lanes(), template, Reply::ack(&namespace)))
            }
            ScenarioName::Binary => {
                self.websockets(Exchange::new(lanes(), template(&[]), Reply::Binary))
            }
            ScenarioName::Broadcast => {
                self.websockets(Groups::all(template(&[]), finder, connections, in_flight))
            }
            ScenarioName::Rooms => {
                let to_room = |room: &str| template(&[format!("\"{room}\"")]);
                let rooms = options.rooms.get();
                self.websockets(Groups::rooms(
                    rooms,
                    &namespace,
                    to_room,
                    finder,
                    connections,
                    in_flight,
                ))
            }
            ScenarioName::Connect => self.websockets(Reconnect),
            ScenarioName::Idle => self.websockets(Idle),
            ScenarioName::Polling => {
                let template = Template::polling_event(&namespace, event, payload);
                let poll = Poll::new()?;
                let registry = poll.registry().try_clone()?;
                let Self { target, process, interrupted, .. } = self;
                let clients =
                    Polling::new(target, registry, lanes(), template, finder, connections);
                measure(poll, clients, options, process, interrupted)
            }
        }
    }

    fn websockets(self, scenario: impl Scenario) -> Result<Measurement, Box<dyn Error>> {
        let Self { options, target, process, interrupted, .. } = self;
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let clients = WebSockets::new(target, registry, scenario, options.connections());
        measure(poll, clients, options, process, interrupted)
    }
}

fn measure(
    poll: Poll,
    clients: impl Clients,
    options: &Options,
    process: Option<Process>,
    interrupted: Arc<AtomicBool>,
) -> Result<Measurement, Box<dyn Error>> {
    Ok(Run::new(poll, clients, options, process, interrupted).measure()?)
}

/// Allows as many open files as the system lets this process have.
fn raise_file_limit(options: &Options) -> Result<(), String> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // The lower limit stays if this fails, and is told below if it is too low.
        _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    let Some(limit) = getrlimit(Resource::Nofile).current else { return Ok(()) };
    let per_client = if options.scenario == ScenarioName::Polling { 2 } else { 1 };
    let needed = (options.connections() * per_client) as u64 + OTHER_FILES;
    if needed > limit {
        return Err(format!(
            "{needed} open files are needed, and the limit is {limit}: raise it with `ulimit -Hn`, \
             or open fewer connections"
        ));
    }
    Ok(())
}
