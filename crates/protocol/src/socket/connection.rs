//! One connection's namespaces, server side. See "Joining" and "Leaving" in
//! `docs/protocol/socket-io.md`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytestring::ByteString;

use super::{Ack, DecodeError, Decoder, Event, Limits, Packet, Parser, parser::AnyDecoder};
use crate::engine::{Message, Query, Revision};

/// A socket as the connection sees it: its place in one namespace.
pub trait Member {
    /// Where it stands now. It may change at any time, by the application's doing.
    fn standing(&self) -> Standing;

    /// Whether nothing runs for it any more, once it is over. Until then it counts among the
    /// namespaces of its connection, so that leaving and joining again gets around no limit.
    fn is_released(&self) -> bool {
        matches!(self.standing(), Standing::Refused | Standing::Gone)
    }
}

/// Whether a namespace has been joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The namespace's middlewares have not decided yet.
    Connecting,
    /// The client is in.
    Connected,
    /// The middlewares said no, or the client did not wait for them.
    Refused,
    /// The client was in, and one of the two ends has left.
    Gone,
}

/// What a message asks of the application.
#[derive(Debug)]
pub enum Action<S> {
    /// The client wants to join a namespace. Answer with [`Connection::insert`] if it exists.
    Connect {
        /// Its name.
        namespace: ByteString,
        /// A JSON object. A client of Engine.IO 3 has none; it says the same with a query behind the
        /// namespace, `40/admin?token=1,`, which is made one here.
        auth: Option<ByteString>,
    },
    /// An event for this socket.
    Event(S, Event),
    /// An acknowledgement for this socket.
    Ack(S, Ack),
    /// The client has left this socket's namespace.
    Disconnect(S),
}

/// The peer broke the protocol; the connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// What came is no packet.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// An event, an acknowledgement or a disconnect for a namespace that was not joined.
    #[error("a packet for a namespace that was not joined")]
    NotConnected,
    /// A namespace was joined twice.
    #[error("a namespace was joined twice")]
    ConnectedTwice,
    /// More namespaces than the limit allows.
    #[error("too many namespaces")]
    TooManyNamespaces,
    /// A packet that only servers send.
    #[error("a packet that only servers send")]
    WrongDirection,
    /// The attachments of a packet did not arrive in time.
    #[error("attachments did not arrive in time")]
    AttachmentsTimedOut,
    /// No namespace was joined in time.
    #[error("no namespace was joined in time")]
    ConnectTimedOut,
}

/// The state machine of one connection: it decodes messages, knows which socket is in which
/// namespace, and keeps the deadlines for joining a first one and for attachments.
#[derive(Debug)]
pub struct Connection<S> {
    decoder: AnyDecoder,
    limits: Arc<Limits>,
    revision: Revision,
    members: Vec<(Box<str>, S)>,
    /// Sockets that the client has left, until nothing runs for them any more.
    left: Vec<S>,
    /// By when a first namespace must have been joined; `None` once that was seen.
    connect_by: Option<Instant>,
    /// By when the attachments of the packet in the decoder must be there.
    attachments_by: Option<Instant>,
}

impl<S: Member + Clone> Connection<S> {
    /// A connection that has joined nothing yet.
    pub fn new(now: Instant, connect_timeout: Duration, limits: impl Into<Arc<Limits>>) -> Self {
        let limits = limits.into();
        let decoder = AnyDecoder::Default(Decoder::new(limits.clone()));
        Self::with_decoder(now, connect_timeout, limits, decoder)
    }

    /// The same with another parser than the default one.
    pub fn with_parser(
        now: Instant,
        connect_timeout: Duration,
        limits: impl Into<Arc<Limits>>,
        parser: &dyn Parser,
    ) -> Self {
        let limits = limits.into();
        let decoder = AnyDecoder::Other(parser.decoder(&limits));
        Self::with_decoder(now, connect_timeout, limits, decoder)
    }

    fn with_decoder(
        now: Instant,
        connect_timeout: Duration,
        limits: Arc<Limits>,
        decoder: AnyDecoder,
    ) -> Self {
        Self {
            decoder,
            limits,
            revision: Revision::default(),
            members: Vec::new(),
            left: Vec::new(),
            connect_by: Some(now + connect_timeout),
            attachments_by: None,
        }
    }

    /// The revision of Engine.IO that carries the connection. Default 4. In 3, which Socket.IO 1 and 2
    /// speak over it, a client is in the main namespace without having asked: the application
    /// begins with that.
    pub fn with_revision(mut self, revision: Revision) -> Self {
        self.revision = revision;
        self
    }

