//! The task of a client: feeds the manager, does what it says, and tells sockets what happens.

use std::{sync::Arc, time::Duration};

use sockeye_protocol::client::{DisconnectReason, Output};
use tokio::time::{Instant, sleep_until};

use crate::{
    ConnectError, ManagerEvent, Socket,
    ack::Waiter,
    engine::Io,
    shared::{Incoming, Own, Shared, lock, now},
};

/// How long what is still being written at the end may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many reports are taken in before anything is done about them.
const BATCH: usize = 64;

pub(crate) async fn run(shared: Arc<Shared>, mut io: Io) {
    for state in shared.sockets() {
        Socket::new(shared.clone(), state).start_handling();
    }
    loop {
        let (outputs, deadline, is_finished) = {
            let mut manager = shared.manager();
            let outputs: Vec<_> = std::iter::from_fn(|| manager.poll_output(now())).collect();
            (outputs, manager.deadline(), manager.is_finished())
        };
        for output in outputs {
            match output {
                Output::Io(session, output) => io.perform(session, output),
                output => tell(&shared, output),
            }
        }
        if is_finished {
            break;
        }
        let tick = async {
            match deadline {
                Some(at) => sleep_until(Instant::from_std(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.wake.notified() => (),
            (session, input) = io.next() => {
                let mut manager = shared.manager();
                manager.handle_io(now(), session, input);
                for _ in 0..BATCH {
                    let Some((session, input)) = io.try_next() else { break };
                    manager.handle_io(now(), session, input);
                }
            }
            () = tick => shared.manager().handle_tick(now()),
        }
    }
    shared.sockets().iter().for_each(|socket| socket.close());
    let observers = std::mem::take(&mut *lock(&shared.observers));
    drop(observers);
    io.finish(PATIENCE).await;
    shared.finished.send_replace(true);
}

/// Tells whom it concerns.
fn tell(shared: &Arc<Shared>, output: Output<Waiter>) {
    match output {
        Output::Io(..) => unreachable!("that is for the network"),
        // Whoever waits no more has dropped the other end.
        Output::Ack(waiter, outcome) => drop(waiter.send(outcome)),
        Output::AuthWanted(socket, number) => {
            let socket = Socket::new(shared.clone(), shared.socket(socket));
            tokio::spawn(async move { socket.provide_auth(number).await });
        }
        Output::Connected { socket, recovered } => {
            let socket = Socket::new(shared.clone(), shared.socket(socket));
            tracing::debug!(namespace = socket.namespace(), recovered, "connected");
            socket.state().conclude_connecting(&Ok(()));
            socket.handle_later(Incoming::Connect, 0);
        }
        Output::ConnectError { socket, failure, will_retry } => {
            let socket = Socket::new(shared.clone(), shared.socket(socket));
            let error = ConnectError::new(failure, will_retry);
            tracing::warn!(namespace = socket.namespace(), %error, will_retry, "not connected");
            if !will_retry {
                socket.state().conclude_connecting(&Err(error.clone()));
            }
            socket.handle_at_once(Own::ConnectError(error));
        }
        Output::Disconnected { socket, reason, will_reconnect } => {
            let socket = Socket::new(shared.clone(), shared.socket(socket));
            tracing::debug!(namespace = socket.namespace(), %reason, will_reconnect, "disconnected");
            socket.handle_at_once(Own::Disconnect(reason.into()));
        }
        Output::Event { socket, connection, event } => {
            let socket = Socket::new(shared.clone(), shared.socket(socket));
            handle_event(&socket, connection, event);
        }
        Output::Opened(transport) => observe(shared, &ManagerEvent::Open(transport)),
        Output::Upgraded => observe(shared, &ManagerEvent::Upgrade),
        Output::Closed(reason) => observe(shared, &ManagerEvent::Close(reason.into())),
        Output::ReconnectAttempt(n) => observe(shared, &ManagerEvent::ReconnectAttempt(n)),
        Output::Reconnected(n) => observe(shared, &ManagerEvent::Reconnect(n)),
        Output::ReconnectError(attempt, failure) => {
            let error = failure.to_string();
            observe(shared, &ManagerEvent::ReconnectError { attempt, error });
        }
        Output::ReconnectFailed => observe(shared, &ManagerEvent::ReconnectFailed),
    }
}

fn observe(shared: &Shared, event: &ManagerEvent) {
    tracing::debug!(?event, "connection");
    let observers = lock(&shared.observers).clone();
    observers.iter().for_each(|observer| observer(event));
}

/// An event came: streams have it at once, handlers in their turn.
fn handle_event(socket: &Socket, connection: u32, event: sockeye_protocol::socket::Event) {
    let streams = socket.state().inner().streams.clone();
    let streams: Vec<_> = streams.iter().filter_map(std::sync::Weak::upgrade).collect();
    streams.iter().for_each(|queue| queue.push(&event.name, &event.payload));
    let bytes = crate::stream::size(&event.payload);
    if !socket.handle_later(Incoming::Event { connection, event }, bytes) {
        tracing::warn!(namespace = socket.namespace(), "too many events wait for a handler");
        let reason = DisconnectReason::EventBacklog;
        socket.shared().command(|manager, now| manager.cut(now, reason));
    }
}
