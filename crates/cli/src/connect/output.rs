//! Where reports go.

use std::{
    io::{self, IsTerminal, Write},
    process,
    sync::{Arc, Mutex, PoisonError},
};

use rustyline::ExternalPrinter;

use super::report::{Report, Style};

/// Prints above the line that is being typed.
pub(super) type Printer = Box<dyn ExternalPrinter + Send>;

/// Prints reports, each at once and whole. All clones are the same.
#[derive(Clone)]
pub(super) struct Output {
    format: Format,
    /// `None` for stdout.
    printer: Arc<Mutex<Option<Printer>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Text(Style),
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
        Self { format, printer: Arc::default() }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints with this from now on.
    pub(super) fn set_printer(&self, printer: Printer) {
        *self.printer.lock().unwrap_or_else(PoisonError::into_inner) = Some(printer);
    }

    pub(super) fn report(&self, report: &Report) {
        let mut text = match self.format {
            Format::Json => serde_json::to_string(report).expect("a report is JSON"),
            Format::Text(style) => report.to_text(style),
        };
        text.push('\n');
        let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
        let printed = match &mut *printer {
            Some(printer) => printer.print(text).is_ok(),
            None => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
            }
        };
        if !printed {
            // Nobody reads any more, as behind `… | head`.
            process::exit(1);
        }
    }
}
