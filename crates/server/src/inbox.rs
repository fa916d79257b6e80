//! The events of one socket, handled one at a time and in order.

use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Poll, Waker},
};

use bytestring::ByteString;
use sockeye_event::{Ack, Call, Event, HandlerError, HandlerFuture};
use sockeye_protocol::socket::Payload;

use crate::{EventErrorKind, Socket, extract::Context, listener::Called};

/// An event that waits for the handlers before it.
pub(crate) struct Incoming {
    pub(crate) name: ByteString,
    pub(crate) payload: Payload,
    pub(crate) id: Option<u64>,
    /// The handlers of the connection come first, and are not found by name.
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connection,
    Event,
}

impl Incoming {
    /// What it takes to keep it. Without what surrounds them, many tiny events would take a multiple
    /// of the bound.
    fn bytes(&self) -> usize {
        let attachments = self.payload.attachments.iter();
        let attachments: usize = attachments.map(|bytes| size_of_val(bytes) + bytes.len()).sum();
        size_of_val(self) + self.name.len() + self.payload.json().len() + attachments
    }

    /// What waits for long must not keep the buffer alive that it was received in.
    fn into_owned(mut self) -> Self {
        self.name = (&*self.name).into();
        self.payload = self.payload.to_owned();
        self
    }
}

/// What waits, and whether somebody is at it.
#[derive(Default)]
pub(crate) struct Inbox {
    is_busy: bool,
    /// `None` where nothing waits, as it is nearly always.
    waiting: Option<Box<Waiting>>,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<Incoming>,
    bytes: usize,
}

impl Inbox {
    /// An event has come, and nobody is at one: it is to be handled now. False if it has to wait.
    pub(crate) fn enter(&mut self) -> bool {
        !std::mem::replace(&mut self.is_busy, true)
    }

    /// The event waits for those before it; false if more waits than the bound allows.
    pub(crate) fn push(&mut self, event: Incoming, max_bytes: usize) -> bool {
        let bytes = event.bytes();
        let waiting = self.waiting.get_or_insert_default();
        if waiting.bytes + bytes > max_bytes {
            return false;
        }
        waiting.bytes += bytes;
        waiting.events.push_back(event.into_owned());
        true
    }

    /// The next event; without one, nobody is at it any more.
    pub(crate) fn next(&mut self) -> Option<Incoming> {
        let next = self.waiting.as_mut().and_then(|waiting| {
            let event = waiting.events.pop_front()?;
            waiting.bytes -= event.bytes();
            Some(event)
        });
        if next.is_none() {
            self.waiting = None;
            self.is_busy = false;
        }
        next
    }

    pub(crate) fn is_idle(&self) -> bool {
        !self.is_busy
    }
}

/// Calls the handlers of an event, all of them before any is waited for, as JavaScript does.
///
/// Each is polled where it stands. Only if one is not done at once is there a future to wait for.
pub(crate) fn call_all<'a>(
    context: &Context,
    called: impl IntoIterator<Item = &'a Called>,
    name: &ByteString,
    event: &Event<'_>,
) -> Running {
    let mut futures = Vec::new();
    for listener in called.into_iter().flat_map(|called| called.iter()) {
        let Some(handler) = listener.take() else { continue };
        let outcome = match catch_unwind(AssertUnwindSafe(|| handler.call(context, event.clone())))
        {
            Ok(Call::Ready(outcome)) => Ok(outcome),
            Ok(Call::Pending(future)) => {
                futures.extend(begin(&context.socket, name, event.ack(), future));
                continue;
            }
            Err(panic) => Err(panic),
        };
        conclude(&context.socket, name, event.ack(), outcome);
    }
    Running::waiting(name, event.ack(), futures)
}

/// Polls a handler where it stands; what is left of it is the answer.
fn begin(
    socket: &Socket,
    name: &ByteString,
    ack: &Ack,
    mut future: HandlerFuture,
) -> Option<HandlerFuture> {
    let mut cx = std::task::Context::from_waker(Waker::noop());
    match poll_caught(&mut future, &mut cx) {
        Poll::Pending => Some(future),
        Poll::Ready(outcome) => {
            conclude(socket, name, ack, outcome);
            None
        }
    }
}

type Panic = Box<dyn Any + Send>;

fn poll_caught(
    future: &mut HandlerFuture,
    cx: &mut std::task::Context<'_>,
) -> Poll<Result<Result<(), HandlerError>, Panic>> {
    match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
        Err(panic) => Poll::Ready(Err(panic)),
    }
}

/// The handlers of one event that are not done.
pub(crate) enum Running {
    Done,
    Waiting { name: ByteString, ack: Ack, futures: Vec<HandlerFuture> },
}

impl Running {
    fn waiting(name: &ByteString, ack: &Ack, futures: Vec<HandlerFuture>) -> Self {
        if futures.is_empty() {
            return Self::Done;
        }
        // A copy: handlers may wait for long, and must not keep the buffer alive that the event was
        // received in.
        Self::Waiting { name: (&**name).into(), ack: ack.clone(), futures }
    }

    /// What is done for an event by a future, which is polled where it stands.
    pub(crate) fn by(socket: &Socket, name: &ByteString, ack: &Ack, future: HandlerFuture) -> Self {
        Self::waiting(name, ack, begin(socket, name, ack, future).into_iter().collect())
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    /// Both, of one event or of one end.
    pub(crate) fn and(mut self, other: Self) -> Self {
        match (&mut self, other) {
            (Self::Done, other) => other,
            (Self::Waiting { futures, .. }, Self::Waiting { futures: more, .. }) => {
                futures.extend(more);
                self
            }
            (Self::Waiting { .. }, Self::Done) => self,
        }
    }

    /// Waits for all of them.
    pub(crate) async fn finish(self, socket: &Socket) {
        let Self::Waiting { name, ack, mut futures } = self else { return };
        std::future::poll_fn(|cx| {
            let mut index = 0;
            while index < futures.len() {
                match poll_caught(&mut futures[index], cx) {
                    Poll::Pending => index += 1,
                    Poll::Ready(outcome) => {
                        drop(futures.swap_remove(index));
                        conclude(socket, &name, &ack, outcome);
                    }
                }
            }
            if futures.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// A handler is done: what went wrong is told to whom it concerns.
fn conclude(
    socket: &Socket,
    name: &str,
    ack: &Ack,
    outcome: Result<Result<(), HandlerError>, Panic>,
) {
    let answer = |message: &str| ack.send(serde_json::json!({ "error": message }));
    let kind = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(HandlerError::Arguments(error))) => {
            // The sender has made the mistake, so it is told, unless it is ours.
            if error.index().is_some() {
                answer(&error.to_string());
            }
            EventErrorKind::Arguments(error)
        }
        Ok(Err(error)) => {
            if socket.core().options.send_errors {
                answer(&error.to_string());
            }
            EventErrorKind::Handler(error)
        }
        Err(panic) => EventErrorKind::Panic(panic_message(&*panic)),
    };
    socket.report(name, kind);
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
