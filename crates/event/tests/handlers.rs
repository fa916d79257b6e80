//! Which functions are handlers, what they get, and what becomes of what they return. Being a crate
//! of its own, this is also what the server and the client see.

use std::{
    fmt, io,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sockeye_event::{
    Ack, ArgumentError, Call, EncodeError, EncodedArgs, Event, EventName, FromEvent, Handler,
    HandlerError, Raw, Rest, SendAck, erase,
};
use sockeye_protocol::socket::Payload;

/// What a server would know about an event.
struct Cx {
    id: u32,
}

/// A server's own parameter.
#[derive(Clone)]
struct Sock(u32);

impl FromEvent<Cx> for Sock {
    fn from_event(cx: &Cx, _: &mut Event<'_>) -> Result<Self, ArgumentError> {
        Ok(Self(cx.id))
    }
}

/// A server's own parameter with a type inside.
struct State<T>(T);

impl<T: Default> FromEvent<Cx> for State<T> {
    fn from_event(_: &Cx, _: &mut Event<'_>) -> Result<Self, ArgumentError> {
        Ok(Self(T::default()))
    }
}

#[derive(Default)]
struct Sent(Mutex<Vec<String>>);

impl SendAck for Sent {
    fn send_ack(&self, id: u64, args: EncodedArgs) {
        let json = String::from_utf8(args.json).unwrap();
        self.0.lock().unwrap().push(format!("{id}[{json}]"));
    }

    fn encode_failed(&self, id: u64, error: EncodeError) {
        self.0.lock().unwrap().push(format!("{id} {error}"));
    }
}

/// Runs a handler on an event with these arguments that asks for an acknowledgement: how the handler
/// ended, and what was sent.
fn run<M: 'static>(args: &str, handler: impl Handler<Cx, M>) -> (Result<(), HandlerError>, String) {
    let sent = Arc::new(Sent::default());
    let result = run_with(args, handler, Ack::new(sent.clone(), 7));
    let sent = sent.0.lock().unwrap().join(" ");
    (result, sent)
}

fn run_with<M: 'static>(
    args: &str,
    handler: impl Handler<Cx, M>,
    ack: Ack,
) -> Result<(), HandlerError> {
    let comma = if args.is_empty() { "" } else { "," };
    let json = format!(r#"["chat"{comma}{args}]"#);
    let payload = Payload::new(json, vec![Bytes::from_static(b"zero")]);
    match erase(handler).call(&Cx { id: 42 }, Event::new("chat", &payload, ack)) {
        Call::Ready(result) => result,
        Call::Pending(future) => finish(future),
    }
}

/// Drives a future that never has to wait.
fn finish<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the handler waits"),
    }
}

fn sends(expected: &str) -> (Result<(), HandlerError>, String) {
    (Ok(()), expected.to_owned())
}

fn fails(message: &str) -> (Result<(), HandlerError>, String) {
    (Err(HandlerError::Failed(message.to_owned())), String::new())
}

#[derive(Serialize, Deserialize)]
struct Point {
    x: i64,
    y: i64,
}

/// An error of the kind that `thiserror` makes.
#[derive(Debug)]
struct Refused(Option<io::Error>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_ref().map(|error| error as _)
    }
}

