//! A refused connection.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use sockeye_engine::Revision;
use sockeye_protocol::socket::{EncodedPacket, connect_error};

/// Why a client may not join a namespace. The client's `connect_error` event carries it:
/// `err.message`, and `err.data` if there is any. On the wire:
/// `44/admin,{"message":"Not authorized","data":{"code":401}}`. Clients of version 2 and 1 hear the
/// data alone, or the message if there is none, as their event `error`.
///
/// What else a middleware returns as its error becomes one, with its text as the message. It is no
/// [`Error`](std::error::Error) itself, so that those can be told from it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectError {
    message: String,
    data: Option<Value>,
}

impl ConnectError {
    /// An error with a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// Adds data for the client. What is not JSON, as a map whose keys are no strings, is logged
    /// and left out.
    pub fn data(mut self, data: impl Serialize) -> Self {
        match serde_json::to_value(data) {
            Ok(data) => self.data = Some(data),
            Err(error) => tracing::error!(%error, "the data of a connect error is left out"),
        }
        self
    }

    pub(crate) fn encode(&self, revision: Revision, namespace: &str) -> EncodedPacket {
        let data = self.data.as_ref().map(Value::to_string);
        connect_error(revision, namespace, &self.message, data.as_deref())
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
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

/// What a middleware may return as its error. `M` is always inferred.
///
/// A type that is both an [`Error`](std::error::Error) and made into a [`ConnectError`] by a `From`
/// of its own leaves the compiler no choice ("type annotations needed"): say which of the two you
/// mean with `.map_err(ConnectError::from)`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a middleware",
    note = "it is `String`, `&str`, `ConnectError`, `Box<dyn Error + Send + Sync>`, or any type that implements `std::error::Error` or becomes a `ConnectError`"
)]
pub trait IntoConnectError<M> {
    /// The refusal that the client gets.
    fn into_connect_error(self) -> ConnectError;
}

/// Marks what becomes a [`ConnectError`].
pub struct Converted(());

/// Marks errors, which become one by their text.
pub struct Described(());

impl<E: Into<ConnectError>> IntoConnectError<Converted> for E {
    fn into_connect_error(self) -> ConnectError {
        self.into()
    }
}

impl<E: std::error::Error> IntoConnectError<Described> for E {
    fn into_connect_error(self) -> ConnectError {
        ConnectError::new(self.to_string())
    }
}
