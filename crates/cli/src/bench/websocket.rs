//! Clients on WebSockets: from connecting to joining the namespace, then as the scenario says.
//!
//! One buffer serves all reads and one all writes. What one read brings is answered by one write.

use std::collections::VecDeque;

use mio::{Registry, Token, event::Event};

use super::{
    Failure, OPEN_TIMEOUT,
    failure::excerpt,
    frame::{Frame, Opcode, read_frame, write_frame},
    http::read_upgrade,
    run::Clients,
    scenario::{AfterJoin, Scenario},
    stream::{Filled, Stream},
    tally::{Nanos, Tally},
    target::Target,
};

/// At first; it grows if a message is larger.
const READ_BUFFER_BYTES: usize = 128 << 10;

/// Going away is what a client of a finished program does.
const CLOSE_CODE: [u8; 2] = 1001_u16.to_be_bytes();

/// All connections of a run.
pub(crate) struct WebSockets<S> {
    target: Target,
    registry: Registry,
    scenario: S,
    clients: Vec<Option<Client>>,
    request: Vec<u8>,
    join_frame: Vec<u8>,
    pong_frame: Vec<u8>,
    /// What is read goes through it; taken out meanwhile.
    input: Vec<u8>,
    /// What is to be written; taken out meanwhile.
    output: Vec<u8>,
    /// Who was opened when, in this order.
    opened: VecDeque<(Nanos, usize)>,
}

struct Client {
    stream: Stream,
    phase: Phase,
    opened_at: Nanos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The response to the handshake is awaited.
    Upgrading,
    /// Engine.IO's handshake is awaited.
    Opening,
    /// The namespace's answer is awaited.
    Joining,
    /// An acknowledgement is awaited: what the scenario sent first has been handled then.
    Preparing,
    Joined,
    /// A close frame was sent; the end of the connection is awaited.
    Leaving,
}

/// Whether a connection goes on.
#[derive(PartialEq, Eq)]
enum Next {
    GoesOn,
    IsOver,
}

impl<S: Scenario> WebSockets<S> {
    pub(crate) fn new(target: Target, registry: Registry, scenario: S, connections: usize) -> Self {
        let frame = |opcode, payload: &[u8]| {
            let mut frame = Vec::new();
            write_frame(&mut frame, opcode, payload);
            frame
        };
        Self {
            request: target.websocket_request(),
            join_frame: frame(Opcode::Text, target.connect_packet.as_bytes()),
            pong_frame: frame(Opcode::Text, b"3"),
            target,
            registry,
            scenario,
            clients: (0..connections).map(|_| None).collect(),
            input: vec![0; READ_BUFFER_BYTES],
            output: Vec::new(),
            opened: VecDeque::new(),
        }
    }

    /// Reads, answers and writes, as far as that is possible now.
    fn drive(&mut self, index: usize, event: &Event, tally: &mut Tally) -> Result<Next, Failure> {
        if event.is_writable() || event.is_error() {
            let stream = &mut self.client(index).stream;
            stream.handle_writable().map_err(|error| self.io_failure(error))?;
        }
        if !event.is_readable() && !event.is_read_closed() {
            return Ok(Next::GoesOn);
        }
        let mut input = std::mem::take(&mut self.input);
        let mut output = std::mem::take(&mut self.output);
        let result = self.read(index, event.is_read_closed(), tally, &mut input, &mut output);
        output.clear();
        self.input = input;
        self.output = output;
        result
    }

