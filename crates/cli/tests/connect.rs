//! `sockeye connect`, steered through stdin, against a server of ours and against what is none.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use serde_json::{Value, json};
use sockeye::{Ack, Cors, Raw, Rest, Server, ServerBuilder, Socket};
use tokio::runtime::Runtime;

/// A server on a port of its own.
struct Running {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Running {
    fn start() -> Self {
        Self::start_with(Server::builder())
    }

    fn start_with(builder: ServerBuilder) -> Self {
        let io = builder.build().unwrap();
        for namespace in ["/", "/admin"] {
            let of = io.of(namespace);
            of.on("echo", |socket: Socket, args: Rest<Raw>| socket.emit("echo", args));
            of.on("ask", |Rest(args): Rest<Value>| (args.len(), "yes"));
            // A handler that takes the acknowledgement answers itself, and this one does not.
            of.on("mute", |_: Ack| ());
            of.on("question", |socket: Socket| async move {
                let answer = socket.emit_with_ack::<Rest<Value>>("ready?", 1).await.unwrap();
                socket.emit("heard", answer);
            });
            of.on("bytes", |bytes: Bytes| bytes.len());
            of.on("kick", |socket: Socket| socket.disconnect());
            of.on("break", |socket: Socket| socket.close_connection());
            of.on("handshake", |socket: Socket| {
                let handshake = socket.handshake();
                let header = handshake.header("x-app").map(str::to_owned);
                (header, handshake.query().get("room").map(str::to_owned))
            });
        }
        io.of("/admin").middleware(|auth: Value| {
            if auth["token"] == 7 { Ok(()) } else { Err("not without the token") }
        });
        let runtime = Runtime::new().unwrap();
        let listening = runtime.block_on(io.listen("127.0.0.1:0")).unwrap();
        Self { address: listening.local_addr(), _runtime: runtime }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A session that is connected.
    fn connect(&self, arguments: &[&str]) -> Script {
        let mut script = Script::start(&self.url(), arguments);
        script.until("connect");
        script
    }
}

fn command(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockeye"));
    command.arg("connect").arg(url).args(arguments);
    command
}

/// A running `sockeye connect --json`, and the lines that it prints.
struct Script {
    child: Child,
    stdin: Option<ChildStdin>,
    reports: mpsc::Receiver<Value>,
}

impl Script {
    fn start(url: &str, arguments: &[&str]) -> Self {
        let mut command = command(url, arguments);
        command.arg("--json").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, reports) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                let report = serde_json::from_str(&line.unwrap()).expect("each line is JSON");
                if sender.send(report).is_err() {
                    return;
                }
            }
        });
        Self { stdin: child.stdin.take(), child, reports }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next report of this type; others are passed over.
    fn until(&mut self, kind: &str) -> Value {
        loop {
            let report = self.reports.recv_timeout(Duration::from_secs(20));
            let report = report.unwrap_or_else(|error| panic!("no `{kind}`: {error}"));
            if report["type"] == kind {
                return report;
            }
        }
    }

    /// Ends the input; what is still printed, and how the process ended.
    fn end(mut self) -> (Vec<Value>, bool) {
        drop(self.stdin.take());
        let reports = self.reports.iter().collect();
        (reports, self.child.wait().unwrap().success())
    }
}

