//! Events as streams.

use sockeye::Server;
use sockeye_client::StreamError;

use crate::{client, serve, within};

#[tokio::test]
async fn a_stream_gives_the_events_of_one_name_in_order_over_reconnections() {
    let (io, address) = serve(Server::builder()).await;
    io.on_connection(|socket: sockeye::Socket| {
        socket.emit("n", (1, "one"));
        socket.emit("other", ());
        socket.emit("n", (2, "two"));
        socket.emit("n", "wrong");
    });
    let client = client(address).build().unwrap();
    let mut stream = client.events::<(u32, String)>("n");
    client.connect().await.unwrap();
    for _ in 0..2 {
        assert_eq!(within("event", stream.next()).await, Some(Ok((1, "one".to_owned()))));
        assert_eq!(within("event", stream.next()).await, Some(Ok((2, "two".to_owned()))));
        let wrong = within("event", stream.next()).await;
        assert!(matches!(wrong, Some(Err(StreamError::Arguments(_)))), "{wrong:?}");
        client.break_connection();
    }
    client.close().await;
}
