//! Calling handlers.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Poll, Waker},
};

use sockeye_event::{Ack, Call, Event, HandlerError, HandlerFuture};

use crate::{EventErrorKind, context::Context, listener::Listener};

type Panic = Box<dyn Any + Send>;
type Outcome = Result<Result<(), HandlerError>, Panic>;

/// Calls all handlers of an event, which start together, as JavaScript's do. Those that are async
/// are not done yet.
pub(crate) fn start(context: &Context, listeners: &[Listener], event: &Event<'_>) -> Running {
    let mut running = Running {
        context: context.clone(),
        name: event.name().to_owned(),
        ack: event.ack().clone(),
        futures: Vec::new(),
    };
    for handler in listeners.iter().filter_map(Listener::take) {
        match catch_unwind(AssertUnwindSafe(|| handler.call(context, event.clone()))) {
            Ok(Call::Pending(future)) => running.futures.push(future),
            Ok(Call::Ready(outcome)) => running.conclude(Ok(outcome)),
            Err(panic) => running.conclude(Err(panic)),
        }
    }
    // What an async handler does before it first waits happens in order as well.
    let mut cx = std::task::Context::from_waker(Waker::noop());
    let _ = running.poll(&mut cx);
    running
}

/// The handlers of one event that are not done.
pub(crate) struct Running {
    context: Context,
    name: String,
    ack: Ack,
    futures: Vec<HandlerFuture>,
}

impl Running {
    pub(crate) fn is_done(&self) -> bool {
        self.futures.is_empty()
    }

    /// Waits for all of them.
    pub(crate) async fn finish(mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut std::task::Context<'_>) -> Poll<()> {
        let mut index = 0;
        while let Some(future) = self.futures.get_mut(index) {
            let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
            let outcome = match polled {
                Ok(Poll::Pending) => {
                    index += 1;
                    continue;
                }
                Ok(Poll::Ready(outcome)) => Ok(outcome),
                Err(panic) => Err(panic),
            };
            drop(self.futures.swap_remove(index));
            self.conclude(outcome);
        }
        if self.futures.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// A handler is done: what went wrong is told to whom it concerns.
    fn conclude(&self, outcome: Outcome) {
        let kind = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(HandlerError::Arguments(error))) => {
                // The sender has made the mistake, so it is told, unless it is ours.
                if error.index().is_some() {
                    self.ack.send(serde_json::json!({ "error": error.to_string() }));
                }
                EventErrorKind::Arguments(error)
            }
            Ok(Err(error)) => EventErrorKind::Handler(error),
            Err(panic) => EventErrorKind::Panic(message(&*panic)),
        };
        self.context.socket.report(&self.name, kind);
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
