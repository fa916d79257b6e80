//! Calling handlers.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    task::Poll,
};

use sockeye_event::{Ack, Call, Event, HandlerError, HandlerFuture};

use crate::{EventErrorKind, context::Context, listener::Listener};

type Panic = Box<dyn Any + Send>;
type Outcome = Result<Result<(), HandlerError>, Panic>;

/// Calls all handlers of an event and waits until they are done. They start together, as
/// JavaScript's do.
pub(crate) async fn handle(context: &Context, listeners: &[Listener], event: Event<'_>) {
    let mut running = start(context, listeners, &event);
    let (name, ack) = (event.name(), event.ack());
    std::future::poll_fn(|cx| {
        let mut index = 0;
        while let Some(future) = running.get_mut(index) {
            let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)));
            let outcome = match polled {
                Ok(Poll::Pending) => {
                    index += 1;
                    continue;
                }
                Ok(Poll::Ready(outcome)) => Ok(outcome),
                Err(panic) => Err(panic),
            };
            drop(running.swap_remove(index));
            conclude(context, name, ack, outcome);
        }
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Calls handlers; those that are async are not done yet.
fn start(context: &Context, listeners: &[Listener], event: &Event<'_>) -> Vec<HandlerFuture> {
    let mut running = Vec::new();
    for handler in listeners.iter().filter_map(Listener::take) {
        match catch_unwind(AssertUnwindSafe(|| handler.call(context, event.clone()))) {
            Ok(Call::Pending(future)) => running.push(future),
            Ok(Call::Ready(outcome)) => conclude(context, event.name(), event.ack(), Ok(outcome)),
            Err(panic) => conclude(context, event.name(), event.ack(), Err(panic)),
        }
    }
    running
}

/// A handler is done: what went wrong is told to whom it concerns.
fn conclude(context: &Context, name: &str, ack: &Ack, outcome: Outcome) {
    let kind = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(HandlerError::Arguments(error))) => {
            // The sender has made the mistake, so it is told, unless it is ours.
            if error.index().is_some() {
                ack.send(serde_json::json!({ "error": error.to_string() }));
            }
            EventErrorKind::Arguments(error)
        }
        Ok(Err(error)) => EventErrorKind::Handler(error),
        Err(panic) => EventErrorKind::Panic(message(&*panic)),
    };
    context.socket.report(name, kind);
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
