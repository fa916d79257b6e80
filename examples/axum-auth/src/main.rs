//! REST and Socket.IO on one port, and one login for both.
//!
//! ```sh
//! cargo run -p axum-auth        # or with PORT=4000 in front
//! curl localhost:3000/login --json '{"name":"ann"}'       # {"token":"6f1c…"}
//! curl localhost:3000/users                               # ["ann"], once she is connected
//! ```
//!
//! ```js
//! import { io } from "socket.io-client";
//!
//! const login = { method: "POST", headers: { "content-type": "application/json" } };
//! const body = JSON.stringify({ name: "ann" });
//! const response = await fetch("http://localhost:3000/login", { ...login, body });
//! const socket = io("http://localhost:3000", { auth: await response.json() });
//!
//! socket.on("connect_error", (error) => console.log(error.message, error.data));
//! socket.on("hello", (text) => socket.emit("say", "anyone here?"));
//! socket.on("said", (name, text) => console.log(`${name}: ${text}`));
//! ```

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    env,
    error::Error,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sockeye::{ConnectError, Server, Socket};
use tokio::net::TcpListener;

#[derive(Clone, Deserialize)]
struct User {
    name: String,
}

/// What a client gets at `/login`, and shows as its `auth` when it connects.
#[derive(Serialize, Deserialize)]
struct Login {
    token: String,
}

/// Who has which token.
#[derive(Clone, Default)]
struct Users(Arc<Mutex<HashMap<String, User>>>);

impl Users {
    fn log_in(&self, user: User) -> Result<Login, getrandom::Error> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits)?;
        let token = format!("{:032x}", u128::from_ne_bytes(bits));
        self.0.lock().expect("no holder panics").insert(token.clone(), user);
        Ok(Login { token })
    }

    fn find(&self, token: &str) -> Option<User> {
        self.0.lock().expect("no holder panics").get(token).cloned()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned()).parse::<u16>()?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://localhost:{}", listener.local_addr()?.port());
    let io = Server::builder().build()?;
    let server = axum::serve(listener, app(&io)).with_graceful_shutdown(async move {
        let _ = tokio::signal::ctrl_c().await;
        io.close().await;
    });
    Ok(server.await?)
}

fn app(io: &Server) -> Router {
    let users = Users::default();
    let known = users.clone();
    io.middleware(move |socket: Socket, login: Option<Login>| {
        let user = login.and_then(|login| known.find(&login.token)).ok_or_else(|| {
            ConnectError::new("not authorized").data(json!({ "code": 401, "login": "/login" }))
        })?;
        socket.extensions().insert(user);
        Ok::<(), ConnectError>(())
    });
    io.on_connection(|socket: Socket| {
        socket.emit("hello", name(&socket).map(|name| format!("Hello, {name}!")));
    });
    io.on("say", |socket: Socket, text: String| {
        socket.server().emit("said", (name(&socket), text));
    });
    Router::new()
        .route("/login", post(log_in).with_state(users))
        .route("/users", get(list).with_state(io.clone()))
        .layer(io.layer())
}

fn name(socket: &Socket) -> Option<String> {
    socket.extensions().get::<User>().map(|user| user.name)
}

async fn log_in(State(users): State<Users>, Json(user): Json<User>) -> Json<Login> {
    Json(users.log_in(user).expect("the operating system has random bits"))
}

async fn list(State(io): State<Server>) -> Json<Vec<String>> {
    Json(io.sockets().iter().filter_map(name).collect())
}
