//! The servers of `benches/compare`: how they are built, and started.

use std::{
    env,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::{cores::Cores, scenarios::Scenario};
use crate::{
    packages,
    run::{Group, Result, Runner, TICK},
};

/// How all that are compared are built.
pub(crate) const PROFILE: &str = "compare";

/// A server, in one of its forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Server {
    Sockeye,
    Socketioxide,
    /// Its multi-threaded runtime on one core, with one worker therefore.
    SocketioxideWorker,
    Hyper,
    Floor,
    Node,
    Bun,
    /// The multi-threaded runtimes on two cores, with two workers.
    SockeyeThreads,
    SocketioxideThreads,
}

/// What takes part by default, in the order of a round.
pub(crate) const DEFAULT: [Server; 7] = [
    Server::Sockeye,
    Server::Socketioxide,
    Server::SocketioxideWorker,
    Server::Hyper,
    Server::Floor,
    Server::SockeyeThreads,
    Server::SocketioxideThreads,
];

/// What `--all` adds.
pub(crate) const FURTHER: [Server; 2] = [Server::Node, Server::Bun];

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

const SOCKETIOXIDE: &str = "benches/compare/socketioxide";
const NODE: &str = "benches/compare/node";
const BUN: &str = "benches/compare/bun";

impl Server {
    /// In the order of the tables.
    pub(crate) const ALL: [Self; 9] = [
        Self::Sockeye,
        Self::Socketioxide,
        Self::SocketioxideWorker,
        Self::Hyper,
        Self::Floor,
        Self::Node,
        Self::Bun,
        Self::SockeyeThreads,
        Self::SocketioxideThreads,
    ];

    /// Its name in the tables and in what is recorded.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sockeye => "Sockeye",
            Self::Socketioxide => "socketioxide",
            Self::SocketioxideWorker => "socketioxide mt",
            Self::Hyper => "hyper",
            Self::Floor => "floor",
            Self::Node => "Node.js",
            Self::Bun => "Bun",
            Self::SockeyeThreads => "Sockeye, 2 cores",
            Self::SocketioxideThreads => "socketioxide, 2 cores",
        }
    }

    /// Whether it has more than one core, and so is not measured for its processor time.
    pub(crate) fn has_threads(self) -> bool {
        matches!(self, Self::SockeyeThreads | Self::SocketioxideThreads)
    }

    /// The value of `RT`.
    fn runtime(self) -> &'static str {
        if self.has_threads() || self == Self::SocketioxideWorker { "mt" } else { "ct" }
    }

    /// Whether it has what a scenario needs: hyper alone has no more than HTTP is needed for.
    pub(crate) fn takes_part(self, scenario: &Scenario) -> bool {
        self != Self::Hyper || matches!(scenario.name, "polling" | "connect")
    }

    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Sockeye | Self::SockeyeThreads)
    }

    fn command(self, runner: &Runner) -> (PathBuf, Option<PathBuf>) {
        match self {
            Self::Sockeye | Self::SockeyeThreads => {
                (runner.profile_binary(PROFILE, "compare-server"), None)
            }
            Self::Socketioxide | Self::SocketioxideWorker | Self::SocketioxideThreads => {
                (socketioxide_target(runner).join(PROFILE).join("compare-socketioxide"), None)
            }
            Self::Hyper => (runner.profile_binary(PROFILE, "compare-hyper"), None),
            Self::Floor => (runner.profile_binary(PROFILE, "compare-floor"), None),
            Self::Node => ("node".into(), Some(runner.path(NODE).join("server.mjs"))),
            // What npm's package installs under this name on every system.
            Self::Bun => (
                runner.path(BUN).join("node_modules/bun/bin/bun.exe"),
                Some(runner.path(BUN).join("server.mjs")),
            ),
        }
    }

    /// Starts it on a port that the system chooses, and waits until it listens.
    pub(crate) fn start(
        self,
        runner: &Runner,
        cores: &Cores,
        ping_interval_ms: Option<u32>,
    ) -> Result<Running> {
        let (program, script) = self.command(runner);
        let pinned = if self.has_threads() { &cores.threads } else { &cores.server };
        let mut command = limitless(runner, pinned, program.as_ref());
        command.args(script).stdout(Stdio::piped()).env("PORT", "0");
        command.env("RT", self.runtime());
        // What would give a runtime another number of threads than it has cores.
        command.env_remove("TOKIO_WORKER_THREADS");
        if let Some(interval) = ping_interval_ms {
            command.env("PING_INTERVAL_MS", interval.to_string());
        }
        let mut group = Group::spawn(&mut command)?;
        let [output, _] = group.take_output();
        let output = output.expect("its output was asked for");
        let line = first_line(runner, output)?;
        let address = address(&line)
            .ok_or_else(|| format!("{} did not start: it said `{}`", self.name(), line.trim()))?;
        Ok(Running { url: format!("http://{address}"), group })
    }
}

