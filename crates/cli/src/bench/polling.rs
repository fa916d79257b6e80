//! Clients on HTTP long-polling. Each has two connections that stay open: on one a GET always
//! waits for packets, on the other POSTs send them.

use std::collections::VecDeque;

use mio::{Registry, Token, event::Event};

use super::{
    Failure, OPEN_TIMEOUT,
    failure::excerpt,
    http::{Response, read_response},
    payload::Template,
    run::Clients,
    scenario::Lanes,
    sequence::Finder,
    stream::{Filled, Stream},
    tally::{Nanos, Tally},
    target::Target,
};

const READ_BUFFER_BYTES: usize = 128 << 10;

/// Between the packets of one body.
const SEPARATOR: u8 = 0x1e;

/// All clients of a run.
pub(crate) struct Polling {
    target: Target,
    registry: Registry,
    lanes: Lanes,
    template: Template,
    finder: Finder,
    clients: Vec<Option<Client>>,
    /// What is read goes through it; taken out meanwhile.
    input: Vec<u8>,
    /// Who was opened when, in this order.
    opened: VecDeque<(Nanos, usize)>,
}

struct Client {
    phase: Phase,
    polls: Stream,
    /// `None` until there is a session to send to.
    posts: Option<Stream>,
    /// A whole GET of this session.
    poll_request: Vec<u8>,
    /// A POST of this session up to its length.
    post_head: Vec<u8>,
    /// Packets that wait for the POST before them to be answered.
    unsent: Vec<u8>,
    is_posting: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Engine.IO's handshake is awaited.
    Opening,
    /// The namespace's answer is awaited.
    Joining,
    Joined,
}

/// Which of a client's connections: an even token polls, the odd one after it posts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Polls,
    Posts,
}

impl Polling {
    pub(crate) fn new(
        target: Target,
        registry: Registry,
        lanes: Lanes,
        template: Template,
        finder: Finder,
        connections: usize,
    ) -> Self {
        Self {
            target,
            registry,
            lanes,
            template,
            finder,
            clients: (0..connections).map(|_| None).collect(),
            input: vec![0; READ_BUFFER_BYTES],
            opened: VecDeque::new(),
        }
    }

    fn connect(&self, index: usize, lane: Lane) -> Result<Stream, Failure> {
        let token = Token(index * 2 + usize::from(lane == Lane::Posts));
        let stream = self.target.connect(index)?;
        Stream::new(stream, &self.registry, token).map_err(|error| self.io_failure(error))
    }

    fn drive(
        &mut self,
        index: usize,
        lane: Lane,
        event: &Event,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        if event.is_writable() || event.is_error() {
            let stream = self.client(index).stream(lane);
            stream.handle_writable().map_err(|error| self.io_failure(error))?;
        }
        if !event.is_readable() && !event.is_read_closed() {
            return Ok(());
        }
        let mut input = std::mem::take(&mut self.input);
        let result = self.read(index, lane, event.is_read_closed(), tally, &mut input);
        self.input = input;
        result
    }

    fn read(
        &mut self,
        index: usize,
        lane: Lane,
        is_closed: bool,
        tally: &mut Tally,
        input: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        loop {
            let filled = self.client(index).stream(lane).fill(input);
            let (len, is_full) = match filled.map_err(|error| self.io_failure(error))? {
                Filled::Bytes { len, is_full } => (len, is_full),
                Filled::Nothing => return Ok(()),
                Filled::End => return Err(Failure::Closed),
            };
            let now = tally.now();
            let mut rest = &input[..len];
            while let Some(response) = read_response(&mut rest)? {
                if response.status != 200 {
                    return Err(response.into_failure());
                }
                match lane {
                    Lane::Polls => self.handle_poll(index, &response, now, tally)?,
                    Lane::Posts => self.client(index).is_posting = false,
                }
            }
            self.client(index).stream(lane).keep(rest);
            self.post(index)?;
            if !is_full && !is_closed {
                return Ok(());
            }
        }
    }

    /// The answer to a GET.
    fn handle_poll(
        &mut self,
        index: usize,
        response: &Response<'_>,
        now: Nanos,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        for packet in response.body.split(|byte| *byte == SEPARATOR) {
            self.handle_packet(index, packet, now, tally)?;
        }
        let client = self.client(index);
        let written = client.polls.write(&client.poll_request);
        written.map_err(|error| self.io_failure(error))
    }

    /// A packet of Engine.IO.
    fn handle_packet(
        &mut self,
        index: usize,
        packet: &[u8],
        now: Nanos,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let phase = self.client(index).phase;
        match (phase, packet) {
            (Phase::Joined, [b'4', packet @ ..]) if packet.starts_with(b"2") => {
                self.receive(index, packet, now, tally);
            }
            (Phase::Opening, [b'0', handshake @ ..]) => self.begin_session(index, handshake)?,
            (Phase::Opening, _) => return Err(Failure::NotSocketIo(excerpt(packet))),
            (_, b"2") => {
                self.client(index).queue().push(b'3');
                tally.counts.heartbeats += 1;
            }
            (Phase::Joining, [b'4', b'0', ..]) => {
                self.client(index).phase = Phase::Joined;
                tally.join();
            }
            (Phase::Joining, [b'4', b'4', error @ ..]) => return Err(self.target.refusal(error)),
            (_, [b'4', b'1', ..]) => return Err(Failure::Disconnected),
            (_, b"1") => return Err(Failure::Closed),
            // A noop, or an event that the server greets with.
            (_, [b'6' | b'4', ..]) => (),
            _ => return Err(Failure::Protocol("the server sent what is no packet of Engine.IO")),
        }
        Ok(())
    }

