//! Trying again.

use sockeye_protocol::{
    client::{Config, DisconnectReason},
    engine::{ClientInput, CloseReason},
};

use crate::rig::{Rig, WS, config, millis, secs};

#[test]
fn waits_double_between_attempts_and_start_over_after_a_success() {
    let mut rig = Rig::connected(config());
    rig.fail();
    let waits = [1, 3, 7, 12, 17];
    for (n, at) in waits.into_iter().enumerate() {
        let attempt = format!("attempt {}", n + 1);
        assert_eq!(rig.run(secs(at) - millis(1)), [""; 0], "before {attempt}");
        assert_eq!(rig.run(secs(at)), [attempt.as_str(), "open a websocket"]);
        let failed = format!("{attempt} failed");
        let error = "connect error: the server cannot be reached: refused";
        assert_eq!(rig.fail(), [error, failed.as_str()]);
    }
    rig.run(secs(22));
    assert_eq!(rig.accept(), ["attempt 6 succeeded", "40"]);
    rig.say(r#"40{"sid":"t"}"#);
    rig.fail();
    assert_eq!(rig.run(secs(23)), ["attempt 1", "open a websocket"]);
}

#[test]
fn the_first_failure_is_tried_again_as_well() {
    let mut rig = Rig::new(config());
    rig.manager.open(rig.now, rig.main);
    rig.news();
    assert_eq!(rig.fail(), ["connect error: the server cannot be reached: refused"]);
    assert_eq!(rig.run(secs(1)), ["attempt 1", "open a websocket"]);
}

#[test]
fn attempts_can_run_out() {
    let mut rig = Rig::new(Config { reconnection_attempts: Some(2), ..config() });
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.fail();
    rig.run(secs(1));
    rig.fail();
    rig.run(secs(3));
    let error = "connect error: the server cannot be reached: refused, for good";
    assert_eq!(rig.fail(), [error, "attempt 2 failed", "given up"]);
    assert_eq!(rig.manager.deadline(), None);
    assert!(!rig.manager.state(rig.main).is_active);
    rig.manager.open(rig.now, rig.main);
    assert_eq!(rig.news(), ["open a websocket"], "asked to, it starts over");
}

#[test]
fn without_reconnection_a_lost_connection_stays_lost() {
    let mut rig = Rig::connected(Config { reconnection: false, ..config() });
    assert_eq!(rig.fail(), ["disconnected: transport error, for good"]);
    assert_eq!(rig.manager.deadline(), None);
}

#[test]
fn whoever_leaves_is_not_connected_again() {
    let mut rig = Rig::connected(config());
    let news = rig.say("41");
    assert_eq!(news, ["disconnected: io server disconnect, for good", "close the websocket"]);
    rig.io(ClientInput::WebSocketClosed(WS));
    assert_eq!(rig.manager.deadline(), None);
}

#[test]
fn leaving_ends_the_attempts() {
    let mut rig = Rig::connected(config());
    rig.fail();
    rig.manager.disconnect(rig.now, rig.main);
    assert_eq!(rig.news(), [""; 0]);
    assert_eq!(rig.run(secs(60)), [""; 0]);
}

#[test]
fn every_end_of_a_session_has_its_reason() {
    let table: [(ClientInput, &str); 3] = [
        (ClientInput::WebSocketClosed(WS), "transport close"),
        (ClientInput::Abort(CloseReason::PingTimeout), "ping timeout"),
        (ClientInput::Abort(CloseReason::TransportError), "transport error"),
    ];
    for (input, reason) in table {
        let mut rig = Rig::connected(config());
        let news = rig.io(input);
        assert_eq!(news.last().unwrap(), &format!("disconnected: {reason}"));
    }
    let mut rig = Rig::connected(config());
    let news = rig.run(secs(45));
    assert_eq!(news.last().unwrap(), "disconnected: ping timeout");
}

#[test]
fn a_connection_that_is_cut_is_made_again() {
    let mut rig = Rig::connected(config());
    rig.manager.cut(rig.now, DisconnectReason::ForcedClose);
    assert_eq!(rig.news(), ["close the websocket", "disconnected: forced close"]);
    assert_eq!(rig.run(secs(1)), ["attempt 1", "open a websocket"]);
}

#[test]
fn a_suspended_client_rests_until_it_is_resumed() {
    let mut rig = Rig::connected(config());
    rig.manager.suspend(rig.now);
    assert_eq!(rig.news(), ["disconnected: forced close", "close the websocket"]);
    rig.io(ClientInput::WebSocketClosed(WS));
    assert_eq!(rig.run(secs(3600)), [""; 0]);
    assert!(rig.manager.state(rig.main).is_active);
    rig.manager.resume(rig.now);
    assert_eq!(rig.news(), ["open a websocket"]);
}

#[test]
fn resuming_does_not_wait_for_the_next_attempt() {
    let mut rig = Rig::connected(config());
    rig.fail();
    rig.manager.resume(rig.now);
    assert_eq!(rig.news(), ["open a websocket"]);
    rig.manager.resume(rig.now);
    assert_eq!(rig.news(), [""; 0]);
}

#[test]
fn a_session_that_still_writes_does_not_keep_the_next_one_from_opening() {
    let mut rig = Rig::connected(config());
    rig.manager.disconnect(rig.now, rig.main);
    rig.news();
    let old = rig.session;
    rig.manager.open(rig.now, rig.main);
    assert_eq!(rig.news(), ["open a websocket"]);
    rig.accept();
    rig.manager.handle_io(rig.now, old, ClientInput::WebSocketClosed(WS));
    assert_eq!(rig.say(r#"40{"sid":"t"}"#), ["connected"]);
}
