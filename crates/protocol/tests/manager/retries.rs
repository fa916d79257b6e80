//! Sending again until it is acknowledged.

use sockeye_protocol::client::{Config, Policy};

use crate::rig::{Rig, config, millis, secs};

fn retrying(retries: u32) -> Config {
    Config { retries: Some(retries), retry_timeout: millis(100), ..config() }
}

#[test]
fn one_event_is_in_flight_at_a_time_and_in_order() {
    let mut rig = Rig::connected(retrying(2));
    rig.ask("a", 0, None);
    rig.ask("b", 1, None);
    assert_eq!(rig.news(), [r#"420["a"]"#]);
    assert_eq!(rig.say("430[]"), ["a: []", r#"421["b"]"#]);
    assert_eq!(rig.say("431[]"), ["b: []"]);
    assert_eq!(rig.manager.waiting_bytes(rig.main), 0);
}

#[test]
fn an_event_is_sent_again_so_many_times_and_then_given_up() {
    let mut rig = Rig::connected(retrying(2));
    rig.ask("a", 0, None);
    rig.ask("b", 1, None);
    rig.news();
    assert_eq!(rig.run(millis(100)), [r#"420["a"]"#]);
    assert_eq!(rig.run(millis(200)), [r#"420["a"]"#]);
    assert_eq!(rig.run(millis(300)), ["a: timed out", r#"421["b"]"#]);
}

#[test]
fn an_answer_to_an_earlier_try_counts() {
    let mut rig = Rig::connected(retrying(2));
    rig.ask("a", 0, None);
    rig.news();
    rig.run(millis(150));
    assert_eq!(rig.say("430[]"), ["a: []"]);
    assert_eq!(rig.say("430[]"), [""; 0]);
}

#[test]
fn an_event_is_sent_again_after_the_connection_was_lost() {
    let mut rig = Rig::connected(retrying(1));
    rig.ask("a", 0, None);
    rig.news();
    assert_eq!(rig.fail(), ["disconnected: transport error"]);
    rig.run(secs(1));
    rig.accept();
    assert_eq!(rig.say(r#"40{"sid":"t"}"#), ["connected", r#"420["a"]"#]);
    rig.say("430[]");
    rig.ask("b", 1, None);
    rig.news();
    rig.fail();
    rig.run(secs(2));
    rig.accept();
    rig.say(r#"40{"sid":"u"}"#);
    assert_eq!(
        rig.fail(),
        ["disconnected: transport error", "b: disconnected"],
        "a lost connection is a failed try"
    );
}

#[test]
fn volatile_events_and_those_that_expire_are_sent_once() {
    let mut rig = Rig::connected(retrying(2));
    rig.emit("v", Policy::Volatile).unwrap();
    rig.emit("e", Policy::Expire(secs(1))).unwrap();
    assert_eq!(rig.news(), [r#"42["v"]"#, r#"42["e"]"#]);
    assert_eq!(rig.run(secs(10)), [""; 0]);
}

#[test]
fn a_try_of_an_event_that_nobody_waits_for_goes_on() {
    let mut rig = Rig::connected(retrying(2));
    rig.ask("a", 0, None);
    rig.news();
    assert_eq!(rig.manager.forget_ack(rig.main, 0), Some("a"));
    assert_eq!(rig.run(millis(100)), [r#"420["a"]"#]);
    assert_eq!(rig.say("430[]"), [""; 0]);
    assert_eq!(rig.manager.pending_acks(rig.main), 0);
}
