//! Acknowledgements that the server owes, and those that it gets.

use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use sockeye_event::{EncodeError, EncodedArgs, FromReply, SendAck, decode_reply};
use sockeye_protocol::{
    client::AckFailure,
    socket::{PacketBuilder, Payload},
};
use tokio::sync::oneshot;

use crate::{AckError, Socket};

/// Who waits for an acknowledgement.
pub(crate) type Waiter = oneshot::Sender<Result<Payload, AckFailure>>;

/// A server's answer to come.
///
/// The event has been emitted when this is returned; the future only waits. It ends with the
/// answer, at its deadline, or as soon as the connection is lost. Dropping it forgets the answer.
/// Before the client was opened first, its deadline counts if it is awaited in a tokio runtime.
#[must_use = "the event is emitted, but its answer is lost unless this is awaited; use `emit` otherwise"]
pub struct AckFuture<R> {
    state: State,
    reply: PhantomData<fn() -> R>,
}

enum State {
    Failed(AckError),
    Waiting { socket: Socket, id: u64, answer: oneshot::Receiver<Result<Payload, AckFailure>> },
    Done,
}

impl<R> AckFuture<R> {
    pub(crate) fn waiting(
        socket: Socket,
        id: u64,
        answer: oneshot::Receiver<Result<Payload, AckFailure>>,
    ) -> Self {
        Self { state: State::Waiting { socket, id, answer }, reply: PhantomData }
    }

    pub(crate) fn failed(error: AckError) -> Self {
        Self { state: State::Failed(error), reply: PhantomData }
    }
}

impl<R> fmt::Debug for AckFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("AckFuture");
        match &self.state {
            State::Failed(error) => debug.field("error", error),
            State::Waiting { socket, id, .. } => debug.field("socket", socket).field("id", id),
            State::Done => debug.field("is_done", &true),
        };
        debug.finish_non_exhaustive()
    }
}

impl<R: FromReply> Future for AckFuture<R> {
    type Output = Result<R, AckError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let state = &mut self.get_mut().state;
        let outcome = match state {
            State::Failed(_) => None,
            State::Waiting { socket, answer, .. } => {
                // Without the task no deadline would ever come.
                socket.start_if_possible();
                Some(std::task::ready!(Pin::new(answer).poll(cx)))
            }
            State::Done => panic!("a future is not polled after its end"),
        };
        Poll::Ready(match (std::mem::replace(state, State::Done), outcome) {
            (_, Some(Ok(Ok(payload)))) => decode_reply(&payload).map_err(Into::into),
            (_, Some(Ok(Err(failure)))) => Err(failure.into()),
            (State::Failed(error), None) => Err(error),
            // Nobody is left who could answer.
            _ => Err(AckError::Disconnected),
        })
    }
}

impl<R> Drop for AckFuture<R> {
    fn drop(&mut self) {
        if let State::Waiting { socket, id, answer } = &mut self.state {
            answer.close();
            socket.forget_ack(*id);
        }
    }
}

/// Answers an event in the connection in which it came.
pub(crate) struct Answer {
    pub(crate) socket: Socket,
    pub(crate) connection: u32,
}

impl Answer {
    pub(crate) fn ack(socket: Socket, connection: u32, id: u64) -> sockeye_event::Ack {
        sockeye_event::Ack::new(Arc::new(Self { socket, connection }), id)
    }
}

impl SendAck for Answer {
    fn send_ack(&self, id: u64, args: EncodedArgs) {
        let mut packet = PacketBuilder::ack(self.socket.namespace(), id);
        packet.json().extend_from_slice(&args.json);
        match self.socket.shared().convert(packet.finish(args.attachments)) {
            Ok(packet) => self.socket.send_ack(self.connection, &packet),
            Err(error) => {
                let namespace = self.socket.namespace();
                tracing::error!(namespace, %error, "could not acknowledge");
            }
        }
    }

    fn encode_failed(&self, _: u64, error: EncodeError) {
        let namespace = self.socket.namespace();
        tracing::error!(namespace, %error, "could not acknowledge");
    }
}
