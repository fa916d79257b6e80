//! What is printed, for scripts and for people.

use serde::Serialize;
use serde_json::{Value, value::RawValue};
use sockeye_client::{ConnectError, ConnectErrorKind, ManagerEvent, Transport};

/// Something that happened. With `--json`, each is a line; `docs/client.md` describes them.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Report {
    Open {
        transport: &'static str,
    },
    Upgrade {
        transport: &'static str,
    },
    Close {
        reason: &'static str,
    },
    ReconnectAttempt {
        attempt: u32,
    },
    Connect {
        namespace: String,
        id: String,
        recovered: bool,
    },
    ConnectError(Refusal),
    Disconnect {
        namespace: String,
        reason: &'static str,
        will_reconnect: bool,
    },
    Event {
        namespace: String,
        event: String,
        args: Vec<Box<RawValue>>,
        /// What to say to `reply`, if the server asked for an answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        reply: Option<u64>,
    },
    Ack {
        namespace: String,
        event: String,
        /// Which `ack` of the session it answers; the first is 1.
        ack: u64,
        args: Vec<Box<RawValue>>,
    },
    AckError {
        namespace: String,
        event: String,
        ack: u64,
        message: String,
    },
    /// A line of input that could not be followed.
    Error {
        message: String,
    },
    Help {
        commands: Vec<Help>,
    },
}

#[derive(Serialize)]
pub(super) struct Help {
    pub(super) form: &'static str,
    pub(super) meaning: &'static str,
}

/// A socket that could not be connected, and what may help.
#[derive(Serialize)]
pub(super) struct Refusal {
    namespace: String,
    kind: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
    will_retry: bool,
}

impl Refusal {
    pub(super) fn new(namespace: &str, error: &ConnectError) -> Self {
        let message = error.to_string();
        Self {
            namespace: namespace.to_owned(),
            kind: kind_name(error.kind()),
            hint: hint(error.kind(), &message),
            data: error.data(),
            message,
            will_retry: error.will_retry(),
        }
    }

    /// In words.
    pub(super) fn explanation(&self) -> String {
        let Self { namespace, message, .. } = self;
        let mut text = match self.kind {
            "refused" => format!("the server refused {namespace}: {message}"),
            _ => message.clone(),
        };
        if let Some(data) = &self.data {
            text += &format!(" {data}");
        }
        if let Some(hint) = self.hint {
            text += &format!("\nhint: {hint}");
        }
        text
    }
}

fn kind_name(kind: ConnectErrorKind) -> &'static str {
    match kind {
        ConnectErrorKind::Refused => "refused",
        ConnectErrorKind::Unreachable => "unreachable",
        ConnectErrorKind::Tls => "tls",
        ConnectErrorKind::Proxy => "proxy",
        ConnectErrorKind::Http(_) => "http",
        ConnectErrorKind::NotSocketIo => "not_socket_io",
        ConnectErrorKind::UnsupportedVersion => "unsupported_version",
        ConnectErrorKind::TimedOut => "timed_out",
        ConnectErrorKind::Lost => "lost",
        ConnectErrorKind::Auth => "auth",
        ConnectErrorKind::Left => "left",
        // The enum may grow.
        _ => "other",
    }
}

/// Which option may help. What went wrong, the error itself says.
fn hint(kind: ConnectErrorKind, message: &str) -> Option<&'static str> {
    Some(match kind {
        ConnectErrorKind::Refused if message == "Invalid namespace" => {
            "the server has no such namespace; the path of the URL and `--namespace` name one, \
             `--path` is where the server speaks Socket.IO"
        }
        ConnectErrorKind::Http(404) | ConnectErrorKind::NotSocketIo => {
            "`--path` says where the server speaks Socket.IO; the path of the URL names a namespace"
        }
        // A WebSocket is refused with another status than a request of polling.
        ConnectErrorKind::Http(_) if message.contains("(Forbidden)") => {
            "`--header 'Origin: https://…'` names an origin"
        }
        ConnectErrorKind::Http(401 | 407) => "`--header 'Authorization: …'` gives credentials",
        ConnectErrorKind::UnsupportedVersion => {
            "`--revision 3` is for servers of Socket.IO 2, `--revision 4` for later ones"
        }
        ConnectErrorKind::Tls => {
            "a server without TLS has a URL that begins with http://; `--insecure` does not check \
             certificates, for tests"
        }
        _ => return None,
    })
}

