//! What decides which events of a socket reach their handlers.

use sockeye::{Ack, ConnectError, EventName, Server, Socket};

use crate::{channel, client::Client, serve, sockets, with_hook};

/// A handler that answers with what it was told to.
fn answering(io: &Server) {
    io.on("e", |text: String| text);
    io.on("f", |_socket: Socket| "f");
}

#[tokio::test]
async fn an_event_that_is_refused_reaches_no_handler_and_is_not_answered() {
    let (builder, mut errors) = with_hook();
    let (io, addr) = serve(builder).await;
    answering(&io);
    let (tell, mut heard) = channel();
    io.on_any(move |name: EventName| {
        let _ = tell.send(name.0);
    });
    io.on_connection(|socket: Socket| {
        socket.middleware(|name: EventName| if name.0 == "f" { Err("no f") } else { Ok(()) });
        socket.middleware(
            |_name: EventName, text: String| {
                if text == "bad" { Err(ConnectError::new("bad text")) } else { Ok(()) }
            },
        );
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"420["f"]"#).await;
    assert_eq!(errors.next().await, ("f".to_owned(), "no f".to_owned()));
    client.send(r#"421["e","bad"]"#).await;
    assert_eq!(errors.next().await, ("e".to_owned(), "bad text".to_owned()));
    client.send(r#"422["e","good"]"#).await;
    client.expect(r#"432["good"]"#).await;
    assert_eq!(heard.rest(), ["f", "e", "e"], "all are heard by those who hear all");
    assert_eq!(errors.rest(), []);
}

#[tokio::test]
async fn a_client_is_told_of_a_refusal_if_it_is_told_of_errors() {
    let (io, addr) = serve(Server::builder().send_errors(true)).await;
    answering(&io);
    io.on_connection(|socket: Socket| socket.middleware(|| Err::<(), _>("no")));
    let mut client = Client::connect(addr).await;
    client.send(r#"420["f"]"#).await;
    client.expect(r#"430[{"error":"no"}]"#).await;
}

#[tokio::test]
async fn arguments_that_do_not_fit_a_middleware_are_the_clients_mistake() {
    let (builder, mut errors) = with_hook();
    let (io, addr) = serve(builder).await;
    answering(&io);
    io.on_connection(|socket: Socket| socket.middleware(|_: String| Ok::<(), String>(())));
    let mut client = Client::connect(addr).await;
    client.send(r#"420["e",1]"#).await;
    let answer = client.text().await;
    assert!(answer.starts_with(r#"430[{"error":"argument 1: "#), "{answer}");
    assert_eq!(errors.next().await.0, "e");
}

#[tokio::test]
async fn a_middleware_that_waits_holds_up_the_later_events() {
    let (io, addr) = serve(Server::builder()).await;
    answering(&io);
    let (release, wait) = tokio::sync::watch::channel(false);
    let mut sockets = sockets(&io);
    let mut client = Client::connect(addr).await;
    let socket = sockets.next().await;
    socket.middleware(move |name: EventName| {
        let mut wait = wait.clone();
        async move {
            if name.0 == "e" {
                let _ = wait.wait_for(|released| *released).await;
            }
            Ok::<(), String>(())
        }
    });
    client.send(r#"420["e","first"]"#).await;
    client.send(r#"421["f"]"#).await;
    let answer = socket.emit_with_ack::<u8>("question", ());
    client.expect(r#"420["question"]"#).await;
    client.send("430[1]").await;
    assert_eq!(answer.await, Ok(1), "acknowledgements do not wait");
    release.send(true).unwrap();
    client.expect(r#"430["first"]"#).await;
    client.expect(r#"431["f"]"#).await;
}

#[tokio::test]
async fn a_middleware_may_answer_itself() {
    let (io, addr) = serve(Server::builder()).await;
    answering(&io);
    io.on_connection(|socket: Socket| {
        socket.middleware(|ack: Ack| {
            ack.send("cached");
            Err::<(), _>("answered already")
        });
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"420["f"]"#).await;
    client.expect(r#"430["cached"]"#).await;
}

#[tokio::test]
async fn a_middleware_that_panics_refuses_the_event() {
    let (builder, mut errors) = with_hook();
    let (io, addr) = serve(builder).await;
    answering(&io);
    io.on_connection(|socket: Socket| {
        socket.middleware(|name: EventName| -> Result<(), String> {
            assert_ne!(name.0, "f", "no f here");
            Ok(())
        });
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"420["f"]"#).await;
    client.send(r#"421["e","still here"]"#).await;
    client.expect(r#"431["still here"]"#).await;
    let (event, error) = errors.next().await;
    assert_eq!(event, "f");
    assert!(error.starts_with("the handler panicked: "), "{error}");
}

#[tokio::test]
async fn handlers_for_once_behind_a_middleware_are_called_once() {
    let (io, addr) = serve(Server::builder()).await;
    answering(&io);
    io.on_connection(|socket: Socket| {
        socket.middleware(|| Ok::<(), String>(()));
        socket.once("once", || "once");
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"420["once"]"#).await;
    client.send(r#"421["once"]"#).await;
    client.send(r#"422["f"]"#).await;
    client.expect(r#"430["once"]"#).await;
    client.expect(r#"432["f"]"#).await;
}
