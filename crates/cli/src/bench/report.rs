//! The result: a table for people, JSON for programs.

use std::{fmt::Write, time::Duration};

use serde::Serialize;

use super::{
    Options,
    options::ScenarioName,
    run::{Measurement, ServerUse},
};

/// What is written as JSON. Numbers are rounded to three decimals.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    scenario: &'static str,
    /// The event that was sent; empty if none was.
    event: String,
    /// Its name or file; empty if nothing was sent.
    payload: String,
    connections: usize,
    in_flight: usize,
    /// How long it was measured.
    seconds: f64,
    /// What a message is depends on the scenario: see [`ScenarioName::unit`].
    messages: u64,
    /// Messages per second.
    rate: f64,
    /// `None` if there were no messages, or they take no time.
    latency_us: Option<Latency>,
    /// `None` if the server's process is not known.
    server: Option<Server>,
    generator: Generator,
    out_of_order: u64,
    errors: u64,
    /// What the errors were, most frequent first.
    failures: Vec<FailureCount>,
    /// Whether Ctrl-C ended it early.
    interrupted: bool,
    #[serde(skip)]
    unit: &'static str,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
struct Server {
    pid: u32,
    /// `None` if there were no messages.
    cpu_us_per_message: Option<f64>,
    cpu_percent: f64,
    rss_before_kib: u64,
    rss_after_kib: u64,
    /// `None` for `connect`, which holds no connections.
    bytes_per_connection: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Generator {
    cpu_percent: f64,
    /// `None` if there were no messages.
    cpu_us_per_message: Option<f64>,
}

#[derive(Debug, Serialize)]
struct FailureCount {
    text: String,
    count: u64,
}

/// From this share of its core on, the generator may be what limits the rate.
const BUSY_PERCENT: f64 = 90.0;

impl Report {
    pub(crate) fn new(options: &Options, payload: &str, measurement: &Measurement) -> Self {
        let Measurement { elapsed, counts, failures, own_cpu_time, server, .. } = measurement;
        let is_idle = options.scenario == ScenarioName::Idle;
        let messages = if is_idle { counts.heartbeats } else { counts.messages };
        let connections = options.connections();
        let quantile = |quantile| micros(counts.latency.value_at_quantile(quantile));
        let latency = Latency {
            p50: quantile(0.5),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: micros(counts.latency.max()),
        };
        let of_server = |used: &ServerUse| Server {
            pid: options.pid.unwrap_or_default(),
            cpu_us_per_message: per_message(used.cpu_time, messages),
            cpu_percent: percent(used.cpu_time, *elapsed),
            rss_before_kib: used.rss_before_kib,
            rss_after_kib: used.rss_after_kib,
            bytes_per_connection: (options.scenario != ScenarioName::Connect).then(|| {
                let grown = used.rss_after_kib as f64 - used.rss_before_kib as f64;
                rounded(grown * 1024.0 / connections as f64)
            }),
        };
        let failures = failures.by_frequency().into_iter();
        Self {
            scenario: options.scenario.as_str(),
            event: options.event().to_owned(),
            payload: payload.to_owned(),
            connections,
            in_flight: options.in_flight.get(),
            seconds: rounded(elapsed.as_secs_f64()),
            messages,
            rate: rounded(messages as f64 / elapsed.as_secs_f64()),
            latency_us: (counts.messages > 0).then_some(latency),
            server: server.as_ref().map(of_server),
            generator: Generator {
                cpu_percent: percent(*own_cpu_time, *elapsed),
                cpu_us_per_message: per_message(*own_cpu_time, messages),
            },
            out_of_order: counts.out_of_order,
            errors: measurement.failures.total(),
            failures: failures
                .map(|(text, count)| FailureCount { text: text.to_owned(), count })
                .collect(),
            interrupted: measurement.was_interrupted,
            unit: options.scenario.unit(),
        }
    }

    /// Whether something was measured. No heartbeats may be due while connections are idle.
    pub(crate) fn has_result(&self) -> bool {
        self.messages > 0 || self.scenario == ScenarioName::Idle.as_str()
    }

    pub(crate) fn to_json(&self) -> String {
        let mut json = serde_json::to_string(self).expect("numbers and strings are JSON");
        json.push('\n');
        json
    }

    pub(crate) fn to_table(&self) -> String {
        let unit = self.unit;
        let mut rows = vec![(self.scenario.to_owned(), self.what())];
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        row(
            "messages",
            format!(
                "{} in {:.2} s; each is one {unit}",
                thousands(self.messages as f64),
                self.seconds
            ),
        );
        row("rate", format!("{} /s", thousands(self.rate)));
        if let Some(latency) = &self.latency_us {
            let Latency { p50, p99, p999, max } = latency;
            for (name, value) in [("p50", p50), ("p99", p99), ("p99.9", p999), ("max", max)] {
                row(&format!("latency {name}"), duration(*value));
            }
        }
        if let Some(server) = &self.server {
            row("server", used(server.cpu_percent, server.cpu_us_per_message, unit));
            let grown = format!("{} → {} KiB", server.rss_before_kib, server.rss_after_kib);
            row(
                "server's memory",
                match server.bytes_per_connection {
                    Some(bytes) => format!("{grown}, {} bytes per connection", thousands(bytes)),
                    None => grown,
                },
            );
        }
        let generator = &self.generator;
        row("generator", used(generator.cpu_percent, generator.cpu_us_per_message, unit));
        row("out of order", thousands(self.out_of_order as f64));
        row("errors", thousands(self.errors as f64));
        for FailureCount { text, count } in &self.failures {
            row("", format!("{count} × {text}"));
        }

        let mut table = String::new();
        for (name, value) in rows {
            _ = writeln!(table, "{name:<16} {value}");
        }
        for note in self.notes() {
            _ = writeln!(table, "note: {note}");
        }
        table
    }

