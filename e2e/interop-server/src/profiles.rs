//! The profiles of Socket.IO: which namespaces there are and what their events do.

use std::{
    collections::HashMap,
    error::Error,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use sockeye::{
    Ack, AckError, ConnectError, Namespace, Raw, RemoteSocket, Rest, Revision, Server, Socket,
    State,
};

use crate::config::Config;

pub(crate) fn register(io: &Server, profile: &str, config: &Config) -> Result<(), Box<dyn Error>> {
    match profile {
        "full" => full(io, config.own_namespaces),
        "protocol" => protocol(io),
        "rooms" => rooms(io),
        "api" => crate::api::api(io),
        "chatter" => chatter(io, Greeting::of(config)),
        other => return Err(format!("PROFILE={other} is not supported").into()),
    }
    Ok(())
}

/// All arguments of an event, undecoded.
type All = Rest<Raw>;

/// The connect payload as it came, `{}` if there was none.
fn auth(socket: &Socket) -> Box<RawValue> {
    socket.auth().expect("every payload is JSON")
}

/// What clients of version 2 carry in its place where they have none: the query of the handshake.
fn auth_or_query(socket: &Socket) -> Box<RawValue> {
    let auth = auth(socket);
    if auth.get() != "{}" || socket.handshake().revision() == Revision::V4 {
        return auth;
    }
    serde_json::value::to_raw_value(&query(socket)).expect("a query is JSON")
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Credentials {
    token: Value,
    password: Value,
}

fn credentials(socket: &Socket) -> Credentials {
    socket.auth().unwrap_or_default()
}

fn query(socket: &Socket) -> HashMap<String, String> {
    let query = socket.handshake().query();
    query.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

// --- protocol ---

fn protocol(io: &Server) {
    for name in ["/", "/custom"] {
        let namespace = io.of(name);
        namespace.on_connection(|socket: Socket| socket.emit("auth", auth(&socket)));
        namespace.on("message", |socket: Socket, args: All| socket.emit("message-back", args));
        namespace.on("message-with-ack", |args: All| args);
        namespace.on("emit-with-ack", |socket: Socket, args: All| async move {
            if let Ok(reply) = socket.emit_with_ack::<All>("emit-with-ack", args).await {
                socket.emit("emit-with-ack", reply);
            }
        });
    }
}

// --- full ---

/// Counters by name, global to the process.
#[derive(Default)]
pub(crate) struct Counters(Mutex<HashMap<String, u64>>);

impl Counters {
    fn add(&self, name: String, by: u64) -> u64 {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = counters.entry(name).or_default();
        *counter += by;
        *counter
    }
}

#[derive(Serialize)]
struct Welcome<'a> {
    sid: &'a str,
    auth: Box<RawValue>,
    ns: &'a str,
    transport: &'a str,
    recovered: bool,
}

#[derive(Serialize)]
struct Nested {
    nested: (Bytes, &'static str),
}

fn full(io: &Server, own_namespaces: usize) {
    io.middleware(|socket: Socket| match socket.handshake().query().get("refuse") {
        Some(_) => Err(ConnectError::new("refused").data(json!({ "code": 7 }))),
        None => Ok(()),
    });
    io.of("/auth").middleware(|socket: Socket| {
        if credentials(&socket).token == "secret" {
            return Ok(());
        }
        let data = json!({ "code": 401, "hint": "token" });
        Err(ConnectError::new("unauthorized").data(data))
    });
    io.of("/lag").middleware(|| async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok::<(), ConnectError>(())
    });
    let own = (0..own_namespaces).map(|index| format!("/own-{index}"));
    for name in ["/", "/chat", "/auth", "/lag"].map(str::to_owned).into_iter().chain(own) {
        full_events(&io.of(&name));
    }
    io.on_new_namespace(|namespace| full_events(&namespace));
    io.of_matching(|name| {
        let number = name.strip_prefix("/dyn-").unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
}

fn full_events(namespace: &Namespace) {
    namespace.on_connection(|socket: Socket| {
        let welcome = Welcome {
            sid: &socket.id(),
            auth: auth_or_query(&socket),
            ns: socket.namespace().name(),
            transport: socket.transport().name(),
            recovered: false,
        };
        socket.emit("welcome", welcome);
    });

    namespace.on("echo", |socket: Socket, args: All, ack: Ack| {
        if ack.is_requested() { ack.send(args) } else { socket.emit("echo", args) }
    });
    namespace.on("slow", |ms: u64, value: Raw| async move {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        value
    });
    namespace.on("noack", || ());
    namespace.on("request", |socket: Socket, args: All| async move {
        if let Ok(reply) = socket.emit_with_ack::<All>("request", args).await {
            socket.emit("reply", reply);
        }
    });
    namespace.on("request-timeout", |socket: Socket, ms: u64| async move {
        let reply = socket.timeout(Duration::from_millis(ms)).emit_with_ack::<()>("silent", ());
        let timed_out = reply.await == Err(AckError::TimedOut);
        socket.emit("request-timeout", timed_out);
    });
    namespace.on("burst", |socket: Socket, count: u64| {
        (0..count).for_each(|index| socket.emit("tick", index));
    });
    namespace.on("bin", |socket: Socket, length: usize| {
        let bytes: Bytes = (0..length).map(|index| index as u8).collect();
        let nested = Nested { nested: (Bytes::from_static(&[0, 1]), "t") };
        socket.emit("bin", (bytes, nested));
    });
    namespace.on("bin-size", |value: Raw| value.as_bytes().map_or(-1, |bytes| bytes.len() as i64));

    namespace.on("mark", |State(counters): State<Counters>, name: String| {
        counters.add(name, 1);
    });
    namespace.on(
        "mark-ack-on",
        |State(counters): State<Counters>, name: String, at: u64, ack: Ack| {
            let value = counters.add(name, 1);
            if value >= at {
                ack.send(value);
            }
        },
    );
    namespace.on("peek", |State(counters): State<Counters>, name: String| counters.add(name, 0));

    namespace.on("join", |socket: Socket, room: String| {
        socket.join(room);
        true
    });
    namespace.on("leave", |socket: Socket, room: String| {
        socket.leave(&room);
        true
    });
    namespace.on("say", |socket: Socket, room: String, args: All| {
        socket.within(room).emit("said", args);
    });
    namespace.on("say-rooms", |socket: Socket, rooms: Vec<String>, args: All| {
        socket.within(rooms).emit("said", args);
    });
    namespace.on("say-later", |socket: Socket, ms: u64, room: String, args: All| {
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            socket.within(room).emit("said", args);
        });
    });
    namespace.on("except", |socket: Socket, room: String, args: All| {
        socket.namespace().except(room).emit("said", args);
    });

    namespace.on("kick", |socket: Socket| socket.disconnect());
    namespace.on("kick-all", |socket: Socket| socket.disconnect_all());
    namespace.on("drop", |socket: Socket| socket.close_connection());
    namespace.on("transport", |socket: Socket| socket.transport().name());
    namespace.on("handshake", |socket: Socket| {
        let header = socket.handshake().header("x-test").map(str::to_owned);
        json!({ "query": query(&socket), "auth": auth(&socket), "x": header })
    });
    namespace.on("rooms-of", |socket: Socket| {
        socket.rooms().iter().map(|room| room.to_string()).collect::<Vec<_>>()
    });
    namespace.on("count", |socket: Socket| socket.namespace().sockets().len());

    // Beyond the contract: how a handler can go wrong.
    namespace.on("panic", || -> () { panic!("as asked") });
    namespace.on("typed", |text: String, number: i64| (text, number));
    namespace.on("forever", std::future::pending::<()>);
}

// --- rooms ---

fn rooms(io: &Server) {
    fn hello(socket: &Socket) -> String {
        format!("hello from {}", socket.id())
    }
    async fn find(io: Server, id: String) -> Option<RemoteSocket> {
        io.to(id).fetch_sockets().await.ok()?.pop()
    }

    io.on_connection(|socket: Socket| socket.join(["room1", "room2", "room4", "room5"]));
    io.on("broadcast", |io: Server, socket: Socket| io.emit("broadcast", hello(&socket)));
    io.on("volatile_broadcast", |io: Server, socket: Socket| {
        io.volatile().emit("volatile_broadcast", hello(&socket));
    });
    io.on("broadcast_with_ack", |io: Server, ack: Ack| async move {
        let replies = io.emit_with_ack::<Raw>("broadcast_with_ack", None::<()>);
        // The asker is asked too, and its answer does not wait for this handler.
        if let Ok(replies) = replies.await {
            ack.send(replies);
        }
    });
    io.on("disconnect_socket", |io: Server| io.disconnect_sockets(false));
    io.on("rooms", |io: Server| {
        let rooms = io.rooms().into_iter().map(|room| room.to_string());
        rooms.chain(io.sockets().iter().map(|socket| socket.id().to_string())).collect::<Vec<_>>()
    });
    io.on("fetch_sockets", |io: Server| async move {
        let sockets = io.fetch_sockets().await.map_err(|error| error.to_string())?;
        let describe = |socket: &RemoteSocket| json!({ "id": socket.id().as_str(), "ns": "/" });
        Ok::<_, String>(sockets.iter().map(describe).collect::<Vec<_>>())
    });
    io.on("join_room", |io: Server, ack: Ack| {
        io.sockets_join("room7");
        ack.send(());
    });
    io.on("leave_room", |io: Server, ack: Ack| {
        io.sockets_leave("room4");
        ack.send(());
    });
    io.on("emit_from_remote_sock", |io: Server, socket: Socket, id: String, ack: Ack| async move {
        if let Some(other) = find(io, id).await {
            other.emit("emit", hello(&socket));
        }
        ack.send(());
    });
    io.on(
        "emit_with_ack_from_remote_sock",
        |io: Server, socket: Socket, id: String, ack: Ack| async move {
            let Some(other) = find(io, id).await else { return };
            if let Ok(reply) = other.emit_with_ack::<Raw>("emit", hello(&socket)).await {
                ack.send(reply);
            }
        },
    );
    io.on(
        "join_room_from_remote_sock",
        |io: Server, socket: Socket, id: String, ack: Ack| async move {
            if let Some(other) = find(io, id).await {
                other.join(hello(&socket));
            }
            ack.send(());
        },
    );
    io.on("leave_room_from_remote_sock", |io: Server, id: String, ack: Ack| async move {
        if let Some(other) = find(io, id).await {
            other.leave("room4");
        }
        ack.send(());
    });
    io.on("get_rooms_remote_sock", |io: Server, id: String| async move {
        let other = find(io, id).await;
        let rooms = other.iter().flat_map(|other| other.rooms());
        rooms.map(|room| room.to_string()).collect::<Vec<_>>()
    });
    io.on("disconnect_remote_sock", |io: Server, id: String, ack: Ack| async move {
        if let Some(other) = find(io, id).await {
            other.disconnect();
        }
        ack.send(());
    });
}

// --- chatter ---

/// What a client of the profile hears first.
#[derive(Clone, Copy)]
enum Greeting {
    Everything,
    /// Whether its password was right.
    Verdict,
    /// One message, if its clock is right.
    IfOnTime,
}

impl Greeting {
    fn of(config: &Config) -> Self {
        match (config.chatter_auth, config.chatter_timestamp) {
            (true, _) => Self::Verdict,
            (_, true) => Self::IfOnTime,
            _ => Self::Everything,
        }
    }

    fn say(self, socket: &Socket) {
        match self {
            Self::Verdict => {
                let given = credentials(socket).password;
                socket.emit("auth", if given == "123" { "success" } else { "failed" });
            }
            Self::IfOnTime if is_on_time(socket) => socket.emit("message", "test"),
            Self::IfOnTime => socket.disconnect_all(),
            Self::Everything => {
                socket.emit("Hello from the message event!", ());
                socket.emit("test", "Hello from the test event!");
                socket.emit("test", Bytes::from_static(&[1, 2, 3]));
                let second = ("This is the second argument", json!({ "argCount": 3 }));
                socket.emit("This is the first argument", second);
                socket.emit("on_abc_event", ("", json!({ "abc": 0, "some_other": "value" })));
            }
        }
    }
}

/// Whether the `timestamp` in a client's query, in milliseconds, is at most a second away.
fn is_on_time(socket: &Socket) -> bool {
    let given = socket.handshake().query().get("timestamp").and_then(|text| text.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    given.is_some_and(|given: u128| given.abs_diff(now) <= 1000)
}

fn chatter(io: &Server, greeting: Greeting) {
    for name in ["/", "/admin"] {
        let namespace = io.of(name);
        namespace.on_connection(move |socket: Socket| greeting.say(&socket));
        namespace.on("test", |socket: Socket, value: Raw| {
            socket.emit("test-received", value);
            "woot"
        });
        namespace
            .on("message", |socket: Socket, value: Raw| socket.emit("message-received", value));
        namespace.on("binary", |socket: Socket, value: Raw| {
            socket.emit("binary-received", value);
            Bytes::from_static(&[1, 2, 3])
        });
        namespace.on("close_transport", |socket: Socket| socket.close_connection());
    }
}
