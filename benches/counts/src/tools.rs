//! Programs that count from outside: valgrind's callgrind and DHAT, and strace.

use std::{env, fs, path::PathBuf, process::Command};

use crate::{
    load::Work,
    process::{Process, Result},
};

/// Whether there are such programs for this system at all.
pub(crate) const AVAILABLE: bool = cfg!(target_os = "linux");

/// A way to count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Instructions.
    Callgrind,
    /// Bytes copied by calls of `memcpy` and its like. Small copies of a known size are no calls,
    /// and what the kernel copies is its own.
    Copies,
    /// System calls.
    Strace,
}

/// What a tool has counted.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Instructions, or bytes, or system calls that read.
    pub(crate) first: f64,
    /// System calls that write.
    pub(crate) writes: f64,
    /// System calls that wait for events.
    pub(crate) waits: f64,
    /// All others.
    pub(crate) others: f64,
}

impl Tool {
    /// Per message, delivery or connection: the difference between some rounds and twice as many,
    /// so that nothing of the start and the end is in it.
    pub(crate) fn per_unit(self, work: &Work, units: usize) -> Result<Tally> {
        let rounds = units.div_ceil(work.per_round()).max(5);
        let once = self.count_server(work, rounds)?;
        let twice = self.count_server(work, 2 * rounds)?;
        Ok(twice.less(once).over((rounds * work.per_round()) as f64))
    }

    /// The same of work of the codecs, which needs no server.
    pub(crate) fn per_call(self, work: &str, calls: usize) -> Result<Tally> {
        let count = |calls: usize| -> Result<Tally> {
            let file = output_file(self, work)?;
            let [program, arguments @ ..] = &self.command(&file)[..] else { unreachable!() };
            let mut command = Command::new(program);
            command.args(arguments).arg(env::current_exe()?).args(["codec", work]);
            match command.arg(calls.to_string()).status() {
                Ok(status) if status.success() => self.read(&file),
                Ok(status) => Err(format!("{program} ended with {status}").into()),
                Err(error) => Err(format!("cannot start {program}: {error}").into()),
            }
        };
        Ok(count(2 * calls)?.less(count(calls)?).over(calls as f64))
    }

    fn count_server(self, work: &Work, rounds: usize) -> Result<Tally> {
        let file = output_file(self, work.name)?;
        let server = Process::under(&self.command(&file))?;
        let mut load = work.start(server.address);
        (0..rounds).for_each(|_| load.round());
        server.end()?;
        self.read(&file)
    }

    /// The tool with its options; what it counts it writes to `file`.
    fn command(self, file: &str) -> Vec<String> {
        let file = |option: &str| format!("{option}={file}");
        let quiet = "--log-file=/dev/null".to_owned();
        let mut command = match self {
            Self::Callgrind => vec![file("--callgrind-out-file"), quiet, "--tool=callgrind".into()],
            Self::Copies => {
                vec![file("--dhat-out-file"), quiet, "--tool=dhat".into(), "--mode=copy".into()]
            }
            Self::Strace => {
                return ["strace", "-f", "-c", &file("--output")].map(str::to_owned).into();
            }
        };
        command.insert(0, "valgrind".to_owned());
        command
    }

    fn read(self, file: &str) -> Result<Tally> {
        let text = fs::read_to_string(file)?;
        let tally = match self {
            Self::Callgrind => total_instructions(&text).map(Tally::of),
            Self::Copies => total_copied(&text).map(Tally::of),
            Self::Strace => system_calls(&text),
        };
        tally.ok_or_else(|| format!("cannot read {file}").into())
    }
}

impl Tally {
    fn of(first: f64) -> Self {
        Self { first, ..Self::default() }
    }

    fn less(self, other: Self) -> Self {
        Self {
            first: self.first - other.first,
            writes: self.writes - other.writes,
            waits: self.waits - other.waits,
            others: self.others - other.others,
        }
    }

    fn over(self, units: f64) -> Self {
        Self {
            first: self.first / units,
            writes: self.writes / units,
            waits: self.waits / units,
            others: self.others / units,
        }
    }
}

/// Beside the program, where they stay: they tell more than the sum that is read here.
fn output_file(tool: Tool, work: &str) -> Result<String> {
    let directory: PathBuf = env::current_exe()?.with_file_name("counts-profiles");
    fs::create_dir_all(&directory)?;
    let extension = match tool {
        Tool::Callgrind => "callgrind",
        Tool::Copies => "copies.json",
        Tool::Strace => "strace",
    };
    let file = directory.join(format!("{work}.{extension}"));
    Ok(file.to_str().ok_or("a path that is no text")?.to_owned())
}

/// The number behind `summary:` or `totals:` in what callgrind writes.
fn total_instructions(text: &str) -> Option<f64> {
    let lines = ["totals: ", "summary: "];
    text.lines().find_map(|line| lines.iter().find_map(|key| line.strip_prefix(key)))?.parse().ok()
}

/// The bytes at all places that copy, in what DHAT writes.
fn total_copied(text: &str) -> Option<f64> {
    let profile: serde_json::Value = serde_json::from_str(text).ok()?;
    profile["pps"].as_array()?.iter().map(|place| place["tb"].as_f64()).sum()
}

/// The table of `strace -c`: share, seconds, microseconds per call, calls, errors if any, name.
fn system_calls(text: &str) -> Option<Tally> {
    let mut tally = Tally::default();
    for line in text.lines().skip(2).take_while(|line| !line.starts_with('-')) {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let calls: f64 = columns.get(3)?.parse().ok()?;
        match *columns.last()? {
            "read" | "readv" | "recvfrom" | "recvmsg" => tally.first += calls,
            "write" | "writev" | "sendto" | "sendmsg" => tally.writes += calls,
            "epoll_wait" | "epoll_pwait" | "epoll_pwait2" => tally.waits += calls,
            _ => tally.others += calls,
        }
    }
    Some(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_strace_is_added_up() {
        let text = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 50.00    0.000100           1        20         3 recvfrom
 25.00    0.000050           1         7           read
 15.00    0.000030           1        12           sendto
  5.00    0.000010           1        13           epoll_wait
  5.00    0.000010           1         4           mmap
------ ----------- ----------- --------- --------- ----------------
100.00    0.000200           3        56         3 total
";
        let tally = system_calls(text).unwrap();
        assert_eq!([tally.first, tally.writes, tally.waits, tally.others], [27., 12., 13., 4.]);
        assert!(system_calls("% time\n---\nno table\n").is_none());
    }

    #[test]
    fn totals_are_found_in_profiles() {
        assert_eq!(total_instructions("events: Ir\nfn=(1) main\n1 7\ntotals: 7\n"), Some(7.));
        assert_eq!(total_instructions("events: Ir\n"), None);
        let profile = r#"{"mode":"copy","pps":[{"tb":15,"tbk":1},{"tb":27,"tbk":2}]}"#;
        assert_eq!(total_copied(profile), Some(42.));
        assert_eq!(total_copied(r#"{"pps":[{}]}"#), None);
    }
}
