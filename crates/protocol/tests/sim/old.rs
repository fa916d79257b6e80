//! Revision 3: the client pings, and bodies and binary have other forms.

use std::time::Instant;

use bytes::Bytes;
use sockeye_protocol::engine::{
    ClientConfig, CloseReason, Config, Dialect, Event, Input, Message, Outgoing, RequestId,
    Response, Revision, Session, Transport, WebSocketId,
};

use crate::{
    pair::{Act, Link, Pair, millis, numbered, numbered_messages, secs},
    seed::for_seeds,
};

const V3: Dialect = Dialect { revision: Revision::V3, base64: false };
const WS: WebSocketId = WebSocketId(1);

fn client() -> ClientConfig {
    ClientConfig { revision: Revision::V3, ..ClientConfig::default() }
}

fn link() -> Link {
    Link { delay: millis(100), ..Link::default() }
}

#[test]
fn an_hour_of_pings_from_the_client() {
    for on in [Transport::Polling, Transport::WebSocket] {
        let mut pair = Pair::new(1, on, link(), ClientConfig { upgrade: false, ..client() });
        pair.run(secs(3600));
        pair.assert_open(on);
        assert_eq!(pair.server_events, []);
        if on == Transport::Polling {
            let pings = 3600 / 26..=3600 / 25;
            assert!(pings.contains(&pair.posts.len()), "{} pings", pair.posts.len());
            assert!(pair.posts.iter().all(|body| body == "1:2"));
        }
    }
}

#[test]
fn messages_keep_their_order_over_an_upgrade() {
    for_seeds(200, |rng| {
        let mut pair = Pair::new(rng.next(), Transport::Polling, link(), client());
        for number in 0..40 {
            let at = millis(210) + millis(20) * number;
            pair.schedule(at, Act::ClientSends(numbered(number..number + 1)));
            pair.schedule(at, Act::ServerSends(numbered(number..number + 1)));
        }
        pair.run(secs(10));
        pair.assert_open(Transport::WebSocket);
        assert_eq!(pair.server_heard(), numbered_messages(0..40));
        assert_eq!(pair.client_heard(), numbered_messages(0..40));
    });
}

#[test]
fn what_was_sent_before_a_close_arrives() {
    for_seeds(200, |rng| {
        let on = rng.pick(&[Transport::Polling, Transport::WebSocket]);
        let mut pair = Pair::new(rng.next(), on, link(), client());
        let at = millis(210) + rng.up_to(secs(2));
        pair.schedule(at, Act::ServerSends(numbered(0..100)));
        pair.schedule(at, Act::ServerCloses);
        pair.run(secs(5));
        pair.assert_ended();
        assert_eq!(pair.client_heard(), numbered_messages(0..100));
    });
}

#[test]
fn a_silent_client_is_dropped_however_much_it_hears() {
    let (start, config) = (Instant::now(), Config::default());
    let mut session = Session::websocket(start, &config, V3, Outgoing::text("0{}"), WS);
    let dead_at = start + secs(45);
    assert_eq!(session.deadline(&config), Some(dead_at));
    let message = Message::Text("4still talking".into());
    session.receive(start + secs(40), &config, WS, message);
    assert_eq!(session.deadline(&config), Some(dead_at), "only a ping counts");
    session.handle(dead_at, &config, Input::Tick);
    let closed = Some(Event::Closed(CloseReason::PingTimeout));
    assert_eq!(session.poll_event(dead_at, &config), closed);
}

#[test]
fn every_ping_is_answered_before_data_and_on_a_blocked_websocket() {
    let (now, config) = (Instant::now(), Config::default());
    let mut session = Session::websocket(now, &config, V3, Outgoing::text("0{}"), WS);
    let mut frames = Vec::new();
    session.poll_websocket(now, WS, 0, &mut frames);
    session.send(now, &config, [Outgoing::text("4data")]);
    for ping in ["2", "2probe"] {
        assert_eq!(session.receive(now, &config, WS, Message::Text(ping.into())), None);
    }
    frames.clear();
    session.poll_websocket(now, WS, 10, &mut frames);
    assert_eq!(frames, [Outgoing::text("3"), Outgoing::text("3")]);
    session.receive(now, &config, WS, Message::Text("2".into()));
    frames.clear();
    session.poll_websocket(now, WS, 0, &mut frames);
    assert_eq!(frames, [Outgoing::text("3"), Outgoing::text("4data")]);
}

#[test]
fn a_flood_of_pings_costs_no_memory() {
    let (now, config) = (Instant::now(), Config::default());
    let mut session = Session::websocket(now, &config, V3, Outgoing::text("0{}"), WS);
    for _ in 0..10_000 {
        session.receive(now, &config, WS, Message::Text("2".into()));
    }
    let mut frames = Vec::new();
    session.poll_websocket(now, WS, 0, &mut frames);
    assert_eq!(frames.len(), 1 + 255);
}

#[test]
fn a_pong_from_the_client_is_the_wrong_way_around() {
    let (now, config) = (Instant::now(), Config::default());
    let mut session = Session::websocket(now, &config, V3, Outgoing::text("0{}"), WS);
    let closed = session.receive(now, &config, WS, Message::Text("3".into()));
    assert_eq!(closed, Some(Event::Closed(CloseReason::TransportError)));
}

#[test]
fn a_binary_message_on_a_websocket_has_its_type_in_front() {
    let (now, config) = (Instant::now(), Config::default());
    let mut session = Session::websocket(now, &config, V3, Outgoing::text("0{}"), WS);
    let mut say = |message| session.receive(now, &config, WS, message);
    let heard = Some(Event::Message(Message::Binary(Bytes::from_static(&[1, 2]))));
    assert_eq!(say(Message::Binary(Bytes::from_static(&[4, 1, 2]))), heard);
    assert_eq!(say(Message::Text("b4AQI=".into())), heard);
    let closed = Some(Event::Closed(CloseReason::ParseError));
    assert_eq!(say(Message::Binary(Bytes::from_static(&[1, 2]))), closed);
}

#[test]
fn bodies_of_bytes_go_both_ways_and_are_for_revision_3_only() {
    let (now, config) = (Instant::now(), Config::default());
    let body = Bytes::from_static(b"\x00\x04\xff\x34\xe2\x82\xac\x01\x03\xff\x04\x01\x02");
    let (get, post) = (RequestId(1), RequestId(2));
    for dialect in [V3, Dialect::default()] {
        let open = Outgoing::text("0{}");
        let mut session = Session::polling(now, &config, dialect, open, RequestId(0));
        session.handle(now, &config, Input::PostOpened(post));
        session.handle(now, &config, Input::BinaryPostReceived(post, body.clone()));
        let events: Vec<_> = std::iter::from_fn(|| session.poll_event(now, &config)).collect();
        let answer = session.poll_response(now, post);
        if dialect == Dialect::default() {
            assert_eq!(events, [Event::Closed(CloseReason::TransportError)]);
            assert_eq!(answer, Some(Response::Refused));
            continue;
        }
        let heard = [Message::Text("€".into()), Message::Binary(Bytes::from_static(&[1, 2]))];
        assert_eq!(events, heard.map(Event::Message));
        assert_eq!(answer, Some(Response::Ok));
        session.send(now, &config, [Outgoing::text("4€"), Outgoing::binary(vec![1, 2])]);
        session.handle(now, &config, Input::PollOpened(get));
        let expected = Some(Response::BinaryPayload(body.clone()));
        assert_eq!(session.poll_response(now, get), expected);
    }
}
