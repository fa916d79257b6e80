//! What nodes tell each other of their sockets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sockeye_protocol::Sid;

use crate::Room;

/// A socket as it was when it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct SocketDetails {
    /// Its id.
    pub id: Sid,
    /// The request that opened its connection.
    pub handshake: HandshakeDetails,
    /// The rooms it is in, the one named by its id first.
    pub rooms: Vec<Room>,
    /// What the application has set as its data; `null` if nothing.
    pub data: Value,
}

/// The request that opened a connection, and the client's `auth`: what JavaScript calls the
/// handshake of a socket, and as JSON exactly that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandshakeDetails {
    /// By their names in lower case; several of one name are joined by commas.
    pub headers: BTreeMap<String, String>,
    /// When the connection was opened, as JavaScript writes a date:
    /// `Tue Nov 24 2026 01:57:59 GMT+0000 (Coordinated Universal Time)`.
    pub time: String,
    /// The IP address of the other end, which may be a proxy; empty if it is not known.
    pub address: String,
    /// Whether the request had an `Origin`.
    pub xdomain: bool,
    /// Whether it came over TLS, as far as its URI tells.
    pub secure: bool,
    /// When the connection was opened, in milliseconds since 1970.
    pub issued: u64,
    /// Path and query.
    pub url: String,
    /// The parameters of the query; of several of one name the last.
    pub query: BTreeMap<String, String>,
    /// What the client gave when it joined the namespace, `{}` if nothing.
    pub auth: Value,
}

/// Not all nodes have told of their sockets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);
