//! The profile `api`: what the API of a server can do and a client can see.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};
use sockeye::{Ack, BroadcastAckError, EventName, Raw, Server, Socket};

/// Names, in the order in which they came.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<Vec<String>>>);

impl Names {
    fn push(&self, name: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(name.into());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Auth {
    name: Value,
    room: Option<String>,
    team: String,
}

pub(crate) fn api(io: &Server) {
    let made = Names::default();
    let told = made.clone();
    io.on_new_namespace(move |namespace| told.push(namespace.name()));
    io.on("made", move || made.all());
    io.on_connection(listen);
    io.on("forbidden", || "not reached");
    io.on("many", |io: Server, socket: Socket, event: String, ack: Ack| {
        io.to(socket.id()).emit(&event, ());
        socket.emit(&event, ());
        ack.send(());
    });
    io.on("ask", |io: Server, room: String, ms: u64, ack: Ack| async move {
        let asked = io.to(&room).timeout(Duration::from_millis(ms));
        match asked.emit_with_ack::<Raw>("question", &room).await {
            Ok(replies) => ack.send((true, replies)),
            Err(BroadcastAckError::Incomplete { replies, .. }) => ack.send((false, replies)),
            Err(error) => ack.send(error.to_string()),
        }
    });
    io.on("describe", |io: Server, room: String| async move {
        let found = io.to(room).fetch_sockets().await.map_err(|error| error.to_string())?;
        let described = found.iter().map(|socket| {
            let rooms: Vec<_> = socket.rooms().iter().map(|room| room.to_string()).collect();
            let data: Value = socket.data().unwrap_or_default();
            let handshake = socket.handshake();
            let (auth, xdomain) = (&handshake.auth, handshake.xdomain);
            let id = socket.id();
            json!({ "id": *id, "data": data, "rooms": rooms, "auth": auth, "xdomain": xdomain })
        });
        Ok::<_, String>(described.collect::<Vec<_>>())
    });
    io.on("move", |io: Server, from: String, to: String, ack: Ack| {
        io.to(&from).sockets_join(to);
        io.to(&from).sockets_leave(&from);
        ack.send(());
    });
    io.on("close", |io: Server, room: String| io.to(room).disconnect_sockets(true));
    io.on("disconnecting", |socket: Socket, reason: String| {
        for room in socket.rooms() {
            socket.to(room).emit("left", (&*socket.id(), &reason));
        }
    });

    let early = io.of("/early");
    early.middleware(|socket: Socket| {
        socket.emit("early", 1);
        Ok::<(), String>(())
    });
    early.on_connection(|socket: Socket| socket.emit("late", 2));

    let kids = io.of_matching(|name| {
        let rest = name.strip_prefix("/kid-").unwrap_or_default();
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    kids.middleware(
        |socket: Socket| {
            if socket.namespace().name() == "/kid-shy" { Err("shy") } else { Ok(()) }
        },
    );
    kids.on_connection(|socket: Socket, auth: Option<Auth>| {
        socket.join(auth.unwrap_or_default().room.unwrap_or_else(|| "none".to_owned()));
    });
    let family = kids.clone();
    kids.on("shout", move |room: Option<String>, text: Raw| match room {
        Some(room) => family.to(room).emit("shouted", text),
        None => family.emit("shouted", text),
    });

    io.of_matching_async(|name, auth: Auth| async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        name == format!("/team-{}", auth.team)
    });
}

/// What a socket hears for itself.
fn listen(socket: Socket, auth: Option<Auth>) {
    let auth = auth.unwrap_or_default();
    let (heard, sent) = (Names::default(), Names::default());
    let any = heard.clone();
    socket.on_any(move |name: EventName| any.push(format!("any {}", name.0)));
    let first = heard.clone();
    socket.prepend_any(move |name: EventName| first.push(format!("first {}", name.0)));
    let outgoing = sent.clone();
    socket.on_any_outgoing(move |name: EventName| outgoing.push(name.0));
    socket.middleware(
        |name: EventName| {
            if name.0 == "forbidden" { Err("forbidden") } else { Ok(()) }
        },
    );
    socket.on("heard", move || heard.all());
    socket.on("sent", move || sent.all());
    socket.set_data(json!({ "name": auth.name })).expect("JSON is JSON");
    if let Some(room) = auth.room {
        socket.join(room);
    }
}
