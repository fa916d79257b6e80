//! A client that a script in any language steers: commands come in as lines of JSON on stdin, and
//! reports go out as lines of JSON on stdout. `e2e/README.md` lists both.
//!
//! An option that asks for what this client cannot do is an error, never ignored.

mod command;
mod report;
mod value;

use std::{collections::HashMap, error::Error, io::BufRead, time::Duration};

use serde_json::{Value as Json, json};
use sockeye_client::{Client, ClientBuilder, Rest, Revision, Socket, Transport, parser};

use crate::{
    command::{Command, Emit, Open, Options},
    report::{Replies, report},
    value::Value,
};

/// A socket, and the client whose connection it uses.
struct Entry {
    client: Client,
    socket: Socket,
    replies: Replies,
}

// One thread: what is resolved in order is reported in order.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let mut lines = commands();
    let mut entries = HashMap::new();
    report(&json!({ "ev": "ready" }));
    while let Some(line) = lines.recv().await {
        let done = match serde_json::from_str(&line) {
            Ok(Command::Exit) => break,
            Ok(command) => perform(&mut entries, command),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = done {
            report(&json!({ "ev": "error", "message": error.to_string() }));
        }
    }
    // The process waits for no answer of a server's.
    std::process::exit(0);
}

/// Lines of stdin. They are read in a thread of their own, since nothing else can be given up.
fn commands() -> tokio::sync::mpsc::UnboundedReceiver<String> {
    let (sender, lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if !line.trim().is_empty() && sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

type Entries = HashMap<String, Entry>;

fn perform(entries: &mut Entries, command: Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Open(open) => {
            let id = open.id.clone();
            let entry = open_client(open)?;
            entries.insert(id, entry);
        }
        Command::Namespace { id, on, ns, auth } => {
            let client = find(entries, &on)?.client.clone();
            let socket = client.socket(&ns);
            if let Some(auth) = auth {
                socket.set_auth(auth)?;
            }
            let replies = Replies::default();
            report::watch_socket(&id, &socket, &client, &replies);
            socket.open();
            entries.insert(id, Entry { client, socket, replies });
        }
        Command::Emit(emit) => send(find(entries, &emit.id)?, emit),
        Command::Reply { id, event, args } => {
            find(entries, &id)?.replies.set(event, args);
        }
        Command::Connect { id } => find(entries, &id)?.socket.open(),
        Command::Disconnect { id } => find(entries, &id)?.socket.disconnect(),
        Command::Drop { id } => find(entries, &id)?.client.break_connection(),
        Command::State { id } => {
            let Entry { client, socket, .. } = find(entries, &id)?;
            report(&json!({
                "ev": "state", "id": id, "connected": socket.connected(), "active": socket.active(),
                "sid": socket.id(), "transport": client.transport().map(Transport::name),
            }));
        }
        Command::Exit => unreachable!("handled where lines are read"),
    }
    Ok(())
}

fn find<'a>(entries: &'a Entries, id: &str) -> Result<&'a Entry, String> {
    entries.get(id).ok_or_else(|| format!("there is no socket `{id}`"))
}

fn open_client(open: Open) -> Result<Entry, Box<dyn Error>> {
    let connects = open.opts.auto_connect;
    let namespace = open.opts.namespace.clone();
    let auth = open.opts.auth.clone();
    let client = builder(&open.url, open.opts)?.build()?;
    let socket = client.socket(&namespace);
    if let Some(auth) = auth {
        socket.set_auth(auth)?;
    }
    let replies = Replies::default();
    report::watch_client(&open.id, &client);
    report::watch_socket(&open.id, &socket, &client, &replies);
    if connects {
        socket.open();
    }
    Ok(Entry { client, socket, replies })
}

fn builder(url: &str, opts: Options) -> Result<ClientBuilder, String> {
    let revision = match opts.eio {
        3 => Revision::V3,
        4 => Revision::V4,
        other => return Err(format!("eio {other} is not supported")),
    };
    let transports: Result<Vec<_>, _> = opts
        .transports
        .iter()
        .map(|name| Transport::from_name(name).ok_or(format!("no transport `{name}`")))
        .collect();
    let mut builder = Client::builder(url)
        .revision(revision)
        .transports(transports?)
        .upgrade(opts.upgrade)
        .reconnection(opts.reconnection)
        .reconnection_delay(millis(opts.reconnection_delay))
        .reconnection_delay_max(millis(opts.reconnection_delay_max))
        .randomization_factor(opts.randomization_factor)
        .connect_timeout(millis(opts.timeout))
        .ack_timeout(opts.ack_timeout.map(millis));
    match opts.parser.as_str() {
        "default" => (),
        "msgpack" => builder = builder.parser(parser::MessagePack),
        other => return Err(format!("the parser `{other}` is not supported")),
    }
    if let Some(path) = opts.path {
        builder = builder.path(&path);
    }
    if let Some(attempts) = opts.reconnection_attempts {
        builder = builder.reconnection_attempts(attempts);
    }
    if let Some(retries) = opts.retries {
        builder = builder.retries(retries);
    }
    for (name, value) in &opts.query {
        builder = builder.query(name, &text(value));
    }
    for (name, value) in &opts.headers {
        builder = builder.header(name, &text(value));
    }
    Ok(builder)
}

fn text(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn send(entry: &Entry, emit: Emit) {
    let Emit { event, args, ack, timeout, volatile, .. } = emit;
    let mut emitter = entry.socket.emitter();
    if volatile {
        emitter = emitter.volatile();
    }
    if let Some(timeout) = timeout {
        emitter = emitter.timeout(millis(timeout));
    }
    let args = Rest(args);
    let Some(ack) = ack else { return emitter.emit(&event, args) };
    let answer = emitter.emit_with_ack::<Rest<Value>>(&event, args);
    tokio::spawn(async move {
        report(&match answer.await {
            Ok(Rest(args)) => json!({ "ev": "ack", "ack": ack, "args": value::to_json(&args) }),
            Err(_) => json!({ "ev": "ack_error", "ack": ack }),
        });
    });
}
