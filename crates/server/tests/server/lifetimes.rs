//! What lives for how long. Handles are weak: whoever keeps one keeps nothing else.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use sockeye::{AckError, Counts, Server, Sid, Socket};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::{Notify, mpsc},
};

use crate::{
    Told, channel,
    client::{Client, Polling, eventually},
    millis, serve, sockets,
};

/// Tells when it is dropped. Its clones are one.
#[derive(Clone)]
struct Guard(#[expect(dead_code, reason = "only dropped")] Arc<OnDrop>);

struct OnDrop(&'static str, mpsc::UnboundedSender<&'static str>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let _ = self.1.send(self.0);
    }
}

/// Makes guards.
struct Guards(mpsc::UnboundedSender<&'static str>);

impl Guards {
    fn new() -> (Self, Told<&'static str>) {
        let (tell, dropped) = channel();
        (Self(tell), dropped)
    }

    fn guard(&self, name: &'static str) -> Guard {
        Guard(Arc::new(OnDrop(name, self.0.clone())))
    }
}

async fn all_is_gone(io: &Server) {
    eventually("everything's end", || io.counts() == Counts::default()).await;
}

#[tokio::test]
async fn a_socket_captured_by_its_own_handlers_goes_with_its_client() {
    let (io, addr) = serve(Server::builder()).await;
    let (guards, mut dropped) = Guards::new();
    io.on_connection(move |socket: Socket| {
        socket.join("room");
        let [one, two] = [socket.clone(), socket.clone()];
        let [first, second] = [guards.guard("a handler"), guards.guard("the last handler")];
        socket.on("e", move || {
            let _captured = &first;
            one.emit("heard", ());
        });
        socket.on_disconnect(move || {
            let _captured = &second;
            assert!(!two.connected());
        });
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"42["e"]"#).await;
    client.expect(r#"42["heard"]"#).await;
    let counts = io.counts();
    assert_eq!((counts.sessions, counts.sockets, counts.rooms), (1, 1, 1));
    client.close().await;
    let mut both = [dropped.next().await, dropped.next().await];
    both.sort_unstable();
    assert_eq!(both, ["a handler", "the last handler"]);
    all_is_gone(&io).await;
}

#[tokio::test]
async fn a_socket_kept_in_a_map_keeps_its_id_and_handshake_and_nothing_else() {
    let (io, addr) = serve(Server::builder()).await;
    let (guards, mut dropped) = Guards::new();
    let map = Arc::new(Mutex::new(HashMap::<Sid, Socket>::new()));
    let users = map.clone();
    io.on_connection(move |socket: Socket| {
        socket.extensions().insert(guards.guard("an extension"));
        socket.set_data(json!({"name": "ann"})).unwrap();
        users.lock().unwrap().insert(socket.id(), socket);
    });
    let client = Client::try_open(addr, "X-Test: kept\r\n").await;
    let mut client = client.expect("it is let in");
    let id = client.join("/", "").await;
    client.close().await;
    assert_eq!(dropped.next().await, "an extension");
    eventually("the session's end", || io.counts().sessions == 0).await;
    let socket = map.lock().unwrap().values().next().cloned().unwrap();
    assert_eq!(socket.id(), *id);
    assert_eq!(socket.handshake().headers()["x-test"], "kept");
    assert_eq!(socket.data::<Value>().unwrap(), Value::Null);
    assert!(socket.extensions().get::<Guard>().is_none());
    socket.emit("to nobody", ());
    socket.disconnect();
    assert_eq!(io.counts().sockets, 1, "this one");
    map.lock().unwrap().clear();
    drop(socket);
    all_is_gone(&io).await;
}

#[tokio::test]
async fn a_task_that_waits_for_an_answer_ends_with_its_client() {
    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    io.on_connection(move |socket: Socket| {
        let tell = tell.clone();
        tokio::spawn(async move {
            let answer =
                socket.timeout(std::time::Duration::MAX).emit_with_ack::<u8>("e", ()).await;
            let _ = tell.send(answer);
        });
    });
    let mut client = Client::connect(addr).await;
    client.expect(r#"420["e"]"#).await;
    client.close().await;
    assert_eq!(told.next().await, Err(AckError::Disconnected));
    all_is_gone(&io).await;
}

#[tokio::test]
async fn data_and_extensions_can_be_read_until_the_last_handler_has_returned() {
    #[derive(Clone)]
    struct User(&'static str);

    let (io, addr) = serve(Server::builder()).await;
    let (guards, mut dropped) = Guards::new();
    let (tell, mut told) = channel();
    let (open, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let opened = gate.clone();
    io.on_connection(move |socket: Socket| {
        socket.extensions().insert(User("ann"));
        socket.extensions().insert(guards.guard("extension"));
        socket.set_data(json!({"seen": 1})).unwrap();
    });
    io.on_disconnect(move |socket: Socket| {
        let (tell, gate) = (tell.clone(), gate.clone());
        async move {
            let _ = tell.send(("started", socket.id()));
            gate.notified().await;
            assert_eq!(socket.extensions().get::<User>().unwrap().0, "ann");
            assert_eq!(socket.data::<Value>().unwrap(), json!({"seen": 1}));
            let _ = tell.send(("ended", socket.id()));
        }
    });
    drop(open);
    Client::connect(addr).await.close().await;
    assert_eq!(told.next().await.0, "started");
    assert!(dropped.rest().is_empty());
    opened.notify_one();
    assert_eq!(told.next().await.0, "ended");
    assert_eq!(dropped.next().await, "extension");
    all_is_gone(&io).await;
}

#[tokio::test]
async fn a_running_handler_keeps_what_its_socket_has_until_it_returns() {
    let (io, addr) = serve(Server::builder()).await;
    let (guards, mut dropped) = Guards::new();
    let (tell, mut told) = channel();
    let gate = Arc::new(Notify::new());
    let opened = gate.clone();
    io.on_connection(move |socket: Socket| {
        socket.extensions().insert(guards.guard("extension"));
    });
    io.on("slow", move |socket: Socket| {
        let (tell, gate) = (tell.clone(), gate.clone());
        async move {
            let _ = tell.send("started");
            gate.notified().await;
            assert!(socket.extensions().get::<Guard>().is_some());
            let _ = tell.send("ended");
        }
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"42["slow"]"#).await;
    assert_eq!(told.next().await, "started");
    client.close().await;
    eventually("the session's end", || io.counts().sessions == 0).await;
    assert!(dropped.rest().is_empty());
    opened.notify_one();
    assert_eq!(told.next().await, "ended");
    assert_eq!(dropped.next().await, "extension");
    all_is_gone(&io).await;
}

#[tokio::test]
async fn what_is_given_to_a_socket_that_is_gone_is_dropped() {
    let (io, addr) = serve(Server::builder()).await;
    let (guards, mut dropped) = Guards::new();
    let mut sockets = sockets(&io);
    Client::connect(addr).await.close().await;
    let socket = sockets.next().await;
    eventually("the socket's end", || !socket.connected()).await;
    eventually("the session's end", || io.counts().sessions == 0).await;
    let (captured, itself) = (guards.guard("handler"), socket.clone());
    socket.on("e", move || {
        let _captured = (&captured, &itself);
    });
    assert_eq!(dropped.next().await, "handler");
    socket.extensions().insert((guards.guard("extension"), socket.clone()));
    assert_eq!(dropped.next().await, "extension");
    drop(socket);
    all_is_gone(&io).await;
}

#[tokio::test]
async fn what_a_handler_has_captured_goes_when_the_handler_does() {
    let (io, addr) = serve(Server::builder()).await;
    let (guards, mut dropped) = Guards::new();
    let namespace = io.of("/");
    let capture = |name| {
        let guard = guards.guard(name);
        move || {
            let _captured = &guard;
        }
    };
    namespace.once("once", capture("once"));
    io.on("off", capture("off"));
    let id = io.on("one", capture("one"));
    let mut client = Client::connect(addr).await;
    client.send(r#"42["once"]"#).await;
    assert_eq!(dropped.next().await, "once");
    namespace.off("off");
    assert_eq!(dropped.next().await, "off");
    namespace.off_listener(id);
    assert_eq!(dropped.next().await, "one");
}

#[tokio::test]
async fn what_is_dropped_may_use_the_socket() {
    /// Does all that takes a lock.
    struct Busy(Socket, mpsc::UnboundedSender<&'static str>);

    impl Drop for Busy {
        fn drop(&mut self) {
            let Self(socket, tell) = self;
            socket.off("another");
            socket.leave("room");
            socket.set_data(1).unwrap();
            socket.extensions().remove::<u8>();
            socket.namespace().off("another");
            socket.broadcast().emit("dropped", socket.pending_acks());
            let _ = tell.send("dropped");
        }
    }

    let (io, addr) = serve(Server::builder()).await;
    let (tell, mut told) = channel();
    let mut sockets = sockets(&io);
    let client = Client::connect(addr).await;
    let socket = sockets.next().await;
    let busy = || Busy(socket.clone(), tell.clone());
    let capture = |busy: Busy| {
        move || {
            let _captured = &busy;
        }
    };
    socket.on("off", capture(busy()));
    socket.off("off");
    let id = socket.on("one", capture(busy()));
    socket.off_listener(id);
    let id = io.on("one", capture(busy()));
    io.of("/").off_listener(id);
    socket.extensions().insert(Arc::new(busy()));
    socket.extensions().insert(Arc::new(busy()));
    socket.on("kept", capture(busy()));
    assert_eq!(told.rest().len(), 4);
    client.close().await;
    assert_eq!((told.next().await, told.next().await), ("dropped", "dropped"));
    drop(socket);
    all_is_gone(&io).await;
}

#[tokio::test]
async fn a_server_captured_by_its_own_handlers_goes_when_it_is_closed() {
    let (io, addr) = serve(Server::builder()).await;
    let (guards, mut dropped) = Guards::new();
    let [first, second, third] = ["event", "connection", "middleware"].map(|n| guards.guard(n));
    let [one, two, three] = [io.clone(), io.clone(), io.clone()];
    io.on("e", move || {
        let _captured = &first;
        one.emit("heard", ());
    });
    io.of("/other").on_connection(move || {
        let _captured = (&second, &two);
    });
    io.middleware(move || {
        let _captured = (&third, &three);
        Ok::<(), String>(())
    });
    let mut client = Client::connect(addr).await;
    client.send(r#"42["e"]"#).await;
    client.expect(r#"42["heard"]"#).await;
    client.close().await;
    all_is_gone(&io).await;
    io.close().await;
    drop(io);
    let mut all = [dropped.next().await, dropped.next().await, dropped.next().await];
    all.sort_unstable();
    assert_eq!(all, ["connection", "event", "middleware"]);
}

#[tokio::test]
async fn the_state_goes_with_the_server() {
    let (guards, mut dropped) = Guards::new();
    let (io, addr) = serve(Server::builder().state(guards.guard("state"))).await;
    let captured = io.clone();
    io.on("e", move || captured.emit("e", ()));
    let client = Client::connect(addr).await;
    tokio::join!(io.close(), client.close());
    drop(io);
    assert_eq!(dropped.next().await, "state");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_locks_up_when_many_threads_do_everything_at_once() {
    let (io, addr) = serve(Server::builder()).await;
    io.middleware(|socket: Socket| async move {
        socket.join("all");
        tokio::task::yield_now().await;
        Ok::<(), String>(())
    });
    io.on("e", |io: Server, socket: Socket, n: usize| async move {
        socket.join([format!("room {}", n % 5), "all".to_owned()]);
        io.to(format!("room {}", n % 3)).except("nobody").emit("e", n);
        tokio::task::yield_now().await;
        socket.leave("all");
        socket.once("e", |socket: Socket| drop(socket.rooms()));
        let asked: Vec<_> = io.sockets().iter().map(|s| s.emit_with_ack::<u8>("q", n)).collect();
        tokio::task::yield_now().await;
        drop(asked);
        match n % 7 {
            0 => socket.disconnect(),
            1 => socket.disconnect_all(),
            2 => io.sockets().iter().take(1).for_each(Socket::disconnect_all),
            _ => (),
        }
    });
    io.on_disconnect(|socket: Socket| socket.broadcast().emit("left", socket.rooms().len()));
    let clients = (0..8).map(|_| {
        tokio::spawn(async move {
            for round in 0..5 {
                let mut client = Client::open(addr).await;
                client.send("40").await;
                while !client.text().await.starts_with("40{") {}
                for n in 0..20 {
                    client.send(&format!(r#"42["e",{}]"#, round * 31 + n)).await;
                }
                // Until it is sent away, or everything has been said.
                client.send("41").await;
                client.close().await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    all_is_gone(&io).await;
    crate::client::within("the end", io.close()).await;
}

#[tokio::test]
async fn a_thousand_sessions_abandoned_in_all_states_leave_nothing() {
    let soon = millis(500);
    let builder = Server::builder()
        .ping_interval(soon)
        .ping_timeout(soon)
        .connect_timeout(soon)
        .upgrade_timeout(soon)
        .body_timeout(soon)
        .ack_timeout(None);
    let (io, addr) = serve(builder).await;
    io.on_connection(|socket: Socket| {
        socket.join(["all", "of", "them"]);
        let captured = socket.clone();
        socket.on("e", move || captured.emit("e", ()));
    });
    io.on("ask", |socket: Socket| async move {
        let _ = socket.emit_with_ack::<u8>("question", ()).await;
    });
    let mut clients = Vec::new();
    let mut streams = Vec::new();
    for number in 0..1000 {
        match number % 12 {
            0 => drop(Polling::open(addr).await),
            1 => drop(Polling::connect(addr).await),
            // A poll that is never read, and one that is given up.
            2 => streams.push(Polling::connect(addr).await.start_poll().await),
            3 => drop(Polling::connect(addr).await.start_poll().await),
            // A body that does not come.
            4 => {
                let session = Polling::connect(addr).await;
                let mut stream = TcpStream::connect(addr).await.unwrap();
                let head = "HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n42[";
                let request = format!("POST {} {head}", session.target());
                stream.write_all(request.as_bytes()).await.unwrap();
                streams.push(stream);
            }
            5 => clients.push(Client::open(addr).await),
            6 => clients.push(Client::connect(addr).await),
            7 => drop(Client::connect(addr).await),
            // An upgrade that stops half way, and one that is completed.
            8 => clients.push(Polling::connect(addr).await.probe().await),
            9 => clients.push(Polling::connect(addr).await.upgrade().await),
            // A packet without its attachment, and half a frame.
            10 => {
                let mut client = Client::connect(addr).await;
                client.send(r#"451-["e",{"_placeholder":true,"num":0}]"#).await;
                client.send_raw(&[0x81, 0xfe]).await;
                clients.push(client);
            }
            // A handler that waits for the client.
            _ => {
                let mut client = Client::connect(addr).await;
                client.send(r#"42["ask"]"#).await;
                clients.push(client);
            }
        }
    }
    assert!(io.counts().sessions > 0);
    all_is_gone(&io).await;
    assert!(!clients.is_empty() && !streams.is_empty(), "they were open all the time");
}
