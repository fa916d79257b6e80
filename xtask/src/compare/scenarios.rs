//! What is measured, and what is to be reached.

use super::servers::Server;

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Its name for `--only`.
    pub(crate) name: &'static str,
    /// What the table calls it.
    pub(crate) title: &'static str,
    pub(crate) measure: Measure,
    /// What is done to Sockeye.
    pub(crate) ours: Workload,
    /// What is done to all others: the same, unless they have no such form.
    pub(crate) theirs: Workload,
    pub(crate) targets: Targets,
}

impl Scenario {
    /// What is done to this server.
    pub(crate) fn workload(&self, server: Server) -> Workload {
        if server.is_ours() { self.ours } else { self.theirs }
    }
}

/// What a row compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The server's processor time for one message, in µs.
    ProcessorTime,
    /// The growth of the server's resident memory for one connection, in KiB.
    Memory,
}

/// What the generator does to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Workload {
    /// The arguments of `sockeye bench`, but for those that all runs have.
    pub(crate) generator: &'static str,
    /// The server's ping interval, if it is not the default.
    pub(crate) ping_interval_ms: Option<u32>,
}

/// At most so many times what others take; at most so much.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Targets {
    pub(crate) of_socketioxide: Option<f64>,
    pub(crate) of_floor: Option<f64>,
    /// In the unit of the measure.
    pub(crate) absolute: Option<f64>,
}

impl Targets {
    const NONE: Self = Self { of_socketioxide: None, of_floor: None, absolute: None };
}

const fn load(generator: &'static str) -> Workload {
    Workload { generator, ping_interval_ms: None }
}

const fn of_socketioxide(ratio: f64) -> Targets {
    Targets { of_socketioxide: Some(ratio), ..Targets::NONE }
}

const fn of_both(socketioxide: f64, floor: f64) -> Targets {
    Targets { of_floor: Some(floor), ..of_socketioxide(socketioxide) }
}

const fn time(
    name: &'static str,
    title: &'static str,
    workload: Workload,
    targets: Targets,
) -> Scenario {
    let measure = Measure::ProcessorTime;
    Scenario { name, title, measure, ours: workload, theirs: workload, targets }
}

const JSON_16: Workload = load("echo --connections 100 --in-flight 16 --payload json1k");
const STRUCT_16: Workload =
    load("echo --event echo-struct --connections 100 --in-flight 16 --payload json1k");
const RAW_16: Workload =
    load("echo --event echo-raw --connections 100 --in-flight 16 --payload json1k");

/// In the order of the table.
pub(crate) const SCENARIOS: [Scenario; 16] = [
    time(
        "echo-100",
        "echo 32 B, 100 connections, 1 in flight",
        load("echo --connections 100 --payload text32"),
        of_both(0.8, 1.8),
    ),
    time(
        "echo-1000",
        "echo 32 B, 1,000 connections, 1 in flight",
        load("echo --connections 1000 --payload text32"),
        of_both(0.5, 1.35),
    ),
    time(
        "echo-16",
        "echo 32 B, 100 connections, 16 in flight",
        load("echo --connections 100 --in-flight 16 --payload text32"),
        of_socketioxide(0.32),
    ),
    time("json-16", "echo 1 KiB JSON, 16 in flight, as a `Value`", JSON_16, of_socketioxide(0.8)),
    Scenario {
        name: "struct-16",
        title: "the same as a derived struct; theirs as a `Value`",
        measure: Measure::ProcessorTime,
        ours: STRUCT_16,
        theirs: JSON_16,
        targets: of_socketioxide(0.5),
    },
    Scenario {
        name: "raw-16",
        title: "the same passed on raw; theirs as a `Value`",
        measure: Measure::ProcessorTime,
        ours: RAW_16,
        theirs: JSON_16,
        targets: of_socketioxide(0.1),
    },
    time("structs-16", "the same, both as a derived struct", STRUCT_16, Targets::NONE),
    time(
        "json-1",
        "echo 1 KiB JSON, 1 in flight, as a `Value`",
        load("echo --connections 100 --payload json1k"),
        Targets::NONE,
    ),
    time(
        "ack-16",
        "acknowledgement, 16 in flight",
        load("ack --connections 100 --in-flight 16 --payload text32"),
        of_socketioxide(0.3),
    ),
    time(
        "binary-16",
        "binary 1 KiB, 16 in flight",
        load("binary --connections 100 --in-flight 16 --payload binary1k"),
        of_socketioxide(0.35),
    ),
    time(
        "broadcast-1",
        "broadcast to 1,000, one at a time",
        load("broadcast --connections 1000 --payload text32"),
        of_both(0.6, 1.3),
    ),
    time(
        "broadcast-16",
        "broadcast to 1,000, 16 in flight",
        load("broadcast --connections 1000 --in-flight 16 --payload text32"),
        of_socketioxide(0.5),
    ),
    time(
        "polling",
        "polling echo, 50 clients",
        load("polling --connections 50 --payload text32"),
        of_socketioxide(0.6),
    ),
    time("connect", "connection opened", load("connect"), of_socketioxide(0.5)),
    time(
        "heartbeat",
        "heartbeat",
        Workload {
            // Opened over a second, so that the heartbeats of the following seconds are spread.
            generator: "idle --connections 10000 --ramp 10000",
            ping_interval_ms: Some(1000),
        },
        of_socketioxide(0.6),
    ),
    Scenario {
        name: "memory",
        title: "idle WebSocket connection, one of 10,000, KiB",
        measure: Measure::Memory,
        ours: IDLE,
        theirs: IDLE,
        targets: Targets { absolute: Some(2.0), ..Targets::NONE },
    },
];

const IDLE: Workload = load("idle --connections 10000 --browser-headers");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SCENARIOS.len());
    }

    #[test]
    fn every_memory_row_has_an_absolute_target_and_others_have_ratios() {
        for scenario in &SCENARIOS {
            let is_memory = scenario.measure == Measure::Memory;
            assert_eq!(scenario.targets.absolute.is_some(), is_memory, "{}", scenario.name);
        }
    }
}
