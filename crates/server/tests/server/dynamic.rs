//! Namespaces that come to be when clients ask for them.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use sockeye::{Ack, ConnectError, Server, ServerBuilder, Socket, adapter::MemoryAdapter};
use tokio::sync::watch;

use crate::{
    channel,
    client::{Client, eventually},
    serve,
};

/// A server whose namespaces `/dyn-…` come to be, and answer with their names.
async fn dynamic(builder: ServerBuilder) -> (Server, sockeye::ParentNamespace, Client) {
    let (io, addr) = serve(builder).await;
    let parent = io.of_matching(|name| name.starts_with("/dyn-"));
    parent.on("name", |socket: Socket| socket.namespace().name().to_owned());
    let client = Client::connect(addr).await;
    (io, parent, client)
}

const INVALID: &str = r#"{"message":"Invalid namespace"}"#;

async fn another(io: &Server) -> Client {
    let listening = io.listen("127.0.0.1:0").await.unwrap();
    Client::connect(listening.local_addr()).await
}

#[tokio::test]
async fn a_namespace_whose_name_matches_comes_to_be() {
    let (io, parent, mut client) = dynamic(Server::builder()).await;
    assert_eq!(parent.children().len(), 0);
    client.join("/dyn-1", "").await;
    client.send(r#"42/dyn-1,0["name"]"#).await;
    client.expect(r#"43/dyn-1,0["/dyn-1"]"#).await;
    client.send("40/other,").await;
    client.expect(&format!("44/other,{INVALID}")).await;
    let names: Vec<_> = parent.children().iter().map(|child| child.name().to_owned()).collect();
    assert_eq!(names, ["/dyn-1"]);
    assert_eq!(io.of("/dyn-1").sockets().len(), 1, "it is the one of that name");
}

#[tokio::test]
async fn existing_namespaces_come_first_and_then_the_first_that_matches() {
    let (io, _, mut client) = dynamic(Server::builder()).await;
    io.of("/existing").on("name", || "existing");
    let later = io.of_matching(|_| true);
    later.on("name", || "later");
    for (namespace, answer) in [("/dyn-1", "/dyn-1"), ("/x", "later"), ("/existing", "existing")] {
        client.join(namespace, "").await;
        client.send(&format!(r#"42{namespace},0["name"]"#)).await;
        client.expect(&format!(r#"43{namespace},0["{answer}"]"#)).await;
    }
}

#[tokio::test]
async fn children_start_with_what_their_parent_has() {
    let (io, parent, mut client) = dynamic(Server::builder()).await;
    let (tell, mut told) = channel();
    for (index, label) in ["any", "connection", "disconnecting", "disconnect"].iter().enumerate() {
        let tell = tell.clone();
        let hear = move |socket: Socket| {
            let _ = tell.send((*label, socket.namespace().name().to_owned()));
        };
        match index {
            0 => parent.on_any(hear),
            1 => parent.on_connection(hear),
            2 => parent.on_disconnecting(hear),
            _ => parent.on_disconnect(hear),
        };
    }
    parent.middleware(|socket: Socket| {
        let allowed = socket.namespace().name() != "/dyn-closed";
        if allowed { Ok(()) } else { Err(ConnectError::new("closed")) }
    });
    client.send("40/dyn-closed,").await;
    client.expect(r#"44/dyn-closed,{"message":"closed"}"#).await;
    client.join("/dyn-1", "").await;
    parent.on("later", || "later");
    client.send(r#"42/dyn-1,0["later"]"#).await;
    client.send(r#"42/dyn-1,1["name"]"#).await;
    client.expect(r#"43/dyn-1,1["/dyn-1"]"#).await;
    client.send("41/dyn-1,").await;
    for label in ["connection", "any", "any", "disconnecting", "disconnect"] {
        assert_eq!(told.next().await, (label, "/dyn-1".to_owned()));
    }
    client.join("/dyn-2", "").await;
    client.send(r#"42/dyn-2,0["later"]"#).await;
    client.expect(r#"43/dyn-2,0["later"]"#).await;
    assert!(io.of("/dyn-2").off("later"), "a child's handlers are its own");
}

#[tokio::test]
async fn what_is_emitted_to_a_parent_reaches_all_children() {
    let (io, parent, mut client) = dynamic(Server::builder()).await;
    parent.on_connection(|socket: Socket| {
        socket.join(["all".to_owned(), format!("of {}", socket.namespace().name())]);
    });
    parent.on_any_outgoing(|| ());
    let mut other = another(&io).await;
    client.join("/dyn-1", "").await;
    other.join("/dyn-2", "").await;
    parent.emit("everyone", 1);
    parent.to("all").except("of /dyn-1").emit("not one", ());
    parent.within("of /dyn-1").emit("one", ());
    parent.except("of /dyn-2").local().emit("not two", ());
    assert!(parent.try_emit("connect", ()).is_err());
    io.emit("end", ());
    for text in [r#"42/dyn-1,["everyone",1]"#, r#"42/dyn-1,["one"]"#, r#"42/dyn-1,["not two"]"#] {
        client.expect(text).await;
    }
    for text in [r#"42/dyn-2,["everyone",1]"#, r#"42/dyn-2,["not one"]"#] {
        other.expect(text).await;
    }
    client.expect(r#"42["end"]"#).await;
    other.expect(r#"42["end"]"#).await;
}

#[tokio::test]
async fn a_child_that_the_application_asks_for_is_one_and_stays() {
    let (io, parent, mut client) = dynamic(Server::builder()).await;
    io.of("dyn-1").on("more", || "more");
    assert_eq!(parent.children().len(), 1);
    client.join("/dyn-1", "").await;
    client.send(r#"42/dyn-1,0["name"]"#).await;
    client.expect(r#"43/dyn-1,0["/dyn-1"]"#).await;
    client.send("41/dyn-1,").await;
    client.join("/dyn-1", "").await;
    client.send(r#"42/dyn-1,1["more"]"#).await;
    client.expect(r#"43/dyn-1,1["more"]"#).await;
}

#[tokio::test]
async fn a_child_that_a_client_was_first_to_ask_for_stays_once_the_application_asks() {
    let (io, parent, mut client) = dynamic(Server::builder().max_child_namespaces(1)).await;
    client.join("/dyn-1", "").await;
    io.of("dyn-1").on("more", || "more");
    client.send("41/dyn-1,").await;
    eventually("an empty child", || parent.children()[0].sockets().is_empty()).await;
    client.join("/dyn-1", "").await;
    client.send(r#"42/dyn-1,1["more"]"#).await;
    client.expect(r#"43/dyn-1,1["more"]"#).await;
    client.join("/dyn-2", "").await;
    client.send("40/dyn-3,").await;
    client.expect(&format!("44/dyn-3,{INVALID}")).await;
}

#[tokio::test]
async fn a_child_goes_with_its_last_socket() {
    let (io, parent, mut client) = dynamic(Server::builder()).await;
    parent.middleware(|socket: Socket| {
        if socket.namespace().name() == "/dyn-closed" { Err("closed") } else { Ok(()) }
    });
    let mut other = another(&io).await;
    client.send("40/dyn-closed,").await;
    client.expect(r#"44/dyn-closed,{"message":"closed"}"#).await;
    eventually("the end of the child", || parent.children().is_empty()).await;
    client.join("/dyn-1", "").await;
    other.join("/dyn-1", "").await;
    client.send("41/dyn-1,").await;
    eventually("one socket", || parent.children()[0].sockets().len() == 1).await;
    other.close().await;
    eventually("the end of the child", || parent.children().is_empty()).await;
    client.join("/dyn-1", "").await;
    assert_eq!(parent.children().len(), 1, "it comes again");
}

#[tokio::test]
async fn empty_children_stay_if_that_is_wanted() {
    let (_io, parent, mut client) =
        dynamic(Server::builder().cleanup_empty_child_namespaces(false)).await;
    client.join("/dyn-1", "").await;
    client.send("41/dyn-1,").await;
    client.join("/dyn-2", "").await;
    eventually("an empty child", || {
        parent.children().iter().map(|child| child.sockets().len()).sum::<usize>() == 1
    })
    .await;
    assert_eq!(parent.children().len(), 2);
}

#[tokio::test]
async fn clients_bring_max_child_namespaces_about_at_most() {
    let (io, parent, mut client) = dynamic(Server::builder().max_child_namespaces(2)).await;
    io.of("/dyn-0");
    client.join("/dyn-1", "").await;
    client.join("/dyn-2", "").await;
    client.send("40/dyn-3,").await;
    client.expect(&format!("44/dyn-3,{INVALID}")).await;
    client.join("/dyn-0", "").await;
    client.send("41/dyn-1,").await;
    eventually("room for another", || parent.children().len() == 2).await;
    client.join("/dyn-3", "").await;
}

#[tokio::test]
async fn the_name_of_a_child_is_limited() {
    let (io, _, mut client) = dynamic(Server::builder()).await;
    let name = |length: usize| format!("/dyn-{}", "x".repeat(length - 5));
    client.join(&name(1024), "").await;
    client.send(&format!("40{},", name(1025))).await;
    client.expect(&format!("44{},{INVALID}", name(1025))).await;
    io.of(&name(1025));
    client.join(&name(1025), "").await;
}

#[tokio::test]
async fn to_be_refused_makes_no_adapter() {
    let made = Arc::new(Mutex::new(Vec::new()));
    let note = made.clone();
    let builder = Server::builder().max_child_namespaces(1).adapter(move |name| {
        note.lock().unwrap().push(name.to_owned());
        Arc::new(MemoryAdapter::new())
    });
    let (_io, _, mut client) = dynamic(builder).await;
    client.join("/dyn-1", "").await;
    client.send("40/dyn-2,").await;
    client.expect(&format!("44/dyn-2,{INVALID}")).await;
    assert_eq!(*made.lock().unwrap(), ["/", "/dyn-1"]);
}

#[derive(serde::Deserialize)]
struct Auth {
    team: String,
}

/// A server whose namespaces come to be for members, as soon as it is told so.
async fn by_auth() -> (Server, sockeye::ParentNamespace, Client, watch::Sender<bool>) {
    let (io, addr) = serve(Server::builder().max_namespaces(4)).await;
    let (release, wait) = watch::channel(false);
    io.on("settle", |ack: Ack| ack.send(()));
    let parent = io.of_matching_async(move |name, auth: Auth| {
        let mut wait = wait.clone();
        async move {
            if name.ends_with("-slow") {
                let _ = wait.wait_for(|released| *released).await;
            }
            name.starts_with(&format!("/{}", auth.team))
        }
    });
    let client = Client::connect(addr).await;
    (io, parent, client, release)
}

/// Waits until everything that was sent before has been handled.
async fn settle(client: &mut Client) {
    client.send(r#"4299["settle"]"#).await;
    client.expect("4399[]").await;
}

#[tokio::test]
async fn a_function_decides_by_name_and_auth() {
    let (_io, _parent, mut client, _release) = by_auth().await;
    client.join("/red-1", r#"{"team":"red"}"#).await;
    for auth in [r#"{"team":"red"}"#, r#"{"team":7}"#, ""] {
        client.send(&format!("40/blue,{auth}")).await;
        client.expect(&format!("44/blue,{INVALID}")).await;
    }
    client.join("/blue", r#"{"team":"blue"}"#).await;
}

#[tokio::test]
async fn a_function_may_take_its_time() {
    let (_io, parent, mut client, release) = by_auth().await;
    client.send(r#"40/red-slow,{"team":"red"}"#).await;
    client.send(r#"40/blue-slow,{"team":"red"}"#).await;
    settle(&mut client).await;
    release.send(true).unwrap();
    let answers = [client.text().await, client.text().await];
    assert!(answers.iter().any(|text| text.starts_with(r#"40/red-slow,{"sid":"#)), "{answers:?}");
    assert!(answers.contains(&format!("44/blue-slow,{INVALID}")), "{answers:?}");
    parent.emit("e", ());
    client.expect(r#"42/red-slow,["e"]"#).await;
}

#[tokio::test]
async fn who_does_not_wait_for_the_function_is_not_let_in() {
    let (io, parent, mut client, release) = by_auth().await;
    let (tell, mut told) = channel();
    parent.on_connection(move |socket: Socket| {
        let _ = tell.send(socket.namespace().name().to_owned());
    });
    client.send(r#"40/red-slow,{"team":"red"}"#).await;
    client.send("41/red-slow,").await;
    settle(&mut client).await;
    let mut gone = another(&io).await;
    gone.send(r#"40/red-2-slow,{"team":"red"}"#).await;
    settle(&mut gone).await;
    gone.close().await;
    eventually("the end of the connection", || io.counts().sessions == 1).await;
    release.send(true).unwrap();
    eventually("the end of those who asked", || io.counts().sockets == 1).await;
    client.join("/red-3", r#"{"team":"red"}"#).await;
    assert_eq!(told.next().await, "/red-3");
    assert_eq!(told.rest(), [""; 0]);
    eventually("the end of their namespaces", || parent.children().len() == 1).await;
}

#[tokio::test]
async fn not_to_wait_and_to_ask_again_gets_around_no_limit() {
    let (_io, _parent, mut client, _release) = by_auth().await;
    for number in 0..10 {
        client.send(&format!(r#"40/blue-{number},{{"team":"red"}}"#)).await;
        client.expect(&format!("44/blue-{number},{INVALID}")).await;
    }
    // With the main one, four are joined or asked for; that they were left makes no difference.
    for number in 0..3 {
        client.send(&format!(r#"40/red-{number}-slow,{{"team":"red"}}"#)).await;
        client.send(&format!("41/red-{number}-slow,")).await;
    }
    settle(&mut client).await;
    client.send(r#"40/red-3-slow,{"team":"red"}"#).await;
    client.expect_close(None).await;
}

#[tokio::test]
async fn an_event_for_a_namespace_that_is_not_decided_on_breaks_the_rules() {
    let (_io, _parent, mut client, _release) = by_auth().await;
    client.send(r#"40/red-slow,{"team":"red"}"#).await;
    client.send(r#"42/red-slow,["e"]"#).await;
    client.expect_close(None).await;
}

#[tokio::test]
async fn a_function_that_panics_lets_nobody_in() {
    let (io, addr) = serve(Server::builder()).await;
    io.of_matching(|name| {
        assert_ne!(name, "/panic", "as asked");
        true
    });
    let mut client = Client::connect(addr).await;
    client.send("40/panic,").await;
    client.expect(&format!("44/panic,{INVALID}")).await;
    client.join("/calm", "").await;
}

#[tokio::test]
async fn new_namespaces_are_announced() {
    let (io, _, mut client) = dynamic(Server::builder()).await;
    let (tell, mut told) = channel();
    io.on_new_namespace(move |namespace| {
        let _ = tell.send(namespace.name().to_owned());
        assert_ne!(namespace.name(), "/panic", "it is of no consequence");
    });
    io.of("/a");
    io.of("/a");
    io.of("/panic");
    client.join("/dyn-1", "").await;
    client.join("/panic", "").await;
    assert_eq!(told.rest(), ["/a", "/panic", "/dyn-1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_in_a_namespace_before_it_was_announced() {
    let (io, _, mut client) = dynamic(Server::builder()).await;
    io.on("settle", |ack: Ack| ack.send(()));
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let (wait, calls) = (Mutex::new(wait), Arc::new(AtomicUsize::new(0)));
    let (tell, mut told) = channel();
    let called = calls.clone();
    io.on_new_namespace(move |namespace| {
        called.fetch_add(1, Ordering::SeqCst);
        let _ = tell.send(());
        let _ = tokio::task::block_in_place(|| wait.lock().unwrap().recv());
        namespace.middleware(|| Err::<(), _>("closed"));
    });
    let mut other = another(&io).await;
    client.send("40/dyn-1,").await;
    told.next().await;
    other.send("40/dyn-1,").await;
    settle(&mut other).await;
    release.send(()).unwrap();
    for client in [&mut client, &mut other] {
        client.expect(r#"44/dyn-1,{"message":"closed"}"#).await;
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_has_joined_is_reached_however_many_come_and_go() {
    let (io, parent, _client) = dynamic(Server::builder()).await;
    let family = parent.clone();
    parent.on("hit", move |socket: Socket| family.to(socket.id()).emit("here", ()));
    let mut visitors = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let mut client = another(&io).await;
        visitors.spawn(async move {
            for _ in 0..40 {
                client.join("/dyn-1", "").await;
                client.send(r#"42/dyn-1,["hit"]"#).await;
                client.expect(r#"42/dyn-1,["here"]"#).await;
                client.send("41/dyn-1,").await;
            }
        });
    }
    while let Some(visited) = visitors.join_next().await {
        visited.unwrap();
    }
    eventually("the end of the child", || parent.children().is_empty()).await;
}