    /// There is a session: its requests can be made, and the namespace be joined.
    fn begin_session(&mut self, index: usize, handshake: &[u8]) -> Result<(), Failure> {
        #[derive(serde::Deserialize)]
        struct Handshake {
            sid: String,
        }

        let Ok(Handshake { sid }) = serde_json::from_slice(handshake) else {
            return Err(Failure::NotSocketIo(excerpt(handshake)));
        };
        let posts = self.connect(index, Lane::Posts)?;
        let poll_request = self.target.poll_request(Some(&sid)).into_bytes();
        let post_head = self.target.post_request(&sid).into_bytes();
        let join: &[u8] = self.target.connect_packet.as_bytes();
        let client = self.clients[index].as_mut().expect("only open clients are driven");
        client.phase = Phase::Joining;
        client.posts = Some(posts);
        client.poll_request = poll_request;
        client.post_head = post_head;
        client.queue().extend_from_slice(join);
        Ok(())
    }

    fn receive(&mut self, index: usize, packet: &[u8], now: Nanos, tally: &mut Tally) {
        let Some(number) = self.finder.find(packet) else { return };
        if self.lanes.receive(index, number, now, tally) && tally.sending {
            self.send(index, now);
        }
    }

    /// Queues a message.
    fn send(&mut self, index: usize, now: Nanos) {
        let number = self.lanes.send(index, now);
        let client = self.clients[index].as_mut().expect("only open clients are driven");
        self.template.write(client.queue(), number);
    }

    /// POSTs what is queued, unless a POST is under way.
    fn post(&mut self, index: usize) -> Result<(), Failure> {
        self.client(index).post().map_err(|error| self.io_failure(error))
    }

    fn client(&mut self, index: usize) -> &mut Client {
        self.clients[index].as_mut().expect("only open clients are driven")
    }

    fn io_failure(&self, error: std::io::Error) -> Failure {
        Failure::from_io(error, self.target.address)
    }

    fn remove(&mut self, index: usize, failure: &Failure, tally: &mut Tally) {
        if let Some(client) = self.clients[index].take() {
            tally.lose(failure, client.phase == Phase::Joined);
            self.lanes.lose(index);
        }
    }
}

impl Client {
    fn stream(&mut self, lane: Lane) -> &mut Stream {
        match (lane, &mut self.posts) {
            (Lane::Posts, Some(posts)) => posts,
            _ => &mut self.polls,
        }
    }

    /// Where the next packet is to be appended.
    fn queue(&mut self) -> &mut Vec<u8> {
        if !self.unsent.is_empty() {
            self.unsent.push(SEPARATOR);
        }
        &mut self.unsent
    }

    fn post(&mut self) -> std::io::Result<()> {
        let Some(posts) = &mut self.posts else { return Ok(()) };
        if self.is_posting || self.unsent.is_empty() {
            return Ok(());
        }
        let head_len = self.post_head.len();
        self.post_head.extend_from_slice(format!("{}\r\n\r\n", self.unsent.len()).as_bytes());
        self.post_head.extend_from_slice(&self.unsent);
        self.unsent.clear();
        self.is_posting = true;
        let written = posts.write(&self.post_head);
        self.post_head.truncate(head_len);
        written
    }
}

impl Clients for Polling {
    const ARE_KEPT: bool = true;

    fn open(&mut self, index: usize, tally: &mut Tally) -> Result<(), Failure> {
        let mut polls = self.connect(index, Lane::Polls)?;
        let handshake = self.target.poll_request(None);
        polls.write(handshake.as_bytes()).map_err(|error| self.io_failure(error))?;
        self.opened.push_back((tally.now(), index));
        self.clients[index] = Some(Client {
            phase: Phase::Opening,
            polls,
            posts: None,
            poll_request: Vec::new(),
            post_head: Vec::new(),
            unsent: Vec::new(),
            is_posting: false,
        });
        Ok(())
    }

    fn handle(&mut self, event: &Event, tally: &mut Tally) {
        let Token(token) = event.token();
        let index = token / 2;
        if self.clients[index].is_none() {
            return;
        }
        let lane = if token % 2 == 0 { Lane::Polls } else { Lane::Posts };
        if let Err(failure) = self.drive(index, lane, event, tally) {
            self.remove(index, &failure, tally);
        }
    }

    fn expire(&mut self, tally: &mut Tally) {
        let now = tally.now();
        let timeout = OPEN_TIMEOUT.as_nanos() as Nanos;
        while let Some(&(_, index)) =
            self.opened.front().filter(|(opened_at, _)| opened_at + timeout <= now)
        {
            self.opened.pop_front();
            let client = self.clients[index].as_ref();
            if client.is_some_and(|client| client.phase != Phase::Joined) {
                self.remove(index, &Failure::TimedOut, tally);
            }
        }
    }

    fn start(&mut self, tally: &mut Tally) {
        for index in 0..self.clients.len() {
            if self.clients[index].is_none() {
                continue;
            }
            for _ in 0..self.lanes.in_flight() {
                self.send(index, tally.now());
            }
            if let Err(failure) = self.post(index) {
                self.remove(index, &failure, tally);
            }
        }
    }

    fn finish_round(&mut self, _tally: &mut Tally) {}

    fn outstanding(&self) -> u64 {
        self.lanes.outstanding()
    }
}
