//! Packets in another form.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sockeye::Server;
use sockeye_client::parser::MessagePack;

use crate::{WAYS, channel, client, serve, within};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reading {
    value: f64,
    raw: Bytes,
}

#[tokio::test]
async fn messagepack_says_what_json_says() {
    for transports in WAYS {
        let (io, address) = serve(Server::builder().parser(sockeye::parser::MessagePack)).await;
        io.middleware(|socket: sockeye::Socket| {
            let auth: Value = socket.auth().unwrap();
            if auth["token"] == "t" { Ok(()) } else { Err("who are you?") }
        });
        io.on("echo", |args: sockeye::Rest<sockeye::Raw>| args);
        io.on("ask me", |socket: sockeye::Socket, reading: Reading| async move {
            let answer = socket.emit_with_ack::<Reading>("question", reading).await.unwrap();
            socket.emit("answer", answer);
        });
        let (tell, mut told) = channel();
        let client = client(address)
            .transports(transports.iter().copied())
            .parser(MessagePack)
            .build()
            .unwrap();
        let refusal = within("connect", client.connect()).await.unwrap_err();
        assert_eq!(refusal.to_string(), "who are you?");
        client.set_auth(json!({ "token": "t" })).unwrap();
        client.on("question", |reading: Reading| Reading { value: reading.value + 1.0, ..reading });
        client.on("answer", move |reading: Reading| tell.send(reading).unwrap());
        within("connect", client.connect()).await.unwrap();
        let reading = Reading { value: 0.5, raw: Bytes::from_static(&[0, 255]) };
        let answer = client.emit_with_ack::<(Reading, Option<u8>)>("echo", (&reading, None::<u8>));
        assert_eq!(within("answer", answer).await.unwrap(), (reading.clone(), None));
        client.emit("ask me", &reading);
        assert_eq!(told.next().await, Reading { value: 1.5, ..reading });
        let other = client.socket("/other");
        assert!(within("connect", other.connect()).await.is_err());
        client.close().await;
    }
}
