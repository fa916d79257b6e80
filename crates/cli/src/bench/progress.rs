//! What is shown on standard error while a run goes on.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::report::thousands;

/// Redrawn this often at most, so that it costs the generator nothing to speak of.
const MAX_DRAWS_PER_SECOND: u8 = 5;

/// A bar on a terminal, a line per stage elsewhere.
pub(crate) enum Progress {
    Bar(ProgressBar),
    Lines,
    Silent,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        if quiet {
            Self::Silent
        } else if stderr().is_terminal() {
            let target = ProgressDrawTarget::stderr_with_hz(MAX_DRAWS_PER_SECOND);
            let style = ProgressStyle::with_template("{prefix:12} {bar:30} {msg}");
            let bar = ProgressBar::with_draw_target(Some(0), target);
            Self::Bar(bar.with_style(style.expect("the template is valid")))
        } else {
            Self::Lines
        }
    }

    /// A new stage begins; `about` says how much of what there is to it.
    pub(crate) fn begin(&self, stage: &'static str, about: &str) {
        match self {
            Self::Bar(bar) => {
                bar.reset();
                bar.set_prefix(stage);
                bar.set_message(about.to_owned());
            }
            Self::Lines => eprintln!("{stage}: {about}"),
            Self::Silent => (),
        }
    }

    /// So many of all connections are open.
    pub(crate) fn opened(&self, joined: usize, all: usize) {
        if let Self::Bar(bar) = self {
            bar.set_length(all as u64);
            bar.set_position(joined as u64);
            bar.set_message(format!("{} of {}", thousands(joined as f64), thousands(all as f64)));
        }
    }

    /// So much of a stage's time is over, with so many messages.
    pub(crate) fn elapsed(&self, elapsed: Duration, all: Duration, messages: u64) {
        if let Self::Bar(bar) = self {
            let rate = messages as f64 / elapsed.as_secs_f64().max(0.001);
            bar.set_length(all.as_millis() as u64);
            bar.set_position(elapsed.as_millis() as u64);
            let (elapsed, all) = (elapsed.as_secs_f64(), all.as_secs_f64());
            bar.set_message(format!("{elapsed:.0} of {all:.0} s, {} /s", thousands(rate)));
        }
    }

    pub(crate) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