#[test]
fn parameters_are_positional_and_typed() {
    let all = |letter: String, number: i64, point: Point| async move {
        format!("{letter}{number}{}", point.x + point.y)
    };
    assert_eq!(run(r#""a",1,{"x":2,"y":3}"#, all), sends(r#"7["a15"]"#));
}

#[test]
fn what_surrounds_the_event_takes_no_argument() {
    let handler =
        |sock: Sock, first: String, _: State<u8>, ack: Ack, EventName(name): EventName| {
            ack.send((first, sock.0, name));
        };
    assert_eq!(run(r#""a""#, handler), sends(r#"7["a",42,"chat"]"#));
}

#[test]
fn missing_tails_are_none_and_surplus_is_ignored() {
    let handler = |a: i64, b: Option<i64>| async move { (a, b) };
    assert_eq!(run("1", handler), sends("7[1,null]"));
    assert_eq!(run("1,2,3", handler), sends("7[1,2]"));
}

#[test]
fn raw_rest_and_bytes_are_parameters() {
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    let raw = |raw: Raw, rest: Rest<Raw>, none: Rest<String>| {
        (raw.as_json().to_owned(), rest.0.len(), none.0.len())
    };
    assert_eq!(run("[1,  2],3,4", raw), sends(r#"7["[1,  2]",2,0]"#));
    let bytes = |bytes: Bytes, rest: Rest<i64>| (bytes.len(), rest);
    assert_eq!(run(&format!("{placeholder},1"), bytes), sends("7[4,[1]]"));
}

#[test]
fn a_handler_does_not_run_on_arguments_that_do_not_fit() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = runs.clone();
    let handler = move |_: String, _: i64| {
        counter.fetch_add(1, Ordering::Relaxed);
        async {}
    };
    let (result, sent) = run(r#""a","x""#, handler.clone());
    let error = result.unwrap_err();
    assert!(matches!(&error, HandlerError::Arguments(error) if error.index() == Some(1)));
    assert_eq!(error.to_string(), r#"argument 2: invalid type: string "x", expected i64"#);
    let (result, _) = run(r#""a""#, handler);
    assert_eq!(result.unwrap_err().to_string(), "argument 2 is missing: expected i64");
    assert_eq!((sent.as_str(), runs.load(Ordering::Relaxed)), ("", 0));
}

#[test]
fn what_a_plain_closure_returns_is_the_answer() {
    assert_eq!(run("", || ()), sends(""));
    assert_eq!(run("", || {}), sends(""));
    assert_eq!(run("", || "text"), sends(r#"7["text"]"#));
    assert_eq!(run("", || String::from("text")), sends(r#"7["text"]"#));
    assert_eq!(run("", || Point { x: 1, y: 2 }), sends(r#"7[{"x":1,"y":2}]"#));
    assert_eq!(run("", || (1, "two")), sends(r#"7[1,"two"]"#));
    assert_eq!(run("", || [1, 2]), sends("7[[1,2]]"));
    assert_eq!(run("", || vec![1, 2]), sends("7[[1,2]]"));
    assert_eq!(run("", || Value::Null), sends("7[null]"));
    assert_eq!(run("", || None::<String>), sends("7[null]"));
    assert_eq!(run("", || Rest(vec![1, 2])), sends("7[1,2]"));
    assert_eq!(run("", || Rest(Vec::<u8>::new())), sends("7[]"));
}

#[test]
fn what_an_async_block_returns_is_the_answer() {
    assert_eq!(run("", || async {}), sends(""));
    assert_eq!(run("", || async { "text" }), sends(r#"7["text"]"#));
    assert_eq!(run("", || async { Point { x: 1, y: 2 } }), sends(r#"7[{"x":1,"y":2}]"#));
    assert_eq!(run("", || async { (1, "two") }), sends(r#"7[1,"two"]"#));
    assert_eq!(run("", async || 5), sends("7[5]"));
    assert_eq!(run("1", async |number: i64| number), sends("7[1]"));
    assert_eq!(run("1", async move |number: i64, _: Sock| (number, 2)), sends("7[1,2]"));
    assert_eq!(run("", || Box::pin(async { 5 })), sends("7[5]"));
    assert_eq!(run("", || std::future::ready(5)), sends("7[5]"));
}

#[test]
fn results_answer_or_fail() {
    assert_eq!(run("", || Ok::<(), String>(())), sends(""));
    assert_eq!(run("", || Ok::<_, String>((1, 2))), sends("7[1,2]"));
    assert_eq!(run("", || Err::<(), _>(String::from("no"))), fails("no"));
    assert_eq!(run("", || Err::<(), _>("no")), fails("no"));
    assert_eq!(run("", || Err::<String, _>(json!({"code": 1}))), fails(r#"{"code":1}"#));
    assert_eq!(run("", || Err::<String, _>(json!("no"))), fails("no"));
    assert_eq!(run("", || Ok::<_, io::Error>(5)), sends("7[5]"));
    assert_eq!(run("", || Ok::<_, io::Error>(())), sends(""));
    assert_eq!(run("", || Err::<(), _>(io::Error::other("disk"))), fails("disk"));
    assert_eq!(run("", || Err::<(), _>(Refused(None))), fails("refused"));
    let nested = || Err::<(), _>(Refused(Some(io::Error::other("disk"))));
    assert_eq!(run("", nested), fails("refused: disk"));
    type Boxed = Box<dyn std::error::Error + Send + Sync>;
    assert_eq!(run("", || Err::<(), Boxed>("no".into())), fails("no"));
    assert_eq!(run("", || Ok::<_, Boxed>("yes")), sends(r#"7["yes"]"#));
    assert_eq!(run("", || Err::<(), Box<dyn std::error::Error>>("no".into())), fails("no"));
}

#[test]
fn an_error_of_both_kinds_is_told_which_to_be() {
    #[derive(Debug, Serialize)]
    struct Both;

    impl fmt::Display for Both {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("both")
        }
    }

    impl std::error::Error for Both {}

    fn fail() -> Result<(), Both> {
        Err(Both)
    }
    assert_eq!(run("", || fail().map_err(|error| error.to_string())), fails("both"));
    let boxed = || fail().map_err(Box::<dyn std::error::Error + Send + Sync>::from);
    assert_eq!(run("", boxed), fails("both"));
}

#[test]
fn async_results_answer_or_fail() {
    async fn parse(text: String) -> Result<i64, Box<dyn std::error::Error + Send + Sync>> {
        Ok(text.parse::<i64>()?)
    }
    async fn refuse(_: String) -> Result<(), Refused> {
        Err(Refused(None))
    }
    async fn text(_: String) -> Result<(), String> {
        Err("no".into())
    }
    assert_eq!(run(r#""5""#, parse), sends("7[5]"));
    assert_eq!(run(r#""x""#, parse), fails("invalid digit found in string"));
    assert_eq!(run(r#""x""#, refuse), fails("refused"));
    assert_eq!(run(r#""x""#, text), fails("no"));
    let closure = |text: String| async move {
        let number: i64 = text.parse().map_err(io::Error::other)?;
        Ok::<_, io::Error>(number)
    };
    assert_eq!(run(r#""5""#, closure), sends("7[5]"));
}

#[cfg(feature = "anyhow")]
#[test]
fn anyhow_results_answer_or_fail() {
    use anyhow::Context as _;
    let handler = |text: String| async move {
        let number: i64 = text.parse().context("no number")?;
        anyhow::Ok(number)
    };
    assert_eq!(run(r#""5""#, handler), sends("7[5]"));
    assert_eq!(run(r#""x""#, handler), fails("no number: invalid digit found in string"));
}

#[test]
fn functions_are_handlers() {
    fn plain(a: String, b: Option<u8>) -> (String, Option<u8>) {
        (a, b)
    }
    async fn nothing() {}
    async fn answer(sock: Sock, a: String) -> String {
        format!("{a}{}", sock.0)
    }
    assert_eq!(run(r#""a",1"#, plain), sends(r#"7["a",1]"#));
    assert_eq!(run("", nothing), sends(""));
    assert_eq!(run(r#""a""#, answer), sends(r#"7["a42"]"#));
}

#[test]
fn an_event_that_comes_from_no_packet_has_neither_arguments_nor_acknowledgement() {
    let handler = erase(|sock: Sock, none: Option<u8>, ack: Ack, EventName(name): EventName| {
        assert_eq!((sock.0, none, ack.is_requested(), name.as_str()), (42, None, false, "connect"));
        "nobody asked"
    });
    let call = handler.call(&Cx { id: 42 }, Event::without_args("connect"));
    assert!(matches!(call, Call::Ready(Ok(()))));
}

#[test]
fn handlers_may_have_twelve_parameters() {
    type N = u8;
    let handler = |a: N, b: N, c: N, d: N, e: N, f: N, g: N, h: N, i: N, j: N, k: N, l: N| async move {
        a + b + c + d + e + f + g + h + i + j + k + l
    };
    assert_eq!(run("1,1,1,1,1,1,1,1,1,1,1,1", handler), sends("7[12]"));
}

#[test]
fn handlers_that_never_return_compile() {
    fn exit(_: String) -> ! {
        panic!("on purpose")
    }
    let _ = [
        erase::<Cx, _, _>(|_: String| async move {
            loop {
                std::future::pending::<()>().await;
            }
        }),
        erase(|| async { panic!("on purpose") }),
        erase(|_: Sock| panic!("on purpose")),
        erase(exit),
        erase(async |_: Sock| {
            loop {
                std::future::pending::<()>().await;
            }
        }),
    ];
}

#[test]
fn a_value_is_serialised_only_for_who_asked() {
    struct Loud;
    impl Serialize for Loud {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_map(None)?;
            panic!("serialised")
        }
    }
    assert_eq!(run_with("", || Loud, Ack::none()), Ok(()));
    assert_eq!(run_with("", || Ok::<_, String>(Loud), Ack::none()), Ok(()));
    assert_eq!(run_with("", || Ok::<_, io::Error>((Loud, 1)), Ack::none()), Ok(()));
    let failure = run_with("", || Err::<Loud, _>("no"), Ack::none());
    assert_eq!(failure, Err(HandlerError::Failed("no".into())));
}

#[test]
fn an_answer_that_does_not_serialise_is_the_handlers_failure() {
    let handler = || std::collections::HashMap::from([((1, 2), 3)]);
    let (result, sent) = run("", handler);
    let expected = EncodeError::Serialize { index: 0, message: "key must be a string".into() };
    assert_eq!((result, sent.as_str()), (Err(HandlerError::Reply(expected)), ""));
}

#[test]
fn what_was_sent_before_wins_over_what_is_returned() {
    let handler = |ack: Ack| {
        ack.send("first");
        "second"
    };
    assert_eq!(run("", handler), sends(r#"7["first"]"#));
}
