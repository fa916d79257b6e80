//! A connection, and what the commands do to it.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sockeye_client::{Ack, Client, ConnectError, DisconnectReason, EventName, Raw, Rest, Socket};
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    command::{Command, HELP},
    output::Output,
    report::{Help, Refusal, Report},
    value::{Argument, shown},
};

/// How many events of the server's can wait for a reply; the oldest ones are let go of.
const MAX_UNANSWERED: usize = 1000;

pub(super) struct Session {
    client: Client,
    /// The sockets that were joined and not left; commands are for the last one.
    joined: Vec<Socket>,
    /// The namespaces whose sockets report what happens to them.
    watched: HashSet<String>,
    output: Output,
    unanswered: Unanswered,
    answers: JoinSet<()>,
    /// How many times `ack` was said.
    acks: u64,
}

impl Session {
    /// Connects. The first failure ends it: a server that is not there, or not where the user
    /// thinks, is said at once. What fails later is tried again.
    pub(super) async fn open(
        client: Client,
        socket: Socket,
        output: Output,
    ) -> Result<Self, Refusal> {
        let to = output.clone();
        client.on_manager_event(move |event| {
            Report::of_manager(event).iter().for_each(|report| to.report(report));
        });
        let mut session = Self {
            client,
            joined: vec![socket.clone()],
            watched: HashSet::new(),
            output,
            unanswered: Unanswered::default(),
            answers: JoinSet::new(),
            acks: 0,
        };
        session.watch_events(&socket);
        let (tell, mut failed) = mpsc::channel(1);
        let first = socket.on_connect_error(move |error: ConnectError| {
            let _ = tell.try_send(error);
        });
        let connected = tokio::select! {
            connected = socket.connect() => connected,
            Some(error) = failed.recv() => Err(error),
        };
        connected.map_err(|error| Refusal::new(socket.namespace(), &error))?;
        socket.off_listener(first);
        session.watch_failures(&socket);
        Ok(session)
    }

    /// What stands before the line that is typed.
    pub(super) fn prompt(&self) -> String {
        let namespace = self.joined.last().map_or("", Socket::namespace);
        format!("{namespace}> ")
    }

    /// Does what a command says, `quit` excepted.
    pub(super) fn perform(&mut self, command: Command) -> Result<(), String> {
        // Their tasks are over and have reported.
        while self.answers.try_join_next().is_some() {}
        match command {
            Command::Emit { event, args } => {
                let emitted = self.current()?.try_emit(&event, Rest(args));
                emitted.map_err(|error| error.to_string())?;
            }
            Command::Ack { event, args } => self.ask(event, args)?,
            Command::Reply { number, args } => {
                let ack = self.unanswered.take(number);
                let ack = ack.ok_or_else(|| format!("no event waits for reply {number}"))?;
                ack.try_send(Rest(args)).map_err(|error| error.to_string())?;
            }
            Command::Join { namespace, auth } => {
                let socket = self.client.socket(&namespace);
                if let Some(auth) = auth {
                    socket.set_auth(auth).map_err(|error| error.to_string())?;
                }
                self.join(socket);
            }
            Command::Leave => {
                let left = self.joined.pop();
                left.ok_or("no namespace is joined")?.disconnect();
            }
            Command::Help => self.output.report(&Report::Help {
                commands: HELP.map(|(form, meaning)| Help { form, meaning }).into(),
            }),
            Command::Quit => unreachable!("handled where lines are read"),
        }
        Ok(())
    }

    /// Waits for the answers that are owed, each until its deadline at most, and disconnects.
    pub(super) async fn close(mut self) {
        while self.answers.join_next().await.is_some() {}
        self.client.close().await;
    }

    /// The socket that commands are for.
    fn current(&self) -> Result<&Socket, String> {
        let socket =
            self.joined.last().ok_or("no namespace is joined; `join /` joins the main one")?;
        if socket.active() {
            return Ok(socket);
        }
        // What is emitted would wait for ever.
        let namespace = socket.namespace();
        Err(format!("{namespace} is not connected; `join {namespace}` connects again"))
    }

    fn ask(&mut self, event: String, args: Vec<Argument>) -> Result<(), String> {
        let socket = self.current()?.clone();
        let answer = socket.emit_with_ack::<Rest<Raw>>(&event, Rest(args));
        self.acks += 1;
        let (ack, namespace) = (self.acks, socket.namespace().to_owned());
        let output = self.output.clone();
        self.answers.spawn(async move {
            output.report(&match answer.await {
                Ok(Rest(args)) => Report::Ack { namespace, event, ack, args: shown(&args) },
                Err(error) => {
                    Report::AckError { namespace, event, ack, message: error.to_string() }
                }
            });
        });
        Ok(())
    }

    fn join(&mut self, socket: Socket) {
        if !self.watched.contains(socket.namespace()) {
            self.watch_events(&socket);
            self.watch_failures(&socket);
        }
        socket.open();
        self.joined.retain(|other| other.namespace() != socket.namespace());
        self.joined.push(socket);
    }

    fn watch_events(&mut self, socket: &Socket) {
        self.watched.insert(socket.namespace().to_owned());
        let output = self.output.clone();
        socket.on_connect(move |socket: Socket| {
            let namespace = socket.namespace().to_owned();
            let (id, recovered) = (socket.id().unwrap_or_default(), socket.recovered());
            output.report(&Report::Connect { namespace, id, recovered });
        });
        let output = self.output.clone();
        socket.on_disconnect(move |socket: Socket, reason: DisconnectReason| {
            let (namespace, reason) = (socket.namespace().to_owned(), reason.as_str());
            let will_reconnect = socket.active();
            output.report(&Report::Disconnect { namespace, reason, will_reconnect });
        });
        let (output, unanswered) = (self.output.clone(), self.unanswered.clone());
        socket.on_any(
            move |socket: Socket, EventName(event): EventName, Rest(args): Rest<Raw>, ack: Ack| {
                let namespace = socket.namespace().to_owned();
                let reply = ack.is_requested().then(|| unanswered.add(ack));
                output.report(&Report::Event { namespace, event, args: shown(&args), reply });
            },
        );
    }

    fn watch_failures(&self, socket: &Socket) {
        let output = self.output.clone();
        socket.on_connect_error(move |socket: Socket, error: ConnectError| {
            output.report(&Report::ConnectError(Refusal::new(socket.namespace(), &error)));
        });
    }
}

/// Events of the server's that ask for an answer, by the numbers that they are shown with.
#[derive(Clone, Default)]
struct Unanswered(Arc<Mutex<Numbered>>);

#[derive(Default)]
struct Numbered {
    last: u64,
    acks: BTreeMap<u64, Ack>,
}

impl Unanswered {
    fn add(&self, ack: Ack) -> u64 {
        let mut numbered = self.lock();
        numbered.last += 1;
        let number = numbered.last;
        numbered.acks.insert(number, ack);
        if numbered.acks.len() > MAX_UNANSWERED {
            numbered.acks.pop_first();
        }
        number
    }

    fn take(&self, number: u64) -> Option<Ack> {
        self.lock().acks.remove(&number)
    }

    fn lock(&self) -> MutexGuard<'_, Numbered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
