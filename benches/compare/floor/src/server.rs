//! The loop: wait, read, answer, and at the end of each turn what concerns others.

use std::{
    io::{self, ErrorKind},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpListener};
use slab::Slab;

use crate::{
    connection::{Connection, Input, Phase},
    frame,
    heartbeats::{Heartbeats, Peer},
    http::{self, Kind},
    packet::{self, Message},
};

const LISTENER: Token = Token(usize::MAX);

/// What a polling client's packets are separated by.
const SEPARATOR: u8 = 0x1e;

pub(crate) struct Server {
    poll: Poll,
    listener: TcpListener,
    connections: Slab<Connection>,
    sessions: Slab<Session>,
    heartbeats: Heartbeats,
    /// The handshake, after the id.
    handshake: String,
    next_serial: u64,
    /// When the turn began.
    now: Instant,
    /// What is read, whoever from.
    input: Box<[u8]>,
    /// The answers to one read.
    output: Vec<u8>,
    /// Frames for everybody, of one turn.
    broadcasts: Vec<u8>,
    /// Sessions to look at when the turn ends: there is something for them.
    told: Vec<usize>,
}

/// A polling session.
struct Session {
    serial: u64,
    /// Packets that wait for a poll.
    queue: Vec<u8>,
    /// The connection of the poll that waits for packets.
    poll: Option<usize>,
}

impl Session {
    fn queue(&mut self, parts: &[&[u8]]) {
        if !self.queue.is_empty() {
            self.queue.push(SEPARATOR);
        }
        parts.iter().for_each(|part| self.queue.extend_from_slice(part));
    }
}

/// A connection is to be dropped: it was closed, or what came makes no sense here.
struct Over;

