//! Commands, and the processes they become.
//!
//! Every command leads a process group of its own, so that ending it ends all that it started. Ctrl-C
//! therefore reaches us alone, and we pass it on.

use std::{
    env,
    error::Error,
    ffi::OsStr,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// What went wrong, in words for the person at the terminal.
pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// How often processes and signals are looked at: below what a person notices.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// How long a group has to end by itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts commands in the workspace, until a signal asks us to end.
pub(crate) struct Runner {
    /// The directory of the workspace.
    root: PathBuf,
    /// Where cargo puts the debug builds.
    binaries: PathBuf,
    /// `CARGO_TARGET_DIR`, if it is set: the same directory wherever a command runs.
    target: Option<PathBuf>,
    /// Set by SIGINT, SIGTERM and SIGHUP.
    interrupted: Arc<AtomicBool>,
}

impl Runner {
    pub(crate) fn new() -> Result<Self> {
        let interrupted = Arc::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        // The same cargo that built us builds the servers, so they will lie beside us.
        let ourselves = env::current_exe()?;
        Ok(Self {
            root: manifest.parent().expect("xtask is a directory of the workspace").to_owned(),
            binaries: ourselves.parent().expect("a program is in a directory").to_owned(),
            target: env::var_os("CARGO_TARGET_DIR").map(std::path::absolute).transpose()?,
            interrupted,
        })
    }

    /// A file or directory of the workspace.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A program of the workspace, as `cargo build` leaves it.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// The same, as `cargo build --profile` leaves it.
    pub(crate) fn profile_binary(&self, profile: &str, name: &str) -> PathBuf {
        self.binaries.with_file_name(profile).join(name)
    }

    /// Whether somebody wants us to end.
    pub(crate) fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// A command in `directory` of the workspace (`""`: at its top).
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, directory: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path(directory)).stdin(Stdio::null());
        if let Some(target) = &self.target {
            command.env("CARGO_TARGET_DIR", target);
        }
        command
    }

    /// `cargo` with `arguments`, at the top of the workspace.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("cargo", "");
        command.args(arguments);
        command
    }

    /// Shows the command, runs it to its end, and fails unless it succeeds.
    pub(crate) fn run(&self, command: &mut Command) -> Result {
        println!("$ {}", self.describe(command));
        let mut group = Group::spawn(command)?;
        loop {
            if self.interrupted() {
                return Err("interrupted".into());
            }
            match group.ended()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => {
                    return Err(format!("{} ended with {status}", name(command)).into());
                }
                None => thread::sleep(TICK),
            }
        }
    }

    /// What the command prints, if it can be run and succeeds.
    pub(crate) fn output(&self, command: &mut Command) -> Option<String> {
        // Probing for a toolchain is not asking for its installation.
        let output = command.env("RUSTUP_AUTO_INSTALL", "0").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        output.status.success().then_some(text)
    }

    /// The command as one would type it at the top of the workspace.
    fn describe(&self, command: &Command) -> String {
        let directory = command
            .get_current_dir()
            .and_then(|directory| directory.strip_prefix(&self.root).ok())
            .filter(|directory| !directory.as_os_str().is_empty())
            .map(|directory| format!("cd {} &&", directory.display()));
        let variables = command.get_envs().filter_map(|(key, value)| {
            Some(format!("{}={}", key.to_string_lossy(), quoted(value?)))
        });
        let words = [command.get_program()].into_iter().chain(command.get_args()).map(quoted);
        directory.into_iter().chain(variables).chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// A process, and all that it starts. They end together, at the latest when this is dropped.
pub(crate) struct Group {
    leader: Child,
}

impl Group {
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        match command.process_group(0).spawn() {
            Ok(leader) => Ok(Self { leader }),
            Err(error) => Err(format!("cannot start {}: {error}", name(command)).into()),
        }
    }

    /// Takes the pipes, of those that the command asked for.
    pub(crate) fn take_output(&mut self) -> [Option<Box<dyn io::Read + Send>>; 2] {
        [
            self.leader.stdout.take().map(|pipe| Box::new(pipe) as _),
            self.leader.stderr.take().map(|pipe| Box::new(pipe) as _),
        ]
    }

    /// The id of the first process.
    pub(crate) fn id(&self) -> u32 {
        self.leader.id()
    }

    /// How the first process ended, once it has.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.leader.try_wait()
    }

    /// Asks all to end, gives the first process time to do so, and then ends what is left.
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
        let limit = Instant::now() + PATIENCE;
        while matches!(self.ended(), Ok(None)) && Instant::now() < limit {
            thread::sleep(TICK);
        }
        self.signal("KILL");
        // It can only fail if the process has been waited for already.
        let _ = self.leader.wait();
    }

    /// The shell's own `kill`: there is no safe one in std, and minimal systems lack the program.
    fn signal(&self, signal: &str) {
        let group = self.leader.id().to_string();
        let _ = Command::new("sh")
            .args(["-c", r#"kill -s "$0" -- "-$1""#, signal, &group])
            .stderr(Stdio::null()) // Nobody is left in the group: just what we want.
            .status();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if matches!(self.ended(), Ok(None)) {
            self.stop();
        }
    }
}

/// The program's name without its directory.
fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_=+./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runner() -> Runner {
        Runner { root: "/".into(), binaries: "/".into(), target: None, interrupted: Arc::default() }
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = runner().command("npm", "e2e");
        command.args(["run", "it's me"]).env("TARGET", "reference");
        assert_eq!(runner().describe(&command), r"cd e2e && TARGET=reference npm run 'it'\''s me'");
        assert_eq!(runner().describe(&runner().cargo(&["doc", ""])), "cargo doc ''");
    }

    #[test]
    fn a_command_that_fails_is_named_with_its_status() {
        let mut command = runner().command("/bin/sh", "");
        let error = runner().run(command.args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "sh ended with exit status: 3");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_and_not_an_answer() {
        let mut command = runner().command("no-such-program", "");
        assert_eq!(runner().output(&mut command), None);
        let error = runner().run(&mut command).unwrap_err().to_string();
        assert!(error.starts_with("cannot start no-such-program: "), "{error}");
    }

    #[test]
    fn an_interrupted_command_ends_with_all_that_it_started() {
        let runner = runner();
        runner.interrupted.store(true, Ordering::Relaxed);
        let mut command = runner.command("sh", "");
        command.args(["-c", "sleep 600 & sleep 600"]).stdout(Stdio::piped());
        let mut group = Group::spawn(&mut command).unwrap();
        let [output, _] = group.take_output();
        drop(group);
        // The pipe ends when nobody holds its other end any more.
        assert_eq!(io::read_to_string(output.unwrap()).unwrap(), "");
        assert!(runner.run(runner.command("sleep", "").arg("600")).is_err());
    }
}
