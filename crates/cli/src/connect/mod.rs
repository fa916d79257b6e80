//! `sockeye connect`: a conversation with a Socket.IO server, by hand or by script.

mod command;
mod input;
mod options;
mod output;
mod report;
mod session;
mod value;

use std::{
    error::Error,
    io::{self, IsTerminal},
};

use command::Command;
use input::Input;
pub(crate) use options::Options;
use output::Output;
use report::Report;
use session::Session;

/// Connects, and does what the lines of stdin say until they end.
pub(crate) fn main(options: &Options) -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(options))
}

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let output = if options.json { Output::json() } else { Output::text() };
    let (client, socket) = options.client()?;
    let mut session = match Session::open(client, socket, output.clone()).await {
        Ok(session) => session,
        Err(refusal) => {
            let explanation = refusal.explanation();
            if output.is_json() {
                output.report(&Report::ConnectError(refusal));
            }
            return Err(explanation.into());
        }
    };
    let mut input = input(&output);
    while let Some(line) = input.next(session.prompt()).await {
        let done = match Command::parse(&line) {
            Ok(Some(Command::Quit)) => break,
            Ok(Some(command)) => session.perform(command),
            Ok(None) => Ok(()),
            Err(message) => Err(message),
        };
        if let Err(message) = done {
            output.report(&Report::Error { message });
        }
    }
    drop(input);
    output.print_plainly();
    session.close().await;
    Ok(())
}

/// Lines are edited where a person types and reads them.
fn input(output: &Output) -> Input {
    let is_typed = io::stdin().is_terminal() && io::stdout().is_terminal();
    if is_typed && !output.is_json() {
        // Not all terminals can do it.
        if let Ok((input, printer)) = Input::edited() {
            output.print_above_line(printer);
            return input;
        }
    }
    Input::plain()
}
