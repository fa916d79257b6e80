//! `sockeye`: a command line for Socket.IO servers in any language.

#![forbid(unsafe_code)]

mod arguments;
mod bench;
mod connect;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Socket.IO from the command line
#[derive(Parser)]
#[command(name = "sockeye", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Talk to a Socket.IO server in any language: see its events, emit, acknowledge
    Connect(connect::Options),
    /// Load-test a Socket.IO server in any language
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Connect(options) => connect::main(&options),
        Command::Bench(options) => bench::main(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