    /// What was done, in a few words.
    fn what(&self) -> String {
        let Self { connections, in_flight, event, payload, .. } = self;
        if event.is_empty() {
            return format!("{connections} connections");
        }
        format!("{connections} connections, {in_flight} in flight, `{event}` with {payload}")
    }

    /// What a reader should know before believing the numbers.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.interrupted {
            notes.push("interrupted: this is what was measured until then".to_owned());
        }
        if self.generator.cpu_percent > BUSY_PERCENT {
            notes.push(
                "the generator was busy: the rate may be its limit, not the server's, and \
                 latencies contain its own queue"
                    .to_owned(),
            );
        }
        if self.scenario == ScenarioName::Idle.as_str() && self.messages == 0 {
            notes.push(
                "no heartbeat was due: measure for longer, or set a shorter ping interval in the \
                 server"
                    .to_owned(),
            );
        }
        notes
    }
}

fn used(percent: f64, per_message: Option<f64>, unit: &str) -> String {
    match per_message {
        Some(micros) => format!("{percent:.1} % of a core, {micros:.3} µs per {unit}"),
        None => format!("{percent:.1} % of a core"),
    }
}

fn per_message(time: Duration, messages: u64) -> Option<f64> {
    (messages > 0).then(|| rounded(time.as_secs_f64() * 1e6 / messages as f64))
}

fn percent(time: Duration, elapsed: Duration) -> f64 {
    rounded(100.0 * time.as_secs_f64() / elapsed.as_secs_f64())
}

fn micros(nanos: u64) -> f64 {
    rounded(nanos as f64 / 1000.0)
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn duration(micros: f64) -> String {
    match micros {
        0.0..1e3 => format!("{micros:.1} µs"),
        1e3..1e6 => format!("{:.2} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

/// `1234567.8` as `1,234,568`.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = if value <= -0.5 { "-".to_owned() } else { String::new() };
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{super::tally::Tally, *};

    #[derive(Parser)]
    struct Bench {
        #[command(flatten)]
        options: Options,
    }

    /// A second with two messages, of 1 and 3 ms; the server used 10 ms and 200 KiB.
    fn report(arguments: &str) -> Report {
        let mut tally = Tally::new(0);
        tally.complete(0, 1_000_000, true);
        tally.complete(0, 3_000_000, false);
        tally.failures.add_many("it broke".to_owned(), 2);
        let measurement = Measurement {
            elapsed: Duration::from_secs(1),
            counts: tally.take(),
            failures: tally.failures,
            own_cpu_time: Duration::from_millis(950),
            server: Some(ServerUse {
                cpu_time: Duration::from_millis(10),
                rss_before_kib: 1000,
                rss_after_kib: 1200,
            }),
            was_interrupted: false,
        };
        let arguments = ["bench"].into_iter().chain(arguments.split(' '));
        Report::new(&Bench::parse_from(arguments).options, "text32", &measurement)
    }

    #[test]
    fn json_has_the_documented_fields() {
        let report = report("echo --connections=10 --pid=7");
        let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
        let expected = serde_json::json!({
            "scenario": "echo", "event": "echo", "payload": "text32",
            "connections": 10, "in_flight": 1,
            "seconds": 1.0, "messages": 2, "rate": 2.0,
            "latency_us": { "p50": 1000.447, "p99": 3000.319, "p999": 3000.319, "max": 3000.319 },
            "server": {
                "pid": 7, "cpu_us_per_message": 5000.0, "cpu_percent": 1.0,
                "rss_before_kib": 1000, "rss_after_kib": 1200, "bytes_per_connection": 20480.0,
            },
            "generator": { "cpu_percent": 95.0, "cpu_us_per_message": 475_000.0 },
            "out_of_order": 1, "errors": 2,
            "failures": [{ "text": "it broke", "count": 2 }],
            "interrupted": false,
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn the_table_shows_all_of_it() {
        let table = report("echo --connections=10 --pid=7").to_table();
        for row in [
            "echo             10 connections, 1 in flight, `echo` with text32\n",
            "messages         2 in 1.00 s; each is one echo\n",
            "latency p99.9    3.00 ms\n",
            "server           1.0 % of a core, 5000.000 µs per echo\n",
            "server's memory  1000 → 1200 KiB, 20,480 bytes per connection\n",
            "                 2 × it broke\n",
            "note: the generator was busy",
        ] {
            assert!(table.contains(row), "{row} is not in\n{table}");
        }
    }

    #[test]
    fn idle_counts_heartbeats_and_connect_holds_nothing() {
        let idle = report("idle");
        assert_eq!((idle.messages, idle.connections, idle.has_result()), (0, 1000, true));
        assert!(idle.to_table().contains("no heartbeat was due"));
        let connect = report("connect --concurrency=7");
        assert_eq!(connect.connections, 7);
        assert!(connect.server.unwrap().bytes_per_connection.is_none());
    }

    #[test]
    fn numbers_are_grouped() {
        let values = [0.0, 999.0, 1000.0, 1_234_567.8, -4096.0, -0.2];
        assert_eq!(values.map(thousands), ["0", "999", "1,000", "1,234,568", "-4,096", "0"]);
    }
}
