//! What becomes of events that cannot leave at once.

use std::time::Duration;

use sockeye_protocol::{
    client::{AckRequest, Config, NotSent, Policy},
    engine::{ClientInput, ClientOutput},
};

use crate::rig::{Rig, config, millis, secs};

#[test]
fn events_wait_for_the_connection_and_leave_in_order() {
    let mut rig = Rig::new(config());
    rig.emit("a", Policy::Buffer).unwrap();
    rig.manager.open(rig.now, rig.main);
    rig.emit("b", Policy::Buffer).unwrap();
    rig.news();
    rig.accept();
    rig.emit("c", Policy::Buffer).unwrap();
    let news = rig.say(r#"40{"sid":"s"}"#);
    assert_eq!(news, ["connected", r#"42["a"]"#, r#"42["b"]"#, r#"42["c"]"#]);
    assert_eq!(rig.manager.waiting_bytes(rig.main), 0);
}

#[test]
fn events_wait_while_the_connection_is_lost() {
    let mut rig = Rig::connected(config());
    rig.fail();
    rig.emit("later", Policy::Buffer).unwrap();
    rig.run(secs(1));
    rig.accept();
    assert_eq!(rig.say(r#"40{"sid":"t"}"#), ["connected", r#"42["later"]"#]);
}

#[test]
fn volatile_events_leave_at_once_or_not_at_all() {
    let mut rig = Rig::new(config());
    assert_eq!(rig.emit("v", Policy::Volatile), Err(NotSent::Volatile));
    let mut rig = Rig::connected(config());
    rig.emit("v", Policy::Volatile).unwrap();
    rig.emit("w", Policy::Volatile).unwrap();
    assert_eq!(rig.news(), [r#"42["v"]"#, r#"42["w"]"#], "a burst is no reason to drop");
}

#[test]
fn volatile_events_are_dropped_behind_what_has_not_left() {
    let mut rig = Rig::connected(config());
    rig.emit(&"x".repeat(100_000), Policy::Buffer).unwrap();
    let mut written = Vec::new();
    while let Some(output) = rig.manager.poll_output(rig.now) {
        if let sockeye_protocol::client::Output::Io(session, ClientOutput::Write(id, _)) = output {
            written.push((session, id));
        }
    }
    assert_eq!(rig.emit("v", Policy::Volatile), Err(NotSent::Volatile));
    for (session, id) in written {
        rig.manager.handle_io(rig.now, session, ClientInput::WebSocketWritten(id));
    }
    rig.emit("v", Policy::Volatile).unwrap();
}

#[test]
fn a_websocket_is_given_little_at_once() {
    let mut rig = Rig::connected(config());
    for _ in 0..3 {
        rig.emit(&"x".repeat(50_000), Policy::Buffer).unwrap();
    }
    let mut writes = 0;
    while let Some(output) = rig.manager.poll_output(rig.now) {
        writes += usize::from(format!("{output:?}").contains("Write("));
    }
    assert_eq!(writes, 2);
    assert!(rig.manager.waiting_bytes(rig.main) > 150_000);
    assert_eq!(rig.say("2")[0], "3", "the answer to a ping does not wait");
}

#[test]
fn events_can_be_refused_instead_of_kept() {
    let mut rig = Rig::new(config());
    assert_eq!(rig.emit("f", Policy::Fail), Err(NotSent::Disconnected));
    let mut rig = Rig::connected(config());
    rig.emit("f", Policy::Fail).unwrap();
    assert_eq!(rig.news(), [r#"42["f"]"#]);
}

#[test]
fn events_with_a_time_to_live_are_dropped_when_it_is_over() {
    let mut rig = Rig::new(config());
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.emit("short", Policy::Expire(millis(100))).unwrap();
    rig.emit("long", Policy::Expire(secs(10))).unwrap();
    let ack = AckRequest { id: 7, waiter: Some("asked"), timeout: None };
    rig.emit_to(rig.main, "/", "asked", Policy::Expire(millis(100)), Some(ack)).unwrap();
    assert_eq!(rig.run(secs(1)), ["asked: the event was not sent in time"]);
    rig.accept();
    assert_eq!(rig.say(r#"40{"sid":"s"}"#), ["connected", r#"42["long"]"#]);
}

#[test]
fn what_waits_is_bounded_in_bytes() {
    let mut rig = Rig::new(Config { max_waiting_bytes: 30, ..config() });
    rig.emit(&"x".repeat(100), Policy::Buffer).expect("one event is taken, whatever its size");
    assert_eq!(rig.emit("y", Policy::Buffer), Err(NotSent::BufferFull(30)));
    let mut rig = Rig::new(Config { max_waiting_bytes: 30, ..config() });
    for _ in 0..3 {
        rig.emit("1234", Policy::Buffer).unwrap();
    }
    assert_eq!(rig.emit("1234", Policy::Buffer), Err(NotSent::BufferFull(30)));
    assert_eq!(rig.manager.waiting_bytes(rig.main), 30);
}

#[test]
fn after_a_sleep_nothing_is_sent_into_a_dead_connection() {
    let mut rig = Rig::connected(config());
    rig.now += Duration::from_secs(3600);
    rig.emit("hello", Policy::Buffer).unwrap();
    let news = rig.news();
    assert_eq!(news, ["close the websocket", "disconnected: ping timeout"]);
    rig.run(secs(3602));
    rig.accept();
    assert_eq!(rig.say(r#"40{"sid":"t"}"#), ["connected", r#"42["hello"]"#]);
}

#[test]
fn what_is_kept_for_a_socket_that_was_left_leaves_when_it_returns() {
    let mut rig = Rig::connected(config());
    rig.manager.disconnect(rig.now, rig.main);
    let expected = ["disconnected: io client disconnect, for good", "41", "close the websocket"];
    assert_eq!(rig.news(), expected);
    rig.emit("kept", Policy::Buffer).unwrap();
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.accept();
    assert_eq!(rig.say(r#"40{"sid":"s"}"#), ["connected", r#"42["kept"]"#]);
}

#[test]
fn nothing_is_taken_after_the_end() {
    let mut rig = Rig::connected(config());
    rig.ask("pending", 0, None);
    rig.manager.close(rig.now);
    let news = rig.news();
    assert_eq!(
        news,
        [
            "disconnected: io client disconnect, for good",
            "pending: disconnected",
            r#"420["pending"]"#,
            "41",
            "close the websocket"
        ]
    );
    assert_eq!(rig.emit("e", Policy::Buffer), Err(NotSent::Closed));
    assert!(!rig.manager.is_finished(), "what was said before is still written");
    rig.io(ClientInput::WebSocketClosed(crate::rig::WS));
    assert!(rig.manager.is_finished());
    assert_eq!(rig.manager.deadline(), None);
    rig.manager.open(rig.now, rig.main);
    assert_eq!(rig.news(), [""; 0]);
}
