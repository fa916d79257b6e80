//! Several sockets over one connection.

use sockeye_protocol::client::Policy;

use crate::rig::{Rig, config, secs};

#[test]
fn namespaces_share_the_connection() {
    let mut rig = Rig::connected(config());
    let admin = rig.manager.socket("/admin");
    assert_eq!(rig.manager.socket("/admin"), admin);
    rig.manager.open(rig.now, admin);
    assert_eq!(rig.news(), ["40/admin,"]);
    assert_eq!(rig.say(r#"40/admin,{"sid":"a"}"#), ["connected 1"]);
    rig.emit_to(admin, "/admin", "hi", Policy::Buffer, None).unwrap();
    assert_eq!(rig.news(), [r#"42/admin,["hi"]"#]);
    assert_eq!(rig.say(r#"42/admin,["ho"]"#), [r#"["ho"]"#]);
    assert_eq!(rig.say(r#"42/other,["ho"]"#), [""; 0], "nobody asked for that one");
}

#[test]
fn one_that_leaves_or_is_refused_leaves_the_others_alone() {
    let mut rig = Rig::connected(config());
    let admin = rig.manager.socket("/admin");
    rig.manager.open(rig.now, admin);
    rig.news();
    assert_eq!(rig.say(r#"44/admin,{"message":"no"}"#), ["connect error: no, for good"]);
    rig.manager.open(rig.now, admin);
    rig.news();
    rig.say(r#"40/admin,{"sid":"a"}"#);
    rig.manager.disconnect(rig.now, rig.main);
    assert_eq!(rig.news(), ["disconnected: io client disconnect, for good", "41"]);
    assert!(rig.manager.state(admin).id.is_some());
}

#[test]
fn all_join_again_after_a_loss_but_those_that_have_left() {
    let mut rig = Rig::connected(config());
    let admin = rig.manager.socket("/admin");
    rig.manager.open(rig.now, admin);
    rig.news();
    rig.say(r#"40/admin,{"sid":"a"}"#);
    let gone = rig.manager.socket("/gone");
    rig.manager.open(rig.now, gone);
    rig.news();
    rig.say(r#"40/gone,{"sid":"g"}"#);
    rig.say("41/gone,");
    rig.fail();
    rig.run(secs(1));
    assert_eq!(rig.accept(), ["attempt 1 succeeded", "40", "40/admin,"]);
}

#[test]
fn one_that_was_left_while_it_joined_is_not_asked_for_twice() {
    let mut rig = Rig::connected(config());
    let admin = rig.manager.socket("/admin");
    rig.manager.open(rig.now, admin);
    rig.news();
    rig.manager.disconnect(rig.now, admin);
    assert_eq!(rig.news(), [""; 0]);
    rig.manager.open(rig.now, admin);
    assert_eq!(rig.news(), [""; 0], "the first question is not answered yet");
    assert_eq!(rig.say(r#"40/admin,{"sid":"a"}"#), ["connected 1"]);

    let other = rig.manager.socket("/other");
    rig.manager.open(rig.now, other);
    rig.news();
    rig.manager.disconnect(rig.now, other);
    assert_eq!(rig.say(r#"40/other,{"sid":"o"}"#), ["41/other,"]);
}
