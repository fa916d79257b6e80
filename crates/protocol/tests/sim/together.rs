//! Both ends over a link that behaves, and over one that does not.

use std::time::Duration;

use sockeye_protocol::engine::{ClientConfig, ClientEvent, CloseReason, Transport};

use crate::{
    pair::{Act, Link, Pair, millis, numbered, numbered_messages, secs},
    seed::for_seeds,
};

fn link(delay: Duration) -> Link {
    Link { delay, ..Link::default() }
}

#[test]
fn an_hour_of_heartbeats() {
    for on in [Transport::Polling, Transport::WebSocket] {
        let mut pair = Pair::staying(1, on, link(millis(300)));
        pair.run(secs(3600));
        pair.assert_open(on);
        assert_eq!(pair.client_events.len(), 1, "{:?}", pair.client_events);
        assert_eq!(pair.server_events, []);
        assert!(pair.steps < 2000, "{} steps", pair.steps);
        if on == Transport::Polling {
            let hour_of_pings = 3600 / 26..=3600 / 25;
            assert!(hour_of_pings.contains(&pair.posts.len()), "{} pongs", pair.posts.len());
            assert!(pair.posts.iter().all(|body| body == "3"));
        }
    }
}

#[test]
fn heartbeats_go_on_over_an_upgrade() {
    let mut pair = Pair::new(1, Transport::Polling, link(millis(300)), ClientConfig::default());
    pair.run(secs(3600));
    pair.assert_open(Transport::WebSocket);
}

#[test]
fn a_silent_peer_ends_on_both_sides_within_the_deadlines() {
    for_seeds(100, |rng| {
        let silent_from = secs(5) + rng.up_to(secs(100));
        let link = Link { silent_from: Some(silent_from), ..link(millis(300)) };
        let on = rng.pick(&[Transport::Polling, Transport::WebSocket]);
        let config = ClientConfig { upgrade: rng.below(2) == 0, ..ClientConfig::default() };
        let mut pair = Pair::new(rng.next(), on, link, config);
        let interval_and_timeout = secs(45) + millis(700);
        pair.run(silent_from + interval_and_timeout);
        pair.assert_ended();
        assert_eq!(pair.client_reason(), Some(CloseReason::PingTimeout));
        assert_eq!(pair.server_reason(), Some(CloseReason::PingTimeout));
    });
}

#[test]
fn a_cut_link_ends_both_sides() {
    for_seeds(200, |rng| {
        let cut_at = {
            let longest = rng.pick(&[secs(3), secs(90)]);
            secs(1) + rng.up_to(longest)
        };
        let link = Link { cut_at: Some(cut_at), ..link(millis(250)) };
        let on = rng.pick(&[Transport::Polling, Transport::WebSocket]);
        let mut pair = Pair::new(rng.next(), on, link, ClientConfig::default());
        pair.run(cut_at + secs(1));
        assert_eq!(pair.client_reason(), Some(CloseReason::TransportError));
        // On polling the server may only have heard nothing, and waits for a pong.
        pair.run(cut_at + secs(66));
        pair.assert_ended();
    });
}

#[test]
fn a_server_that_does_not_answer_ends_the_handshake() {
    for on in [Transport::Polling, Transport::WebSocket] {
        let link = Link { silent_from: Some(Duration::ZERO), ..Link::default() };
        let mut pair = Pair::staying(1, on, link);
        pair.run(secs(60));
        let closed = ClientEvent::Closed(CloseReason::TransportError);
        assert_eq!(pair.client_events, [(secs(20), closed)]);
        assert_eq!(pair.client.deadline(), None);
    }
}

#[test]
fn what_the_client_sent_before_it_closes_arrives() {
    for_seeds(200, |rng| {
        let on = rng.pick(&[Transport::Polling, Transport::WebSocket]);
        // With an upgrade the close may come at every point of it.
        let config = ClientConfig { upgrade: rng.below(2) == 0, ..ClientConfig::default() };
        let mut pair = Pair::new(rng.next(), on, link(millis(100)), config);
        let at = millis(210) + rng.up_to(secs(2));
        pair.schedule(at, Act::ClientSends(numbered(0..100)));
        pair.schedule(at, Act::ClientCloses);
        pair.schedule(at, Act::ClientSends(numbered(100..110)));
        pair.run(secs(20));
        pair.assert_ended();
        assert_eq!(pair.server_heard(), numbered_messages(0..100));
        assert_eq!(pair.client_reason(), Some(CloseReason::ForcedClose));
        assert_eq!(pair.server_reason(), Some(CloseReason::TransportClose));
    });
}

#[test]
fn what_the_server_sent_before_it_closes_arrives() {
    for_seeds(200, |rng| {
        let on = rng.pick(&[Transport::Polling, Transport::WebSocket]);
        let config = ClientConfig { upgrade: rng.below(2) == 0, ..ClientConfig::default() };
        let mut pair = Pair::new(rng.next(), on, link(millis(100)), config);
        let at = millis(210) + rng.up_to(secs(2));
        pair.schedule(at, Act::ServerSends(numbered(0..100)));
        pair.schedule(at, Act::ServerCloses);
        pair.schedule(at, Act::ServerSends(numbered(100..110)));
        pair.run(secs(5));
        pair.assert_ended();
        assert_eq!(pair.client_heard(), numbered_messages(0..100));
        assert_eq!(pair.client_reason(), Some(CloseReason::TransportClose));
        assert_eq!(pair.server_reason(), Some(CloseReason::ForcedClose));
    });
}

#[test]
fn a_close_at_any_point_of_a_busy_session_ends_both_sides() {
    for_seeds(500, |rng| {
        let delay = rng.pick(&[millis(1), millis(100), millis(400)]);
        let mut pair =
            Pair::new(rng.next(), Transport::Polling, link(delay), ClientConfig::default());
        for number in 0..60 {
            let at = delay * 2 + rng.up_to(delay * 16);
            let packet = numbered(number..number + 1);
            pair.schedule(
                at,
                if rng.below(2) == 0 { Act::ClientSends(packet) } else { Act::ServerSends(packet) },
            );
        }
        let at = delay * 2 + millis(1) + rng.up_to(delay * 16);
        pair.schedule(at, if rng.below(2) == 0 { Act::ClientCloses } else { Act::ServerCloses });
        // A server's close may have to wait for a poll that does not come.
        pair.run(secs(40));
        pair.assert_ended();
    });
}
