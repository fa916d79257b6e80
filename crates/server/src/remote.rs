//! Sockets of any node.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, de::DeserializeOwned};
use sockeye_adapter::{HandshakeDetails, Room, SocketDetails};
use sockeye_event::FromReply;

use crate::{
    AckError, Broadcast, BroadcastAckError, BroadcastAckFuture, EmitError, IntoRooms, Namespace,
    Sid, Socket,
};

/// A socket that may be on another node: what it was when it was
/// [fetched](Broadcast::fetch_sockets), and what can be done to it.
///
/// Rooms and data are those of that moment. What is done to it reaches it as long as it is
/// connected, and does nothing afterwards.
#[derive(Clone)]
pub struct RemoteSocket {
    namespace: Namespace,
    details: SocketDetails,
    timeout: Option<Duration>,
}

impl RemoteSocket {
    pub(crate) fn new(namespace: Namespace, details: SocketDetails) -> Self {
        let timeout = namespace.core().options.ack_timeout;
        Self { namespace, details, timeout }
    }

    fn target(&self) -> Broadcast {
        self.namespace.to(self.id())
    }

    /// The id.
    pub fn id(&self) -> Sid {
        self.details.id
    }

    /// The request that opened the connection, and the client's `auth`.
    pub fn handshake(&self) -> &HandshakeDetails {
        &self.details.handshake
    }

    /// The rooms that it was in, the one named by its id first.
    pub fn rooms(&self) -> &[Room] {
        &self.details.rooms
    }

    /// What [`Socket::set_data`] had set; `null` if nothing.
    ///
    /// # Errors
    ///
    /// If it does not have this type.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.details.data)
    }

    /// See [`Socket::emit`].
    pub fn emit<T: Serialize>(&self, event: &str, args: T) {
        self.target().emit(event, args);
    }

    /// See [`Socket::try_emit`].
    ///
    /// # Errors
    ///
    /// If the name is reserved, or a value has no form on the wire.
    pub fn try_emit<T: Serialize>(&self, event: &str, args: T) -> Result<(), EmitError> {
        self.target().try_emit(event, args)
    }

    /// How long answers are waited for, instead of the server's `ack_timeout`: the same socket.
    pub fn timeout(&self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self.clone() }
    }

    /// Emits an event and waits for the client's answer. See [`Socket::emit_with_ack`].
    pub fn emit_with_ack<R: FromReply>(
        &self,
        event: &str,
        args: impl Serialize,
    ) -> RemoteAckFuture<R> {
        // What waits for ever does so by a deadline that is never reached.
        let target = self.target().timeout(self.timeout.unwrap_or(Duration::MAX));
        RemoteAckFuture(target.emit_with_ack(event, args))
    }

    /// The socket enters a room, or several.
    pub fn join(&self, rooms: impl IntoRooms) {
        self.target().sockets_join(rooms);
    }

    /// The socket leaves a room, or several.
    pub fn leave(&self, rooms: impl IntoRooms) {
        self.target().sockets_leave(rooms);
    }

    /// See [`Socket::disconnect`].
    pub fn disconnect(&self) {
        self.target().disconnect_sockets(false);
    }

    /// See [`Socket::disconnect_all`].
    pub fn disconnect_all(&self) {
        self.target().disconnect_sockets(true);
    }
}

impl fmt::Debug for RemoteSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSocket")
            .field("namespace", &self.namespace.name())
            .field("details", &self.details)
            .finish_non_exhaustive()
    }
}

/// The answer of a [`RemoteSocket`] to come. Like [`AckFuture`](crate::AckFuture), it only waits.
#[derive(Debug)]
#[must_use = "the event is sent, but its answer is lost unless this is awaited; use `emit` otherwise"]
pub struct RemoteAckFuture<R>(BroadcastAckFuture<R>);

impl<R: FromReply> Future for RemoteAckFuture<R> {
    type Output = Result<R, AckError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.get_mut().0).poll(cx));
        Poll::Ready(match outcome {
            // Whoever was not there to be asked is gone.
            Ok(replies) => replies.into_iter().next().ok_or(AckError::Disconnected),
            Err(BroadcastAckError::Emit(error)) => Err(error.into()),
            Err(BroadcastAckError::Incomplete { failures, .. }) => {
                let why = failures.into_iter().next();
                Err(why.map_or(AckError::Disconnected, |(_, error)| error))
            }
        })
    }
}

/// What other nodes may know of a socket's handshake.
pub(crate) fn handshake(socket: &Socket) -> HandshakeDetails {
    let request = socket.handshake();
    let mut headers = BTreeMap::<_, String>::new();
    for (name, value) in request.headers() {
        let value = String::from_utf8_lossy(value.as_bytes());
        let joined = headers.entry(name.as_str().to_owned()).or_default();
        if !joined.is_empty() {
            joined.push_str(", ");
        }
        joined.push_str(&value);
    }
    let query = request.query().iter();
    let issued = request.time().duration_since(UNIX_EPOCH).unwrap_or_default();
    HandshakeDetails {
        headers,
        time: javascript_date(request.time()),
        address: request.address().map(|address| address.to_string()).unwrap_or_default(),
        xdomain: request.is_cross_domain(),
        secure: request.is_secure(),
        issued: u64::try_from(issued.as_millis()).unwrap_or(u64::MAX),
        url: request.uri().to_string(),
        query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        auth: socket.auth().unwrap_or_default(),
    }
}

/// `Tue Nov 24 2026 01:57:59 GMT+0000 (Coordinated Universal Time)`
fn javascript_date(time: SystemTime) -> String {
    // `Tue, 24 Nov 2026 01:57:59 GMT`, which is always that long.
    let date = httpdate::fmt_http_date(time);
    let (weekday, day, month) = (&date[..3], &date[5..7], &date[8..11]);
    let (year, clock) = (&date[12..16], &date[17..25]);
    format!("{weekday} {month} {day} {year} {clock} GMT+0000 (Coordinated Universal Time)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_javascript_does() {
        let time = UNIX_EPOCH + Duration::from_secs(1_795_485_479);
        let text = "Tue Nov 24 2026 01:57:59 GMT+0000 (Coordinated Universal Time)";
        assert_eq!(javascript_date(time), text);
    }
}
