//! Messages, read no further than it takes to answer them.

/// What a text message of a client's asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// `40`: to join the namespace.
    Connect,
    /// `3`: the answer to a ping.
    Pong,
    /// To have the same message back: an `echo`, or the text of a `bin`.
    Echo,
    /// To have the arguments back under this id.
    Ack { id: &'a [u8], arguments: &'a [u8] },
    /// To have everybody get these arguments, with the comma before them.
    Broadcast { arguments: &'a [u8] },
    /// `1` and `41`: to leave.
    Leave,
    /// Nothing that is known here.
    Unknown,
}

pub(crate) fn parse(text: &[u8]) -> Message<'_> {
    match text {
        [b'4', b'2', event @ ..] => parse_event(event),
        [b'4', b'5', ..] => Message::Echo,
        [b'4', b'0', ..] => Message::Connect,
        b"3" => Message::Pong,
        b"1" | b"41" => Message::Leave,
        _ => Message::Unknown,
    }
}

/// `17["name",…]`, where the id may be missing.
fn parse_event(event: &[u8]) -> Message<'_> {
    let digits = event.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (id, rest) = event.split_at(digits);
    let [b'[', b'"', rest @ .., b']'] = rest else { return Message::Unknown };
    let Some(end) = rest.iter().position(|byte| *byte == b'"') else { return Message::Unknown };
    let (name, arguments) = (&rest[..end], &rest[end + 1..]);
    match name {
        b"echo" | b"echo-raw" | b"echo-struct" => Message::Echo,
        b"ack" if !id.is_empty() => {
            Message::Ack { id, arguments: arguments.strip_prefix(b",").unwrap_or_default() }
        }
        b"broadcast" => Message::Broadcast { arguments },
        _ => Message::Unknown,
    }
}

/// An id of 20 characters for a session or a socket. It is not secret, as it would have to be.
pub(crate) fn id(number: usize) -> [u8; 20] {
    let mut id = [b'0'; 20];
    let mut rest = number;
    for digit in id.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).expect("a digit is below ten");
        rest /= 10;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart_by_their_first_bytes_and_their_name() {
        for (text, expected) in [
            ("40", Message::Connect),
            (r#"40{"token":"x"}"#, Message::Connect),
            ("3", Message::Pong),
            ("41", Message::Leave),
            (r#"42["echo",{"a":"]"}]"#, Message::Echo),
            (r#"42["echo-raw",1,2]"#, Message::Echo),
            (r#"451-["bin",{"_placeholder":true,"num":0}]"#, Message::Echo),
            (r#"4217["ack",1,[2]]"#, Message::Ack { id: b"17", arguments: b"1,[2]" }),
            (r#"420["ack"]"#, Message::Ack { id: b"0", arguments: b"" }),
            (r#"42["broadcast","x"]"#, Message::Broadcast { arguments: br#","x""# }),
            (r#"42["ack",1]"#, Message::Unknown),
            (r#"42["other",1]"#, Message::Unknown),
            ("42[", Message::Unknown),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn ids_are_numbers_of_twenty_digits() {
        assert_eq!(id(4711), *b"00000000000000004711");
    }
}