impl Report {
    /// What happened to the connection. Attempts that fail are told of by each socket.
    pub(super) fn of_manager(event: &ManagerEvent) -> Option<Self> {
        Some(match event {
            ManagerEvent::Open(transport) => Self::Open { transport: transport.name() },
            ManagerEvent::Upgrade => Self::Upgrade { transport: Transport::WebSocket.name() },
            ManagerEvent::Close(reason) => Self::Close { reason: reason.as_str() },
            ManagerEvent::ReconnectAttempt(attempt) => Self::ReconnectAttempt { attempt: *attempt },
            _ => return None,
        })
    }

    /// For people, without a line's end.
    pub(super) fn to_text(&self, style: Style) -> String {
        match self {
            Self::Open { transport } => style.dim(&format!("connection open: {transport}")),
            Self::Upgrade { transport } => style.dim(&format!("connection moved to {transport}")),
            Self::Close { reason } => style.dim(&format!("connection closed: {reason}")),
            Self::ReconnectAttempt { attempt } => {
                style.dim(&format!("reconnecting, attempt {attempt}"))
            }
            Self::Connect { namespace, id, recovered } => {
                let recovered = if *recovered { ", recovered" } else { "" };
                style.green(&format!("{namespace} connected as {id}{recovered}"))
            }
            Self::ConnectError(refusal) => {
                let again = if refusal.will_retry { "; trying again" } else { "" };
                let text = refusal.explanation();
                style.red(&format!("{} not connected{again}: {text}", refusal.namespace))
            }
            Self::Disconnect { namespace, reason, will_reconnect } => {
                let again = if *will_reconnect { "; trying again" } else { "" };
                style.red(&format!("{namespace} disconnected: {reason}{again}"))
            }
            Self::Event { namespace, event, args, reply } => {
                let reply = reply.map(|number| style.dim(&format!("  reply {number}?")));
                let (event, args) = (style.cyan(event), joined(args));
                format!("{namespace} {event}{args}{}", reply.unwrap_or_default())
            }
            Self::Ack { namespace, event, ack, args } => {
                let (event, args) = (style.cyan(event), joined(args));
                format!("{namespace} answer {ack} to {event}{args}")
            }
            Self::AckError { namespace, event, ack, message } => {
                style.red(&format!("{namespace} no answer {ack} to {event}: {message}"))
            }
            Self::Error { message } => style.red(message),
            Self::Help { commands } => {
                let line = |Help { form, meaning }: &Help| format!("{form:<23}  {meaning}");
                commands.iter().map(line).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

fn joined(args: &[Box<RawValue>]) -> String {
    args.iter().map(|arg| format!(" {}", visible(arg.get()))).collect()
}

/// Whether there are colours.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Coloured,
}

impl Style {
    fn red(self, text: &str) -> String {
        self.paint(31, text)
    }

    fn green(self, text: &str) -> String {
        self.paint(32, text)
    }

    fn cyan(self, text: &str) -> String {
        self.paint(36, text)
    }

    fn dim(self, text: &str) -> String {
        self.paint(2, text)
    }

    fn paint(self, code: u8, text: &str) -> String {
        let text = visible(text);
        match self {
            Self::Plain => text,
            Self::Coloured => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

/// A server must not be able to steer the terminal.
fn visible(text: &str) -> String {
    let visible = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    text.chars().map(visible).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str) -> Report {
        let args = vec![RawValue::from_string("\"\u{9b}2J\"".to_owned()).unwrap()];
        let (namespace, event) = ("/".to_owned(), name.to_owned());
        Report::Event { namespace, event, args, reply: Some(3) }
    }

    #[test]
    fn what_a_server_says_does_not_steer_the_terminal() {
        let text = event("\x1b[2J\r").to_text(Style::Plain);
        assert_eq!(text, "/ \u{fffd}[2J\u{fffd} \"\u{fffd}2J\"  reply 3?");
    }

    #[test]
    fn there_are_colours_only_where_they_are_wanted() {
        assert!(event("a").to_text(Style::Coloured).starts_with("/ \x1b[36ma\x1b[0m"));
        assert!(!event("a").to_text(Style::Plain).contains('\x1b'));
    }
}
