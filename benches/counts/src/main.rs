//! Counts what a message and a connection cost, and compares with `expected.toml`; see `README.md`.

mod allocator;
mod client;
mod codec;
mod load;
mod measure;
mod payload;
mod process;
mod report;
mod server;
mod sites;
mod tools;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::process::Result;

const USAGE: &str = "\
Usage: counts [--bless]
       counts sites WORK
       counts profile WORK ROUNDS PROGRAM [ARGUMENT…]

Counts what messages and connections cost, and fails if that is more than expected.toml says.
  --bless    expect from now on what is counted now
  sites      which code asks for the memory of one kind of work
  profile    run the server under a program (valgrind, say), so many rounds of work long
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => check(),
        ["--bless"] => bless(),
        ["sites", work] => sites::print(work),
        ["profile", work, rounds, _, ..] => load::run(work, rounds.parse()?, &arguments[3..]),
        // How this program calls itself.
        ["serve"] => server::main(false),
        ["serve", "--count"] => server::main(true),
        ["codec", work, calls] => Ok(codec::run(work, calls.parse()?)?),
        _ => Err(USAGE.into()),
    }
}

fn expectations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("expected.toml")
}

fn check() -> Result {
    let expected = toml::from_str(&fs::read_to_string(expectations())?)?;
    let (table, failures) = report::compare(&measure::all()?, &expected);
    println!("{table}");
    if failures.is_empty() {
        return Ok(());
    }
    let advice = "If that is meant, `--bless` it and give the reason in the commit.";
    Err(format!("more than expected:\n  {}\n{advice}", failures.join("\n  ")).into())
}

fn bless() -> Result {
    if !tools::AVAILABLE {
        return Err("only Linux has the tools for all of it".into());
    }
    Ok(fs::write(expectations(), report::bless(&measure::all()?))?)
}
