//! What the user asks for.

use std::{error::Error, time::Duration};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use sockeye_client::{Client, Revision, Socket, Tls, Transport};

use crate::arguments::{parse_duration, parse_header};

/// `sockeye connect`.
#[derive(Args)]
pub(crate) struct Options {
    /// The server, as http://host:port; as in JavaScript, a path behind it names a namespace
    pub(super) url: String,

    /// The path under which the server speaks Socket.IO
    #[arg(long, default_value = "/socket.io")]
    path: String,

    /// The namespace to join, instead of the URL's
    #[arg(long)]
    namespace: Option<String>,

    /// What the server's middlewares see as `auth`: a JSON object
    #[arg(long, value_name = "JSON", value_parser = parse_object)]
    auth: Option<Map<String, Value>>,

    /// A header of every request, as 'Name: value'; may be repeated
    #[arg(long = "header", short = 'H', value_name = "HEADER")]
    headers: Vec<String>,

    /// A parameter of every request's query, as name=value; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    query: Vec<(String, String)>,

    /// Use this transport only [default: polling, which moves to a WebSocket]
    #[arg(long)]
    transport: Option<TransportName>,

    /// The revision of Engine.IO: 3 for servers of Socket.IO 2
    #[arg(long, default_value = "4")]
    revision: RevisionName,

    /// An HTTP proxy, as http://user:password@host:port
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,

    /// Do not check the server's certificate: anyone on the way can read and change everything
    #[arg(long)]
    insecure: bool,

    /// How long to wait for an acknowledgement, as 10s or 500ms
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    ack_timeout: Duration,

    /// Print lines of JSON, for scripts
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum TransportName {
    Polling,
    Websocket,
}

#[derive(Clone, Copy, ValueEnum)]
enum RevisionName {
    #[value(name = "3")]
    V3,
    #[value(name = "4")]
    V4,
}

impl Options {
    /// The client that they describe, and its first socket. Nothing is connected yet.
    pub(super) fn client(&self) -> Result<(Client, Socket), Box<dyn Error>> {
        let mut builder = Client::builder(&self.url)
            .path(&self.path)
            .revision(match self.revision {
                RevisionName::V3 => Revision::V3,
                RevisionName::V4 => Revision::V4,
            })
            .ack_timeout(self.ack_timeout);
        for header in &self.headers {
            let (name, value) = parse_header(header)?;
            builder = builder.header(name, value);
        }
        for (name, value) in &self.query {
            builder = builder.query(name, value);
        }
        if let Some(transport) = self.transport {
            builder = builder.transports([match transport {
                TransportName::Polling => Transport::Polling,
                TransportName::Websocket => Transport::WebSocket,
            }]);
        }
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(proxy);
        }
        if self.insecure {
            eprintln!("warning: the server's certificate is not checked (--insecure)");
            builder = builder.tls(Tls::new().dangerous_accept_any_certificate());
        }
        let client = builder.build()?;
        let socket = match &self.namespace {
            Some(namespace) => client.socket(namespace),
            None => Socket::clone(&client),
        };
        if let Some(auth) = &self.auth {
            socket.set_auth(auth)?;
        }
        Ok((client, socket))
    }
}

fn parse_object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("is no JSON object: {error}"))
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("is not of the form name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}
