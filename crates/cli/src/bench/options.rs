//! What the user asks for.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use crate::arguments::parse_duration;

/// `sockeye bench`.
#[derive(Args)]
pub(crate) struct Options {
    /// What to do to the server
    pub(crate) scenario: ScenarioName,

    /// The server, as http://host:port
    #[arg(default_value = "http://127.0.0.1:3000")]
    pub(crate) url: String,

    /// The path under which the server speaks Socket.IO
    #[arg(long, default_value = "/socket.io/")]
    pub(crate) path: String,

    /// The namespace to join
    #[arg(long, default_value = "/")]
    pub(crate) namespace: String,

    /// How many connections to hold [default: 100; idle: 1000; connect holds none]
    #[arg(long, short, value_name = "N")]
    pub(crate) connections: Option<NonZeroUsize>,

    /// How many messages are under way at once: of each connection; for `broadcast` of the one
    /// publisher; for `rooms` in each room
    #[arg(long, short, value_name = "N", default_value = "1")]
    pub(crate) in_flight: NonZeroUsize,

    /// How many rooms the connections are spread over, for `rooms`
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) rooms: NonZeroUsize,

    /// What every message carries [default: text32; binary: binary1k]
    #[arg(long)]
    pub(crate) payload: Option<PayloadName>,

    /// A file to send instead: JSON with "seq":"00000000" in it; for `binary` any 8 bytes or more
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    pub(crate) payload_file: Option<PathBuf>,

    /// The event to send, where the server has it under another name [default: echo, ack, bin,
    /// broadcast, to-room; as the scenario needs]
    #[arg(long, value_name = "NAME")]
    pub(crate) event: Option<String>,

    /// How long to measure, as 10s or 500ms
    #[arg(long, short, default_value = "10s", value_parser = parse_duration)]
    pub(crate) duration: Duration,

    /// How long to send before that, uncounted
    #[arg(long, default_value = "2s", value_parser = parse_duration)]
    pub(crate) warmup: Duration,

    /// How many connections to open per second at most [default: as many as the server takes]
    #[arg(long, value_name = "N")]
    pub(crate) ramp: Option<NonZeroUsize>,

    /// How many connections may be opening at once; for `connect` this is the load
    #[arg(long, value_name = "N", default_value = "64")]
    pub(crate) concurrency: NonZeroUsize,

    /// A header for every handshake, as 'Name: value'; may be repeated
    #[arg(long = "header", short = 'H', value_name = "HEADER")]
    pub(crate) headers: Vec<String>,

    /// Send the headers of a real browser, which a server may keep in memory
    #[arg(long)]
    pub(crate) browser_headers: bool,

    /// What the server's middlewares see as `auth`
    #[arg(long, value_name = "JSON")]
    pub(crate) auth: Option<String>,

    /// The server's process, to report its processor time and memory (Linux)
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,

    /// Connect from this many addresses of 127.0.0.0/8 in turn, so that ports do not run out
    #[arg(long, value_name = "N")]
    pub(crate) source_addresses: Option<NonZeroUsize>,

    /// Write the result as JSON to a file; `-` prints it in place of the table
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Show no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// The scenarios, by their names on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScenarioName {
    /// Each connection sends and is sent the same back
    Echo,
    /// Each connection sends and is acknowledged
    Ack,
    /// Each connection sends an attachment and is sent the same back
    Binary,
    /// One connection sends and all of them receive
    Broadcast,
    /// In each room one connection sends and all members receive
    Rooms,
    /// Connections are opened, joined and closed
    Connect,
    /// Connections do nothing but answer heartbeats
    Idle,
    /// Like `echo`, over HTTP long-polling
    Polling,
}

impl ScenarioName {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Ack => "ack",
            Self::Binary => "binary",
            Self::Broadcast => "broadcast",
            Self::Rooms => "rooms",
            Self::Connect => "connect",
            Self::Idle => "idle",
            Self::Polling => "polling",
        }
    }

    /// The event that the scenario sends; `None` if it sends nothing.
    pub(crate) fn default_event(self) -> Option<&'static str> {
        match self {
            Self::Echo | Self::Polling => Some("echo"),
            Self::Ack => Some("ack"),
            Self::Binary => Some("bin"),
            Self::Broadcast => Some("broadcast"),
            Self::Rooms => Some("to-room"),
            Self::Connect | Self::Idle => None,
        }
    }

    /// What the scenario counts as a message.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Echo | Self::Binary | Self::Polling => "echo",
            Self::Ack => "acknowledgement",
            Self::Broadcast | Self::Rooms => "delivery",
            Self::Connect => "connection",
            Self::Idle => "heartbeat",
        }
    }
}

/// The payloads that are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PayloadName {
    /// A string of 32 characters
    Text32,
    /// 1,024 bytes of nested JSON
    Json1k,
    /// 1,024 bytes, for `binary`
    Binary1k,
}

impl PayloadName {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Text32 => "text32",
            Self::Json1k => "json1k",
            Self::Binary1k => "binary1k",
        }
    }
}

impl Options {
    /// How many connections are open at the same time.
    pub(crate) fn connections(&self) -> usize {
        match (self.scenario, self.connections) {
            (ScenarioName::Connect, _) => self.concurrency.get(),
            (_, Some(connections)) => connections.get(),
            (ScenarioName::Idle, None) => 1000,
            (_, None) => 100,
        }
    }

    /// The event to send, or an empty name if nothing is sent.
    pub(crate) fn event(&self) -> &str {
        let name = self.event.as_deref().or(self.scenario.default_event());
        name.unwrap_or_default()
    }

    /// What the options forbid each other.
    pub(crate) fn check(&self) -> Result<(), String> {
        let name = self.scenario.as_str();
        let unused = |option: &str| Err(format!("`{option}` has no meaning for `{name}`"));
        let sends = self.scenario.default_event().is_some();
        if self.scenario == ScenarioName::Connect && self.connections.is_some() {
            return Err("`connect` holds no connections: set its load with `--concurrency`".into());
        }
        if !sends && self.event.is_some() {
            return unused("--event");
        }
        if !sends && (self.payload.is_some() || self.payload_file.is_some()) {
            return unused("--payload");
        }
        if !sends && self.in_flight.get() > 1 {
            return unused("--in-flight");
        }
        if self.scenario == ScenarioName::Rooms && self.rooms.get() > self.connections() {
            let (rooms, connections) = (self.rooms, self.connections());
            return Err(format!("{rooms} rooms are too many for {connections} connections"));
        }
        if self.duration.is_zero() {
            return Err("`--duration` has to be longer than nothing".into());
        }
        Ok(())
    }
}