    /// Takes a message in. `None`: nothing is to be done (yet).
    pub fn handle_message(
        &mut self,
        now: Instant,
        message: Message,
    ) -> Result<Option<Action<S>>, Violation> {
        let packet = self.decoder.decode(message)?;
        let Some(packet) = packet else {
            // Attachments are taken for a namespace that was joined only.
            if let Some(namespace) = self.decoder.partial_namespace() {
                self.connected(namespace)?;
            }
            let timeout = self.limits.attachment_timeout;
            self.attachments_by.get_or_insert(now + timeout);
            return Ok(None);
        };
        self.attachments_by = None;
        match packet {
            Packet::Connect { namespace, payload } => {
                let (namespace, payload) = match self.revision {
                    Revision::V3 => split_query(&namespace),
                    Revision::V4 => (namespace, payload),
                };
                self.forget_the_released();
                if self.member(&namespace).is_some_and(|member| !is_over(member)) {
                    return Err(Violation::ConnectedTwice);
                }
                if self.members.len() + self.left.len() >= self.limits.max_namespaces {
                    return Err(Violation::TooManyNamespaces);
                }
                Ok(Some(Action::Connect { namespace, auth: payload }))
            }
            Packet::Event(event) => {
                let member = self.connected(&event.namespace)?;
                Ok(member.map(|member| Action::Event(member, event)))
            }
            Packet::Ack(ack) => {
                let member = self.connected(&ack.namespace)?;
                Ok(member.map(|member| Action::Ack(member, ack)))
            }
            Packet::Disconnect { namespace } => {
                let index = self.members.iter().rposition(|(name, _)| *namespace == **name);
                let index = index.ok_or(Violation::NotConnected)?;
                let (_, member) = self.members.swap_remove(index);
                self.note_joined(&member);
                self.left.push(member.clone());
                Ok(Some(Action::Disconnect(member)))
            }
            Packet::ConnectError { .. } => Err(Violation::WrongDirection),
        }
    }

    /// The namespace of an [`Action::Connect`] exists; its socket is now connecting.
    pub fn insert(&mut self, namespace: &str, member: S) {
        // There is mostly one, and a connection lives long.
        self.members.reserve_exact(1);
        self.members.push((namespace.into(), member));
    }

    /// All sockets, those that are gone included.
    pub fn members(&self) -> impl Iterator<Item = &S> {
        self.members.iter().map(|(_, member)| member)
    }

    /// By when [`handle_tick`](Self::handle_tick) is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        [self.connect_by, self.attachments_by].into_iter().flatten().min()
    }

    /// The time has come to look at the deadlines.
    pub fn handle_tick(&mut self, now: Instant) -> Result<(), Violation> {
        if self.attachments_by.is_some_and(|by| by <= now) {
            return Err(Violation::AttachmentsTimedOut);
        }
        if self.connect_by.is_some_and(|by| by <= now) {
            if !self.members().any(has_joined) {
                return Err(Violation::ConnectTimedOut);
            }
            self.connect_by = None;
        }
        Ok(())
    }

    fn forget_the_released(&mut self) {
        self.left.retain(|member| !member.is_released());
        let members = std::mem::take(&mut self.members);
        for (name, member) in members {
            if is_over(&member) && member.is_released() {
                self.note_joined(&member);
            } else {
                self.members.push((name, member));
            }
        }
    }

    /// A member goes out of sight. That it was in is all that counts for the deadline.
    fn note_joined(&mut self, member: &S) {
        if has_joined(member) {
            self.connect_by = None;
        }
    }

    /// The socket of a namespace; the last one, if others have left it.
    fn member(&self, namespace: &str) -> Option<&S> {
        let mut members = self.members.iter().rev();
        members.find(|(name, _)| **name == *namespace).map(|(_, member)| member)
    }

    /// The socket for an event. One that this end has just sent away is no violation: the peer may
    /// not know yet, so what it said is passed over.
    fn connected(&self, namespace: &str) -> Result<Option<S>, Violation> {
        let member = self.member(namespace).ok_or(Violation::NotConnected)?;
        match member.standing() {
            Standing::Connected => Ok(Some(member.clone())),
            Standing::Gone | Standing::Refused => Ok(None),
            Standing::Connecting => Err(Violation::NotConnected),
        }
    }
}

/// `/admin?token=1` is the namespace `/admin` and the auth `{"token":"1"}`.
fn split_query(namespace: &ByteString) -> (ByteString, Option<ByteString>) {
    let Some((name, query)) = namespace.split_once('?') else { return (namespace.clone(), None) };
    let query = Query::parse(query);
    let auth: serde_json::Map<_, _> =
        query.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    (name.into(), Some(serde_json::Value::Object(auth).to_string().into()))
}

fn is_over<S: Member>(member: &S) -> bool {
    matches!(member.standing(), Standing::Refused | Standing::Gone)
}

