//! Acknowledgements in both directions.

use sockeye_protocol::{client::Output, socket::PacketBuilder};

use crate::rig::{Rig, config, millis, secs};

#[test]
fn an_answer_comes_to_who_waits_for_it_once() {
    let mut rig = Rig::connected(config());
    rig.ask("a", 0, Some(secs(5)));
    rig.ask("b", 1, Some(secs(5)));
    rig.news();
    assert_eq!(rig.say(r#"431["second"]"#), [r#"b: ["second"]"#]);
    assert_eq!(rig.say(r#"430["first"]"#), [r#"a: ["first"]"#]);
    assert_eq!(rig.say(r#"430["again"]"#), [""; 0]);
    assert_eq!(rig.manager.pending_acks(rig.main), 0);
}

#[test]
fn a_deadline_ends_the_wait_and_a_late_answer_means_nothing() {
    let mut rig = Rig::connected(config());
    rig.ask("a", 0, Some(millis(100)));
    rig.news();
    assert_eq!(rig.run(millis(100)), ["a: timed out"]);
    assert_eq!(rig.say(r#"430["late"]"#), [""; 0]);
}

#[test]
fn a_deadline_takes_the_event_back_if_it_has_not_left() {
    let mut rig = Rig::new(config());
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.ask("a", 0, Some(millis(100)));
    assert_eq!(rig.run(millis(100)), ["a: timed out"]);
    rig.accept();
    assert_eq!(rig.say(r#"40{"sid":"s"}"#), ["connected"]);
}

#[test]
fn a_lost_connection_ends_the_wait_at_once_unless_the_event_has_not_left() {
    let mut rig = Rig::connected(config());
    rig.ask("sent", 0, None);
    rig.news();
    assert_eq!(rig.fail(), ["disconnected: transport error", "sent: disconnected"]);
    rig.ask("kept", 1, None);
    rig.run(secs(1));
    rig.accept();
    rig.say(r#"40{"sid":"t"}"#);
    assert_eq!(rig.say(r#"431["here"]"#), [r#"kept: ["here"]"#]);
}

#[test]
fn who_waits_no_more_is_forgotten() {
    let mut rig = Rig::connected(config());
    rig.ask("a", 0, Some(secs(5)));
    rig.news();
    assert_eq!(rig.manager.forget_ack(rig.main, 0), Some("a"));
    assert_eq!(rig.say("430[]"), [""; 0]);
    assert_eq!(rig.run(secs(6)), [""; 0]);
}

#[test]
fn an_answer_of_ours_belongs_to_the_connection_in_which_it_was_asked_for() {
    let mut rig = Rig::connected(config());
    let question = r#"4212["question"]"#;
    rig.manager.handle_io(
        rig.now,
        rig.session,
        sockeye_protocol::engine::ClientInput::WebSocketMessage(
            crate::rig::WS,
            sockeye_protocol::engine::Message::Text(question.into()),
        ),
    );
    let Some(Output::Event { connection, event, .. }) = rig.manager.poll_output(rig.now) else {
        panic!("an event came")
    };
    assert_eq!(event.id, Some(12));
    let answer = PacketBuilder::ack("/", 12).finish(vec![]);
    rig.manager.send_ack(rig.now, rig.main, connection, &answer);
    assert_eq!(rig.news(), ["4312[]"]);
    rig.fail();
    rig.run(secs(1));
    rig.accept();
    rig.say(r#"40{"sid":"t"}"#);
    rig.manager.send_ack(rig.now, rig.main, connection, &answer);
    assert_eq!(rig.news(), [""; 0]);
}
