//! One run: a fresh server, and the generator against it.

use std::{
    fmt, io,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use super::{
    cores::Cores,
    measurement::{Outcome, Run},
    scenarios::{Measure, Workload},
    servers::{PROFILE, Server, limitless},
    table::number,
};
use crate::run::{Group, Result, Runner, TICK};

/// How long every run measures, and what goes before.
const TIMES: [&str; 4] = ["--duration", "2s", "--warmup", "500ms"];

/// The kernel keeps a port busy for a minute after its connection; an address has some 28,000.
const SOURCE_ADDRESSES: &str = "200";

/// How long a run may take, all included.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starts the server, measures, and stops the server. What goes wrong is the run's outcome: the
/// other servers have theirs all the same.
pub(crate) fn run(runner: &Runner, cores: &Cores, server: Server, workload: Workload) -> Run {
    let result = measure(runner, cores, server, workload);
    let outcome = match result {
        Ok(result) => Outcome::Measured(result),
        Err(error) => Outcome::Failed(error.to_string()),
    };
    Run { server, generator: workload.generator.to_owned(), outcome }
}

fn measure(
    runner: &Runner,
    cores: &Cores,
    server: Server,
    workload: Workload,
) -> Result<serde_json::Value> {
    let running = server.start(runner, cores, workload.ping_interval_ms)?;
    let mut command =
        limitless(runner, &cores.generator, &runner.profile_binary(PROFILE, "sockeye"));
    command
        .arg("bench")
        .args(workload.generator.split(' '))
        .args([&running.url, "--pid", &running.id().to_string()])
        .args(["--source-addresses", SOURCE_ADDRESSES, "--quiet", "--json", "-"])
        .args(TIMES)
        .stdout(Stdio::piped());
    let mut group = Group::spawn(&mut command)?;
    let limit = Instant::now() + PATIENCE;
    let status = loop {
        match group.ended()? {
            Some(status) => break status,
            None if runner.interrupted() => return Err("interrupted".into()),
            None if Instant::now() > limit => {
                return Err(format!("it took longer than {} s", PATIENCE.as_secs()).into());
            }
            None => thread::sleep(TICK),
        }
    };
    let [output, _] = group.take_output();
    // The result is shorter than what a pipe holds, so it is all there.
    let output = io::read_to_string(output.expect("its output was asked for"))?;
    serde_json::from_str(&output).map_err(|_| format!("the generator ended with {status}").into())
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:21} {:66}", self.server.name(), self.generator)?;
        match (&self.outcome, self.measured(Measure::Memory)) {
            (Outcome::Failed(why), _) => write!(f, "{why}"),
            (_, Some(memory)) if self.generator.starts_with("idle") => {
                let time = self.measured(Measure::ProcessorTime);
                write!(f, "{:>8} µs {:>8} KiB", number(time), number(Some(memory)))
            }
            _ => write!(f, "{:>8} µs", number(self.measured(Measure::ProcessorTime))),
        }
    }
}
