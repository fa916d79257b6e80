//! What happens, as lines for the script.

use std::{
    collections::HashMap,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value as Json, json};
use sockeye_client::{
    Ack, Client, ConnectError, DisconnectReason, EventName, ManagerEvent, Rest, Socket, Transport,
};

use crate::value::{Value, to_json};

/// Writes one line at once.
pub(crate) fn report(line: &Json) {
    let mut stdout = std::io::stdout().lock();
    // Without a script there is nobody to tell.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// How events that ask for an acknowledgement are answered.
#[derive(Clone, Default)]
pub(crate) struct Replies(Arc<Mutex<HashMap<String, Vec<Value>>>>);

impl Replies {
    pub(crate) fn set(&self, event: String, args: Vec<Value>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(event, args);
    }

    fn get(&self, event: &str) -> Option<Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(event).cloned()
    }
}

/// Reports what happens to a socket. The client's handle that is captured keeps it open until the
/// process ends, which is what a script wants.
pub(crate) fn watch_socket(id: &str, socket: &Socket, client: &Client, replies: &Replies) {
    let (of, client) = (id.to_owned(), client.clone());
    socket.on_connect(move |socket: Socket| {
        report(&json!({
            "ev": "connect", "id": of, "sid": socket.id(), "recovered": socket.recovered(),
            "transport": client.transport().map(Transport::name),
        }));
    });
    let of = id.to_owned();
    socket.on_connect_error(move |error: ConnectError| {
        let data = error.data::<Json>();
        let message = error.to_string();
        report(&json!({ "ev": "connect_error", "id": of, "message": message, "data": data }));
    });
    let of = id.to_owned();
    socket.on_disconnect(move |reason: DisconnectReason| {
        report(&json!({ "ev": "disconnect", "id": of, "reason": reason.as_str() }));
    });
    let (of, replies) = (id.to_owned(), replies.clone());
    socket.on_any(move |EventName(name): EventName, Rest(args): Rest<Value>, ack: Ack| {
        let asks = ack.is_requested();
        let args = to_json(&args);
        report(&json!({ "ev": "event", "id": of, "event": name, "args": args, "ack": asks }));
        if let Some(reply) = replies.get(&name) {
            ack.send(Rest(reply));
        }
    });
}

/// Reports what happens to a connection, under the name of the socket that opened it.
pub(crate) fn watch_client(id: &str, client: &Client) {
    let id = id.to_owned();
    client.on_manager_event(move |event| {
        let line = match event {
            ManagerEvent::Open(transport) => {
                json!({ "ev": "open", "id": id, "transport": transport.name() })
            }
            ManagerEvent::Upgrade => {
                json!({ "ev": "upgrade", "id": id, "transport": Transport::WebSocket.name() })
            }
            ManagerEvent::ReconnectAttempt(attempt) => {
                json!({ "ev": "reconnect_attempt", "id": id, "attempt": attempt })
            }
            ManagerEvent::Reconnect(attempt) => {
                json!({ "ev": "reconnect", "id": id, "attempt": attempt })
            }
            ManagerEvent::ReconnectError { attempt, .. } => {
                json!({ "ev": "reconnect_error", "id": id, "attempt": attempt })
            }
            ManagerEvent::ReconnectFailed => json!({ "ev": "reconnect_failed", "id": id }),
            _ => return,
        };
        report(&line);
    });
}
