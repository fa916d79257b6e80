//! `connection`: the namespaces of one connection, line by line.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use sockeye_protocol::{
    engine::Message,
    socket::{Action, Connection, Limits, Member, Standing, Violation},
};

use crate::{Line, unhex};

#[derive(Clone, Debug)]
struct Seat {
    namespace: String,
    standing: Rc<Cell<Standing>>,
}

impl Member for Seat {
    fn standing(&self) -> Standing {
        self.standing.get()
    }
}

fn describe(outcome: Result<Option<Action<Seat>>, Violation>) -> String {
    match outcome {
        Ok(None) => "nothing".to_owned(),
        Ok(Some(Action::Connect { namespace, .. })) => format!("asks to join {namespace}"),
        Ok(Some(Action::Event(seat, event))) => {
            format!("event {:?} in {}", &*event.name, seat.namespace)
        }
        Ok(Some(Action::Ack(seat, ack))) => {
            format!("ack {} in {}", ack.id.expect("the samples have ids"), seat.namespace)
        }
        Ok(Some(Action::Disconnect(seat))) => format!("leaves {}", seat.namespace),
        Err(violation) => format!("closed: {violation}"),
    }
}

pub(crate) fn check(lines: &[Line]) {
    let mut now = Instant::now();
    let mut connection = Connection::new(now, Duration::from_secs(45), Limits::default());
    for line in lines {
        let text = line.text.trim();
        let (said, expected) = match text.split_once('→') {
            Some((said, expected)) => (said.trim(), expected.trim()),
            None => (text, ""),
        };
        // What the server does, or the time: `(/ is joined)`, `(45 s pass)`.
        if let Some(stage) = said.strip_prefix('(').and_then(|said| said.strip_suffix(')')) {
            let words: Vec<_> = stage.split(' ').collect();
            match words[..] {
                [seconds, "s", "pass"] => {
                    let seconds = seconds.parse().expect("a number of seconds");
                    now += Duration::from_secs(seconds);
                    let outcome = match connection.deadline().is_some_and(|at| at <= now) {
                        true => connection.handle_tick(now).map(|()| None),
                        false => Ok(None),
                    };
                    assert_eq!(describe(outcome), expected, "{}", line.place);
                }
                [namespace, "exists"] => {
                    let standing = Rc::new(Cell::new(Standing::Connecting));
                    let seat = Seat { namespace: namespace.to_owned(), standing };
                    connection.insert(namespace, seat);
                }
                [namespace, "is", standing] => {
                    let seat = connection.members().find(|seat| seat.namespace == namespace);
                    let seat = seat.unwrap_or_else(|| panic!("{}: no such seat", line.place));
                    seat.standing.set(match standing {
                        "joined" => Standing::Connected,
                        "left" | "refused" => Standing::Gone,
                        other => panic!("{}: {other}?", line.place),
                    });
                }
                _ => panic!("{}: not a stage: {stage}", line.place),
            }
            continue;
        }
        let message = match said.strip_prefix("+ ") {
            Some(bytes) => Message::Binary(unhex(bytes).expect("hex").into()),
            None => Message::Text(Bytes::from(said.to_owned())),
        };
        let outcome = connection.handle_message(now, message);
        assert_eq!(describe(outcome), expected, "{}", line.place);
    }
}
