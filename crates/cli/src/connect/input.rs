//! Lines that are typed, or come from a script.

use std::{io::BufRead, sync::mpsc as blocking, thread};

use rustyline::{Config, Editor, ExternalPrinter, error::ReadlineError, history::MemHistory};
use tokio::sync::mpsc;

/// Where lines come from. A thread reads one when it is asked to, and not before: so a terminal is
/// in its usual state whenever the process ends, and the prompt is what it should be by then.
pub(super) struct Input {
    prompts: blocking::Sender<String>,
    lines: mpsc::Receiver<String>,
}

impl Input {
    /// Lines from stdin as they are.
    pub(super) fn plain() -> Self {
        let stdin = std::io::stdin();
        Self::start(move |_| {
            let mut line = String::new();
            let length = stdin.lock().read_line(&mut line).ok()?;
            (length > 0).then_some(line)
        })
    }

    /// Lines that are edited in a terminal, with a history for as long as the process lives: what is
    /// typed may be secret. Meanwhile the printer is to print what is to appear.
    ///
    /// # Errors
    /// The terminal cannot do that.
    pub(super) fn edited() -> Result<(Self, impl ExternalPrinter + Send), ReadlineError> {
        let config = Config::builder().auto_add_history(true).build();
        let mut editor = Editor::<(), MemHistory>::with_history(config, MemHistory::new())?;
        let printer = editor.create_external_printer()?;
        // An error is the end of input: Ctrl-C, Ctrl-D, or a terminal that is gone.
        let input = Self::start(move |prompt| editor.readline(prompt).ok());
        Ok((input, printer))
    }

    fn start(mut read: impl FnMut(&str) -> Option<String> + Send + 'static) -> Self {
        let (prompts, wanted) = blocking::channel::<String>();
        let (sender, lines) = mpsc::channel(1);
        thread::spawn(move || {
            for prompt in wanted {
                let Some(line) = read(&prompt) else { return };
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        Self { prompts, lines }
    }

    /// The next line; none when there will be no more.
    pub(super) async fn next(&mut self, prompt: String) -> Option<String> {
        // If the thread is gone, so is what it would send.
        let _ = self.prompts.send(prompt);
        self.lines.recv().await
    }
}