fn has_joined<S: Member>(member: &S) -> bool {
    matches!(member.standing(), Standing::Connected | Standing::Gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::{cell::Cell, rc::Rc};

    #[derive(Clone, Debug)]
    struct Seat(Rc<Cell<Standing>>);

    impl Member for Seat {
        fn standing(&self) -> Standing {
            self.0.get()
        }
    }

    struct Rig {
        connection: Connection<Seat>,
        start: Instant,
    }

    impl Rig {
        fn new() -> Self {
            let start = Instant::now();
            let timeout = Duration::from_secs(45);
            let limits = Limits { max_namespaces: 2, ..Limits::default() };
            Self { connection: Connection::new(start, timeout, limits), start }
        }

        fn say(&mut self, text: &'static str) -> Result<Option<Action<Seat>>, Violation> {
            self.connection.handle_message(self.start, Message::Text(Bytes::from(text)))
        }

        fn join(&mut self, packet: &'static str) -> Seat {
            let Ok(Some(Action::Connect { namespace, .. })) = self.say(packet) else {
                panic!("{packet} joins nothing")
            };
            let seat = Seat(Rc::new(Cell::new(Standing::Connecting)));
            self.connection.insert(&namespace, seat.clone());
            seat
        }
    }

    #[test]
    fn a_namespace_takes_events_once_it_is_joined() {
        let mut rig = Rig::new();
        assert_eq!(rig.say(r#"2["a"]"#).unwrap_err(), Violation::NotConnected);
        let seat = rig.join("0");
        assert_eq!(rig.say(r#"2["a"]"#).unwrap_err(), Violation::NotConnected);
        seat.0.set(Standing::Connected);
        assert!(matches!(rig.say(r#"2["a"]"#), Ok(Some(Action::Event(..)))));
        assert!(matches!(rig.say("31[]"), Ok(Some(Action::Ack(..)))));
        assert_eq!(rig.say(r#"2/b,["a"]"#).unwrap_err(), Violation::NotConnected);
        assert!(matches!(rig.say("1"), Ok(Some(Action::Disconnect(_)))));
        assert_eq!(rig.say("1").unwrap_err(), Violation::NotConnected);
    }

    #[test]
    fn a_socket_that_was_sent_away_is_passed_over_and_may_return() {
        let mut rig = Rig::new();
        rig.join("0").0.set(Standing::Gone);
        assert!(matches!(rig.say(r#"2["a"]"#), Ok(None)));
        rig.join("0");
        assert_eq!(rig.connection.members().count(), 1);
    }

    #[test]
    fn the_query_of_a_namespace_is_the_auth_of_an_old_client() {
        let mut rig = Rig::new();
        let joined = |rig: &mut Rig, packet| match rig.say(packet) {
            Ok(Some(Action::Connect { namespace, auth })) => {
                (namespace.to_string(), auth.map(|auth| auth.to_string()))
            }
            other => panic!("{packet}: {other:?}"),
        };
        let as_it_is = ("/a?b=c".to_owned(), None);
        assert_eq!(joined(&mut rig, "0/a?b=c,"), as_it_is);
        rig.connection = rig.connection.with_revision(Revision::V3);
        let auth = r#"{"b":"c d","e":"\"2\""}"#;
        assert_eq!(
            joined(&mut rig, "0/a?b=c%20d&e=1&e=%222%22,"),
            ("/a".to_owned(), Some(auth.to_owned()))
        );
        assert_eq!(joined(&mut rig, "0/a,"), ("/a".to_owned(), None));
    }

    #[test]
    fn joining_twice_or_too_much_breaks_the_protocol() {
        let mut rig = Rig::new();
        rig.join("0");
        assert_eq!(rig.say("0").unwrap_err(), Violation::ConnectedTwice);
        rig.join("0/a,");
        assert_eq!(rig.say("0/b,").unwrap_err(), Violation::TooManyNamespaces);
        assert_eq!(rig.say(r#"4"no""#).unwrap_err(), Violation::WrongDirection);
    }

    #[test]
    fn a_connection_that_joins_nothing_has_a_deadline() {
        let mut rig = Rig::new();
        let deadline = rig.connection.deadline().unwrap();
        assert_eq!(deadline - rig.start, Duration::from_secs(45));
        rig.join("0");
        assert_eq!(rig.connection.handle_tick(deadline), Err(Violation::ConnectTimedOut));
        rig.connection.members().for_each(|seat| seat.0.set(Standing::Refused));
        assert_eq!(rig.connection.handle_tick(deadline), Err(Violation::ConnectTimedOut));
        rig.join("0").0.set(Standing::Connected);
        rig.say("1").unwrap();
        assert_eq!(rig.connection.handle_tick(deadline), Ok(()), "one had joined, and left");
        assert_eq!(rig.connection.deadline(), None);
    }

    #[test]
    fn attachments_have_a_deadline() {
        let mut rig = Rig::new();
        rig.join("0").0.set(Standing::Connected);
        let head = r#"52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
        assert!(matches!(rig.say(head), Ok(None)));
        let later = rig.start + Duration::from_secs(59);
        let attachment = Message::Binary(Bytes::new());
        assert!(matches!(rig.connection.handle_message(later, attachment), Ok(None)));
        rig.connection.handle_tick(rig.start + Duration::from_secs(45)).unwrap();
        let deadline = rig.connection.deadline().unwrap();
        assert_eq!(deadline - rig.start, Duration::from_secs(60));
        assert_eq!(rig.connection.handle_tick(deadline), Err(Violation::AttachmentsTimedOut));
    }
}