/// Nothing is left running when a test fails.
impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn events_go_out_and_come_in() {
    let server = Running::start();
    for arguments in [&[][..], &["--transport=polling"], &["--transport=websocket"]] {
        let mut script = server.connect(arguments);
        script.say(r#"emit echo word 1 {"z": true, "a": [null]} "two words""#);
        let event = script.until("event");
        let args = json!(["word", 1, { "z": true, "a": [null] }, "two words"]);
        assert_eq!(
            event,
            json!({ "type": "event", "namespace": "/", "event": "echo", "args": args })
        );
        let (rest, succeeded) = script.end();
        assert!(succeeded);
        assert!(rest.iter().all(|report| report["type"] != "error"), "{rest:?}");
    }
}

#[test]
fn the_transport_is_the_one_that_was_asked_for() {
    let server = Running::start();
    for transport in ["polling", "websocket"] {
        let url = server.url();
        let mut script = Script::start(&url, &["--transport", transport]);
        assert_eq!(script.until("open")["transport"], transport);
    }
    let mut script = Script::start(&server.url(), &[]);
    assert_eq!(script.until("open")["transport"], "polling");
    assert_eq!(script.until("upgrade")["transport"], "websocket");
}

#[test]
fn answers_are_printed_with_the_number_of_the_question() {
    let server = Running::start();
    let mut script = server.connect(&["--ack-timeout=300ms"]);
    script.say("ack mute");
    script.say("ack ask 1 2 3");
    let answer = script.until("ack");
    let expected = json!({
        "type": "ack", "namespace": "/", "event": "ask", "ack": 2, "args": [3, "yes"],
    });
    assert_eq!(answer, expected);
    let none = script.until("ack_error");
    assert_eq!((&none["ack"], &none["event"]), (&json!(1), &json!("mute")));
    assert_eq!(none["message"], "operation has timed out");
}

#[test]
fn the_end_of_input_waits_for_answers() {
    let server = Running::start();
    for last in ["", "quit\nemit never"] {
        let mut script = server.connect(&["--ack-timeout=300ms"]);
        script.say("ack ask\nack mute");
        script.say(last);
        let (reports, succeeded) = script.end();
        let is = |kind: &str| reports.iter().any(|report| report["type"] == kind);
        assert!(is("ack") && is("ack_error"), "{reports:?}");
        assert!(succeeded);
    }
}

#[test]
fn the_servers_questions_can_be_answered() {
    let server = Running::start();
    let mut script = server.connect(&[]);
    script.say("emit question");
    let question = script.until("event");
    assert_eq!((&question["event"], &question["reply"]), (&json!("ready?"), &json!(1)));
    script.say("reply 1 yes 2");
    assert_eq!(script.until("event")["args"], json!(["yes", 2]));
    script.say("reply 1 again");
    assert_eq!(script.until("error")["message"], "no event waits for reply 1");
}

#[test]
fn bytes_go_both_ways() {
    let server = Running::start();
    let mut script = server.connect(&[]);
    script.say(r#"ack bytes {"$bin":"AQID"}"#);
    assert_eq!(script.until("ack")["args"], json!([3]));
    script.say(r#"emit echo [{"$bin":"AQID"}]"#);
    assert_eq!(script.until("event")["args"], json!([[{ "$bin": "AQID" }]]));
}

#[test]
fn namespaces_are_joined_and_left() {
    let server = Running::start();
    let mut script = server.connect(&[]);
    script.say("join /admin");
    let refusal = script.until("connect_error");
    assert_eq!((&refusal["namespace"], &refusal["kind"]), (&json!("/admin"), &json!("refused")));
    assert_eq!(refusal["message"], "not without the token");
    script.say("emit echo");
    let error = script.until("error")["message"].to_string();
    assert!(error.contains("`join /admin` connects again"), "{error}");

    script.say(r#"join /admin {"token":7}"#);
    assert_eq!(script.until("connect")["namespace"], "/admin");
    script.say("emit echo");
    assert_eq!(script.until("event")["namespace"], "/admin");
    script.say("leave");
    assert_eq!(script.until("disconnect")["namespace"], "/admin");
    script.say("emit echo");
    assert_eq!(script.until("event")["namespace"], "/");
    script.say("leave\nleave");
    assert_eq!(script.until("error")["message"], "no namespace is joined");
    script.say("join /");
    assert_eq!(script.until("connect")["namespace"], "/");

    script.say("join /nowhere");
    let refusal = script.until("connect_error");
    assert_eq!(refusal["message"], "Invalid namespace");
    assert!(refusal["hint"].as_str().unwrap().contains("no such namespace"), "{refusal}");
    assert!(script.end().1, "a refusal in the middle is no failure of the whole");
}

#[test]
fn what_ends_is_reported() {
    let server = Running::start();
    let mut script = server.connect(&[]);
    script.say("emit break");
    let lost = script.until("disconnect");
    assert_eq!(lost["will_reconnect"], true);
    assert_eq!(script.until("reconnect_attempt")["attempt"], 1);
    script.until("connect");
    script.say("emit kick");
    let kicked = script.until("disconnect");
    let expected = (json!("io server disconnect"), json!(false));
    assert_eq!((&kicked["reason"], &kicked["will_reconnect"]), (&expected.0, &expected.1));
}

#[test]
fn options_reach_the_server() {
    let server = Running::start_with(Server::builder().path("/chat"));
    let arguments = [
        "--path=/chat",
        "--namespace=/admin",
        r#"--auth={"token":7}"#,
        "--header=X-App: sensor",
        "--query=room=a b",
    ];
    let mut script = server.connect(&arguments);
    script.say("ack handshake");
    let answer = script.until("ack");
    assert_eq!(answer["namespace"], "/admin");
    assert_eq!(answer["args"], json!(["sensor", "a b"]));
}

#[test]
fn slips_are_reported_and_nothing_is_sent() {
    let server = Running::start();
    let mut script = server.connect(&[]);
    for (line, expected) in [
        ("emti echo", "no command `emti`"),
        ("emit echo {\"a\":}", "is no JSON"),
        ("emit connect", "reserved"),
    ] {
        script.say(line);
        let message = script.until("error")["message"].to_string();
        assert!(message.contains(expected), "{message}");
    }
    script.say("help");
    assert_eq!(script.until("help")["commands"].as_array().unwrap().len(), 7);
    let (rest, _) = script.end();
    assert!(rest.iter().all(|report| report["type"] != "event"), "{rest:?}");
}

#[test]
fn people_get_text_without_colours_where_there_is_no_terminal() {
    let server = Running::start();
    let mut command = command(&server.url(), &[]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"ack ask 1\nemti\n").unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for line in ["connection open: polling", "/ connected as ", "/ answer 1 to ask 1 \"yes\""] {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.contains("there is no command `emti`"), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
}

/// What is said when the first attempt fails.
fn refused(url: &str, arguments: &[&str]) -> String {
    let Output { status, stderr, .. } =
        command(url, arguments).stdin(Stdio::null()).output().unwrap();
    assert_eq!(status.code(), Some(1));
    String::from_utf8(stderr).unwrap()
}

#[test]
fn a_server_that_refuses_is_explained() {
    let server = Running::start_with(Server::builder().cors(Cors::origin("https://here.example")));
    let (url, admin) = (server.url(), format!("{}/admin", server.url()));
    let nowhere = format!("{url}/nowhere");
    let foreign = &["--header=Origin: https://there.example"][..];
    let table = [
        (&url, &["--path=/wrong"][..], "no Socket.IO server at this `path`"),
        (&url, &["--path=/wrong"], "hint: `--path` says where"),
        (&url, foreign, "refuses this origin"),
        (
            &url,
            &["--header=Origin: https://there.example", "--transport=websocket"],
            "hint: `--header",
        ),
        (&nowhere, &[], "the server refused /nowhere: Invalid namespace"),
        (&nowhere, &[], "hint: the server has no such namespace"),
        (&admin, &[], "the server refused /admin: not without the token"),
        (&url, &["--revision=3"], "another version of the protocol"),
        (&url, &["--revision=3"], "hint: `--revision 3`"),
    ];
    for (url, arguments, expected) in table {
        let text = refused(url, arguments);
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let secure = url.replace("http://", "https://");
    let text = refused(&secure, &[]);
    assert!(text.contains("no secure connection") && text.contains("http://"), "{text}");
    let text = refused(&secure, &["--insecure"]);
    assert!(text.contains("warning: the server's certificate is not checked"), "{text}");
}

#[test]
fn a_refusal_is_a_line_of_json_too() {
    let server = Running::start();
    let script = Script::start(&format!("{}/admin", server.url()), &[]);
    let (reports, succeeded) = script.end();
    assert!(!succeeded);
    let expected = json!({
        "type": "connect_error", "namespace": "/admin", "kind": "refused",
        "message": "not without the token", "will_retry": false,
    });
    assert_eq!(reports.iter().find(|report| report["type"] == "connect_error"), Some(&expected));
}

/// An answer of a server that closes the connection.
fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// A server that gives requests these answers in turn, the last one for ever.
fn answering(answers: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut turn = 0;
        for stream in listener.incoming() {
            if reply(stream.unwrap(), &answers[turn]).is_some() {
                turn = answers.len().min(turn + 2) - 1;
            }
        }
    });
    format!("http://{address}")
}

/// Answers one request, whose head comes whole.
fn reply(mut stream: TcpStream, answer: &str) -> Option<()> {
    let mut head = [0; 4096];
    stream.read(&mut head).ok().filter(|length| *length > 0)?;
    stream.write_all(answer.as_bytes()).ok()
}

#[test]
fn what_is_no_server_of_the_right_kind_is_explained() {
    let open = r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#;
    let unknown = r#"{"code":1,"message":"Session ID unknown"}"#;
    let table = [
        (vec![answer("200 OK", "<html>")], "is no Socket.IO server"),
        (vec![answer("200 OK", r#"12:0{"sid":"x"}2"#)], "hint: `--revision 3`"),
        (vec![answer("502 Bad Gateway", "")], "the proxy in front does not reach the server"),
        // Another server of a cluster, which knows nothing of the session.
        (vec![answer("200 OK", open), answer("400 Bad Request", unknown)], "sticky sessions"),
    ];
    for (answers, expected) in table {
        let text = refused(&answering(answers), &["--transport=polling"]);
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn a_proxy_and_an_address_without_a_server_are_explained() {
    let proxy = answering(vec![answer("407 Proxy Authentication Required", "")]);
    let text = refused("http://127.0.0.1:9", &["--proxy", &proxy]);
    assert!(text.contains("the proxy did not make the connection"), "{text}");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = refused(&format!("http://{free}"), &[]);
    assert!(text.contains("the server cannot be reached"), "{text}");
    let text = refused("127.0.0.1:3000", &[]);
    assert!(text.contains("must begin with http://"), "{text}");
}
