//! fastwebsockets, split in two: its reads must not be cancelled, so one waits while we write.

use std::{future::poll_fn, pin::pin, task::Poll};

use bytes::Bytes;
use fastwebsockets::{
    FragmentCollectorRead, Frame, OpCode, Payload, Role, WebSocket, WebSocketError,
};
use tokio::sync::Mutex;

use super::MAX_MESSAGE;
use crate::wire::Io;

enum Event<'a> {
    Received(Result<Frame<'a>, WebSocketError>),
    Pushed(Bytes),
}

pub async fn run(io: Io) {
    let mut socket = WebSocket::after_handshake(io.clone(), Role::Server);
    socket.set_max_message_size(MAX_MESSAGE);
    let (reader, writer) = socket.split(|io| (io.clone(), io));
    let mut reader = FragmentCollectorRead::new(reader);
    let writer = Mutex::new(writer);
    // Pongs, and the answer to a close frame.
    let mut answer = async |frame| writer.lock().await.write_frame(frame).await;

    loop {
        let mut next = pin!(reader.read_frame(&mut answer));
        let frame = loop {
            let event = poll_fn(|cx| match io.take_push() {
                Some(payload) => Poll::Ready(Event::Pushed(payload)),
                None => next.as_mut().poll(cx).map(Event::Received),
            });
            let payload = match event.await {
                Event::Received(Ok(frame)) => break frame,
                Event::Received(Err(_)) => return,
                Event::Pushed(payload) => payload,
            };
            let frame = Frame::text(Payload::Borrowed(&payload));
            if writer.lock().await.write_frame(frame).await.is_err() {
                return;
            }
        };
        if frame.opcode == OpCode::Close || writer.lock().await.write_frame(frame).await.is_err() {
            return;
        }
    }
}
