//! A refused connection.

use serde::Serialize;
use serde_json::Value;

/// Why a client may not join a namespace. The client's `connect_error` event carries it:
/// `err.message`, and `err.data` if there is any. On the wire:
/// `44/admin,{"message":"Not authorized","data":{"code":401}}`.
///
/// Every error that a middleware returns becomes one, with its text as the message.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ConnectError {
    message: String,
    data: Option<Value>,
}

impl ConnectError {
    /// An error with a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// Adds data for the client.
    ///
    /// # Panics
    ///
    /// If the value is not JSON: a map whose keys are no strings, say.
    pub fn data(mut self, data: impl Serialize) -> Self {
        self.data = Some(serde_json::to_value(data).expect("the data of an error is JSON"));
        self
    }

    pub(crate) fn encode(&self, namespace: &str) -> sockeye_protocol::socket::EncodedPacket {
        let data = self.data.as_ref().map(Value::to_string);
        sockeye_protocol::socket::connect_error(namespace, &self.message, data.as_deref())
    }
}

impl From<String> for ConnectError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for ConnectError {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for ConnectError {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::new(error.to_string())
    }
}
