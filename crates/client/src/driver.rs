//! The task of a client: feeds the manager, does what it says, and tells sockets what happens.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use sockeye_protocol::client::Output;
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

/// Runs until the client is closed. However this ends, nobody is left waiting: its runtime may be
/// gone, and the client with it.
pub(crate) async fn run(shared: Arc<Shared>, mut io: Io) {
    let _end = End(shared.clone());
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
    release(&shared);
    io.finish(PATIENCE).await;
}

/// Sockets are at their end, and what users have registered is let go of.
fn release(shared: &Shared) {
    shared.sockets().iter().for_each(|socket| socket.close());
    let observers = std::mem::take(&mut *lock(&shared.observers));
    drop(observers);
}

/// Says that a client's task is over when it is dropped.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        let shared = &self.0;
        // Nothing is left to be done, unless the task was dropped before its time.
        shared.manager().close(now());
        let outputs: Vec<_> = {
            let mut manager = shared.manager();
            std::iter::from_fn(|| manager.poll_output(now())).collect()
        };
        for output in outputs {
            if let Output::Ack(waiter, outcome) = output {
                drop(waiter.send(outcome));
            }
        }
        release(shared);
        shared.finished.send_replace(true);
    }
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
            socket.handle_later(Incoming::Connect);
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
    for observer in &observers {
        if catch_unwind(AssertUnwindSafe(|| observer(event))).is_err() {
            tracing::error!(?event, "a function given to `on_manager_event` panicked");
        }
    }
}

/// An event came: streams have it at once, handlers in their turn.
fn handle_event(socket: &Socket, connection: u32, event: sockeye_protocol::socket::Event) {
    let streams = {
        let inner = socket.state().inner();
        if inner.overflowed == Some(connection) {
            // The connection is being broken. What came after the event that found no room would be
            // handled with a gap before it.
            return;
        }
        inner.streams.clone()
    };
    let streams: Vec<_> = streams.iter().filter_map(std::sync::Weak::upgrade).collect();
    streams.iter().for_each(|queue| queue.push(&event.name, &event.payload));
    if !socket.handle_later(Incoming::Event { connection, event }) {
        tracing::warn!(namespace = socket.namespace(), "too many events wait for a handler");
        socket.state().inner().overflowed = Some(connection);
        let id = socket.state().id;
        socket.shared().command(|manager, now| manager.cut_backlog(now, id));
    }
}

#[cfg(test)]
mod tests {
    use sockeye_protocol::{
        client::SocketId,
        socket::{Event, Payload},
    };
    use tokio::{runtime::Handle, sync::mpsc};

    use super::*;
    use crate::Client;

    const MAIN: SocketId = SocketId(0);

    /// A client whose handlers tell numbers: those of events, and 0 for a connection. They run when
    /// the test waits, and not before.
    fn client(max_backlog_bytes: usize) -> (Client, mpsc::UnboundedReceiver<u32>) {
        let (sender, told) = mpsc::unbounded_channel();
        let connected = sender.clone();
        let builder = Client::builder("http://127.0.0.1:1").max_backlog_bytes(max_backlog_bytes);
        let client = builder.build().unwrap();
        client.shared().set_runtime(Handle::current());
        client.on("n", move |number: u32| sender.send(number).unwrap());
        client.on_connect(move || connected.send(0).unwrap());
        (client, told)
    }

    fn event(connection: u32, number: u32, bytes: usize) -> Output<Waiter> {
        let payload = Payload::new(format!(r#"["n",{number},"{}"]"#, "x".repeat(bytes)), vec![]);
        let event = Event { namespace: "/".into(), id: None, name: "n".into(), payload };
        Output::Event { socket: MAIN, connection, event }
    }

    const CONNECTED: Output<Waiter> = Output::Connected { socket: MAIN, recovered: false };

    #[tokio::test]
    async fn nothing_is_handled_behind_an_event_that_found_no_room() {
        let (client, mut told) = client(20_000);
        tell(client.shared(), event(1, 1, 15_000));
        tell(client.shared(), event(1, 2, 15_000));
        tell(client.shared(), event(1, 3, 0));
        tell(client.shared(), CONNECTED);
        tell(client.shared(), event(2, 4, 0));
        for expected in [1, 0, 4] {
            assert_eq!(told.recv().await, Some(expected));
        }
    }

    #[tokio::test]
    async fn a_connection_is_told_of_behind_an_event_that_takes_more_than_all_room() {
        let (client, mut told) = client(1000);
        tell(client.shared(), event(1, 1, 15_000));
        tell(client.shared(), CONNECTED);
        for expected in [1, 0] {
            assert_eq!(told.recv().await, Some(expected));
        }
    }

    #[tokio::test]
    async fn tiny_events_are_counted_with_what_surrounds_them() {
        let (client, mut told) = client(10_000);
        for number in 0..1000 {
            tell(client.shared(), event(1, number, 0));
        }
        drop(client);
        let mut handled = 0;
        while told.recv().await.is_some() {
            handled += 1;
        }
        assert!((10..100).contains(&handled), "{handled} events took 10 kB");
    }
}
