//! What a socket needs to take up where it was: a secret of the server's, and how far it has heard.

use serde_json::{Map, Value};

use crate::socket::Payload;

/// What a server that restores connections has told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recovery {
    /// The secret by which the server knows the socket again.
    pub(super) pid: Box<str>,
    /// The last event's offset, once one came.
    offset: Option<Box<str>>,
}

impl Recovery {
    pub(super) fn new(pid: &str) -> Self {
        Self { pid: pid.into(), offset: None }
    }

    /// An event came. Its last argument is its offset, if that is a string.
    pub(super) fn note(&mut self, payload: &Payload) {
        // The first element is the name.
        let last = payload.elements().skip(1).last();
        let offset =
            last.and_then(|last| serde_json::from_str::<String>(&payload.json()[last]).ok());
        if let Some(offset) = offset {
            self.offset = Some(offset.into());
        }
    }

    /// Puts what the server wants to know beside the application's auth, which wins.
    pub(super) fn add_to(&self, auth: Option<&str>) -> String {
        let auth = auth.and_then(|auth| serde_json::from_str::<Map<String, Value>>(auth).ok());
        let mut payload = Map::new();
        payload.insert("pid".into(), Value::from(&*self.pid));
        if let Some(offset) = &self.offset {
            payload.insert("offset".into(), Value::from(&**offset));
        }
        payload.extend(auth.unwrap_or_default());
        Value::Object(payload).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(json: &'static str) -> Payload {
        Payload::new(json, Vec::new())
    }

    #[test]
    fn the_last_argument_is_the_offset_if_it_is_a_string() {
        let mut recovery = Recovery::new("p");
        for json in [r#"["name"]"#, r#"["name",1]"#, r#"["name",["x"]]"#] {
            recovery.note(&payload(json));
            assert_eq!(recovery.add_to(None), r#"{"pid":"p"}"#, "{json}");
        }
        recovery.note(&payload(r#"["name",1,"Q87\u0043"]"#));
        recovery.note(&payload(r#"["name",1]"#));
        assert_eq!(recovery.add_to(None), r#"{"offset":"Q87C","pid":"p"}"#);
    }

    #[test]
    fn the_applications_keys_win() {
        let recovery = Recovery::new("p");
        let auth = r#"{"pid":"mine","token":"t"}"#;
        assert_eq!(recovery.add_to(Some(auth)), r#"{"pid":"mine","token":"t"}"#);
    }
}