    fn read(
        &mut self,
        index: usize,
        is_closed: bool,
        tally: &mut Tally,
        input: &mut Vec<u8>,
        output: &mut Vec<u8>,
    ) -> Result<Next, Failure> {
        loop {
            let filled = self.client(index).stream.fill(input);
            let (len, is_full) = match filled.map_err(|error| self.io_failure(error))? {
                Filled::Bytes { len, is_full } => (len, is_full),
                Filled::Nothing => return Ok(Next::GoesOn),
                Filled::End if self.client(index).phase == Phase::Leaving => {
                    return Ok(Next::IsOver);
                }
                Filled::End => return Err(Failure::Closed),
            };
            let now = tally.now();
            let mut rest = &input[..len];
            while self.take_message(index, &mut rest, now, tally, output)? {}
            let stream = &mut self.client(index).stream;
            stream.keep(rest);
            stream.write(output).map_err(|error| self.io_failure(error))?;
            output.clear();
            // A short read has emptied the socket, and the next bytes are a new event. But that the
            // peer has closed is no news again.
            if !is_full && !is_closed {
                return Ok(Next::GoesOn);
            }
        }
    }

    /// Handles one response or frame off the front of `input`; false if none is complete.
    fn take_message(
        &mut self,
        index: usize,
        input: &mut &[u8],
        now: Nanos,
        tally: &mut Tally,
        output: &mut Vec<u8>,
    ) -> Result<bool, Failure> {
        let client = self.client(index);
        if client.phase == Phase::Upgrading {
            let Some(response) = read_upgrade(input)? else { return Ok(false) };
            if response.status != 101 {
                return Err(response.into_failure());
            }
            client.phase = Phase::Opening;
            return Ok(true);
        }
        let Some(Frame { opcode, payload }) = read_frame(input)? else { return Ok(false) };
        match opcode {
            Opcode::Text => self.handle_packet(index, payload, now, tally, output)?,
            Opcode::Binary => self.scenario.handle_binary(index, payload, now, tally, output),
            Opcode::Ping => _ = write_frame(output, Opcode::Pong, payload),
            Opcode::Pong => (),
            // The end of the connection is to follow.
            Opcode::Close if client.phase == Phase::Leaving => (),
            Opcode::Close => return Err(closed(payload)),
        }
        Ok(true)
    }

    /// A packet of Engine.IO.
    fn handle_packet(
        &mut self,
        index: usize,
        packet: &[u8],
        now: Nanos,
        tally: &mut Tally,
        output: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        match (self.client(index).phase, packet) {
            (Phase::Joined, [b'4', packet @ ..]) if !matches!(packet, [b'1', ..]) => {
                self.scenario.handle_text(index, packet, now, tally, output);
            }
            (Phase::Opening, [b'0', ..]) => {
                output.extend_from_slice(&self.join_frame);
                self.client(index).phase = Phase::Joining;
            }
            (Phase::Opening, _) => return Err(Failure::NotSocketIo(excerpt(packet))),
            (_, b"2") => {
                output.extend_from_slice(&self.pong_frame);
                tally.counts.heartbeats += 1;
            }
            (Phase::Joining, [b'4', b'0', ..]) => self.join(index, now, tally, output),
            (Phase::Joining, [b'4', b'4', error @ ..]) => return Err(self.target.refusal(error)),
            (Phase::Preparing, [b'4', b'3', ..]) => self.be_ready(index, tally),
            (Phase::Leaving, _) => (),
            (_, [b'4', b'1', ..]) => return Err(Failure::Disconnected),
            (_, b"1") => return Err(Failure::Closed),
            // A noop, or an event that the server greets with.
            (_, [b'6' | b'4', ..]) => (),
            _ => return Err(Failure::Protocol("the server sent what is no packet of Engine.IO")),
        }
        Ok(())
    }

    /// The server has accepted the socket.
    fn join(&mut self, index: usize, now: Nanos, tally: &mut Tally, output: &mut Vec<u8>) {
        match self.scenario.join(index, output) {
            AfterJoin::Ready => self.be_ready(index, tally),
            AfterJoin::Prepare => self.client(index).phase = Phase::Preparing,
            AfterJoin::Leave => {
                tally.join();
                tally.complete(self.client(index).opened_at, now, true);
                write_frame(output, Opcode::Close, &CLOSE_CODE);
                self.client(index).phase = Phase::Leaving;
            }
        }
    }

