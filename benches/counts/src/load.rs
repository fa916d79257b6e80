//! What is asked of the server, round by round.

use std::net::SocketAddr;

use crate::{
    client::{BINARY, Client, Polling, TEXT, frame, unmasked},
    payload::Document,
    process::{Process, Result},
};

/// 32 bytes of text.
pub(crate) const WORDS: &str = "the quick brown fox jumps over i";

/// One kind of work; `name` is its key in the file of expectations.
pub(crate) struct Work {
    pub(crate) name: &'static str,
    kind: Kind,
}

enum Kind {
    /// One client sends so many copies of a message at once and waits for all answers.
    Echo { message: fn() -> Message, in_flight: usize },
    /// One of so many clients has so many messages sent to all, and all wait for them.
    Broadcast { sockets: usize, in_flight: usize },
    /// One client posts while a poll is open, which brings the answer.
    Polling,
    /// One client after the other opens a session, joins `/` and closes.
    Connect,
}

/// What goes over a WebSocket and what comes back, in frames.
struct Message {
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// All work, in the order of the report.
pub(crate) const ALL: [Work; 12] = [
    Work::echo("echo-text", || Message::event("echo", &format!("\"{WORDS}\"")), 1),
    Work::echo("echo-text-16", || Message::event("echo", &format!("\"{WORDS}\"")), 16),
    Work::echo("echo-json-value", || Message::event("echo", &document()), 1),
    Work::echo("echo-json-struct", || Message::event("echo-struct", &document()), 1),
    Work::echo("echo-json-raw", || Message::event("echo-raw", &document()), 1),
    Work::echo("ack", Message::ack, 1),
    Work::echo("ack-16", Message::ack, 16),
    Work::echo("echo-binary", Message::binary, 1),
    Work { name: "echo-polling", kind: Kind::Polling },
    Work { name: "broadcast", kind: Kind::Broadcast { sockets: 1000, in_flight: 1 } },
    Work { name: "broadcast-16", kind: Kind::Broadcast { sockets: 1000, in_flight: 16 } },
    Work { name: "connection", kind: Kind::Connect },
];

impl Work {
    const fn echo(name: &'static str, message: fn() -> Message, in_flight: usize) -> Self {
        Self { name, kind: Kind::Echo { message, in_flight } }
    }

    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        const { &ALL }.iter().find(|work| work.name == name)
    }

    /// How many messages, deliveries or connections a round has.
    pub(crate) fn per_round(&self) -> usize {
        match self.kind {
            Kind::Echo { in_flight, .. } => in_flight,
            Kind::Broadcast { sockets, in_flight } => sockets * in_flight,
            Kind::Polling | Kind::Connect => 1,
        }
    }

    /// Whether chance decides what is handled together: what comes by one connection comes in order,
    /// what comes by several may come at once.
    pub(crate) fn has_many_connections(&self) -> bool {
        !matches!(self.kind, Kind::Echo { .. })
    }

