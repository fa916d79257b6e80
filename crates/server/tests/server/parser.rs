//! Servers whose packets have another form than the default one.

use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use bytestring::ByteString;
use sockeye::{
    AckError, Namespace, Server, Socket,
    parser::{
        Ack, Decode, DecodeError, EncodedPacket, Event, Limits, Message, Packet, Parser, Payload,
        UnfitPacket,
    },
};

use crate::{
    channel,
    client::{Client, eventually},
    serve, sockets,
};

/// Packets as `type namespace name id payload`, each part behind a space but the first; what is
/// not there is `-`. It knows no attachments.
#[derive(Clone, Debug, Default)]
struct Plain {
    /// The message that came last. What is read from it are slices of it.
    last: Arc<Mutex<Bytes>>,
}

impl Parser for Plain {
    fn encode(&self, packet: &Packet) -> Result<EncodedPacket, UnfitPacket> {
        let part = |id: &Option<u64>| id.map_or("-".to_owned(), |id| id.to_string());
        let text = match packet {
            Packet::Connect { namespace, payload } => {
                format!("0 {namespace} - - {}", payload.as_deref().unwrap_or("-"))
            }
            Packet::Disconnect { namespace } => format!("1 {namespace} - - -"),
            Packet::Event(event) if !event.payload.attachments.is_empty() => {
                return Err(UnfitPacket("there are no attachments here".to_owned()));
            }
            Packet::Event(Event { namespace, id, name, payload }) => {
                format!("2 {namespace} {name} {} {}", part(id), payload.json())
            }
            Packet::Ack(Ack { namespace, id, payload }) => {
                format!("3 {namespace} - {} {}", part(id), payload.json())
            }
            Packet::ConnectError { namespace, payload } => format!("4 {namespace} - - {payload}"),
        };
        Ok(EncodedPacket::new(&Message::Text(text.into()), vec![]))
    }

    fn decoder(&self, _: &Limits) -> Box<dyn Decode> {
        Box::new(self.clone())
    }
}

impl Decode for Plain {
    fn decode(&mut self, message: Message) -> Result<Option<Packet>, DecodeError> {
        let Message::Text(text) = message else { return Err(DecodeError::UnexpectedBinary) };
        let message = Bytes::copy_from_slice(&text);
        *self.last.lock().unwrap() = message.clone();
        let text = std::str::from_utf8(&message).map_err(|_| DecodeError::InvalidPayload)?;
        let parts: Vec<_> = text.splitn(5, ' ').collect();
        let [kind, namespace, name, id, payload] = parts[..] else {
            return Err(DecodeError::InvalidPayload);
        };
        let (namespace, id) = (namespace.into(), id.parse().ok());
        Ok(Some(match kind {
            "0" => Packet::Connect { namespace, payload: (payload != "-").then(|| payload.into()) },
            "1" => Packet::Disconnect { namespace },
            "2" => {
                let payload = Payload::new(slice(&message, payload), vec![]);
                Packet::Event(Event { namespace, id, name: slice(&message, name), payload })
            }
            _ => Packet::Ack(Ack { namespace, id, payload: Payload::new(payload, vec![]) }),
        }))
    }
}

fn slice(message: &Bytes, part: &str) -> ByteString {
    message.slice_ref(part.as_bytes()).try_into().expect("a part of a text")
}

/// A server that speaks so, and a client that has joined `/`.
async fn plain() -> (Server, Client) {
    plain_with(Plain::default()).await
}

async fn plain_with(parser: Plain) -> (Server, Client) {
    let (io, addr) = serve(Server::builder().parser(parser)).await;
    let mut client = Client::open(addr).await;
    client.send("40 / - - {\"token\":1}").await;
    let joined = client.text().await;
    assert!(joined.starts_with("40 / - - {\"sid\":\""), "not let in: {joined}");
    (io, client)
}

