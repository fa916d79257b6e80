//! What the script says.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::value::Value;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(crate) enum Command {
    Open(Open),
    Namespace {
        id: String,
        on: String,
        ns: String,
        auth: Option<Json>,
    },
    Emit(Emit),
    Reply {
        id: String,
        event: String,
        #[serde(default, deserialize_with = "args")]
        args: Vec<Value>,
    },
    Connect {
        id: String,
    },
    Disconnect {
        id: String,
    },
    Drop {
        id: String,
    },
    State {
        id: String,
    },
    Exit,
}

#[derive(Deserialize)]
pub(crate) struct Open {
    pub(crate) id: String,
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) opts: Options,
}

#[derive(Deserialize)]
pub(crate) struct Emit {
    pub(crate) id: String,
    pub(crate) event: String,
    #[serde(default, deserialize_with = "args")]
    pub(crate) args: Vec<Value>,
    pub(crate) ack: Option<String>,
    pub(crate) timeout: Option<u64>,
    #[serde(default)]
    pub(crate) volatile: bool,
}

/// Durations are milliseconds.
#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Options {
    pub(crate) path: Option<String>,
    pub(crate) namespace: String,
    pub(crate) auth: Option<Json>,
    pub(crate) query: BTreeMap<String, Json>,
    pub(crate) headers: BTreeMap<String, Json>,
    pub(crate) transports: Vec<String>,
    pub(crate) upgrade: bool,
    pub(crate) eio: u8,
    pub(crate) parser: String,
    pub(crate) auto_connect: bool,
    pub(crate) reconnection: bool,
    pub(crate) reconnection_attempts: Option<u32>,
    pub(crate) reconnection_delay: u64,
    pub(crate) reconnection_delay_max: u64,
    pub(crate) randomization_factor: f64,
    pub(crate) timeout: u64,
    pub(crate) ack_timeout: Option<u64>,
    pub(crate) retries: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            path: None,
            namespace: "/".to_owned(),
            auth: None,
            query: BTreeMap::new(),
            headers: BTreeMap::new(),
            transports: vec!["polling".to_owned(), "websocket".to_owned()],
            upgrade: true,
            eio: 4,
            parser: "default".to_owned(),
            auto_connect: true,
            reconnection: true,
            reconnection_attempts: None,
            reconnection_delay: 1000,
            reconnection_delay_max: 5000,
            randomization_factor: 0.5,
            timeout: 20_000,
            ack_timeout: None,
            retries: None,
        }
    }
}

fn args<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    let args = Vec::<Json>::deserialize(deserializer)?;
    Ok(args.into_iter().map(Value::from_json).collect())
}
