//! The client: a connection, and what keeps it open.

use std::{ops::Deref, sync::Arc};

use sockeye_protocol::client as core;

use crate::{ClientBuilder, DisconnectReason, Socket, Transport, driver, shared::lock};

/// A connection to a server, with the socket of its main namespace: what a [`Socket`] can do, it can
/// do as well.
///
/// Cheap to clone; all clones are the same client. When the last one is dropped, the client is
/// [closed](Self::close). A [`Socket`] does not keep it open, and handlers should capture no more
/// than that: a client that is captured by its own handlers is never dropped.
#[derive(Clone, Debug)]
pub struct Client {
    owner: Arc<Owner>,
}

/// Closes the client when it is dropped.
#[derive(Debug)]
struct Owner {
    main: Socket,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.main.shared().command(|manager, now| manager.close(now));
        if self.main.shared().take_io().is_some() {
            // No task has started, which would do it.
            self.main.shared().sockets().iter().for_each(|socket| socket.close());
        }
    }
}

/// What happens to the connection itself, below its sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ManagerEvent {
    /// A connection is open, on this transport.
    Open(Transport),
    /// The connection moved from polling to a WebSocket.
    Upgrade,
    /// The connection that was open is over.
    Close(DisconnectReason),
    /// The attempt of this number to reconnect starts; the first is 1.
    ReconnectAttempt(u32),
    /// The attempt of this number has succeeded.
    Reconnect(u32),
    /// An attempt to reconnect has failed.
    ReconnectError {
        /// Its number.
        attempt: u32,
        /// Why, in words.
        error: String,
    },
    /// All attempts have failed, and there will be no other.
    ReconnectFailed,
}

impl Client {
    /// Starts to describe a client of the server at this URL. As in JavaScript, the path of the URL
    /// names the namespace, and its query goes along with every request:
    /// `https://example.com/admin?token=t`. The path of the requests is
    /// [`path`](ClientBuilder::path).
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url.into())
    }

    pub(crate) fn from_main(main: Socket) -> Self {
        Self { owner: Arc::new(Owner { main }) }
    }

    /// The socket of another namespace over the same connection, made when it is asked for first.
    /// It connects when it is told to: `client.socket("/admin").connect().await?`.
    pub fn socket(&self, namespace: &str) -> Socket {
        let namespace =
            if namespace.starts_with('/') { namespace.to_owned() } else { format!("/{namespace}") };
        let shared = self.shared();
        Socket::new(shared.clone(), shared.of(&namespace))
    }

    /// The transport of the connection, while it is open. It may change once, from polling to
    /// WebSocket.
    pub fn transport(&self) -> Option<Transport> {
        self.shared().manager().transport()
    }

    /// Calls a function for everything that happens to the connection itself. It must not block.
    pub fn on_manager_event(&self, observer: impl Fn(&ManagerEvent) + Send + Sync + 'static) {
        lock(&self.shared().observers).push(Arc::new(observer));
    }

    /// Closes the connection and makes no other until it is [resumed](Self::resume): an app goes to
    /// the background, a laptop to sleep. Sockets stay active, and what they emit waits. A server
    /// that recovers connections keeps what was missed meanwhile.
    pub fn suspend(&self) {
        self.shared().command(|manager, now| manager.suspend(now));
    }

    /// Connects again at once after a [`suspend`](Self::suspend), or instead of waiting for the next
    /// attempt: the machine has woken up, or the network is back.
    pub fn resume(&self) {
        self.shared().command(|manager, now| manager.resume(now));
    }

    /// Breaks the connection as if the network had; it is made again. For tests of how a program
    /// copes with that.
    pub fn break_connection(&self) {
        let reason = core::DisconnectReason::ForcedClose;
        self.shared().command(|manager, now| manager.cut(now, reason));
    }

    /// Closes the client for good, and waits until what was emitted before has left: sockets leave
    /// their namespaces, what waits for a connection is dropped, acknowledgements fail, streams end,
    /// and handlers are let go of once they have returned.
    pub async fn close(&self) {
        let shared = self.shared();
        shared.command(|manager, now| manager.close(now));
        if let Some(io) = shared.take_io() {
            // No task has started yet: this one ends at once.
            driver::run(shared.clone(), io).await;
        }
        let mut finished = shared.finished.subscribe();
        // The sender is in `shared`, which is kept here.
        let _ = finished.wait_for(|is_finished| *is_finished).await;
    }
}

impl Deref for Client {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.owner.main
    }
}
