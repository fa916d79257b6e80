//! No WebSocket at all.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::wire::Io;

pub async fn run(mut io: Io) {
    let mut buffer = vec![0; 32 << 10];
    poll_fn(|cx| -> Poll<()> {
        loop {
            if let Some(payload) = io.take_push() {
                _ = ready!(Pin::new(&mut io).poll_write(cx, &payload));
            }
            let mut buffer = ReadBuf::new(&mut buffer);
            _ = ready!(Pin::new(&mut io).poll_read(cx, &mut buffer));
            _ = ready!(Pin::new(&mut io).poll_write(cx, buffer.filled()));
        }
    })
    .await;
}