/// A server that listens. It is stopped when this is dropped.
pub(crate) struct Running {
    pub(crate) url: String,
    group: Group,
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.group.id()
    }
}

/// Builds what takes part, and the generator.
pub(crate) fn build(runner: &Runner, servers: &[Server]) -> Result {
    let ours = ["sockeye-cli", "compare-server", "compare-hyper", "compare-floor"];
    runner.run(
        runner.cargo(&["build", "--profile", PROFILE]).args(ours.map(|name| format!("-p={name}"))),
    )?;
    if servers.contains(&Server::Socketioxide) {
        let mut cargo = runner.command("cargo", SOCKETIOXIDE);
        cargo.args(["build", "--profile", PROFILE, "--locked", "--target-dir"]);
        runner.run(cargo.arg(socketioxide_target(runner)))?;
    }
    for (server, directory) in [(Server::Node, NODE), (Server::Bun, BUN)] {
        if servers.contains(&server) {
            packages::install_node(runner, directory)?;
        }
    }
    Ok(())
}

/// Not the workspace's own directory: their builds would undo each other's.
fn socketioxide_target(runner: &Runner) -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(target) => PathBuf::from(target).join("socketioxide"),
        None => runner.path(SOCKETIOXIDE).join("target"),
    }
}

/// A command on these cores that may open as many files as the system allows.
pub(crate) fn limitless(runner: &Runner, cores: &str, program: &Path) -> Command {
    let mut command = runner.command("taskset", "");
    let raise = r#"ulimit -S -n "$(ulimit -H -n)" && exec "$0" "$@""#;
    command.args(["--cpu-list", cores, "sh", "-c", raise]).arg(program);
    command
}

/// The first line of what a server says; empty if it ends without a word.
fn first_line(runner: &Runner, output: impl io::Read + Send + 'static) -> Result<String> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        let _ = tell.send(read.map(|_| line));
    });
    let limit = Instant::now() + PATIENCE;
    loop {
        match told.recv_timeout(TICK) {
            Ok(line) => return Ok(line?),
            Err(_) if runner.interrupted() => return Err("interrupted".into()),
            Err(_) if Instant::now() > limit => {
                return Err(format!("it said nothing for {} s", PATIENCE.as_secs()).into());
            }
            Err(_) => (),
        }
    }
}

/// The address in `listening on 127.0.0.1:4711`.
fn address(line: &str) -> Option<&str> {
    line.trim().strip_prefix("listening on ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_where_it_listens() {
        assert_eq!(address("listening on 127.0.0.1:4711\n"), Some("127.0.0.1:4711"));
        assert_eq!(address(""), None);
    }

    #[test]
    fn every_server_takes_part_once() {
        let mut all = [&DEFAULT[..], &FURTHER[..]].concat();
        all.sort_unstable();
        assert_eq!(all, Server::ALL);
    }
}
