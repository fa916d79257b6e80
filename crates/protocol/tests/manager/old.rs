//! Servers of Socket.IO 2, over Engine.IO 3.

use sockeye_protocol::{
    client::{Auth, Config, Policy},
    engine::{ClientConfig, Revision},
};

use crate::rig::{Rig, config, millis, secs};

fn old() -> Config {
    let session = ClientConfig { revision: Revision::V3, ..ClientConfig::default() };
    Config { session, ..config() }
}

#[test]
fn the_main_namespace_is_joined_by_the_server_and_ids_are_the_sessions() {
    let mut rig = Rig::new(old());
    rig.manager.open(rig.now, rig.main);
    rig.emit("kept", Policy::Buffer).unwrap();
    rig.news();
    assert_eq!(rig.accept(), [""; 0]);
    assert_eq!(rig.say("40"), ["connected", r#"42["kept"]"#]);
    assert_eq!(rig.manager.state(rig.main).id, Some("e"));
    let admin = rig.manager.socket("/admin");
    rig.manager.set_auth(admin, Auth::Json(r#"{"a":"1, 2","b":[3]}"#.to_owned()));
    rig.manager.open(rig.now, admin);
    assert_eq!(rig.news(), ["40/admin?a=1%2C+2&b=%5B3%5D,"]);
    assert_eq!(rig.say("40/admin,"), ["connected 1"]);
    assert_eq!(rig.manager.state(admin).id, Some("/admin#e"));
}

#[test]
fn a_refusal_is_the_data_or_the_message() {
    let mut rig = Rig::new(old());
    let admin = rig.manager.socket("/admin");
    rig.manager.open(rig.now, admin);
    rig.news();
    assert_eq!(rig.accept(), ["40/admin,"]);
    assert_eq!(rig.say("40"), [""; 0], "nobody wants the main namespace");
    rig.manager.open(rig.now, rig.main);
    assert_eq!(rig.news(), ["connected"], "it has been joined already");
    assert_eq!(rig.say(r#"44/admin,{"code":7}"#), ["connect error: refused, for good"]);
    rig.manager.open(rig.now, admin);
    rig.news();
    assert_eq!(rig.say(r#"44/admin,"no way""#), ["connect error: no way, for good"]);
}

#[test]
fn auth_for_the_main_namespace_has_no_place() {
    let mut rig = Rig::new(old());
    rig.manager.set_auth(rig.main, Auth::Json("{}".to_owned()));
    rig.manager.open(rig.now, rig.main);
    rig.news();
    let news = rig.accept();
    assert!(news[0].contains("from the query") && news[0].ends_with("for good"), "{news:?}");
}

#[test]
fn it_is_the_client_that_pings() {
    let mut rig = Rig::new(old());
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.accept();
    rig.say("40");
    assert_eq!(rig.run(secs(25)), ["2"]);
    rig.run(secs(26));
    rig.say("3");
    assert_eq!(rig.run(secs(51)), ["2"]);
    let news = rig.run(secs(71));
    assert_eq!(news, ["close the websocket", "disconnected: ping timeout"]);
    assert_eq!(rig.run(secs(71) + millis(1)), [""; 0]);
}

#[test]
fn attachments_are_text_in_base64() {
    let mut rig = Rig::new(old());
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.accept();
    rig.say("40");
    rig.say(r#"451-["bin",{"_placeholder":true,"num":0}]"#);
    assert_eq!(rig.say("b4AQI="), [r#"["bin",{"_placeholder":true,"num":0}]"#]);
}
