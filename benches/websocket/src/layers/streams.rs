//! Layers that are a stream and a sink of messages.

use std::{
    future::poll_fn,
    task::{Poll, ready},
};

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self,
        protocol::{
            Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};
use tokio_websockets::{Limits, ServerBuilder};

use super::MAX_MESSAGE;
use crate::wire::Io;

/// `buffer_bytes` is both the size of the read buffer and how much is collected for a write.
pub async fn tungstenite(io: Io, buffer_bytes: Option<usize>) {
    let mut config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    if let Some(bytes) = buffer_bytes {
        config = config.read_buffer_size(bytes).write_buffer_size(bytes);
    }
    let socket = WebSocketStream::from_raw_socket(io.clone(), Role::Server, Some(config)).await;
    // As a frame, since that spares it the validation of a text which is known to be valid.
    let text = |payload| {
        tungstenite::Message::Frame(Frame::message(payload, OpCode::Data(Data::Text), true))
    };
    run(socket, io, text).await;
}

pub async fn tokio_websockets(io: Io) {
    let limits = Limits::default().max_payload_len(Some(MAX_MESSAGE));
    let socket = ServerBuilder::new().limits(limits).serve(io.clone());
    run(socket, io, tokio_websockets::Message::text::<Bytes>).await;
}

/// Sends each message back, and flushes when no more of them are there, as `StreamExt::forward`
/// does.
async fn run<S, M, E>(mut socket: S, io: Io, text: impl Fn(Bytes) -> M)
where
    S: Stream<Item = Result<M, E>> + Sink<M> + Unpin,
{
    let end = poll_fn(|cx| {
        loop {
            if ready!(socket.poll_ready_unpin(cx)).is_err() {
                return Poll::Ready(());
            }
            let message = match io.take_push() {
                Some(payload) => text(payload),
                None => match socket.poll_next_unpin(cx) {
                    Poll::Ready(Some(Ok(message))) => message,
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => {
                        _ = ready!(socket.poll_flush_unpin(cx));
                        return Poll::Pending;
                    }
                },
            };
            if socket.start_send_unpin(message).is_err() {
                return Poll::Ready(());
            }
        }
    });
    end.await;
    _ = socket.flush().await;
}
