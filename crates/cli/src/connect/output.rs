//! Where reports go.

use std::{
    io::{self, IsTerminal, Write},
    process,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use rustyline::ExternalPrinter;

use super::report::{Report, Style};

/// Prints reports, each at once and whole. All clones are the same.
#[derive(Clone)]
pub(super) struct Output {
    format: Format,
    sink: Arc<Mutex<Sink>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Text(Style),
}

enum Sink {
    Stdout,
    /// A thread prints above the line that is being typed. It has to wait for the one that edits
    /// that line, which waits for the session: so the session must not wait for it.
    Editor(mpsc::Sender<String>, JoinHandle<()>),
}

impl Output {
    pub(super) fn json() -> Self {
        Self::new(Format::Json)
    }

    /// For people: with colours where there is a terminal, unless `NO_COLOR` is set.
    pub(super) fn text() -> Self {
        let wants_none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_coloured = io::stdout().is_terminal() && !wants_none;
        Self::new(Format::Text(if is_coloured { Style::Coloured } else { Style::Plain }))
    }

    fn new(format: Format) -> Self {
        Self { format, sink: Arc::new(Mutex::new(Sink::Stdout)) }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints above a line that is edited, from now on.
    pub(super) fn print_above_line(&self, mut printer: impl ExternalPrinter + Send + 'static) {
        let (sender, texts) = mpsc::channel::<String>();
        let thread = thread::spawn(move || {
            for text in texts {
                // The editor may just have gone.
                if printer.print(text.clone()).is_err() {
                    write(&text);
                }
            }
        });
        *self.sink() = Sink::Editor(sender, thread);
    }

    /// No line is edited any more: the editor is gone, or going.
    pub(super) fn print_plainly(&self) {
        let old = std::mem::replace(&mut *self.sink(), Sink::Stdout);
        if let Sink::Editor(sender, thread) = old {
            drop(sender);
            let _ = thread.join();
        }
    }

    pub(super) fn report(&self, report: &Report) {
        let mut text = match self.format {
            Format::Json => serde_json::to_string(report).expect("a report is JSON"),
            Format::Text(style) => report.to_text(style),
        };
        text.push('\n');
        match &*self.sink() {
            Sink::Stdout => write(&text),
            // The thread lives as long as its sender.
            Sink::Editor(sender, _) => sender.send(text).expect("the thread waits for texts"),
        }
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write(text: &str) {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    if written.is_err() {
        // Nobody reads any more, as behind `… | head`.
        process::exit(1);
    }
}
