//! What a manager is told once.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    engine::{ClientConfig, Transport},
    socket::{Limits, Parser},
};

/// How a manager behaves. The defaults are those of socket.io-client.
#[derive(Clone)]
pub struct Config {
    /// The transports, the one that is tried first in front; not empty. Default polling, then
    /// WebSocket.
    pub transports: Vec<Transport>,
    /// Whether a transport that cannot be opened is followed by the next one at once, within the
    /// same attempt. Default false.
    pub try_all_transports: bool,
    /// Whether a session that moved to a WebSocket makes the next one open on a WebSocket. Default
    /// false.
    pub remember_upgrade: bool,
    /// How the sessions behave. Their `handshake_timeout` is also how long a server may take to
    /// let a socket into a namespace.
    pub session: ClientConfig,
    /// Whether a connection that was lost, or could not be made, is tried again. Default true.
    pub reconnection: bool,
    /// After how many attempts to reconnect to give up. Default `None`: never.
    pub reconnection_attempts: Option<u32>,
    /// How long to wait before the first attempt; it doubles from one to the next. Default 1 s.
    pub reconnection_delay: Duration,
    /// The longest wait between attempts. Default 5 s.
    pub reconnection_delay_max: Duration,
    /// By which part of itself a wait is made longer or shorter at random, from 0 to 1. Default
    /// 0.5: the first one takes 0.5 s to 1.5 s.
    pub randomization_factor: f64,
    /// How often an event is sent again, at most, if no acknowledgement came. `None`, the default:
    /// events are sent once and need no acknowledgement.
    pub retries: Option<u32>,
    /// How long a try waits for its acknowledgement. Default 5 s.
    pub retry_timeout: Duration,
    /// Bytes that may wait to be sent, per socket. Default 4 MiB.
    pub max_waiting_bytes: usize,
    /// Bytes of events that may come for a socket before the server has let it in. Default 4 MiB.
    pub max_early_bytes: usize,
    /// What a server may make a connection hold.
    pub limits: Limits,
    /// How packets become messages; `None`, the default, is JSON. Events and acknowledgements are
    /// encoded with it by whoever emits them.
    pub parser: Option<Arc<dyn Parser>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            transports: vec![Transport::Polling, Transport::WebSocket],
            try_all_transports: false,
            remember_upgrade: false,
            session: ClientConfig::default(),
            reconnection: true,
            reconnection_attempts: None,
            reconnection_delay: Duration::from_secs(1),
            reconnection_delay_max: Duration::from_secs(5),
            randomization_factor: 0.5,
            retries: None,
            retry_timeout: Duration::from_secs(5),
            max_waiting_bytes: 4 * 1024 * 1024,
            max_early_bytes: 4 * 1024 * 1024,
            limits: Limits::default(),
            parser: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("transports", &self.transports)
            .field("session", &self.session)
            .field("reconnection", &self.reconnection)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}
