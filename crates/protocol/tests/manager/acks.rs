//! Acknowledgements in both directions.

use sockeye_protocol::{
    client::{Config, Output, Policy},
    socket::PacketBuilder,
};

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
    assert!(rig.manager.send_ack(rig.now, rig.main, connection, &answer));
    assert_eq!(rig.news(), ["4312[]"]);
    rig.fail();
    rig.run(secs(1));
    rig.accept();
    rig.say(r#"40{"sid":"t"}"#);
    assert!(rig.manager.send_ack(rig.now, rig.main, connection, &answer));
    assert_eq!(rig.news(), [""; 0]);
}

#[test]
fn answers_that_a_server_does_not_read_have_a_bound() {
    let mut rig = Rig::connected(Config { max_waiting_bytes: 100_000, ..config() });
    let answer = || PacketBuilder::ack("/", 1).finish(vec![bytes::Bytes::from(vec![0; 10_000])]);
    let answers = (0..100).take_while(|_| {
        // Nothing says that anything is written.
        while rig.manager.poll_output(rig.now).is_some() {}
        rig.manager.send_ack(rig.now, rig.main, 1, &answer())
    });
    let taken = answers.count();
    assert!((10..=20).contains(&taken), "{taken} answers wait");
}

#[test]
fn many_deadlines_that_come_at_once_take_all_their_events_back() {
    let mut rig = Rig::new(config());
    rig.manager.open(rig.now, rig.main);
    rig.news();
    for id in 0..50_000 {
        rig.ask("a", id, Some(millis(100)));
    }
    rig.emit("stays", Policy::Buffer).unwrap();
    let waiting = rig.manager.waiting_bytes(rig.main);
    assert_eq!(rig.run(millis(100)).len(), 50_000);
    assert!(rig.manager.waiting_bytes(rig.main) < waiting / 1000);
    rig.accept();
    assert_eq!(rig.say(r#"40{"sid":"s"}"#), ["connected", r#"42["stays"]"#]);
}
