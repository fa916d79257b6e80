//! The environment variables.

use std::{env, error::Error, str::FromStr, time::Duration};

use sockeye::{Cors, Server, Transport, Transports};

/// What the variables say, with the defaults of the profile.
pub(crate) struct Config {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) profile: String,
    pub(crate) chatter_auth: bool,
    pub(crate) chatter_timestamp: bool,
    /// How many namespaces `/own-0` and on the profile `full` has, for tests to have for themselves.
    pub(crate) own_namespaces: usize,
    path: String,
    ping_interval: Duration,
    ping_timeout: Duration,
    max_payload: usize,
    connect_timeout: Duration,
    upgrade_timeout: Duration,
    ack_timeout: Duration,
    transports: Transports,
    allow_upgrades: bool,
    allow_eio3: bool,
    is_msgpack: bool,
    cors: Option<Cors>,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Variables of features that do not exist yet, and the values that switch them off.
const UNSUPPORTED: [(&str, &[&str]); 12] = [
    ("RECOVERY", &["0"]),
    ("HANDSHAKE_DELAY", &["0"]),
    ("DENY_PARAM", &[]),
    ("COOKIE", &[]),
    ("SET_COOKIES", &["0"]),
    ("WS_DEFLATE", &["0"]),
    // Not to compress is always allowed, so asking for the default is no error.
    ("HTTP_COMPRESSION", &["0", "1"]),
    ("CHATTER_RESTART", &[]),
    ("TLS_CERT", &[]),
    ("TLS_KEY", &[]),
    ("WT_PORT", &[]),
    ("ADAPTER", &["memory"]),
];

impl Config {
    pub(crate) fn from_env() -> Result<Self> {
        for (name, off) in UNSUPPORTED {
            let value = env::var(name).unwrap_or_default();
            if !value.is_empty() && !off.contains(&value.as_str()) {
                return Err(format!("{name}={value} is not supported").into());
            }
        }
        let profile = text("PROFILE", "full");
        let is_engine = profile.starts_with("engine-");
        let (interval, timeout, connect, ack) = match profile.as_str() {
            "protocol" => (300, 200, 1000, 200),
            "client" => (2000, 20_000, 45_000, 5000),
            "engine-echo" => (300, 200, 45_000, 5000),
            _ => (25_000, 20_000, 45_000, 5000),
        };
        Ok(Self {
            host: text("HOST", "127.0.0.1"),
            port: number("PORT", 3000)?,
            path: text("SIO_PATH", if is_engine { "/engine.io/" } else { "/socket.io/" }),
            ping_interval: millis("PING_INTERVAL", interval)?,
            ping_timeout: millis("PING_TIMEOUT", timeout)?,
            max_payload: number("MAX_PAYLOAD", 1_000_000)?,
            connect_timeout: millis("CONNECT_TIMEOUT", connect)?,
            upgrade_timeout: millis("UPGRADE_TIMEOUT", 10_000)?,
            ack_timeout: millis("ACK_TIMEOUT", ack)?,
            transports: transports(&text("TRANSPORTS", "polling,websocket"))?,
            allow_upgrades: flag("ALLOW_UPGRADES", true),
            allow_eio3: flag("ALLOW_EIO3", false),
            is_msgpack: is_msgpack(&text("PARSER", "default"))?,
            cors: cors(&text("CORS_ORIGIN", "*"), flag("CORS_CREDENTIALS", false)),
            own_namespaces: number("OWN_NAMESPACES", 0)?,
            chatter_auth: flag("CHATTER_AUTH", false),
            chatter_timestamp: flag("CHATTER_TIMESTAMP", false),
            profile,
        })
    }

    pub(crate) fn server(&self) -> Result<Server> {
        let mut builder = Server::builder()
            .path(&self.path)
            .ping_interval(self.ping_interval)
            .ping_timeout(self.ping_timeout)
            .max_payload(self.max_payload)
            .connect_timeout(self.connect_timeout)
            .upgrade_timeout(self.upgrade_timeout)
            .ack_timeout(self.ack_timeout)
            .transports(self.transports)
            .allow_upgrades(self.allow_upgrades)
            .allow_eio3(self.allow_eio3)
            .state(crate::profiles::Counters::default());
        if self.is_msgpack {
            builder = builder.parser(sockeye::parser::MessagePack);
        }
        if let Some(cors) = &self.cors {
            builder = builder.cors(cors.clone());
        }
        Ok(builder.build()?)
    }

    pub(crate) fn engine(&self) -> Result<sockeye_engine::Config> {
        let mut config = sockeye_engine::Config::default()
            .path(&self.path)
            .ping_interval(self.ping_interval)
            .ping_timeout(self.ping_timeout)
            .max_payload(self.max_payload)
            .upgrade_timeout(self.upgrade_timeout)
            .transports(self.transports)
            .allow_upgrades(self.allow_upgrades)
            .allow_eio3(self.allow_eio3);
        if let Some(cors) = &self.cors {
            config = config.cors(cors.clone());
        }
        config.check()?;
        Ok(config)
    }
}

fn text(name: &str, default: &str) -> String {
    env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| default.to_owned())
}

fn flag(name: &str, default: bool) -> bool {
    text(name, if default { "1" } else { "0" }) != "0"
}

fn number<T: FromStr + ToString>(name: &str, default: T) -> Result<T> {
    let value = text(name, &default.to_string());
    value.parse().map_err(|_| format!("{name}={value} is not a number that fits").into())
}

fn millis(name: &str, default: u64) -> Result<Duration> {
    number(name, default).map(Duration::from_millis)
}

fn transports(names: &str) -> Result<Transports> {
    names
        .split(',')
        .map(|name| {
            let transport = Transport::from_name(name.trim());
            transport.ok_or_else(|| format!("TRANSPORTS has {name}, which is not supported").into())
        })
        .collect()
}

fn is_msgpack(parser: &str) -> Result<bool> {
    match parser {
        "default" => Ok(false),
        "msgpack" => Ok(true),
        other => Err(format!("PARSER={other} is not supported").into()),
    }
}

fn cors(origin: &str, credentials: bool) -> Option<Cors> {
    let cors = match origin {
        "none" => return None,
        "*" => Cors::any(),
        list => Cors::origins(list.split(',').map(str::trim)),
    };
    Some(cors.credentials(credentials))
}
