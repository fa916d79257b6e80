//! The events of one name as a stream.

use std::{
    collections::VecDeque,
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use bytestring::ByteString;
use futures_core::Stream;
use sockeye_event::{ArgumentError, FromReply, decode_reply};
use sockeye_protocol::socket::Payload;

/// The events of one name, in their order: a [`Stream`] that ends when the client is closed.
///
/// It may be made before the client connects, and goes on over reconnections. A tuple is read from
/// as many arguments, anything else from the first; see
/// [`FromReply`](crate::FromReply). What is not taken waits, up to
/// `max_backlog_bytes`; beyond that, events are dropped, and the stream says how many.
#[must_use = "events that nobody takes are dropped"]
pub struct EventStream<T> {
    queue: Arc<Queue>,
    item: PhantomData<fn() -> T>,
}

/// An item of an [`EventStream`] is missing or has another type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The event does not have the type that was asked for.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// So many events were dropped here, since too many waited.
    #[error("{0} events were dropped, since too many waited")]
    Lagged(u64),
}

/// What waits for a stream.
pub(crate) struct Queue {
    name: Box<str>,
    max_bytes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    events: VecDeque<Item>,
    bytes: usize,
    is_closed: bool,
    waker: Option<Waker>,
}

enum Item {
    Event(Payload),
    Lost(u64),
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event came.
    pub(crate) fn push(&self, name: &str, payload: &Payload) {
        if *self.name != *name {
            return;
        }
        let waker = {
            let mut state = self.state();
            let bytes = size(payload);
            let is_full = state.bytes > 0 && state.bytes + bytes > self.max_bytes;
            match state.events.back_mut() {
                Some(Item::Lost(count)) => *count += 1,
                _ if is_full => state.events.push_back(Item::Lost(1)),
                _ => {
                    state.bytes += bytes;
                    state.events.push_back(Item::Event(payload.to_owned()));
                }
            }
            state.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    /// Nothing will come any more.
    pub(crate) fn close(&self) {
        let waker = {
            let mut state = self.state();
            state.is_closed = true;
            state.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }
}

/// What it takes to keep a payload.
pub(crate) fn size(payload: &Payload) -> usize {
    let attachments = payload.attachments.iter();
    let attachments: usize = attachments.map(|bytes| size_of_val(bytes) + bytes.len()).sum();
    size_of_val(payload) + payload.json().len() + attachments
}

impl<T> EventStream<T> {
    pub(crate) fn new(name: &str, max_bytes: usize) -> (Self, Weak<Queue>) {
        let queue = Arc::new(Queue { name: name.into(), max_bytes, state: Mutex::default() });
        let weak = Arc::downgrade(&queue);
        (Self { queue, item: PhantomData }, weak)
    }
}

impl<T: FromReply> EventStream<T> {
    /// The next event; none once the client is closed.
    ///
    /// # Cancel safety
    /// No event is lost if this is dropped before it is ready.
    pub async fn next(&mut self) -> Option<Result<T, StreamError>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, StreamError>>> {
        let item = {
            let mut state = self.queue.state();
            match state.events.pop_front() {
                Some(item) => {
                    if let Item::Event(payload) = &item {
                        state.bytes -= size(payload);
                    }
                    item
                }
                None if state.is_closed => return Poll::Ready(None),
                None => {
                    state.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        };
        Poll::Ready(Some(match item {
            Item::Lost(count) => Err(StreamError::Lagged(count)),
            Item::Event(payload) => decode_reply(&without_name(&payload)).map_err(Into::into),
        }))
    }
}

impl<T: FromReply> Stream for EventStream<T> {
    type Item = Result<T, StreamError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(cx)
    }
}

impl<T> fmt::Debug for EventStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("event", &self.queue.name).finish_non_exhaustive()
    }
}

/// The arguments of an event alone, as an acknowledgement has them.
pub(crate) fn without_name(payload: &Payload) -> Payload {
    let text = payload.json();
    let mut arguments = payload.elements().skip(1);
    let json = match arguments.next() {
        Some(first) => format!("[{}", &text[first.start..]),
        None => "[]".to_owned(),
    };
    Payload::new(ByteString::from(json), payload.attachments.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_without_its_name_is_its_arguments() {
        let table = [
            (r#"["a"]"#, "[]"),
            (r#"["a",1]"#, "[1]"),
            (r#"[ "a\"]" , [2] ,"x" ]"#, r#"[[2] ,"x" ]"#),
        ];
        for (event, arguments) in table {
            assert_eq!(without_name(&Payload::new(event, vec![])).json(), arguments);
        }
    }

    #[tokio::test]
    async fn too_slow_a_reader_is_told_what_it_missed() {
        let room = 2 * size(&Payload::new(r#"["n",0]"#, vec![]));
        let (mut stream, queue) = EventStream::<u32>::new("n", room);
        let queue = queue.upgrade().unwrap();
        for number in 0..6 {
            queue.push("n", &Payload::new(format!(r#"["n",{number}]"#), vec![]));
            queue.push("other", &Payload::new(r#"["other"]"#, vec![]));
        }
        assert_eq!(stream.next().await, Some(Ok(0)));
        assert_eq!(stream.next().await, Some(Ok(1)));
        assert_eq!(stream.next().await, Some(Err(StreamError::Lagged(4))));
        queue.push("n", &Payload::new(r#"["n",6]"#, vec![]));
        assert_eq!(stream.next().await, Some(Ok(6)));
        queue.push("n", &Payload::new(r#"["n","x"]"#, vec![]));
        assert!(matches!(stream.next().await, Some(Err(StreamError::Arguments(_)))));
        queue.close();
        assert_eq!(stream.next().await, None);
    }
}
