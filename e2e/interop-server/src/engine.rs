//! The profiles that are Engine.IO alone.

use std::{sync::Arc, time::Instant};

use sockeye_engine::{Application, CloseReason, Connection, Message, Outgoing, Session};

pub(crate) fn application(profile: &str) -> Arc<dyn Application> {
    if profile == "engine-echo" { Arc::new(Echo) } else { Arc::new(Chatter) }
}

/// Every message comes back.
struct Echo;

struct EchoConnection(Session);

impl Application for Echo {
    fn open(&self, session: &Session) -> Box<dyn Connection> {
        Box::new(EchoConnection(session.clone()))
    }
}

impl Connection for EchoConnection {
    fn handle_message(&mut self, _now: Instant, message: Message) {
        self.0.send([Outgoing::message(&message)]);
    }

    fn handle_close(&mut self, _: CloseReason) {}
}

/// A server that talks first.
struct Chatter;

struct ChatterConnection(Session);

impl Application for Chatter {
    fn open(&self, session: &Session) -> Box<dyn Connection> {
        session.send([Outgoing::text("4hello client")]);
        Box::new(ChatterConnection(session.clone()))
    }
}

impl Connection for ChatterConnection {
    fn handle_message(&mut self, _now: Instant, message: Message) {
        match &message {
            Message::Text(text) if text == "respond" => {
                self.0.send([Outgoing::text("4Roger Roger")]);
            }
            Message::Text(text) if text == "close" => self.0.close(),
            _ => (),
        }
    }

    fn handle_close(&mut self, _: CloseReason) {}
}
