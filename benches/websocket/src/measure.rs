//! What is measured of a layer.

use std::{
    env,
    process::Command,
    task::{Context, Waker},
};

use bytes::{Bytes, BytesMut};
use sockeye_websocket::{Opcode, encode_frame};

use crate::{
    allocator,
    layers::{Connection, Layer, MAX_MESSAGE},
    wire::Io,
};

const SMALL: usize = 32;
const LARGE: usize = 16 << 10;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

// First bytes of frames: the final bit and the opcode.
const TEXT: u8 = 0x81;
const FIRST_OF_TEXT: u8 = 0x01;
const MIDDLE: u8 = 0x00;
const LAST: u8 = 0x80;

/// One end of a connection in our hands, the layer at the other.
struct Peer {
    io: Io,
    connection: Connection,
    is_open: bool,
}

impl Peer {
    fn new(layer: Layer, io: Io) -> Self {
        Self { connection: layer.open(io.clone()), io, is_open: true }
    }

    /// Lets the layer do all it can.
    fn poll(&mut self) {
        if self.is_open {
            let mut cx = Context::from_waker(Waker::noop());
            self.is_open = self.connection.as_mut().poll(&mut cx).is_pending();
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.io.feed(bytes);
        self.poll();
    }

    /// Sends a frame and takes its echo.
    fn echo(&mut self, frame: &[u8]) {
        self.send(frame);
        self.io.receive(|bytes| assert!(bytes.len() >= SMALL, "no echo"));
    }

    fn push(&mut self, payload: &Bytes) {
        self.io.push(payload);
        self.poll();
        self.io.receive(|bytes| assert!(bytes.ends_with(payload), "nothing was sent"));
    }

    /// Sends bytes against the rules. Gives the code of the close frame that the layer answers
    /// with, or `None`.
    fn provoke(&mut self, bytes: &[u8]) -> Option<u16> {
        self.send(bytes);
        self.io.receive(|bytes| match bytes {
            [0x88, _, high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        })
    }
}

/// Checks that the layer echoes as it should.
pub fn check(layer: Layer) {
    let mut peer = Peer::new(layer, Io::new(0));
    for length in [SMALL, LARGE, SMALL] {
        peer.send(&text_frame(length));
        let mut expected = BytesMut::new();
        encode_frame(&mut expected, Opcode::Text, &vec![b'a'; length], None);
        peer.io.receive(|bytes| assert!(bytes == expected, "{}: a wrong echo", layer.name()));
    }
}

/// Heap bytes of a connection that has echoed one message, its task included.
pub fn idle_bytes(layer: Layer) -> usize {
    bytes_after(layer, |_| ())
}

/// Heap bytes of a connection with one echo that the peer does not take.
pub fn waiting_bytes(layer: Layer) -> usize {
    let frame = text_frame(SMALL);
    bytes_after(layer, |peer| {
        peer.io.block();
        peer.send(&frame);
    })
}

/// Heap bytes of a connection that has announced the largest message, and sent nothing of it.
pub fn announced_bytes(layer: Layer) -> usize {
    let mut header = vec![TEXT, 0xff];
    header.extend((MAX_MESSAGE as u64 - 1).to_be_bytes());
    header.extend(MASK);
    bytes_after(layer, |peer| peer.send(&header))
}

/// Heap bytes of a connection that has echoed one message, and after that done `then`.
fn bytes_after(layer: Layer, then: impl Fn(&mut Peer)) -> usize {
    const CONNECTIONS: usize = 1000;
    let frame = text_frame(SMALL);
    // What a thread has once, whatever the number of connections, is not counted.
    Peer::new(layer, Io::new(256)).echo(&frame);

    let ios: Vec<Io> = (0..CONNECTIONS).map(|_| Io::new(256)).collect();
    let mut peers = Vec::with_capacity(CONNECTIONS);
    let before = allocator::bytes();
    for io in ios {
        let mut peer = Peer::new(layer, io);
        peer.echo(&frame);
        then(&mut peer);
        peers.push(peer);
    }
    (allocator::bytes() - before) / CONNECTIONS
}

/// Allocations per echoed small message.
pub fn echo_allocations(layer: Layer) -> f64 {
    const MESSAGES: usize = 10_000;
    let frame = text_frame(SMALL);
    let mut peer = Peer::new(layer, Io::new(256));
    (0..1000).for_each(|_| peer.echo(&frame));
    let before = allocator::allocations();
    (0..MESSAGES).for_each(|_| peer.echo(&frame));
    (allocator::allocations() - before) as f64 / MESSAGES as f64
}

/// Writes for 16 small messages that are read together.
pub fn burst_writes(layer: Layer) -> usize {
    let mut peer = Peer::new(layer, Io::new(1024));
    let burst = text_frame(SMALL).repeat(16);
    peer.echo(&burst);
    peer.io.take_counts();
    peer.echo(&burst);
    peer.io.take_counts().writes
}

/// Reads and writes for a large message.
pub fn large_reads_and_writes(layer: Layer) -> (usize, usize) {
    let mut peer = Peer::new(layer, Io::new(2 * LARGE));
    let frame = text_frame(LARGE);
    peer.echo(&frame);
    peer.io.take_counts();
    peer.echo(&frame);
    let counts = peer.io.take_counts();
    (counts.reads, counts.writes)
}

/// Allocations, and bytes copied before the write, per delivery of a small message that goes to
/// 1,000 connections.
pub fn fan_out(layer: Layer) -> (f64, f64) {
    const ROUNDS: usize = 10;
    let mut peers = fan_out_peers(layer);
    let payload = Bytes::from(vec![b'a'; SMALL]);
    for peer in &mut peers {
        peer.push(&payload);
        peer.io.take_counts();
    }
    let before = allocator::allocations();
    for _ in 0..ROUNDS {
        peers.iter_mut().for_each(|peer| peer.push(&payload));
    }
    let deliveries = (ROUNDS * peers.len()) as f64;
    let allocations = allocator::allocations() - before;
    let copied: usize = peers.iter().map(|peer| peer.io.take_counts().copied).sum();
    (allocations as f64 / deliveries, copied as f64 / deliveries)
}

fn fan_out_peers(layer: Layer) -> Vec<Peer> {
    (0..1000).map(|_| Peer::new(layer, Io::new(256))).collect()
}

/// What a layer does with a frame that is too large.
pub fn too_large_frame(layer: Layer) -> String {
    let mut peer = Peer::new(layer, Io::new(0));
    let code = peer.provoke(&text_frame(MAX_MESSAGE + 1));
    describe(&peer, code)
}

/// What a layer does with a message that is too large in two frames, though neither is.
pub fn too_large_message(layer: Layer) -> String {
    let mut peer = Peer::new(layer, Io::new(0));
    let half = vec![b'a'; MAX_MESSAGE / 2 + 1];
    peer.send(&frame(FIRST_OF_TEXT, &half));
    let code = peer.provoke(&frame(LAST, &half));
    describe(&peer, code)
}

/// What a layer does with a message of 100,000 fragments, nearly all of them empty.
pub fn many_fragments(layer: Layer) -> String {
    let mut peer = Peer::new(layer, Io::new(0));
    peer.send(&frame(FIRST_OF_TEXT, b"a"));
    let code = peer.provoke(&frame(MIDDLE, b"").repeat(100_000));
    describe(&peer, code)
}

fn describe(peer: &Peer, code: Option<u16>) -> String {
    match code {
        Some(code) => format!("closes, {code}"),
        None if peer.is_open => "takes it".to_owned(),
        None => "an error, no close frame".to_owned(),
    }
}

/// Something to count instructions of.
#[derive(Clone, Copy)]
pub enum Work {
    SmallEcho,
    LargeEcho,
    FanOut,
}

impl Work {
    const ALL: [(Self, &str); 3] = [
        (Self::SmallEcho, "small-echo"),
        (Self::LargeEcho, "large-echo"),
        (Self::FanOut, "fan-out"),
    ];

    fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// Instructions per message, by callgrind: the difference of two runs. `None` without valgrind.
pub fn instructions(layer: Layer, work: Work) -> Option<u64> {
    let (few, many, messages_each) = match work {
        Work::SmallEcho => (1000, 3000, 1),
        Work::LargeEcho => (50, 150, 1),
        Work::FanOut => (2, 4, 1000),
    };
    let count = |rounds: u64| {
        let index = Layer::ALL.iter().position(|other| *other == layer)?;
        let output = Command::new("valgrind")
            // Else a copy of n bytes by `rep movsb` counts as n instructions.
            .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(env::current_exe().ok()?)
            .args([work.name(), &index.to_string(), &rounds.to_string()])
            .output()
            .ok()?;
        let report = String::from_utf8(output.stderr).ok()?;
        let (_, collected) = report.split_once("Collected : ")?;
        collected.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some((count(many)? - count(few)?) / ((many - few) * messages_each))
}

/// Does the work that [`instructions`] counts: `small-echo 1 1000`.
pub fn run_work(args: &[String]) {
    let [work, layer, rounds] = args else { panic!("three arguments: work, layer, rounds") };
    let (work, _) = Work::ALL.into_iter().find(|(_, name)| name == work).expect("a known work");
    let layer = Layer::ALL[layer.parse::<usize>().expect("the index of a layer")];
    let rounds: usize = rounds.parse().expect("a number of rounds");

    let length = if matches!(work, Work::LargeEcho) { LARGE } else { SMALL };
    if matches!(work, Work::FanOut) {
        let mut peers = fan_out_peers(layer);
        let payload = Bytes::from(vec![b'a'; length]);
        for _ in 0..rounds {
            peers.iter_mut().for_each(|peer| peer.push(&payload));
        }
    } else {
        let mut peer = Peer::new(layer, Io::new(2 * LARGE));
        let frame = text_frame(length);
        (0..rounds).for_each(|_| peer.echo(&frame));
    }
}

fn text_frame(length: usize) -> Vec<u8> {
    frame(TEXT, &vec![b'a'; length])
}

/// A frame as a client sends it.
fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode_frame(&mut out, Opcode::Text, payload, Some(MASK));
    out[0] = first_byte;
    out.to_vec()
}
