//! What can be typed.

use serde_json::{Deserializer, Map, Value};

use super::value::Argument;

/// One line of input.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Emit { event: String, args: Vec<Argument> },
    Ack { event: String, args: Vec<Argument> },
    Reply { number: u64, args: Vec<Argument> },
    Join { namespace: String, auth: Option<Map<String, Value>> },
    Leave,
    Help,
    Quit,
}

/// A line for each command: its form, and what it does.
pub(super) const HELP: [(&str, &str); 7] = [
    ("emit NAME [ARG…]", "emit an event; an argument is JSON, or a word that is none: a string"),
    ("ack NAME [ARG…]", "the same, and print the server's answer"),
    ("reply NUMBER [ARG…]", "answer an event that asks for it; the event shows the number"),
    ("join /NAMESPACE [AUTH]", "join a namespace, or return to it; what follows is for this one"),
    ("leave", "leave the namespace"),
    ("help", "print this"),
    ("quit", "wait for answers, disconnect, and end; so does the end of input"),
];

impl Command {
    /// Reads a line; nothing from an empty one.
    pub(super) fn parse(line: &str) -> Result<Option<Self>, String> {
        let mut words = Words(line.trim());
        let Some(verb) = words.bare() else { return Ok(None) };
        let command = match verb {
            "emit" => Self::Emit { event: words.name()?, args: words.args()? },
            "ack" => Self::Ack { event: words.name()?, args: words.args()? },
            "reply" => {
                let number = words.bare().and_then(|word| word.parse().ok());
                let number = number.ok_or("`reply` needs the number that the event shows")?;
                Self::Reply { number, args: words.args()? }
            }
            "join" => {
                let namespace = words.bare().ok_or("`join` needs a namespace, such as /admin")?;
                Self::Join { namespace: namespace.to_owned(), auth: words.auth()? }
            }
            "leave" => Self::Leave,
            "help" => Self::Help,
            "quit" | "exit" => Self::Quit,
            other => return Err(format!("there is no command `{other}`; `help` lists them")),
        };
        match words.0 {
            "" => Ok(Some(command)),
            rest => Err(format!("`{verb}` does not take `{rest}`")),
        }
    }
}

/// What is left of a line. There is no space in front.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    /// What stands before the next space.
    fn bare(&mut self) -> Option<&'a str> {
        let end = self.0.find(char::is_whitespace).unwrap_or(self.0.len());
        let word = self.take(end);
        (!word.is_empty()).then_some(word)
    }

    fn take(&mut self, end: usize) -> &'a str {
        let (word, rest) = self.0.split_at(end);
        self.0 = rest.trim_start();
        word
    }

    /// An event's name: a bare word, or a string of JSON if there are spaces in it.
    fn name(&mut self) -> Result<String, String> {
        let missing = || "an event needs a name".to_owned();
        if self.0.starts_with('"') {
            return match self.value()? {
                Some(Value::String(name)) => Ok(name),
                _ => Err(missing()),
            };
        }
        self.bare().map(str::to_owned).ok_or_else(missing)
    }

    fn args(&mut self) -> Result<Vec<Argument>, String> {
        let mut args = Vec::new();
        while let Some(value) = self.value()? {
            args.push(Argument(value));
        }
        Ok(args)
    }

    fn auth(&mut self) -> Result<Option<Map<String, Value>>, String> {
        match self.value()? {
            None => Ok(None),
            Some(Value::Object(auth)) => Ok(Some(auth)),
            Some(other) => Err(format!("the auth must be a JSON object, and is {other}")),
        }
    }

    /// The next value: JSON, or else a bare word. What begins as only JSON can must be it, so that a
    /// slip in an object does not send its pieces.
    fn value(&mut self) -> Result<Option<Value>, String> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut values = Deserializer::from_str(self.0).into_iter::<Value>();
        let parsed = values.next();
        let end = values.byte_offset();
        let is_whole = self.0[end..].chars().next().is_none_or(char::is_whitespace);
        match parsed {
            Some(Ok(value)) if is_whole => {
                self.take(end);
                Ok(Some(value))
            }
            Some(Err(error)) if self.0.starts_with(['{', '[', '"']) => {
                Err(format!("`{}` is no JSON: {error}", self.0))
            }
            Some(Ok(_)) if self.0.starts_with(['{', '[', '"']) => {
                Err(format!("there must be a space before `{}`", &self.0[end..]))
            }
            _ => Ok(self.bare().map(|word| Value::String(word.to_owned()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn emit(event: &str, args: Vec<Value>) -> Command {
        Command::Emit { event: event.to_owned(), args: args.into_iter().map(Argument).collect() }
    }

    #[test]
    fn arguments_are_json_or_words() {
        let table = [
            ("emit a", emit("a", vec![])),
            ("  emit  a   1  two ", emit("a", vec![json!(1), json!("two")])),
            (
                r#"emit a {"b": [1, 2]} "c d" null"#,
                emit("a", vec![json!({ "b": [1, 2] }), json!("c d"), json!(null)]),
            ),
            (
                "emit a 12b -x true trueish 1.5 1.2.3",
                emit(
                    "a",
                    vec![
                        json!("12b"),
                        json!("-x"),
                        json!(true),
                        json!("trueish"),
                        json!(1.5),
                        json!("1.2.3"),
                    ],
                ),
            ),
            (r#"emit "two words" é"#, emit("two words", vec![json!("é")])),
            ("emit 7 a{b", emit("7", vec![json!("a{b")])),
        ];
        for (line, command) in table {
            assert_eq!(Command::parse(line), Ok(Some(command)), "{line}");
        }
    }

    #[test]
    fn every_command_that_help_lists_is_read() {
        for (form, _) in HELP {
            let line = form.replace("NUMBER", "1").replace(" [ARG…]", "").replace(" [AUTH]", "");
            assert!(matches!(Command::parse(&line), Ok(Some(_))), "{line}");
        }
    }

    #[test]
    fn slips_are_explained() {
        let table = [
            ("emti a", "no command `emti`"),
            ("emit", "needs a name"),
            (r#"emit a {"b":}"#, "is no JSON"),
            (r#"emit a {"b":1}c"#, "a space before `c`"),
            (r#"emit a "b"#, "is no JSON"),
            ("reply x", "the number"),
            ("join", "needs a namespace"),
            ("join /a 1", "must be a JSON object"),
            ("leave /a", "`leave` does not take `/a`"),
        ];
        for (line, expected) in table {
            let error = Command::parse(line).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
        assert_eq!(Command::parse("  "), Ok(None));
    }
}
