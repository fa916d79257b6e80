//! Acknowledgements that many clients owe for one event.

use std::{
    collections::HashSet,
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use sockeye_adapter::{AckCollector, Silence};
use sockeye_event::{FromReply, decode_reply};
use sockeye_protocol::socket::Payload;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{AckError, EmitError, Namespace, Sid};

/// Not everyone who was asked has answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BroadcastAckError<R> {
    /// The event was not sent.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// Some have given no answer, or none that fits.
    #[error("{} of {} clients did not answer", .failures.len(), .replies.len() + .failures.len())]
    Incomplete {
        /// The answers that there are, in the order in which they came.
        replies: Vec<R>,
        /// Who did not answer, by the ids of the sockets, and why.
        failures: Vec<(Sid, AckError)>,
    },
}

/// The answers to an event that went to many.
///
/// The event has been sent when this is returned; the future only waits. It ends as soon as
/// everyone has answered or is gone, and at its deadline. Nobody to ask is no error: the list is
/// empty. Dropping it forgets the answers.
#[must_use = "the event is sent, but its answers are lost unless this is awaited; use `emit` otherwise"]
pub struct BroadcastAckFuture<R> {
    state: State,
    replies: PhantomData<fn() -> R>,
}

enum State {
    Failed(Option<EmitError>),
    Waiting { asked: Asked, deadline: Option<Instant>, sleep: Option<Pin<Box<Sleep>>> },
}

/// A question, and what is known of its answers. Sockets forget it when this is dropped.
struct Asked {
    namespace: Namespace,
    id: u64,
    gathering: Arc<Gathering>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut self.gathering.lock().waiting);
        for socket in waiting.into_iter().filter_map(|id| self.namespace.socket(id)) {
            socket.forget_ack(self.id);
        }
    }
}

/// What has come so far.
#[derive(Default)]
pub(crate) struct Gathering(Mutex<Gathered>);

#[derive(Default)]
struct Gathered {
    waiting: HashSet<Sid>,
    answers: Vec<(Sid, Payload)>,
    silent: Vec<(Sid, Silence)>,
    waker: Option<Waker>,
}

impl Gathering {
    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what became of a socket, once, and wakes who waits for all of them.
    fn conclude(&self, socket: Sid, note: impl FnOnce(&mut Gathered)) {
        let waker = {
            let mut gathered = self.lock();
            if !gathered.waiting.remove(&socket) {
                return;
            }
            note(&mut gathered);
            if gathered.waiting.is_empty() { gathered.waker.take() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl AckCollector for Gathering {
    fn expect(&self, sockets: Vec<Sid>) {
        self.lock().waiting.extend(sockets);
    }

    fn handle_answer(&self, socket: Sid, answer: Payload) {
        // A copy: it waits for the others', and must not keep the buffer alive that it was received
        // in.
        let answer = answer.to_owned();
        self.conclude(socket, |gathered| gathered.answers.push((socket, answer)));
    }

    fn handle_silence(&self, socket: Sid, why: Silence) {
        self.conclude(socket, |gathered| gathered.silent.push((socket, why)));
    }
}

impl<R> BroadcastAckFuture<R> {
    pub(crate) fn waiting(
        namespace: Namespace,
        id: u64,
        gathering: Arc<Gathering>,
        timeout: Option<Duration>,
    ) -> Self {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let asked = Asked { namespace, id, gathering };
        Self { state: State::Waiting { asked, deadline, sleep: None }, replies: PhantomData }
    }

    pub(crate) fn failed(error: EmitError) -> Self {
        Self { state: State::Failed(Some(error)), replies: PhantomData }
    }
}

impl<R> fmt::Debug for BroadcastAckFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("BroadcastAckFuture");
        match &self.state {
            State::Failed(error) => debug.field("error", error),
            State::Waiting { asked, .. } => {
                let waiting = asked.gathering.lock().waiting.len();
                debug.field("id", &asked.id).field("waiting", &waiting)
            }
        };
        debug.finish_non_exhaustive()
    }
}

impl<R: FromReply> Future for BroadcastAckFuture<R> {
    type Output = Result<Vec<R>, BroadcastAckError<R>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (asked, deadline, sleep) = match &mut self.get_mut().state {
            State::Failed(error) => {
                let error = error.take().expect("a future is not polled after its end");
                return Poll::Ready(Err(error.into()));
            }
            State::Waiting { asked, deadline, sleep } => (asked, deadline, sleep),
        };
        if !asked.is_over(cx.waker()) {
            let Some(deadline) = *deadline else { return Poll::Pending };
            let sleep = sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(asked.outcome())
    }
}

impl Asked {
    /// Whether nobody is waited for; until then, the waker is called when that is so.
    fn is_over(&self, waker: &Waker) -> bool {
        let mut gathered = self.gathering.lock();
        if gathered.waiting.is_empty() {
            return true;
        }
        gathered.waker = Some(waker.clone());
        false
    }

    /// All that came, read as what was asked for. Those who are still waited for are too late.
    fn outcome<R: FromReply>(&self) -> Result<Vec<R>, BroadcastAckError<R>> {
        let (answers, silent, late) = {
            let mut gathered = self.gathering.lock();
            let late: Vec<Sid> = gathered.waiting.iter().copied().collect();
            (std::mem::take(&mut gathered.answers), std::mem::take(&mut gathered.silent), late)
        };
        let silent = silent.into_iter().map(|(id, why)| (id, why.into()));
        let late = late.into_iter().map(|id| (id, AckError::TimedOut));
        let mut failures: Vec<_> = silent.chain(late).collect();
        let mut replies = Vec::with_capacity(answers.len());
        for (id, answer) in answers {
            match decode_reply(&answer) {
                Ok(reply) => replies.push(reply),
                Err(error) => failures.push((id, error.into())),
            }
        }
        if failures.is_empty() {
            return Ok(replies);
        }
        Err(BroadcastAckError::Incomplete { replies, failures })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn an_answer_that_waits_for_others_keeps_no_buffer() {
        let buffer = Bytes::from(b"[1]and what else came".to_vec());
        let json = bytestring::ByteString::try_from(buffer.slice(..3)).expect("text");
        let [answers, silent] = [1, 2].map(|number| Sid::from_random([number; 15]));
        let gathering = Gathering::default();
        gathering.expect(vec![answers, silent]);
        gathering.handle_answer(answers, Payload::new(json, vec![]));
        assert!(buffer.is_unique());
        assert_eq!(gathering.lock().answers[0].1.json(), "[1]");
    }
}