impl Server {
    pub(crate) fn new(mut listener: TcpListener, ping_interval: Duration) -> io::Result<Self> {
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let handshake = format!(
            r#"","upgrades":[],"pingInterval":{},"pingTimeout":20000,"maxPayload":1000000}}"#,
            ping_interval.as_millis()
        );
        Ok(Self {
            poll,
            listener,
            connections: Slab::new(),
            sessions: Slab::new(),
            heartbeats: Heartbeats::new(ping_interval),
            handshake,
            next_serial: 0,
            now: Instant::now(),
            input: vec![0; 64 << 10].into(),
            output: Vec::new(),
            broadcasts: Vec::new(),
            told: Vec::new(),
        })
    }

    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, self.heartbeats.wait(Instant::now())) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            self.now = Instant::now();
            for event in &events {
                let Token(key) = event.token();
                if event.token() == LISTENER {
                    self.accept()?;
                    continue;
                }
                let Some(connection) = self.connections.get_mut(key) else { continue };
                if event.is_writable() {
                    connection.flush();
                }
                if self.read(key).is_err() {
                    self.drop_connection(key);
                }
            }
            self.send_broadcasts();
            self.send_pings();
            self.answer_polls();
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let serial = self.serial();
            let key = self.connections.insert(Connection::new(stream, serial));
            self.connections[key].register(self.poll.registry(), key)?;
        }
    }

    fn serial(&mut self) -> u64 {
        self.next_serial += 1;
        self.next_serial
    }

    fn drop_connection(&mut self, key: usize) {
        let connection = self.connections.remove(key);
        if let Phase::Http { poll: Some(session) } = connection.phase {
            if let Some(session) = self.sessions.get_mut(session) {
                session.poll.take_if(|poll| *poll == key);
            }
        }
    }

    /// Reads all there is and writes all answers.
    fn read(&mut self, key: usize) -> Result<(), Over> {
        let mut input = std::mem::take(&mut self.input);
        let result = loop {
            match self.connections[key].read(&mut input) {
                Input::None => break Ok(()),
                Input::End => break Err(Over),
                Input::Some { length, more } => match self.answer(key, &mut input[..length]) {
                    Ok(()) if more => (),
                    result => break result,
                },
            }
        };
        self.input = input;
        result
    }

    fn answer(&mut self, key: usize, mut input: &mut [u8]) -> Result<(), Over> {
        self.output.clear();
        let result = loop {
            match self.answer_first(key, input) {
                Ok(Some(end)) => input = &mut input[end..],
                Ok(None) => break Ok(()),
                Err(over) => break Err(over),
            }
        };
        let connection = &mut self.connections[key];
        connection.keep(input);
        if !self.output.is_empty() {
            connection.write(self.poll.registry(), key, &self.output);
        }
        result
    }

    /// Answers the first frame or request, and says where it ended.
    fn answer_first(&mut self, key: usize, input: &mut [u8]) -> Result<Option<usize>, Over> {
        match self.connections[key].phase {
            Phase::WebSocket { .. } => {
                let Some(frame) = frame::take(input).map_err(|_| Over)? else { return Ok(None) };
                self.answer_frame(key, frame.opcode, &input[frame.start..frame.end])?;
                Ok(Some(frame.end))
            }
            Phase::Http { .. } => {
                let Some(request) = http::parse(input).map_err(|_| Over)? else {
                    return Ok(None);
                };
                self.answer_request(key, request.kind)?;
                Ok(Some(request.end))
            }
        }
    }

    fn answer_frame(&mut self, key: usize, opcode: u8, payload: &[u8]) -> Result<(), Over> {
        match opcode {
            frame::TEXT => self.answer_text(key, payload),
            // The attachment of a `bin`, whose text went back already.
            frame::BINARY => {
                frame::append(&mut self.output, frame::BINARY, &[payload]);
                Ok(())
            }
            frame::PING => {
                frame::append(&mut self.output, frame::PONG, &[payload]);
                Ok(())
            }
            frame::CLOSE => {
                frame::append(&mut self.output, frame::CLOSE, &[payload]);
                Err(Over)
            }
            _ => Err(Over),
        }
    }

    fn answer_text(&mut self, key: usize, text: &[u8]) -> Result<(), Over> {
        let output = &mut self.output;
        match packet::parse(text) {
            Message::Echo => frame::append(output, frame::TEXT, &[text]),
            Message::Ack { id, arguments } => {
                frame::append(output, frame::TEXT, &[b"43", id, b"[", arguments, b"]"]);
            }
            Message::Broadcast { arguments } => {
                let parts = [&b"42[\"message\""[..], arguments, b"]"];
                frame::append(&mut self.broadcasts, frame::TEXT, &parts);
            }
            Message::Connect => {
                self.connections[key].phase = Phase::WebSocket { joined: true };
                frame::append(output, frame::TEXT, &[b"40{\"sid\":\"", &packet::id(key), b"\"}"]);
            }
            Message::Pong => {
                let serial = self.connections[key].serial;
                self.heartbeats.schedule(self.now, Peer::WebSocket { key, serial });
            }
            Message::Leave | Message::Unknown => return Err(Over),
        }
        Ok(())
    }

    fn answer_request(&mut self, key: usize, kind: Kind<'_>) -> Result<(), Over> {
        match kind {
            Kind::WebSocket { key: nonce } => {
                http::append_switch(&mut self.output, nonce);
                let open = [&b"0{\"sid\":\""[..], &packet::id(key), self.handshake.as_bytes()];
                frame::append(&mut self.output, frame::TEXT, &open);
                let connection = &mut self.connections[key];
                connection.phase = Phase::WebSocket { joined: false };
                let peer = Peer::WebSocket { key, serial: connection.serial };
                self.heartbeats.schedule(self.now, peer);
            }
            Kind::Open => {
                let serial = self.serial();
                let session = Session { serial, queue: Vec::new(), poll: None };
                let session_key = self.sessions.insert(session);
                let session = &mut self.sessions[session_key];
                let open =
                    [&b"0{\"sid\":\""[..], &packet::id(session_key), self.handshake.as_bytes()];
                session.queue(&open);
                http::append_answer(&mut self.output, &session.queue);
                session.queue.clear();
                self.heartbeats.schedule(self.now, Peer::Polling { key: session_key, serial });
            }
            Kind::Poll { session: session_key } => {
                let session = self.sessions.get_mut(session_key).ok_or(Over)?;
                session.poll = Some(key);
                self.connections[key].phase = Phase::Http { poll: Some(session_key) };
                if !session.queue.is_empty() {
                    self.told.push(session_key);
                }
            }
            Kind::Post { session, body } => {
                for packet in body.split(|byte| *byte == SEPARATOR) {
                    self.answer_packet(session, packet)?;
                }
                http::append_answer(&mut self.output, b"ok");
                self.told.push(session);
            }
        }
        Ok(())
    }

    fn answer_packet(&mut self, key: usize, packet: &[u8]) -> Result<(), Over> {
        let session = self.sessions.get_mut(key).ok_or(Over)?;
        match packet::parse(packet) {
            Message::Echo => session.queue(&[packet]),
            Message::Ack { id, arguments } => session.queue(&[b"43", id, b"[", arguments, b"]"]),
            Message::Connect => session.queue(&[b"40{\"sid\":\"", &packet::id(key), b"\"}"]),
            Message::Pong => {
                let peer = Peer::Polling { key, serial: session.serial };
                self.heartbeats.schedule(self.now, peer);
            }
            // An open poll is told that there is nothing any more.
            Message::Leave => session.queue(&[b"6"]),
            Message::Broadcast { .. } | Message::Unknown => return Err(Over),
        }
        Ok(())
    }

    fn send_broadcasts(&mut self) {
        if self.broadcasts.is_empty() {
            return;
        }
        for (key, connection) in &mut self.connections {
            if connection.phase == (Phase::WebSocket { joined: true }) {
                connection.write(self.poll.registry(), key, &self.broadcasts);
            }
        }
        self.broadcasts.clear();
    }

    fn send_pings(&mut self) {
        const PING: &[u8] = &[0x81, 1, b'2'];
        while let Some(peer) = self.heartbeats.pop(self.now) {
            match peer {
                Peer::WebSocket { key, serial } => {
                    let connection = self.connections.get_mut(key);
                    if let Some(connection) = connection.filter(|it| it.serial == serial) {
                        connection.write(self.poll.registry(), key, PING);
                    }
                }
                Peer::Polling { key, serial } => {
                    let session = self.sessions.get_mut(key);
                    if let Some(session) = session.filter(|it| it.serial == serial) {
                        session.queue(&[b"2"]);
                        self.told.push(key);
                    }
                }
            }
        }
    }

    /// Answers the polls of sessions that have been told something.
    fn answer_polls(&mut self) {
        for session in self.told.drain(..) {
            let Some(session) = self.sessions.get_mut(session) else { continue };
            let (false, Some(key)) = (session.queue.is_empty(), session.poll) else { continue };
            session.poll = None;
            self.output.clear();
            http::append_answer(&mut self.output, &session.queue);
            session.queue.clear();
            let connection = &mut self.connections[key];
            connection.phase = Phase::Http { poll: None };
            connection.write(self.poll.registry(), key, &self.output);
        }
    }
}
