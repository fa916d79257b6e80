//! The open packet: `0{"sid":"…","upgrades":["websocket"],"pingInterval":25000,…}`.

use std::{fmt::Display, time::Duration};

use serde_json::Value;

use super::Outgoing;
use crate::Sid;

/// What a server tells a client when a session opens.
///
/// Our servers give ids that are a [`Sid`]. Those of other servers have other lengths, so a client
/// takes any text of up to 128 visible characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake<S = Sid> {
    /// The session's id, a secret of the two ends.
    pub sid: S,
    /// Whether the session may move to a WebSocket.
    pub upgrade_to_websocket: bool,
    /// How long the server waits between its pings.
    pub ping_interval: Duration,
    /// How long the server waits for a pong.
    pub ping_timeout: Duration,
    /// The largest POST body or WebSocket message that the server takes, in bytes.
    pub max_payload: usize,
}

/// The open packet is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The data is no JSON object.
    #[error("the handshake is no JSON object")]
    NotJson,
    /// A key is absent or has another type than it should.
    #[error("the handshake has no valid `{0}`")]
    Invalid(&'static str),
}

impl<S: Display> Handshake<S> {
    /// The packet, with its keys in the order in which the reference writes them.
    pub fn encode(&self) -> Outgoing {
        let Self { sid, upgrade_to_websocket, ping_interval, ping_timeout, max_payload } = self;
        let upgrades = if *upgrade_to_websocket { "\"websocket\"" } else { "" };
        Outgoing::text(format!(
            r#"0{{"sid":"{sid}","upgrades":[{upgrades}],"pingInterval":{},"pingTimeout":{},"maxPayload":{max_payload}}}"#,
            ping_interval.as_millis(),
            ping_timeout.as_millis(),
        ))
    }
}

/// The longest id of a session that a client takes.
const MAX_SID_BYTES: usize = 128;

impl Handshake<Box<str>> {
    /// Reads the data of an open packet: what follows the `0`. Unknown keys are ignored. A server
    /// that does not say `maxPayload` takes a million bytes.
    pub fn decode(data: &[u8]) -> Result<Self, HandshakeError> {
        let document: Value = serde_json::from_slice(data).map_err(|_| HandshakeError::NotJson)?;
        let millis = |key| {
            let value = document.get(key).and_then(Value::as_u64);
            value.map(Duration::from_millis).ok_or(HandshakeError::Invalid(key))
        };
        let sid = document.get("sid").and_then(Value::as_str).filter(|sid| {
            let is_visible = sid.bytes().all(|byte| byte.is_ascii_graphic());
            is_visible && (1..=MAX_SID_BYTES).contains(&sid.len())
        });
        let upgrades = document.get("upgrades").and_then(Value::as_array);
        let max_payload = document.get("maxPayload").and_then(Value::as_u64).unwrap_or(1_000_000);
        Ok(Self {
            sid: sid.ok_or(HandshakeError::Invalid("sid"))?.into(),
            upgrade_to_websocket: upgrades
                .ok_or(HandshakeError::Invalid("upgrades"))?
                .iter()
                .any(|name| name == "websocket"),
            ping_interval: millis("pingInterval")?,
            ping_timeout: millis("pingTimeout")?,
            max_payload: usize::try_from(max_payload).unwrap_or(usize::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake() -> Handshake<Box<str>> {
        Handshake {
            sid: "49TeYsySa4zpYsxQAAAA".into(),
            upgrade_to_websocket: true,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 1_000_000,
        }
    }

    #[test]
    fn the_keys_stand_in_the_order_of_the_reference() {
        let wire = r#"0{"sid":"49TeYsySa4zpYsxQAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
        assert_eq!(handshake().encode(), Outgoing::text(wire));
        assert_eq!(Handshake::decode(&wire.as_bytes()[1..]), Ok(handshake()));
        let on_websocket = Handshake { upgrade_to_websocket: false, ..handshake() };
        assert!(on_websocket.encode().bytes().windows(13).any(|part| part == b"\"upgrades\":[]"));
    }

    #[test]
    fn a_handshake_that_lacks_something_says_what() {
        assert_eq!(Handshake::decode(b"nope"), Err(HandshakeError::NotJson));
        assert_eq!(Handshake::decode(b"{}"), Err(HandshakeError::Invalid("sid")));
    }

    #[test]
    fn ids_of_other_servers_have_other_lengths() {
        let with_sid = |sid: &str| {
            let json =
                format!(r#"{{"sid":"{sid}","upgrades":[],"pingInterval":1,"pingTimeout":1}}"#);
            Handshake::decode(json.as_bytes()).map(|handshake| handshake.sid)
        };
        for sid in ["x", "d3b07384-d9a0-4e9b-8d3c-7a5c1c2f0b11", &"x".repeat(128)] {
            assert_eq!(with_sid(sid).as_deref(), Ok(sid));
        }
        for sid in ["", "a b", "é", &"x".repeat(129)] {
            assert_eq!(with_sid(sid), Err(HandshakeError::Invalid("sid")), "{sid}");
        }
    }
}