    /// Connects whom it takes.
    pub(crate) fn start(&self, address: SocketAddr) -> Load {
        match self.kind {
            Kind::Echo { message, in_flight } => {
                let Message { request, answer } = message();
                let client = Client::join(address);
                Load::Clients {
                    clients: vec![client],
                    request: request.repeat(in_flight),
                    answer: answer.repeat(in_flight),
                }
            }
            Kind::Broadcast { sockets, in_flight } => {
                let request = frame(TEXT, format!(r#"42["broadcast","{WORDS}"]"#).as_bytes());
                let answer = unmasked(TEXT, format!(r#"42["message","{WORDS}"]"#).as_bytes());
                Load::Clients {
                    clients: (0..sockets).map(|_| Client::join(address)).collect(),
                    request: request.repeat(in_flight),
                    answer: answer.repeat(in_flight),
                }
            }
            Kind::Polling => Load::Polling(Polling::join(address)),
            Kind::Connect => Load::Connect(address),
        }
    }
}

impl Message {
    fn event(event: &str, argument: &str) -> Self {
        let text = format!(r#"42["{event}",{argument}]"#);
        let text = text.as_bytes();
        Self { request: frame(TEXT, text), answer: unmasked(TEXT, text) }
    }

    fn ack() -> Self {
        let request = format!(r#"427["ack","{WORDS}"]"#);
        let answer = format!(r#"437["{WORDS}"]"#);
        Self { request: frame(TEXT, request.as_bytes()), answer: unmasked(TEXT, answer.as_bytes()) }
    }

    fn binary() -> Self {
        let head = br#"451-["bin",{"_placeholder":true,"num":0}]"#;
        let attachment = [0xa5; 1024];
        Self {
            request: [frame(TEXT, head), frame(BINARY, &attachment)].concat(),
            answer: [unmasked(TEXT, head), unmasked(BINARY, &attachment)].concat(),
        }
    }
}

pub(crate) fn document() -> String {
    serde_json::to_string(&Document::new()).expect("it is JSON")
}

/// Work that has begun.
pub(crate) enum Load {
    /// The first one sends, and all receive.
    Clients {
        clients: Vec<Client>,
        request: Vec<u8>,
        answer: Vec<u8>,
    },
    Polling(Polling),
    Connect(SocketAddr),
}

impl Load {
    pub(crate) fn round(&mut self) {
        match self {
            Self::Clients { clients, request, answer } => {
                clients[0].send(request);
                clients.iter_mut().for_each(|client| client.expect(answer));
            }
            Self::Polling(session) => {
                let packet = format!(r#"42["echo","{WORDS}"]"#);
                assert_eq!(session.round_trip(&packet), packet);
            }
            Self::Connect(address) => Client::join(*address).close(),
        }
    }
}

/// A connection that does nothing; `name` is its key in the file of expectations.
pub(crate) struct Idle {
    pub(crate) name: &'static str,
    /// Opens the connection of this index.
    pub(crate) open: fn(SocketAddr, usize) -> Connection,
}

/// Open until it is dropped.
pub(crate) enum Connection {
    WebSocket(#[expect(dead_code, reason = "only dropped")] Client),
    Polling(#[expect(dead_code, reason = "only dropped")] Polling),
}

/// All of them, in the order of the report.
pub(crate) const IDLE: [Idle; 4] = [
    Idle {
        name: "polling",
        open: |address, _| {
            let mut session = Polling::join(address);
            session.poll();
            Connection::Polling(session)
        },
    },
    Idle { name: "websocket", open: |address, _| Connection::WebSocket(Client::open(address)) },
    Idle {
        name: "websocket-joined",
        open: |address, _| Connection::WebSocket(Client::join(address)),
    },
    Idle {
        name: "websocket-in-room",
        open: |address, index| {
            let mut client = Client::join(address);
            // One of 100 rooms. Events are handled in order: the answer tells that it is done.
            let packet = format!(r#"42["join","room-{}"]"#, index % 100);
            client.send(&frame(TEXT, packet.as_bytes()));
            client.send(&frame(TEXT, br#"42["echo"]"#));
            client.expect(&unmasked(TEXT, br#"42["echo",null]"#));
            Connection::WebSocket(client)
        },
    },
];

/// Runs a server under `program`: so many rounds of some work, or so many idle connections.
pub(crate) fn run(name: &str, rounds: usize, program: &[String]) -> Result {
    let work = Work::named(name);
    let idle = IDLE.iter().find(|idle| idle.name == name);
    if work.is_none() && idle.is_none() {
        let names = ALL.iter().map(|work| work.name).chain(IDLE.iter().map(|idle| idle.name));
        let names: Vec<_> = names.collect();
        return Err(format!("there is no work `{name}`; there is {}", names.join(", ")).into());
    }
    let server = Process::under(program)?;
    let mut load = work.map(|work| work.start(server.address));
    let mut connections = Vec::new();
    for index in 0..rounds {
        load.iter_mut().for_each(Load::round);
        connections.extend(idle.map(|idle| (idle.open)(server.address, index)));
    }
    // The connections are open until the server has ended.
    server.end()
}