#[tokio::test]
async fn everything_goes_through_the_parser_of_the_server() {
    let (io, mut client) = plain().await;
    io.on("echo", |text: String| text);
    io.of("/closed").middleware(|| Err::<(), _>("closed"));
    client.send(r#"42 / echo 7 ["echo","x y"]"#).await;
    client.expect(r#"43 / - 7 ["x y"]"#).await;
    client.send("40 /closed - - -").await;
    client.expect(r#"44 /closed - - {"message":"closed"}"#).await;
    client.send("40 /x - - -").await;
    client.expect(r#"44 /x - - {"message":"Invalid namespace"}"#).await;
    io.emit("all", (1, true));
    client.expect(r#"42 / all - ["all",1,true]"#).await;
    let answers = io.emit_with_ack::<u8>("question", ());
    client.expect(r#"42 / question 0 ["question"]"#).await;
    client.send("43 / - 0 [5]").await;
    assert_eq!(answers.await.unwrap(), [5]);
    io.sockets()[0].disconnect();
    client.expect("41 / - - -").await;
}

#[tokio::test]
async fn what_is_emitted_is_heard_in_any_form() {
    let (io, mut client) = plain().await;
    let (tell, mut told) = channel();
    io.on_any_outgoing(move |name: sockeye::EventName, number: u8| {
        let _ = tell.send((name.0, number));
    });
    io.emit("e", 7);
    assert_eq!(told.next().await, ("e".to_owned(), 7));
    client.expect(r#"42 / e - ["e",7]"#).await;
}

#[tokio::test]
async fn what_the_parser_has_no_form_for_is_an_error_and_not_sent() {
    let (io, mut client) = plain().await;
    let error = io.try_emit("photo", bytes::Bytes::from_static(&[1])).unwrap_err();
    assert_eq!(error.to_string(), "there are no attachments here");
    let main: Namespace = io.of("/");
    let socket = main.sockets().remove(0);
    let unsent = socket.emit_with_ack::<u8>("photo", bytes::Bytes::from_static(&[1])).await;
    assert!(matches!(unsent, Err(AckError::Emit(_))), "{unsent:?}");
    io.emit("end", ());
    client.expect(r#"42 / end - ["end"]"#).await;
}

#[tokio::test]
async fn reserved_names_are_refused_whatever_the_parser() {
    let (io, mut client) = plain().await;
    let mut sockets = sockets(&io);
    let (tell, mut told) = channel();
    io.on_disconnect(move |reason: String| {
        let _ = tell.send(reason);
    });
    client.send(r#"42 / disconnect - ["disconnect","forged"]"#).await;
    client.expect_close(None).await;
    assert_eq!(told.next().await, "forced close");
    assert!(sockets.rest().is_empty());
}

#[tokio::test]
async fn clients_in_the_default_form_are_not_understood() {
    let (_io, mut client) = plain().await;
    client.send(r#"42["e"]"#).await;
    client.expect_close(None).await;
}

#[tokio::test]
async fn a_handler_or_a_middleware_that_waits_keeps_no_message_alive() {
    let parser = Plain::default();
    let last = parser.last.clone();
    let (io, mut client) = plain_with(parser).await;
    let (tell, mut told) = channel();
    let wait = move || {
        let _ = tell.send(());
        std::future::pending::<Result<(), String>>()
    };
    io.on("slow", wait.clone());
    io.of("/guarded").on_connection(move |socket: Socket| socket.middleware(wait.clone()));
    client.send("40 /guarded - - -").await;
    client.text().await;
    for namespace in ["/", "/guarded"] {
        client.send(&format!(r#"42 {namespace} slow - ["slow"]"#)).await;
        told.next().await;
        eventually("nobody but the test to have it", || last.lock().unwrap().is_unique()).await;
    }
}

/// Looks at all sockets of a server whenever it writes a packet.
#[derive(Clone, Default)]
struct Curious(Arc<OnceLock<Server>>);

impl Parser for Curious {
    fn encode(&self, packet: &Packet) -> Result<EncodedPacket, UnfitPacket> {
        let sockets = self.0.get().map(Server::sockets).unwrap_or_default();
        sockets.iter().for_each(|socket| drop(socket.rooms()));
        Plain::default().encode(packet)
    }

    fn decoder(&self, limits: &Limits) -> Box<dyn Decode> {
        Plain::default().decoder(limits)
    }
}

#[tokio::test]
async fn a_parser_is_called_with_no_lock_held() {
    let parser = Curious::default();
    let (io, addr) = serve(Server::builder().parser(parser.clone())).await;
    assert!(parser.0.set(io.clone()).is_ok());
    io.on("leave", |socket: Socket| socket.disconnect());
    let mut client = Client::open(addr).await;
    client.send("40 / - - -").await;
    assert!(client.text().await.starts_with("40 / - - {"));
    client.send(r#"42 / leave - ["leave"]"#).await;
    client.expect("41 / - - -").await;
}
