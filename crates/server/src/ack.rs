//! Acknowledgements that clients owe.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use sockeye_adapter::{AckCollector, Silence};
use sockeye_event::{ArgumentError, FromReply, decode_reply};
use sockeye_protocol::socket::Payload;
use tokio::{
    sync::oneshot,
    time::{Instant, Sleep, sleep_until},
};

use crate::{EmitError, Sid, Socket};

/// Why there is no acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AckError {
    /// The client did not answer in time.
    #[error("operation has timed out")]
    TimedOut,
    /// The client is gone. Whether it saw the event is not known.
    #[error("socket has been disconnected")]
    Disconnected,
    /// The answer does not have the type that was asked for.
    #[error("the acknowledgement does not fit: {0}")]
    Reply(#[from] ArgumentError),
    /// The event was not sent.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// The event was [volatile](crate::Broadcast::volatile), and was dropped.
    #[error("the event was dropped")]
    Dropped,
    /// The client owes as many answers as `max_pending_acks` allows; the event was not sent.
    #[error("{0} acknowledgements are pending, which is the limit")]
    TooManyPending(usize),
}

impl From<Silence> for AckError {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::Dropped => Self::Dropped,
            Silence::TooManyPending(limit) => Self::TooManyPending(limit),
            // The enum may grow; whatever keeps a socket from answering, it is not there.
            _ => Self::Disconnected,
        }
    }
}

/// The acknowledgements that a socket waits for.
#[derive(Default)]
pub(crate) struct PendingAcks(HashMap<u64, Waiting>);

/// Who waits for an acknowledgement.
pub(crate) enum Waiting {
    /// Who emitted to this socket alone; dropping it tells of the loss.
    One(oneshot::Sender<Payload>),
    /// Who emitted to many.
    Many(Arc<dyn AckCollector>),
}

impl Waiting {
    /// Hands the answer of a socket over.
    pub(crate) fn handle_answer(self, socket: Sid, answer: Payload) {
        match self {
            Self::One(sender) => drop(sender.send(answer)),
            Self::Many(collector) => collector.handle_answer(socket, answer),
        }
    }
}

impl PendingAcks {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn insert(&mut self, id: u64, waiting: Waiting) {
        self.0.insert(id, waiting);
    }

    /// Who waits for an answer; nobody if it was not asked for, was given, or came too late.
    pub(crate) fn remove(&mut self, id: u64) -> Option<Waiting> {
        let waiting = self.0.remove(&id);
        if self.0.is_empty() {
            self.0 = HashMap::new();
        }
        waiting
    }

    /// The socket is gone: tells those who wait.
    pub(crate) fn fail(self, socket: Sid) {
        for waiting in self.0.into_values() {
            if let Waiting::Many(collector) = waiting {
                collector.handle_silence(socket, Silence::Disconnected);
            }
        }
    }
}

/// A client's answer to come.
///
/// The event has been sent when this is returned; the future only waits. It ends with the answer,
/// at its deadline, or as soon as the client is gone. Dropping it forgets the answer.
#[must_use = "the event is sent, but its answer is lost unless this is awaited; use `emit` otherwise"]
pub struct AckFuture<R> {
    state: State,
    deadline: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    reply: PhantomData<fn() -> R>,
}

enum State {
    Failed(Option<AckError>),
    Waiting { socket: Socket, id: u64, receiver: oneshot::Receiver<Payload> },
}

impl<R> AckFuture<R> {
    pub(crate) fn waiting(
        socket: Socket,
        id: u64,
        receiver: oneshot::Receiver<Payload>,
        timeout: Option<Duration>,
    ) -> Self {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Self::new(State::Waiting { socket, id, receiver }, deadline)
    }

    pub(crate) fn failed(error: AckError) -> Self {
        Self::new(State::Failed(Some(error)), None)
    }

    fn new(state: State, deadline: Option<Instant>) -> Self {
        Self { state, deadline, sleep: None, reply: PhantomData }
    }
}

impl<R> fmt::Debug for AckFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("AckFuture");
        match &self.state {
            State::Failed(error) => debug.field("error", error),
            State::Waiting { socket, id, .. } => debug.field("socket", socket).field("id", id),
        };
        debug.finish_non_exhaustive()
    }
}

impl<R: FromReply> Future for AckFuture<R> {
    type Output = Result<R, AckError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let receiver = match &mut this.state {
            State::Failed(error) => {
                let error = error.take().expect("a future is not polled after its end");
                return Poll::Ready(Err(error));
            }
            State::Waiting { receiver, .. } => receiver,
        };
        match Pin::new(receiver).poll(cx) {
            Poll::Ready(Ok(payload)) => Poll::Ready(Ok(decode_reply(&payload)?)),
            Poll::Ready(Err(_)) => Poll::Ready(Err(AckError::Disconnected)),
            Poll::Pending => {
                let Some(deadline) = this.deadline else { return Poll::Pending };
                let sleep = this.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
                sleep.as_mut().poll(cx).map(|()| Err(AckError::TimedOut))
            }
        }
    }
}

impl<R> Drop for AckFuture<R> {
    fn drop(&mut self) {
        if let State::Waiting { socket, id, .. } = &self.state {
            socket.forget_ack(*id);
        }
    }
}
