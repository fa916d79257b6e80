//! What there is to do in this workspace beside `cargo build`: see `cargo xtask --help`.

#[cfg(unix)]
mod audit;
#[cfg(unix)]
mod compare;
#[cfg(unix)]
mod demo;
#[cfg(unix)]
mod features;
#[cfg(unix)]
mod packages;
#[cfg(unix)]
mod report;
#[cfg(unix)]
mod run;
#[cfg(unix)]
mod test;
#[cfg(unix)]
mod tools;

use std::process::ExitCode;

#[cfg(unix)]
const USAGE: &str = "\
Usage: cargo xtask <COMMAND>

  demo     the chat server and its page, side by side, until Ctrl-C
  test     everything that CI checks; `cargo xtask test --help` lists the steps
  audit    what is slow or needs further tools; says what it could not reach
  compare  Sockeye beside other servers: processor time, memory, order
";

#[cfg(unix)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] | ["help" | "--help" | "-h", ..] => {
            print!("{USAGE}");
            Ok(true)
        }
        ["demo", ref rest @ ..] => demo::main(rest),
        ["test", ref rest @ ..] => test::main(rest),
        ["compare", ref rest @ ..] => compare::main(rest),
        ["audit", ref rest @ ..] => audit::main(rest),
        [unknown, ..] => Err(format!("there is no command `{unknown}`\n\n{USAGE}").into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Process groups and signals are what keeps servers from being left behind, and Windows has neither.
#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("error: cargo xtask works on Linux and macOS; on Windows, use it in WSL");
    ExitCode::FAILURE
}