    fn be_ready(&mut self, index: usize, tally: &mut Tally) {
        self.client(index).phase = Phase::Joined;
        tally.join();
    }

    fn client(&mut self, index: usize) -> &mut Client {
        self.clients[index].as_mut().expect("only open connections are driven")
    }

    fn io_failure(&self, error: std::io::Error) -> Failure {
        Failure::from_io(error, self.target.address)
    }

    /// Forgets a connection, for a reason or because its life is over.
    fn remove(&mut self, index: usize, failure: Option<&Failure>, tally: &mut Tally) {
        let Some(client) = self.clients[index].take() else { return };
        let was_joined = matches!(client.phase, Phase::Joined | Phase::Leaving);
        match failure {
            // How a connection ends that has been left says nothing any more.
            Some(failure) if client.phase != Phase::Leaving => tally.lose(failure, was_joined),
            _ => tally.joined -= 1,
        }
        self.scenario.lose(index, tally);
        if S::REOPENS {
            tally.vacant.push(index);
        }
    }

    fn send(&mut self, index: usize, output: &[u8], tally: &mut Tally) {
        let Some(client) = &mut self.clients[index] else { return };
        if let Err(error) = client.stream.write(output) {
            let failure = self.io_failure(error);
            self.remove(index, Some(&failure), tally);
        }
    }
}

impl<S: Scenario> Clients for WebSockets<S> {
    const ARE_KEPT: bool = !S::REOPENS;

    fn open(&mut self, index: usize, tally: &mut Tally) -> Result<(), Failure> {
        let stream = self.target.connect(index)?;
        let stream = Stream::new(stream, &self.registry, Token(index));
        let mut stream = stream.map_err(|error| self.io_failure(error))?;
        stream.write(&self.request).map_err(|error| self.io_failure(error))?;
        let opened_at = tally.now();
        self.clients[index] = Some(Client { stream, phase: Phase::Upgrading, opened_at });
        self.opened.push_back((opened_at, index));
        Ok(())
    }

    fn handle(&mut self, event: &Event, tally: &mut Tally) {
        let Token(index) = event.token();
        if self.clients[index].is_none() {
            return;
        }
        match self.drive(index, event, tally) {
            Ok(Next::GoesOn) => (),
            Ok(Next::IsOver) => self.remove(index, None, tally),
            Err(failure) => self.remove(index, Some(&failure), tally),
        }
    }

    fn expire(&mut self, tally: &mut Tally) {
        let now = tally.now();
        let timeout = OPEN_TIMEOUT.as_nanos() as Nanos;
        while let Some(&(opened_at, index)) =
            self.opened.front().filter(|(opened_at, _)| opened_at + timeout <= now)
        {
            self.opened.pop_front();
            let is_late = self.clients[index].as_ref().is_some_and(|client| {
                client.opened_at == opened_at && client.phase != Phase::Joined
            });
            if is_late {
                self.remove(index, Some(&Failure::TimedOut), tally);
            }
        }
    }

    fn start(&mut self, tally: &mut Tally) {
        let mut output = Vec::new();
        for index in 0..self.clients.len() {
            if self.clients[index].as_ref().is_some_and(|client| client.phase == Phase::Joined) {
                self.scenario.start(index, tally.now(), &mut output);
                self.send(index, &output, tally);
                output.clear();
            }
        }
    }

    fn finish_round(&mut self, tally: &mut Tally) {
        while let Some(index) = self.scenario.next_publisher() {
            let mut output = std::mem::take(&mut self.output);
            self.scenario.publish(index, tally.now(), &mut output);
            self.send(index, &output, tally);
            output.clear();
            self.output = output;
        }
    }

    fn outstanding(&self) -> u64 {
        self.scenario.outstanding()
    }
}

/// The failure that a close frame stands for.
fn closed(payload: &[u8]) -> Failure {
    match payload.first_chunk() {
        Some(code) => Failure::ClosedWithCode(u16::from_be_bytes(*code)),
        None => Failure::Closed,
    }
}
