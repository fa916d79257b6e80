//! Answering an event.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use sockeye_event::{Ack, EncodeError, EncodedArgs, SendAck};

#[derive(Default)]
struct Sent(Mutex<Vec<String>>);

impl Sent {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl SendAck for Sent {
    fn send_ack(&self, id: u64, args: EncodedArgs) {
        let json = String::from_utf8(args.json).unwrap();
        self.0.lock().unwrap().push(format!("{id}[{json}]"));
    }

    fn encode_failed(&self, id: u64, error: EncodeError) {
        self.0.lock().unwrap().push(format!("{id}: {error}"));
    }
}

fn requested() -> (Arc<Sent>, Ack) {
    let sent = Arc::new(Sent::default());
    (sent.clone(), Ack::new(sent, 31))
}

#[test]
fn the_first_answer_wins_across_clones() {
    let (sent, ack) = requested();
    let clone = ack.clone();
    assert!(ack.is_requested());
    clone.send("seen");
    ack.send("again");
    assert_eq!(clone.try_send(3), Ok(()));
    assert_eq!(sent.take(), [r#"31["seen"]"#]);
    assert!(ack.is_requested());
}

#[test]
fn one_answer_wins_across_threads() {
    let (sent, ack) = requested();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let ack = &ack;
            scope.spawn(move || ack.send(number));
        }
    });
    assert_eq!(sent.take().len(), 1);
}

#[test]
fn tuples_are_several_arguments_and_unit_is_none() {
    let cases: [(fn(&Ack), &str); 4] = [
        (|ack| ack.send((1, "two")), r#"31[1,"two"]"#),
        (|ack| ack.send(()), "31[]"),
        (|ack| ack.send([1, 2]), "31[[1,2]]"),
        (|ack| ack.send(None::<u8>), "31[null]"),
    ];
    for (send, expected) in cases {
        let (sent, ack) = requested();
        send(&ack);
        assert_eq!(sent.take(), [expected]);
    }
}

#[test]
fn answering_what_was_not_asked_does_nothing() {
    let ack = Ack::none();
    assert!(!ack.is_requested());
    ack.send("seen");
    assert_eq!(ack.try_send(HashMap::from([((1, 2), 3)])), Ok(()));
}

#[test]
fn an_answer_that_does_not_serialise_leaves_room_for_another() {
    let (sent, ack) = requested();
    let unfit = HashMap::from([((1, 2), 3)]);
    let error = ack.try_send(&unfit).unwrap_err();
    assert_eq!(error.to_string(), "argument 1 does not serialise: key must be a string");
    assert!(sent.take().is_empty());
    ack.send(&unfit);
    assert_eq!(sent.take(), [format!("31: {error}")]);
    ack.send("instead");
    assert_eq!(sent.take(), [r#"31["instead"]"#]);
}
