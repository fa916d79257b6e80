//! Opening, joining, and being refused.

use sockeye_protocol::{
    client::{Auth, Config},
    engine::{ClientInput, ClientOutput, Failure, RequestId, Transport},
};

use crate::rig::{OPEN, Rig, WS, config, secs};

#[test]
fn a_socket_joins_with_its_auth_once_the_session_is_open() {
    let mut rig = Rig::new(config());
    rig.manager.set_auth(rig.main, Auth::Json(r#"{"token":"t"}"#.to_owned()));
    rig.manager.open(rig.now, rig.main);
    assert_eq!(rig.news(), ["open a websocket"]);
    assert_eq!(rig.accept(), [r#"40{"token":"t"}"#]);
    assert_eq!(rig.say(r#"40{"sid":"s1"}"#), ["connected"]);
    assert_eq!(rig.manager.state(rig.main).id, Some("s1"));
    assert!(rig.manager.state(rig.main).is_active);
}

#[test]
fn auth_is_asked_for_at_every_connection() {
    let mut rig = Rig::new(config());
    rig.manager.set_auth(rig.main, Auth::Ask);
    rig.manager.open(rig.now, rig.main);
    rig.news();
    assert_eq!(rig.accept(), ["auth 1 wanted for 0"]);
    rig.manager.provide_auth(rig.now, rig.main, 1, Ok(Some(r#"{"n":1}"#.to_owned())));
    assert_eq!(rig.news(), [r#"40{"n":1}"#]);
    rig.say(r#"40{"sid":"s"}"#);
    rig.fail();
    rig.run(secs(1));
    assert_eq!(rig.accept(), ["attempt 1 succeeded", "auth 2 wanted for 0"]);
    rig.manager.provide_auth(rig.now, rig.main, 1, Ok(Some("{}".to_owned())));
    assert_eq!(rig.news(), [""; 0], "an answer to an earlier question is none");
    rig.manager.provide_auth(rig.now, rig.main, 2, Ok(None));
    assert_eq!(rig.news(), ["40"]);
}

#[test]
fn auth_that_fails_is_asked_for_again_later() {
    let mut rig = Rig::new(config());
    rig.manager.set_auth(rig.main, Auth::Ask);
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.accept();
    rig.manager.provide_auth(rig.now, rig.main, 1, Err("no network".to_owned()));
    assert_eq!(rig.news(), ["connect error: the auth could not be made: no network"]);
    assert_eq!(rig.run(secs(5)), ["auth 2 wanted for 0"]);
}

#[test]
fn auth_that_is_never_made_times_out() {
    let mut rig = Rig::new(config());
    rig.manager.set_auth(rig.main, Auth::Ask);
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.accept();
    assert_eq!(rig.run(secs(20)), ["connect error: timeout"]);
}

#[test]
fn a_refused_socket_is_not_tried_again_and_may_be_opened_again() {
    let mut rig = Rig::new(config());
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.accept();
    let news = rig.say(r#"44{"message":"unauthorized","data":{"code":401}}"#);
    assert_eq!(news, ["connect error: unauthorized, for good", "close the websocket"]);
    assert!(!rig.manager.state(rig.main).is_active);
    rig.io(ClientInput::WebSocketClosed(WS));
    assert_eq!(rig.manager.deadline(), None);
    rig.manager.open(rig.now, rig.main);
    assert_eq!(rig.news(), ["open a websocket"]);
}

#[test]
fn a_refusal_may_be_a_mere_string() {
    let mut rig = Rig::new(config());
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.accept();
    assert_eq!(rig.say(r#"44"go away""#)[0], "connect error: go away, for good");
}

#[test]
fn a_server_of_version_2_is_told_from_others() {
    let mut rig = Rig::new(config());
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.accept();
    assert!(rig.say("40")[0].starts_with("connect error: the server speaks Socket.IO 2"));
}

#[test]
fn a_server_that_does_not_answer_a_socket_gets_another_session() {
    let mut rig = Rig::new(config());
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.accept();
    assert_eq!(
        rig.run(secs(21)),
        ["connect error: timeout", "close the websocket", "attempt 1", "open a websocket"]
    );
}

#[test]
fn events_that_come_before_the_yes_are_told_before_it() {
    let mut rig = Rig::new(config());
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.accept();
    assert_eq!(rig.say(r#"42["early",1]"#), [""; 0]);
    assert_eq!(rig.say(r#"42["early",2]"#), [""; 0]);
    let expected = [r#"["early",1]"#, r#"["early",2]"#, "connected"];
    assert_eq!(rig.say(r#"40{"sid":"s"}"#), expected);
}

#[test]
fn too_much_before_the_yes_ends_the_session() {
    let mut rig = Rig::new(Config { max_early_bytes: 250, ..config() });
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.accept();
    rig.say(r#"42["early",1]"#);
    let news = rig.say(r#"42["early",2]"#);
    assert_eq!(
        news,
        ["close the websocket", "connect error: the connection was lost: event backlog"]
    );
}

#[test]
fn a_handshake_that_does_not_come_is_a_failed_attempt() {
    let mut rig = Rig::new(Config { reconnection: false, ..config() });
    rig.manager.open(rig.now, rig.main);
    rig.news();
    assert_eq!(rig.run(secs(20)), ["close the websocket", "connect error: timeout, for good"]);
    assert_eq!(rig.manager.deadline(), None);
}

#[test]
fn what_answers_may_be_no_server_of_socket_io() {
    let transports = vec![Transport::Polling];
    let mut rig = Rig::new(Config { transports, reconnection: false, ..config() });
    rig.manager.open(rig.now, rig.main);
    assert_eq!(rig.news(), ["GET"]);
    let body = "<html>".into();
    let news = rig.io(ClientInput::GetAnswered(RequestId(0), 200, body));
    assert!(news[0].contains("no Socket.IO server"), "{news:?}");
}

#[test]
fn the_next_transport_is_tried_at_once_if_that_is_wanted() {
    let transports = vec![Transport::WebSocket, Transport::Polling];
    let mut rig = Rig::new(Config { transports, try_all_transports: true, ..config() });
    rig.manager.open(rig.now, rig.main);
    rig.news();
    assert_eq!(rig.fail(), ["GET"]);
}

#[test]
fn an_upgrade_is_remembered_if_that_is_wanted() {
    for (remember_upgrade, expected) in [(true, "open a websocket"), (false, "GET")] {
        let transports = vec![Transport::Polling, Transport::WebSocket];
        let mut rig = Rig::new(Config { transports, remember_upgrade, ..config() });
        rig.manager.open(rig.now, rig.main);
        rig.news();
        let open = OPEN.replace("\"upgrades\":[]", "\"upgrades\":[\"websocket\"]");
        rig.manager.handle_io(
            rig.now,
            rig.session,
            ClientInput::GetAnswered(RequestId(0), 200, open.into()),
        );
        while let Some(output) = rig.manager.poll_output(rig.now) {
            let is_opened = format!("{output:?}").contains("Opened");
            assert!(is_opened || matches!(output, sockeye_protocol::client::Output::Io(..)));
        }
        rig.io(ClientInput::WebSocketOpened(WS));
        rig.say("3probe");
        rig.io(ClientInput::GetAnswered(RequestId(2), 200, "6".into()));
        let news = rig.io(ClientInput::PostAnswered(RequestId(1), 200));
        assert!(news.contains(&"upgraded".to_owned()), "{news:?}");
        rig.fail();
        assert_eq!(rig.run(secs(1)), ["attempt 1", expected]);
    }
}

#[test]
fn what_is_no_packet_ends_the_session_and_it_opens_again() {
    let mut rig = Rig::connected(config());
    assert_eq!(rig.say("4nonsense"), ["close the websocket", "disconnected: parse error"]);
    assert_eq!(rig.run(secs(1)), ["attempt 1", "open a websocket"]);
}

#[test]
fn attachments_that_do_not_come_end_the_session() {
    let mut rig = Rig::connected(config());
    rig.say(r#"451-["bin",{"_placeholder":true,"num":0}]"#);
    rig.run(secs(24));
    rig.say("2");
    rig.run(secs(48));
    rig.say("2");
    let news = rig.run(secs(60));
    assert_eq!(news, ["close the websocket", "disconnected: parse error"]);
}

#[test]
fn attachments_are_put_together() {
    let mut rig = Rig::connected(config());
    rig.say(r#"451-["bin",{"_placeholder":true,"num":0}]"#);
    assert_eq!(rig.say_bytes(&[1, 2]), [r#"["bin",{"_placeholder":true,"num":0}]"#]);
}

#[test]
fn a_failure_keeps_what_the_world_said() {
    let mut rig = Rig::new(Config { reconnection: false, ..config() });
    rig.manager.open(rig.now, rig.main);
    rig.news();
    let refused = Failure::refused(404, b"Not Found");
    let news = rig.io(ClientInput::WebSocketFailed(WS, refused));
    assert!(news[0].contains("404") && news[0].contains("`path`"), "{news:?}");
}

#[test]
fn polling_writes_all_that_was_emitted_meanwhile_in_one_body() {
    let mut rig = Rig::new(Config { transports: vec![Transport::Polling], ..config() });
    let _ = rig.emit("a", sockeye_protocol::client::Policy::Buffer);
    let _ = rig.emit("b", sockeye_protocol::client::Policy::Buffer);
    rig.manager.open(rig.now, rig.main);
    rig.news();
    rig.manager.handle_io(
        rig.now,
        rig.session,
        ClientInput::GetAnswered(RequestId(0), 200, OPEN.into()),
    );
    while rig.manager.poll_output(rig.now).is_some() {}
    rig.io(ClientInput::PostAnswered(RequestId(1), 200));
    let yes = ClientInput::GetAnswered(RequestId(2), 200, r#"40{"sid":"s"}"#.into());
    rig.manager.handle_io(rig.now, rig.session, yes);
    let posts: Vec<_> = std::iter::from_fn(|| rig.manager.poll_output(rig.now))
        .filter_map(|output| match output {
            sockeye_protocol::client::Output::Io(_, ClientOutput::Post(_, body)) => Some(body),
            _ => None,
        })
        .collect();
    assert_eq!(posts, ["42[\"a\"]\u{1e}42[\"b\"]"]);
}
