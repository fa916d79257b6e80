//! The way from polling to a WebSocket, while both ends talk.

use std::{cell::Cell, time::Duration};

use sockeye_protocol::{
    engine::{ClientConfig, ClientEvent, Event, Message, Transport},
    socket::{Decoder, EncodedPacket, Limits, Packet, PacketBuilder},
};

use crate::{
    pair::{Act, Link, Pair, Sabotage, millis, numbered, numbered_messages, secs},
    seed::{Rng, for_seeds},
};

/// Both ends send `count` messages in bursts of random sizes at random times between the two.
fn chatter(pair: &mut Pair, rng: &mut Rng, count: u32, from: Duration, until: Duration) {
    for is_client in [true, false] {
        let mut bursts = Vec::new();
        let mut sent = 0;
        while sent < count {
            let end = (sent + 1 + rng.below(25) as u32).min(count);
            bursts.push(sent..end);
            sent = end;
        }
        let mut times: Vec<_> = bursts.iter().map(|_| from + rng.up_to(until - from)).collect();
        times.sort();
        for (at, burst) in times.into_iter().zip(bursts) {
            let packets = numbered(burst);
            pair.schedule(
                at,
                if is_client { Act::ClientSends(packets) } else { Act::ServerSends(packets) },
            );
        }
    }
}

#[test]
fn a_thousand_messages_each_way_survive_an_upgrade_in_order() {
    for_seeds(500, |rng| {
        let delay = rng.pick(&[millis(1), millis(30), millis(150), millis(600)]);
        let link = Link { delay, ..Link::default() };
        let mut pair = Pair::new(rng.next(), Transport::Polling, link, ClientConfig::default());
        // The session opens within two delays; the upgrade takes about ten.
        chatter(&mut pair, rng, 1000, delay * 2, delay * 16);
        pair.run(secs(120));
        pair.assert_open(Transport::WebSocket);
        assert_eq!(pair.client_heard(), numbered_messages(0..1000));
        assert_eq!(pair.server_heard(), numbered_messages(0..1000));
        let upgrades = pair.client_events.iter().filter(|(_, e)| *e == ClientEvent::Upgraded);
        assert_eq!(upgrades.count(), 1);
        let upgrades = pair.server_events.iter().filter(|(_, e)| *e == Event::Upgraded);
        assert_eq!(upgrades.count(), 1);
    });
}

#[test]
fn a_failed_upgrade_leaves_polling_alive_and_loses_nothing() {
    use Sabotage::*;
    for sabotage in [NoWebSocket, BadProbe, BadAnswer, Closed, ProbeLost, AnswerLost] {
        for_seeds(30, |rng| {
            let delay = rng.pick(&[millis(1), millis(50), millis(300)]);
            let link = Link { delay, sabotage: Some(sabotage), ..Link::default() };
            let config = ClientConfig::default();
            let mut pair = Pair::new(rng.next(), Transport::Polling, link, config);
            chatter(&mut pair, rng, 300, delay * 2, secs(12));
            pair.run(secs(600));
            pair.assert_open(Transport::Polling);
            assert_eq!(pair.client_heard(), numbered_messages(0..300), "{sabotage:?}");
            assert_eq!(pair.server_heard(), numbered_messages(0..300), "{sabotage:?}");
            let failures: Vec<_> = pair
                .client_events
                .iter()
                .filter(|(_, e)| *e == ClientEvent::UpgradeFailed)
                .collect();
            assert_eq!(failures.len(), 1, "{sabotage:?}");
            if matches!(sabotage, ProbeLost | AnswerLost) {
                assert!(failures[0].0 >= secs(9), "it is a timeout: {:?}", failures[0].0);
            }
        });
    }
}

#[test]
fn requests_that_stall_while_polling_is_paused_lose_nothing() {
    let (upgraded, failed) = (Cell::new(0), Cell::new(0));
    for_seeds(50, |rng| {
        let from = millis(90) + rng.up_to(millis(60));
        let link =
            Link { delay: millis(30), stall: Some((from, from + secs(15))), ..Link::default() };
        let mut pair = Pair::new(rng.next(), Transport::Polling, link, ClientConfig::default());
        chatter(&mut pair, rng, 300, millis(60), secs(12));
        pair.run(secs(300));
        let on = pair.client.transport().expect("it is open");
        pair.assert_open(on);
        let count = if on == Transport::WebSocket { &upgraded } else { &failed };
        count.set(count.get() + 1);
        assert_eq!(pair.client_heard(), numbered_messages(0..300));
        assert_eq!(pair.server_heard(), numbered_messages(0..300));
    });
    assert!(upgraded.get() > 0 && failed.get() > 0, "{upgraded:?} {failed:?}");
}

#[test]
fn attachments_stay_with_their_packet_over_an_upgrade() {
    fn packet(number: u64) -> EncodedPacket {
        let mut packet = PacketBuilder::event("/", None, "file");
        let json =
            format!(r#"{number},{{"_placeholder":true,"num":0}},{{"_placeholder":true,"num":1}}"#);
        packet.json().extend_from_slice(json.as_bytes());
        packet.finish(vec![number.to_string().into(), vec![0x1e; 100].into()])
    }

    fn check(heard: Vec<Message>) {
        let mut decoder = Decoder::new(Limits::default());
        let mut number = 0;
        for message in heard {
            let packet = match message {
                Message::Text(text) => decoder.decode_text(text),
                Message::Binary(attachment) => decoder.decode_binary(attachment),
            };
            if let Some(Packet::Event(event)) = packet.expect("it is Socket.IO") {
                assert_eq!(event.payload.attachments[0], number.to_string());
                assert_eq!(event.payload.attachments[1], vec![0x1e; 100]);
                number += 1;
            }
        }
        assert_eq!(number, 100);
    }

    for_seeds(100, |rng| {
        let delay = rng.pick(&[millis(5), millis(60), millis(300)]);
        let link = Link { delay, ..Link::default() };
        let mut pair = Pair::new(rng.next(), Transport::Polling, link, ClientConfig::default());
        for number in 0..100 {
            let at = delay * 2 + delay * 16 * number as u32 / 100;
            pair.schedule(at, Act::ClientSends(packet(number).packets().collect()));
            pair.schedule(at, Act::ServerSends(packet(number).packets().collect()));
        }
        pair.run(secs(60));
        check(pair.client_heard());
        check(pair.server_heard());
    });
}
