//! `--check-floor`: the floor's instructions per message, beside those that are committed.
//!
//! What the floor is worth as a measure depends on its doing no more than it needs to. Callgrind
//! counts instructions, which do not depend on how busy the machine is.

mod client;

use std::{
    fs,
    io::{self, BufRead, BufReader},
    process::Stdio,
};

use self::client::{Client, Exchange};
use crate::{
    run::{Group, Result, Runner},
    tools::{self, Tool},
};

const FILE: &str = "benches/compare/floor/instructions.txt";

const HEAD: &str = "\
# The floor's instructions per message or delivery outside of the kernel, as callgrind counts them
# in a release build for x86-64. `cargo xtask compare --check-floor` compares them.
";

/// Another compiler may come to slightly other numbers.
const TOLERANCE: f64 = 0.03;

/// How often the exchange takes place in the shorter run; twice as often in the longer one.
const TIMES: u64 = 500;

/// True if all numbers are as committed.
pub(crate) fn check(runner: &Runner, update: bool) -> Result<bool> {
    tools::check(runner, &[Tool::Valgrind])?;
    runner.run(&mut runner.cargo(&["build", "--release", "-p", "compare-floor"]))?;
    let path = runner.path(FILE);
    let committed = if update { String::new() } else { fs::read_to_string(&path)? };
    let mut text = HEAD.to_owned();
    let mut is_good = true;
    for exchange in client::exchanges() {
        let count = instructions(runner, &exchange)?;
        let name = exchange.name;
        text += &format!("{name} = {count}\n");
        let expected = expected(&committed, name);
        let verdict = match expected {
            _ if update => String::new(),
            Some(expected) if is_close(count, expected) => format!(", as committed ({expected})"),
            Some(expected) => format!(", NOT {expected} as committed"),
            None => ", NOT committed".to_owned(),
        };
        is_good &= !verdict.contains("NOT");
        println!("{name}: {count}{verdict}");
    }
    if update {
        fs::write(path, text)?;
    }
    Ok(is_good)
}

/// Per message: what a longer run takes beyond a shorter one.
fn instructions(runner: &Runner, exchange: &Exchange) -> Result<u64> {
    let shorter = count(runner, exchange, TIMES)?;
    let longer = count(runner, exchange, 2 * TIMES)?;
    Ok((longer - shorter) / (TIMES * exchange.messages))
}

/// All instructions of a floor that has had the exchange so many times.
fn count(runner: &Runner, exchange: &Exchange, times: u64) -> Result<u64> {
    let mut valgrind = runner.command("valgrind", "");
    valgrind
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(runner.profile_binary("release", "compare-floor"))
        .env("PORT", "0")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut group = Group::spawn(&mut valgrind)?;
    let [output, errors] = group.take_output().map(|pipe| pipe.expect("it was asked for"));
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let address = line.trim().strip_prefix("listening on ").ok_or("the floor did not start")?;
    let mut client = Client::open(address, exchange)?;
    for _ in 0..times {
        client.exchange()?;
    }
    group.stop();
    let report = io::read_to_string(errors)?;
    collected(&report).ok_or_else(|| format!("callgrind did not say a number:\n{report}").into())
}

/// The number in `==17== Collected : 1222479`.
fn collected(report: &str) -> Option<u64> {
    let line = report.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

fn expected(committed: &str, name: &str) -> Option<u64> {
    let mut lines = committed.lines().filter_map(|line| line.split_once(" = "));
    lines.find(|(found, _)| *found == name)?.1.parse().ok()
}

fn is_close(count: u64, expected: u64) -> bool {
    count.abs_diff(expected) as f64 <= TOLERANCE * expected as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callgrind_s_number_is_found() {
        let report = "==17== Events    : Ir\n==17== Collected : 1222479\n==17== \n";
        assert_eq!(collected(report), Some(1_222_479));
        assert_eq!(collected("==17== Events    : Ir\n"), None);
    }

    #[test]
    fn numbers_may_differ_by_three_percent() {
        let committed = format!("{HEAD}echo = 1000\n");
        assert_eq!(expected(&committed, "echo"), Some(1000));
        assert_eq!(expected(&committed, "ack"), None);
        assert!(is_close(1030, 1000) && is_close(970, 1000));
        assert!(!is_close(1031, 1000) && !is_close(969, 1000));
    }
}
