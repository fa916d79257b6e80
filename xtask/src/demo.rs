//! `cargo xtask demo`: the chat server and its page, side by side.

use std::{
    env,
    io::{BufRead, BufReader, IsTerminal},
    net::{TcpListener, TcpStream, ToSocketAddrs},
    process::{Command, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};

use crate::{
    packages,
    run::{Group, Result, Runner, TICK},
    tools::{self, Tool},
};

const USAGE: &str = "\
Usage: cargo xtask demo

Builds and starts the chat server and its page, prints both addresses, shows what both
say, and ends both on Ctrl-C.

  PORT         where the server listens (default 8080; 0: any free port)
  PAGE_PORT    where the page is served (default 5173; 0: any free port)
";

/// How long the two have until they accept connections.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn main(arguments: &[&str]) -> Result<bool> {
    match arguments {
        [] => {
            let runner = Runner::new()?;
            match demo(&runner) {
                // However it went on: this is how it is meant to end.
                _ if runner.interrupted() => println!("\nstopped"),
                result => result?,
            }
        }
        ["--help" | "-h"] => print!("{USAGE}"),
        [unknown, ..] => return Err(format!("what is `{unknown}`?\n\n{USAGE}").into()),
    }
    Ok(true)
}

fn demo(runner: &Runner) -> Result {
    tools::check(runner, &[Tool::Node, Tool::Npm])?;
    let server_port = port("PORT", 8080)?;
    let page_port = port("PAGE_PORT", 5173)?;
    if server_port == page_port {
        return Err(format!("PORT and PAGE_PORT are both {server_port}").into());
    }
    packages::install_node(runner, packages::PAGE)?;
    runner.run(&mut runner.cargo(&["build", "-p", "chat"]))?;

    let server_url = format!("http://localhost:{server_port}");
    let page_url = format!("http://localhost:{page_port}");

    let mut server = runner.command(runner.binary("chat"), "");
    server.env("PORT", server_port.to_string()).env("ORIGIN", &page_url);

    // Vite itself, not `npm run dev`: npm would lament that it was ended.
    let mut page = runner.command("node", packages::PAGE);
    page.args(["node_modules/vite/bin/vite.js", "--strictPort", "--port", &page_port.to_string()])
        .env("VITE_SERVER_URL", &server_url);

    let mut stage = Stage::default();
    stage.start("server", server_port, server)?;
    stage.start("page", page_port, page)?;
    if stage.wait_for_ports(runner)? {
        println!("\n    the page    {page_url}    open it in two tabs");
        println!("    the server  {server_url}");
        println!("    Ctrl-C ends both\n");
        stage.watch(runner)?;
    }
    Ok(())
}

/// The port that a variable names, or its default; checked to be free.
fn port(variable: &str, default: u16) -> Result<u16> {
    let port = match env::var(variable) {
        Ok(text) => text
            .parse()
            .map_err(|_| format!("{variable} is `{text}`, which is not a port number"))?,
        Err(_) => default,
    };
    if port == 0 {
        return Ok(TcpListener::bind("localhost:0")?.local_addr()?.port());
    }
    if accepts(port) {
        return Err(format!(
            "port {port} is in use. Stop what listens there, or take another one:\n\n    \
             {variable}={} cargo xtask demo\n",
            port.checked_add(1).unwrap_or(default)
        )
        .into());
    }
    Ok(port)
}

/// Whether somebody on this machine accepts connections at `port`, by IPv4 or IPv6.
fn accepts(port: u16) -> bool {
    let addresses = ("localhost", port).to_socket_addrs().into_iter().flatten();
    addresses.into_iter().any(|at| TcpStream::connect_timeout(&at, 4 * TICK).is_ok())
}

/// What runs, and what it says.
struct Stage {
    actors: Vec<Actor>,
    said: Receiver<String>,
    say: Sender<String>,
}

struct Actor {
    name: &'static str,
    port: u16,
    group: Group,
}

impl Default for Stage {
    fn default() -> Self {
        let (say, said) = mpsc::channel();
        Self { actors: Vec::new(), said, say }
    }
}

impl Stage {
    fn start(&mut self, name: &'static str, port: u16, mut command: Command) -> Result {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if !std::io::stdout().is_terminal() {
            command.env("NO_COLOR", "1");
        }
        let mut group = Group::spawn(&mut command)?;
        for pipe in group.take_output().into_iter().flatten() {
            let say = self.say.clone();
            thread::spawn(move || {
                for line in BufReader::new(pipe).split(b'\n').map_while(std::io::Result::ok) {
                    let _ = say.send(format!("{name:>6} │ {}", String::from_utf8_lossy(&line)));
                }
            });
        }
        self.actors.push(Actor { name, port, group });
        Ok(())
    }

    /// True once all accept connections, false if we are interrupted before.
    fn wait_for_ports(&mut self, runner: &Runner) -> Result<bool> {
        let limit = Instant::now() + PATIENCE;
        loop {
            if !self.tick(runner)? {
                return Ok(false);
            }
            let Some(Actor { name, port, .. }) = self.actors.iter().find(|one| !accepts(one.port))
            else {
                return Ok(true);
            };
            if Instant::now() > limit {
                let seconds = PATIENCE.as_secs();
                return Err(format!("the {name} did not open port {port} in {seconds} s").into());
            }
        }
    }

    /// Until we are interrupted, or one of them ends.
    fn watch(&mut self, runner: &Runner) -> Result {
        while self.tick(runner)? {}
        Ok(())
    }

    /// Prints what was said for a moment. False if we are interrupted; an error if somebody left.
    fn tick(&mut self, runner: &Runner) -> Result<bool> {
        if runner.interrupted() {
            return Ok(false);
        }
        let ended = self.actors.iter_mut().find_map(|actor| {
            let status = actor.group.ended().transpose()?;
            Some(status.map(|status| format!("the {} ended with {status}", actor.name)))
        });
        self.print(TICK); // If somebody left, these are the last words.
        match ended {
            Some(how) => Err(how?.into()),
            None => Ok(true),
        }
    }

    /// Prints what is said during `time`.
    fn print(&self, time: Duration) {
        let limit = Instant::now() + time;
        while let Some(left) = limit.checked_duration_since(Instant::now()) {
            if let Ok(line) = self.said.recv_timeout(left) {
                println!("{line}");
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Also after those that ended by themselves, and left something behind.
        for actor in &mut self.actors {
            actor.group.stop();
        }
    }
}
