//! `sockeye bench` against a server of ours.

use std::{
    fs,
    net::TcpListener,
    process::{Command, Output},
    time::Duration,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sockeye::{Raw, Server, Socket};
use tokio::runtime::Runtime;

/// The events that `docs/benchmarking.md` asks of a server.
fn contract(ping_interval: Duration) -> Server {
    let io = Server::builder().ping_interval(ping_interval).build().unwrap();
    for namespace in ["/", "/admin"] {
        let of = io.of(namespace);
        of.on("echo", |socket: Socket, data: Value| socket.emit("echo", data));
        of.on("echo-raw", |socket: Socket, data: Raw| socket.emit("echo", data));
        of.on("echo-struct", |socket: Socket, data: Order| socket.emit("echo", data));
        of.on("ack", |data: Value| data);
        of.on("bin", |socket: Socket, buffer: Bytes| socket.emit("bin", buffer));
        of.on("broadcast", |socket: Socket, data: Value| socket.namespace().emit("message", data));
        of.on("join", |socket: Socket, room: String| socket.join(room));
        of.on("to-room", |socket: Socket, room: String, data: Value| {
            socket.within(room).emit("message", data);
        });
    }
    io.of("/admin").middleware(|auth: Value| {
        if auth["token"] == 7 { Ok(()) } else { Err("not without the token") }
    });
    io
}

/// A server on a port of its own.
struct Running {
    url: String,
    _runtime: Runtime,
}

impl Running {
    fn start() -> Self {
        Self::start_with(Duration::from_secs(25))
    }

    fn start_with(ping_interval: Duration) -> Self {
        let runtime = Runtime::new().unwrap();
        let listening = runtime.block_on(contract(ping_interval).listen("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listening.local_addr());
        Self { url, _runtime: runtime }
    }

    fn bench(&self, arguments: &str) -> Output {
        let short = "--duration=500ms --warmup=20ms --quiet";
        let all = [arguments, &self.url, short].map(|part| part.split(' '));
        let mut command = Command::new(env!("CARGO_BIN_EXE_sockeye"));
        command.arg("bench").args(all.into_iter().flatten()).output().unwrap()
    }

    /// The result of a run in which nothing goes wrong.
    fn measure(&self, arguments: &str) -> Value {
        let output = self.bench(&format!("{arguments} --json=-"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(report["messages"].as_u64().unwrap() > 0, "{report}");
        assert!(report["rate"].as_f64().unwrap() > 0.0, "{report}");
        assert_eq!(report["errors"], 0, "{report}");
        assert_eq!(report["out_of_order"], 0, "{report}");
        report
    }
}

/// What a run that fails says.
fn error_of(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn echo_is_measured_with_every_payload() {
    let server = Running::start();
    for (payload, in_flight) in [("text32", 1), ("text32", 16), ("json1k", 1), ("json1k", 16)] {
        let arguments = format!("echo -c 5 --payload={payload} -i {in_flight}");
        let report = server.measure(&arguments);
        assert_eq!(report["payload"], payload);
        assert_eq!(report["in_flight"], in_flight);
        assert!(report["latency_us"]["p50"].as_f64() > Some(0.0), "{report}");
        assert!(report["latency_us"]["p50"].as_f64() <= report["latency_us"]["max"].as_f64());
        assert!(report["server"].is_null());
    }
    for event in ["echo-raw", "echo-struct"] {
        let report = server.measure(&format!("echo -c 5 --payload=json1k --event={event}"));
        assert_eq!(report["event"], event);
    }
}

#[test]
fn a_payload_may_come_from_a_file() {
    let server = Running::start();
    let path = format!("{}/payload.json", env!("CARGO_TARGET_TMPDIR"));
    let filler = "x".repeat(200_000);
    fs::write(&path, format!(r#"{{"filler":"{filler}","seq":"00000000"}}"#)).unwrap();
    // Larger than the buffer that it is read with.
    for scenario in ["echo", "polling"] {
        server.measure(&format!("{scenario} -c 1 -i 2 --event=echo-raw --payload-file={path}"));
    }
    fs::write(&path, "{}").unwrap();
    let error = error_of(&server.bench(&format!("echo --payload-file={path}")));
    assert!(error.contains("\"seq\":\"00000000\""), "{error}");
}

#[test]
fn acknowledgements_and_attachments_are_measured() {
    let server = Running::start();
    for scenario in ["ack", "binary"] {
        for in_flight in [1, 16] {
            server.measure(&format!("{scenario} -c 5 -i {in_flight}"));
        }
    }
}

#[test]
fn deliveries_of_broadcasts_are_counted() {
    let server = Running::start();
    for scenario in ["broadcast", "rooms --rooms=7"] {
        for in_flight in [1, 16] {
            server.measure(&format!("{scenario} -c 30 -i {in_flight}"));
        }
    }
}

#[test]
fn connections_are_opened_and_closed() {
    let server = Running::start();
    let report = server.measure("connect --concurrency=8 --source-addresses=4");
    assert_eq!(report["connections"], 8);
}

#[test]
fn idle_connections_answer_heartbeats() {
    let server = Running::start_with(Duration::from_millis(100));
    for arguments in ["-c 20 --browser-headers --ramp=1000", "-c 5 --namespace=/admin"] {
        let auth = r#"--auth={"token":7}"#;
        let report = server.measure(&format!("idle {arguments} {auth}"));
        assert!(report["latency_us"].is_null(), "{report}");
    }
}

#[test]
fn polling_is_measured() {
    let server = Running::start();
    for in_flight in [1, 16] {
        server.measure(&format!("polling -c 5 -i {in_flight}"));
    }
}

#[test]
fn namespaces_and_auth_go_with_every_scenario() {
    let server = Running::start();
    for scenario in ["echo", "ack", "binary", "broadcast", "rooms --rooms=3", "connect", "polling"]
    {
        let arguments = format!("{scenario} --namespace=/admin --auth={{\"token\":7}}");
        server.measure(&arguments);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_server_s_process_is_measured() {
    let server = Running::start();
    let pid = std::process::id();
    let report = server.measure(&format!("echo -c 5 --pid={pid}"));
    assert_eq!(report["server"]["pid"], pid);
    assert!(report["server"]["cpu_us_per_message"].as_f64() > Some(0.0), "{report}");
    assert!(report["server"]["rss_before_kib"].as_u64() > Some(0), "{report}");
    assert!(report["generator"]["cpu_us_per_message"].as_f64() > Some(0.0), "{report}");
}

#[test]
fn a_file_takes_the_json_and_the_table_is_printed() {
    let server = Running::start();
    let path = format!("{}/report.json", env!("CARGO_TARGET_TMPDIR"));
    let output = server.bench(&format!("echo -c 2 --json={path}"));
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && table.contains("latency p99.9"), "{table}");
    assert!(output.stderr.is_empty(), "it was to be quiet");
    let report: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(report["connections"], 2);
}

#[test]
fn a_wrong_path_is_told_with_the_server_s_answer() {
    let server = Running::start();
    for scenario in ["echo", "polling", "connect"] {
        let error = error_of(&server.bench(&format!("{scenario} --path=/other/")));
        assert!(error.contains("404") && error.contains("--path"), "{error}");
    }
}

#[test]
fn a_refused_namespace_is_told_with_the_reason() {
    let server = Running::start();
    for scenario in ["echo", "polling", "connect"] {
        let error = error_of(&server.bench(&format!("{scenario} --namespace=/nowhere")));
        assert!(error.contains("/nowhere was refused: Invalid namespace"), "{error}");
        let error = error_of(&server.bench(&format!("{scenario} --namespace=/admin")));
        assert!(error.contains("/admin was refused: not without the token"), "{error}");
    }
}

#[test]
fn an_event_that_nobody_answers_is_told() {
    let server = Running::start();
    let error = error_of(&server.bench("echo -c 1 --event=nothing"));
    assert!(error.contains("does the server have the events of `echo`"), "{error}");
}

#[test]
fn a_refused_connection_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for scenario in ["echo", "connect", "polling"] {
        let output = Command::new(env!("CARGO_BIN_EXE_sockeye"))
            .args(["bench", scenario, &url, "--quiet"])
            .output()
            .unwrap();
        let error = error_of(&output);
        assert!(error.contains("refuses connections"), "{error}");
    }
}

// What `docs/benchmarking.md` says the payload json1k is.

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    seq: String,
    id: u64,
    customer: String,
    email: String,
    active: bool,
    score: f64,
    tags: Vec<String>,
    address: Address,
    items: Vec<Item>,
    comment: String,
    history: Vec<Change>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Address {
    street: String,
    city: String,
    postcode: String,
    country: String,
    location: Location,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Location {
    latitude: f64,
    longitude: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    sku: String,
    title: String,
    quantity: u32,
    price: f64,
    options: ItemOptions,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemOptions {
    colour: String,
    size: String,
    gift: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    at: u64,
    state: String,
}
