//! Taking up where the connection was lost.

use sockeye_protocol::client::Config;

use crate::rig::{Rig, config, secs};

fn connected_with_pid() -> Rig {
    let mut rig = Rig::new(config());
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.accept();
    rig.say(r#"40{"sid":"s","pid":"p"}"#);
    rig
}

#[test]
fn a_server_that_restores_is_told_how_far_the_client_has_heard() {
    let mut rig = connected_with_pid();
    rig.say(r#"42["a",1,"o1"]"#);
    rig.say(r#"42["b",2]"#);
    rig.fail();
    rig.run(secs(1));
    assert_eq!(rig.accept(), ["attempt 1 succeeded", r#"40{"offset":"o1","pid":"p"}"#]);
    rig.say(r#"42["missed","o2"]"#);
    let news = rig.say(r#"40{"sid":"s","pid":"p"}"#);
    assert_eq!(news, [r#"["missed","o2"]"#, "recovered"]);
    assert!(rig.manager.state(rig.main).recovered);
    rig.fail();
    rig.run(secs(2));
    assert_eq!(rig.accept()[1], r#"40{"offset":"o2","pid":"p"}"#);
}

#[test]
fn another_pid_is_another_history() {
    let mut rig = connected_with_pid();
    rig.say(r#"42["a","o1"]"#);
    rig.fail();
    rig.run(secs(1));
    rig.accept();
    assert_eq!(rig.say(r#"40{"sid":"t","pid":"q"}"#), ["connected"]);
    assert!(!rig.manager.state(rig.main).recovered);
    rig.fail();
    rig.run(secs(2));
    assert_eq!(rig.accept()[1], r#"40{"pid":"q"}"#);
}

#[test]
fn without_a_pid_nothing_is_offered() {
    let mut rig = Rig::connected(config());
    rig.say(r#"42["a","o1"]"#);
    rig.fail();
    rig.run(secs(1));
    assert_eq!(rig.accept(), ["attempt 1 succeeded", "40"]);
}

#[test]
fn what_the_application_did_not_take_is_not_called_recovered() {
    let mut rig = connected_with_pid();
    rig.say(r#"42["not taken","o1"]"#);
    rig.manager.cut_backlog(rig.now, rig.main);
    assert!(rig.news().contains(&"disconnected: event backlog".to_owned()));
    rig.run(secs(1));
    assert_eq!(rig.accept(), ["attempt 1 succeeded", "40"]);
    assert_eq!(rig.say(r#"40{"sid":"s","pid":"p"}"#), ["connected"]);
}

#[test]
fn too_much_that_was_missed_is_not_asked_for_again() {
    let mut rig = Rig::new(Config { max_early_bytes: 10, ..config() });
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.accept();
    rig.say(r#"40{"sid":"s","pid":"p"}"#);
    rig.fail();
    rig.run(secs(1));
    assert_eq!(rig.accept()[1], r#"40{"pid":"p"}"#);
    rig.say(r#"42["missed","o1"]"#);
    rig.run(secs(3));
    assert_eq!(rig.accept()[1], "40");
}
