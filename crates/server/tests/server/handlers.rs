//! What handlers take, return and do.

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sockeye::{
    Ack, Counts, DisconnectReason, EmitError, EventErrorKind, EventName, Extension, Raw, Rest,
    Server, Socket, State,
};

use crate::{
    channel,
    client::{Client, Frame, eventually},
    serve, with_hook,
};

#[tokio::test]
async fn a_tuple_is_several_arguments_unit_none_and_an_array_one() {
    let (io, addr) = serve(Server::builder()).await;
    let mut client = Client::connect(addr).await;
    io.emit("e", ());
    io.emit("e", "one");
    io.emit("e", ("one", 2, 3.5));
    io.emit("e", (("nested", 1),));
    io.emit("e", [1, 2]);
    io.emit("e", vec!["a"]);
    io.emit("e", None::<u8>);
    io.emit("e", json!([1, {"a": null}]));
    io.emit("a \"quoted\" name", Rest(vec![1, 2]));
    client.expect(r#"42["e"]"#).await;
    client.expect(r#"42["e","one"]"#).await;
    client.expect(r#"42["e","one",2,3.5]"#).await;
    client.expect(r#"42["e",["nested",1]]"#).await;
    client.expect(r#"42["e",[1,2]]"#).await;
    client.expect(r#"42["e",["a"]]"#).await;
    client.expect(r#"42["e",null]"#).await;
    client.expect(r#"42["e",[1,{"a":null}]]"#).await;
    client.expect(r#"42["a \"quoted\" name",1,2]"#).await;
}

#[tokio::test]
async fn the_handlers_of_the_namespace_come_before_those_of_the_socket_each_in_order() {
    let (io, addr) = serve(Server::builder()).await;
    io.on_connection(|socket: Socket| {
        socket.on("e", |socket: Socket| socket.emit("third", ()));
        socket.on("e", |socket: Socket| socket.emit("fourth", ()));
    });
    io.on("e", |socket: Socket| socket.emit("first", ()));
    io.on("e", |socket: Socket| async move { socket.emit("second", ()) });
    let mut client = Client::connect(addr).await;
    client.send(r#"42["e"]"#).await;
    for name in ["first", "second", "third", "fourth"] {
        client.expect(&format!(r#"42["{name}"]"#)).await;
    }
}

#[tokio::test]
async fn a_handler_registered_in_a_handler_hears_the_next_event() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("listen", |socket: Socket| {
        socket.on("e", |socket: Socket| {
            socket.emit("heard", ());
            socket.on("f", |socket: Socket| socket.emit("heard too", ()));
        });
    });
    let mut client = Client::connect(addr).await;
    for name in ["e", "listen", "f", "e", "f"] {
        client.send(&format!(r#"42["{name}"]"#)).await;
    }
    client.expect(r#"42["heard"]"#).await;
    client.expect(r#"42["heard too"]"#).await;
}

#[tokio::test]
async fn a_handler_for_once_hears_one_event() {
    let (io, addr) = serve(Server::builder()).await;
    io.of("/").once("e", |socket: Socket| socket.emit("of the namespace", ()));
    io.on_connection(|socket: Socket| {
        socket.once("e", |socket: Socket| socket.emit("of the socket", ()));
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"42["e"]"#).await;
    client.expect(r#"42["of the namespace"]"#).await;
    client.expect(r#"42["of the socket"]"#).await;
    client.send(r#"42["e"]"#).await;
    io.emit("nothing else", ());
    client.expect(r#"42["nothing else"]"#).await;
}

#[tokio::test]
async fn a_handler_for_once_is_not_there_any_more_when_it_has_run() {
    let (io, addr) = serve(Server::builder()).await;
    let id = io.of("/").once("e", || "once");
    io.on("other", || "done");
    let mut client = Client::connect(addr).await;
    client.send(r#"420["e"]"#).await;
    client.expect(r#"430["once"]"#).await;
    assert!(!io.of("/").off_listener(id));
    assert!(!io.of("/").off("e"));
}

#[tokio::test]
async fn what_is_switched_off_hears_nothing() {
    let (io, addr) = serve(Server::builder()).await;
    let namespace = io.of("/");
    io.on("e", || "kept");
    let one = io.on("e", |socket: Socket| socket.emit("not called", ()));
    io.on("f", |socket: Socket| socket.emit("not called", ()));
    assert!(namespace.off_listener(one));
    assert!(!namespace.off_listener(one), "it is gone already");
    assert!(namespace.off("f"));
    assert!(!namespace.off("f"));
    io.on_connection(|socket: Socket| {
        let one = socket.on("g", |socket: Socket| socket.emit("not called", ()));
        socket.on("g", || "kept too");
        socket.on("h", |socket: Socket| socket.emit("not called", ()));
        assert!(socket.off_listener(one) && !socket.off_listener(one));
        assert!(socket.off("h") && !socket.off("h"));
        assert!(!socket.off("e"), "those of the namespace stay");
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"42["f"]"#).await;
    client.send(r#"42["h"]"#).await;
    client.send(r#"420["e"]"#).await;
    client.expect(r#"430["kept"]"#).await;
    client.send(r#"421["g"]"#).await;
    client.expect(r#"431["kept too"]"#).await;
}

#[tokio::test]
async fn a_connection_handler_can_be_switched_off() {
    let (io, addr) = serve(Server::builder()).await;
    let id = io.on_connection(|socket: Socket| socket.emit("one", ()));
    io.on_connection(|socket: Socket| socket.emit("two", ()));
    assert!(io.of("/").off_listener(id));
    let mut client = Client::connect(addr).await;
    client.expect(r#"42["two"]"#).await;
}

#[tokio::test]
async fn a_connection_handler_takes_the_auth() {
    #[derive(Deserialize)]
    struct Auth {
        name: String,
    }

    let (builder, mut errors) = with_hook();
    let (io, addr) = serve(builder).await;
    io.on_connection(|socket: Socket, auth: Auth| socket.emit("hello", auth.name));
    let mut client = Client::open(addr).await;
    client.join("/", r#"{"name":"ann"}"#).await;
    client.expect(r#"42["hello","ann"]"#).await;
    let mut other = Client::open(addr).await;
    other.join("/", r#"{"nom":"ann"}"#).await;
    let (event, error) = errors.next().await;
    assert_eq!(event, "connection");
    assert!(error.starts_with("argument 1: missing field `name`"), "{error}");
}

#[tokio::test]
async fn the_state_of_the_server_is_shared_by_all_handlers() {
    let (io, addr) = serve(Server::builder().state(AtomicUsize::new(5)).state("text")).await;
    io.on("count", |State(counter): State<AtomicUsize>| counter.fetch_add(1, Ordering::Relaxed));
    io.on("text", |text: State<&'static str>| *text.0);
    let [mut a, mut b] = [Client::connect(addr).await, Client::connect(addr).await];
    a.send(r#"420["count"]"#).await;
    a.expect("430[5]").await;
    b.send(r#"420["count"]"#).await;
    b.expect("430[6]").await;
    b.send(r#"421["text"]"#).await;
    b.expect(r#"431["text"]"#).await;
}

#[tokio::test]
async fn a_missing_state_is_told_to_the_hook_and_not_to_the_client() {
    let (builder, mut errors) = with_hook();
    let (io, addr) = serve(builder).await;
    io.on("count", |_: State<AtomicUsize>| 1);
    let mut client = Client::connect(addr).await;
    client.send(r#"420["count"]"#).await;
    let (event, error) = errors.next().await;
    assert_eq!(event, "count");
    assert!(error.contains("no state of type core::sync::atomic::"), "{error}");
    assert!(error.contains("Server::builder().state("), "{error}");
    io.emit("nothing else", ());
    client.expect(r#"42["nothing else"]"#).await;
}

#[tokio::test]
async fn an_extension_is_what_a_layer_has_put_into_the_request() {
    #[derive(Clone)]
    struct User(&'static str);

    /// A layer that knows who is asking.
    #[derive(Clone)]
    struct Identify<S>(S);

    impl<S, B> tower_service::Service<http::Request<B>> for Identify<S>
    where
        S: tower_service::Service<http::Request<B>>,
    {
        type Response = S::Response;
        type Error = S::Error;
        type Future = S::Future;

        fn poll_ready(
            &mut self,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), S::Error>> {
            self.0.poll_ready(cx)
        }

        fn call(&mut self, mut request: http::Request<B>) -> S::Future {
            request.extensions_mut().insert(User("ann"));
            self.0.call(request)
        }
    }

    let (builder, mut errors) = with_hook();
    let io = builder.build().unwrap();
    io.on("who", |user: Extension<User>| user.0.0);
    io.on("what", |_: Extension<u8>| "not called");
    // Somebody has to speak HTTP; another server does that here, for all paths but its own.
    let front = Server::builder().path("/front").build().unwrap();
    let service = Identify(io.service());
    let addr = front.listen_with("127.0.0.1:0", service).await.unwrap().local_addr();
    let mut client = Client::connect(addr).await;
    client.send(r#"420["who"]"#).await;
    client.expect(r#"430["ann"]"#).await;
    client.send(r#"421["what"]"#).await;
    let error = ("what".to_owned(), "the request has no extension of type u8".to_owned());
    assert_eq!(errors.next().await, error);
}

#[tokio::test]
async fn a_handler_may_ask_for_its_surroundings_between_the_arguments() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("e", |first: u8, socket: Socket, name: EventName, second: u8, io: Server, ack: Ack| {
        assert_eq!(io.sockets().len(), 1);
        ack.send((socket.id().as_str(), name.0, first, second));
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"420["e",1,2,"a surplus argument"]"#).await;
    client.expect(&format!(r#"430["{}","e",1,2]"#, client.id.clone())).await;
}

#[tokio::test]
async fn an_option_takes_a_missing_argument() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("e", |a: u8, b: Option<u8>, c: Option<u8>| (a, b, c));
    let mut client = Client::connect(addr).await;
    client.send(r#"420["e",1,null]"#).await;
    client.expect("430[1,null,null]").await;
    client.send(r#"421["e",1,2,3]"#).await;
    client.expect("431[1,2,3]").await;
}

#[tokio::test]
async fn raw_and_rest_pass_arguments_on_as_they_came() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("one", |socket: Socket, raw: Raw| socket.emit("one", raw));
    io.on("all", |socket: Socket, rest: Rest<Raw>| socket.emit("all", rest));
    io.on("sum", |rest: Rest<i64>| rest.0.iter().sum::<i64>());
    let mut client = Client::connect(addr).await;
    client.send(r#"42["one",{"b" : 1.50, "a":[]}]"#).await;
    client.expect(r#"42["one",{"b" : 1.50, "a":[]}]"#).await;
    client.send(r#"42["all",1,"two",[3]]"#).await;
    client.expect(r#"42["all",1,"two",[3]]"#).await;
    client.send(r#"42["all"]"#).await;
    client.expect(r#"42["all"]"#).await;
    client.send(r#"420["sum",1,2,39]"#).await;
    client.expect("430[42]").await;
}

const PLACEHOLDER_0: &str = r#"{"_placeholder":true,"num":0}"#;
const PLACEHOLDER_1: &str = r#"{"_placeholder":true,"num":1}"#;

#[tokio::test]
async fn bytes_come_and_go_as_attachments() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("photo", |socket: Socket, name: String, photo: Bytes| {
        socket.emit("thanks", (photo.slice(1..), name));
        photo.slice(..1)
    });
    let mut client = Client::connect(addr).await;
    client.send(&format!(r#"451-7["photo","me",{PLACEHOLDER_0}]"#)).await;
    client.send_binary(&[1, 2, 3]).await;
    client.expect(&format!(r#"451-["thanks",{PLACEHOLDER_0},"me"]"#)).await;
    client.expect_binary(&[2, 3]).await;
    client.expect(&format!("461-7[{PLACEHOLDER_0}]")).await;
    client.expect_binary(&[1]).await;
}

#[tokio::test]
async fn attachments_may_stand_anywhere_inside_an_argument() {
    #[derive(Serialize, Deserialize)]
    struct Album {
        title: String,
        photos: Vec<Photo>,
    }

    #[derive(Serialize, Deserialize)]
    struct Photo {
        data: Bytes,
    }

    let (io, addr) = serve(Server::builder()).await;
    io.on("album", |socket: Socket, mut album: Album| {
        album.photos.reverse();
        socket.emit("album", album);
    });
    io.on("raw", |socket: Socket, raw: Raw| socket.broadcast().emit("raw", (1, raw)));
    let [mut a, mut b] = [Client::connect(addr).await, Client::connect(addr).await];
    let photos = format!(
        r#"{{"title":"t","photos":[{{"data":{PLACEHOLDER_0}}},{{"data":{PLACEHOLDER_1}}}]}}"#
    );
    for name in ["album", "raw"] {
        a.send(&format!(r#"452-["{name}",{photos}]"#)).await;
        a.send_binary(b"first").await;
        a.send_binary(b"second").await;
    }
    a.expect(&format!(r#"452-["album",{photos}]"#)).await;
    a.expect_binary(b"second").await;
    a.expect_binary(b"first").await;
    b.expect(&format!(r#"452-["raw",1,{photos}]"#)).await;
    b.expect_binary(b"first").await;
    b.expect_binary(b"second").await;
}

#[tokio::test]
async fn what_a_handler_returns_is_the_acknowledgement() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("value", |n: u8| n + 1);
    io.on("async value", |n: u8| async move { n + 1 });
    io.on("async closure", async |n: u8| n + 1);
    io.on("tuple", || ("a", 2));
    io.on("array", || [1, 2]);
    io.on("ok", || Ok::<_, io::Error>("fine"));
    io.on("ok tuple", || async { Ok::<_, String>(("a", 2)) });
    io.on("option", || None::<u8>);
    io.on("json", || json!({"a": 1}));
    let mut client = Client::connect(addr).await;
    let table = [
        (r#"["value",1]"#, "[2]"),
        (r#"["async value",1]"#, "[2]"),
        (r#"["async closure",1]"#, "[2]"),
        (r#"["tuple"]"#, r#"["a",2]"#),
        (r#"["array"]"#, "[[1,2]]"),
        (r#"["ok"]"#, r#"["fine"]"#),
        (r#"["ok tuple"]"#, r#"["a",2]"#),
        (r#"["option"]"#, "[null]"),
        (r#"["json"]"#, r#"[{"a":1}]"#),
    ];
    for (id, (event, answer)) in table.into_iter().enumerate() {
        client.send(&format!("42{id}{event}")).await;
        client.expect(&format!("43{id}{answer}")).await;
    }
}

#[tokio::test]
async fn a_handler_that_returns_nothing_acknowledges_nothing() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("nothing", || ());
    io.on("ok of nothing", || async { Ok::<(), String>(()) });
    io.on("value", |socket: Socket| {
        socket.emit("nobody asked", ());
        1
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"420["nothing"]"#).await;
    client.send(r#"421["ok of nothing"]"#).await;
    client.send(r#"422["nobody listens"]"#).await;
    client.send(r#"42["value"]"#).await;
    client.expect(r#"42["nobody asked"]"#).await;
    client.send(r#"423["value"]"#).await;
    client.expect(r#"42["nobody asked"]"#).await;
    client.expect("433[1]").await;
}

#[tokio::test]
async fn an_err_goes_to_the_hook_and_not_to_the_client() {
    let (builder, mut errors) = with_hook();
    let (io, addr) = serve(builder).await;
    io.on("text", || Err::<u8, _>("out of order"));
    io.on("json", || async { Err::<(), _>(json!({"code": 7})) });
    io.on("error", || Err::<(), _>(io::Error::other("disk full")));
    let mut client = Client::connect(addr).await;
    for (event, text) in
        [("text", "out of order"), ("json", r#"{"code":7}"#), ("error", "disk full")]
    {
        client.send(&format!(r#"420["{event}"]"#)).await;
        assert_eq!(errors.next().await, (event.to_owned(), text.to_owned()));
    }
    io.emit("nothing else", ());
    client.expect(r#"42["nothing else"]"#).await;
}

#[tokio::test]
async fn an_err_reaches_the_client_once_send_errors_is_on() {
    let (builder, mut errors) = with_hook();
    let (io, addr) = serve(builder.send_errors(true)).await;
    io.on("e", || async { Err::<u8, _>("out of order") });
    let mut client = Client::connect(addr).await;
    client.send(r#"420["e"]"#).await;
    client.expect(r#"430[{"error":"out of order"}]"#).await;
    client.send(r#"42["e"]"#).await;
    io.emit("nothing else", ());
    client.expect(r#"42["nothing else"]"#).await;
    assert_eq!(errors.next().await.1, "out of order");
    assert_eq!(errors.next().await.1, "out of order");
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_told_to_the_hook_and_to_a_client_that_asked() {
    let (builder, mut errors) = with_hook();
    let (io, addr) = serve(builder).await;
    io.on("e", |_: String, _: i64| "not called");
    let mut client = Client::connect(addr).await;
    client.send(r#"420["e","a","b"]"#).await;
    let wrong = r#"argument 2: invalid type: string "b", expected i64"#;
    let escaped = Value::from(wrong);
    client.expect(&format!(r#"430[{{"error":{escaped}}}]"#)).await;
    assert_eq!(errors.next().await, ("e".to_owned(), wrong.to_owned()));

    client.send(r#"421["e","a"]"#).await;
    let missing = "argument 2 is missing: expected i64";
    client.expect(&format!(r#"431[{{"error":"{missing}"}}]"#)).await;
    assert_eq!(errors.next().await, ("e".to_owned(), missing.to_owned()));

    client.send(r#"42["e"]"#).await;
    assert_eq!(errors.next().await.1, "argument 1 is missing: expected a string");
    io.emit("still connected", ());
    client.expect(r#"42["still connected"]"#).await;
}

#[tokio::test]
async fn the_hook_knows_socket_namespace_event_and_cause() {
    let (tell, mut told) = channel();
    let builder = Server::builder().on_error(move |error| {
        let is_panic = matches!(error.kind(), EventErrorKind::Panic(_));
        let namespace = error.namespace().to_owned();
        let _ = tell.send((error.socket().to_string(), namespace, is_panic, error.to_string()));
    });
    let (io, addr) = serve(builder).await;
    io.of("/admin").on("e", || panic!("oh no"));
    let mut client = Client::open(addr).await;
    let id = client.join("/admin", "").await;
    client.send(r#"42/admin,["e"]"#).await;
    let (socket, namespace, is_panic, text) = told.next().await;
    assert_eq!((socket, namespace, is_panic), (id.clone(), "/admin".to_owned(), true));
    assert_eq!(text, format!("event `e` of socket /admin{id}: the handler panicked: oh no"));
}

#[tokio::test]
async fn a_panic_costs_one_event_and_nothing_else() {
    let (builder, mut errors) = with_hook();
    let (io, addr) = serve(builder).await;
    io.on("plain", || panic!("at once"));
    io.on("plain", |socket: Socket| socket.emit("the other handler", ()));
    io.on("first poll", || async { panic!("before the first await") });
    io.on("later", || async {
        tokio::task::yield_now().await;
        panic!("after an await")
    });
    let mut client = Client::connect(addr).await;
    for (event, text) in [
        ("plain", "at once"),
        ("first poll", "before the first await"),
        ("later", "after an await"),
    ] {
        client.send(&format!(r#"420["{event}"]"#)).await;
        let expected = format!("the handler panicked: {text}");
        assert_eq!(errors.next().await, (event.to_owned(), expected));
        client.send(r#"42["plain"]"#).await;
        client.expect(r#"42["the other handler"]"#).await;
        let expected = "the handler panicked: at once".to_owned();
        assert_eq!(errors.next().await, ("plain".to_owned(), expected));
        if event == "plain" {
            client.expect(r#"42["the other handler"]"#).await;
        }
    }
}

#[tokio::test]
async fn a_panic_at_connection_and_disconnection_is_told_to_the_hook() {
    let (builder, mut errors) = with_hook();
    let (io, addr) = serve(builder).await;
    io.on_connection(|| panic!("hello"));
    io.on_disconnect(|| panic!("goodbye"));
    io.on("e", || "still here");
    let mut client = Client::connect(addr).await;
    client.send(r#"420["e"]"#).await;
    client.expect(r#"430["still here"]"#).await;
    client.send("41").await;
    let panicked =
        |event: &str, text: &str| (event.to_owned(), format!("the handler panicked: {text}"));
    assert_eq!(errors.next().await, panicked("connection", "hello"));
    assert_eq!(errors.next().await, panicked("disconnect", "goodbye"));
}

#[tokio::test]
async fn a_panic_in_the_error_hook_costs_one_event_and_nothing_else() {
    let (io, addr) = serve(Server::builder().on_error(|_| panic!("the hook"))).await;
    io.on("bad", || Err::<u8, _>("bad"));
    io.on("good", || "good");
    let mut client = Client::connect(addr).await;
    client.send(r#"42["bad"]"#).await;
    client.send(r#"420["good"]"#).await;
    client.expect(r#"430["good"]"#).await;
    client.close().await;
    eventually("the socket's end", || io.counts() == Counts::default()).await;
}

#[tokio::test]
async fn a_reserved_name_cannot_be_emitted() {
    let (io, addr) = serve(Server::builder()).await;
    let mut sockets = crate::sockets(&io);
    let mut client = Client::connect(addr).await;
    let socket = sockets.next().await;
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener"] {
        let reserved = Err(EmitError::ReservedName(name.to_owned()));
        assert_eq!(socket.try_emit(name, 1), reserved);
        assert_eq!(io.try_emit(name, 1), reserved);
        assert_eq!(io.to("room").try_emit(name, 1), reserved);
        socket.emit(name, 1);
    }
    assert_eq!(socket.try_emit("e", 1), Ok(()));
    client.expect(r#"42["e",1]"#).await;
}

#[tokio::test]
async fn a_value_without_a_form_on_the_wire_cannot_be_emitted() {
    let (io, addr) = serve(Server::builder()).await;
    let mut client = Client::connect(addr).await;
    let map = std::collections::HashMap::from([((1, 2), 3)]);
    let error = io.try_emit("e", ("fine", &map)).unwrap_err();
    assert_eq!(error.to_string(), "argument 2 does not serialise: key must be a string");
    io.emit("e", &map);
    io.emit("e", "next");
    assert_eq!(client.next().await, Frame::Text(r#"42["e","next"]"#.to_owned()));
}

#[tokio::test]
async fn a_client_cannot_emit_the_names_of_the_library() {
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = crate::reasons(&io);
    let mut client = Client::connect(addr).await;
    client.send(r#"42["disconnect","forged"]"#).await;
    assert_eq!(reasons.next().await, DisconnectReason::ForcedClose);
}

#[tokio::test]
async fn the_handshake_tells_headers_query_and_address() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("e", |socket: Socket| {
        let handshake = socket.handshake();
        let header = handshake.headers()["x-test"].to_str().unwrap().to_owned();
        let version = handshake.query().get("EIO").unwrap().to_owned();
        (header, version, handshake.address().unwrap(), handshake.is_cross_domain())
    });
    let mut client = Client::try_open(addr, "X-Test: yes\r\n").await.unwrap();
    client.join("/", "").await;
    client.send(r#"420["e"]"#).await;
    client.expect(r#"430["yes","4","127.0.0.1",false]"#).await;
}

#[tokio::test]
async fn a_thread_without_a_runtime_may_emit_and_disconnect() {
    let (io, addr) = serve(Server::builder()).await;
    let mut reasons = crate::reasons(&io);
    let mut sockets = crate::sockets(&io);
    let mut client = Client::connect(addr).await;
    let socket = sockets.next().await;
    let thread = std::thread::spawn(move || {
        socket.join("room");
        io.to("room").emit("e", "from a thread");
        socket.disconnect_all();
    });
    client.expect(r#"42["e","from a thread"]"#).await;
    client.expect("41").await;
    thread.join().unwrap();
    assert_eq!(reasons.next().await, DisconnectReason::ServerNamespaceDisconnect);
}

#[tokio::test]
async fn data_is_kept_with_the_socket() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("set", |socket: Socket, data: Value| socket.set_data(data).map_err(|e| e.to_string()));
    io.on("get", |socket: Socket| socket.data::<Value>().unwrap());
    let mut client = Client::connect(addr).await;
    client.send(r#"420["get"]"#).await;
    client.expect("430[null]").await;
    client.send(r#"42["set",{"name":"ann"}]"#).await;
    client.send(r#"421["get"]"#).await;
    client.expect(r#"431[{"name":"ann"}]"#).await;
}

#[tokio::test]
async fn the_id_of_a_socket_is_emitted_as_text() {
    let (io, addr) = serve(Server::builder()).await;
    io.on_connection(|socket: Socket| socket.emit("id", (socket.id(), [Some(socket.id())])));
    let mut client = Client::connect(addr).await;
    let id = client.id.clone();
    client.expect(&format!(r#"42["id","{id}",["{id}"]]"#)).await;
}

#[tokio::test]
async fn what_a_client_sent_is_quoted_in_short() {
    let (io, addr) = serve(Server::builder()).await;
    io.on("number", |number: i64| number);
    let mut client = Client::connect(addr).await;
    client.send(&format!(r#"420["number","{}"]"#, "x".repeat(100_000))).await;
    let answer = client.text().await;
    assert!(answer.starts_with(r#"430[{"error":"argument 1: invalid type"#), "{answer}");
    assert!(answer.len() < 300, "{answer}");
}

#[tokio::test]
async fn the_server_mirrors_its_main_namespace() {
    let (io, addr) = serve(Server::builder()).await;
    io.once("once", || "once");
    io.on("off", || "off");
    let listener = io.on("listener", || "listener");
    let mut client = Client::connect(addr).await;
    client.send(r#"420["once"]"#).await;
    client.expect(r#"430["once"]"#).await;
    assert!(!io.off("once") && io.off("off") && io.off_listener(listener));
    let socket = io.socket(client.id.parse().unwrap()).expect("it is in");
    socket.join(["a", "b", "c"]);
    socket.leave(["a", "b"]);
    assert_eq!(io.rooms(), ["c".into()]);
}

#[tokio::test]
async fn values_of_a_socket_may_use_it_while_they_are_copied() {
    struct Reentrant(Socket);

    impl Clone for Reentrant {
        fn clone(&self) -> Self {
            self.0.extensions().insert(1_u8);
            Self(self.0.clone())
        }
    }

    let (io, addr) = serve(Server::builder()).await;
    let client = Client::connect(addr).await;
    let socket = io.socket(client.id.parse().unwrap()).expect("it is in");
    socket.extensions().insert(Reentrant(socket.clone()));
    assert!(socket.extensions().get::<Reentrant>().is_some());
    assert_eq!(socket.extensions().get::<u8>(), Some(1));
    assert_eq!(socket.extensions().remove::<u8>(), Some(1));
    assert!(socket.extensions().remove::<Reentrant>().is_some());
}

#[test]
fn an_adapter_may_be_made_by_asking_for_another_namespace() {
    let server = Arc::new(OnceLock::<Server>::new());
    let known = server.clone();
    let builder = Server::builder().adapter(move |name| {
        if let Some(io) = known.get() {
            assert!(name == "/b" || io.of("/b").name() == "/b");
        }
        Arc::new(sockeye::adapter::MemoryAdapter::new())
    });
    let io = builder.build().unwrap();
    assert!(server.set(io.clone()).is_ok());
    assert_eq!(io.of("/a").name(), "/a");
}
