//! Servers as processes, alone or under a tool that counts.

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
};

use crate::allocator::{NUMBERS, Snapshot};

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// A server that runs until this is dropped or ended.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    control: Option<TcpStream>,
}

impl Process {
    /// Starts a server whose allocations are counted.
    pub(crate) fn counting() -> Result<Self> {
        Self::spawn(Command::new(env::current_exe()?).args(["serve", "--count"]))
    }

    /// Starts one under a program, which is followed by its arguments.
    pub(crate) fn under(program: &[String]) -> Result<Self> {
        let [program, arguments @ ..] = program else { return Err("no program".into()) };
        let mut command = Command::new(program);
        Self::spawn(command.args(arguments).arg(env::current_exe()?).arg("serve"))
    }

    fn spawn(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| format!("cannot start {program}: {error}"))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
        let mut addresses = line.split_whitespace().map(str::parse::<SocketAddr>);
        let (Some(Ok(address)), Some(Ok(control))) = (addresses.next(), addresses.next()) else {
            child.kill()?;
            child.wait()?;
            return Err(format!("{program} did not start a server; it said {line:?}").into());
        };
        Ok(Self { child, address, control: Some(TcpStream::connect(control)?) })
    }

    /// The numbers of a server that counts, once it has nothing more to do.
    pub(crate) fn snapshot(&mut self) -> Result<Snapshot> {
        let control = self.control.as_mut().ok_or("ended already")?;
        let mut answer = vec![0; 8 * NUMBERS];
        control.write_all(&[1])?;
        control.read_exact(&mut answer)?;
        let numbers = answer.chunks_exact(8);
        let numbers = numbers.map(|bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")));
        Ok(Snapshot(numbers.collect()))
    }

    /// Resident memory in bytes, where the system tells it.
    pub(crate) fn resident(&self) -> Option<i64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok().map(|kib: i64| kib << 10)
    }

    /// Ends the server and waits for what ran it.
    pub(crate) fn end(mut self) -> Result {
        self.control = None;
        match self.child.wait()? {
            status if status.success() => Ok(()),
            status => Err(format!("a server ended with {status}").into()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.control = None;
        // If the client failed, so may have the server. Both are no-ops for one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
