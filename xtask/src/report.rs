//! Steps as they pass and fail, and the account of them at the end.

use std::time::{Duration, Instant};

use crate::run::Result;

/// What became of the steps so far.
pub(crate) struct Report {
    /// How many steps there will be.
    total: usize,
    lines: Vec<Line>,
}

struct Line {
    name: &'static str,
    outcome: Outcome,
}

enum Outcome {
    Passed(Duration),
    Failed(Duration),
    /// Not run, and why.
    Skipped(String),
}

impl Report {
    pub(crate) fn new(total: usize) -> Self {
        Self { total, lines: Vec::new() }
    }

    /// Announces a step, runs it and says how it went. True if it passed.
    pub(crate) fn step(
        &mut self,
        name: &'static str,
        about: &str,
        run: impl FnOnce() -> Result,
    ) -> bool {
        println!("\n━━ {}/{} {name}: {about}", self.lines.len() + 1, self.total);
        let start = Instant::now();
        let result = run();
        let time = start.elapsed();
        let outcome = match &result {
            Ok(()) => {
                println!("━━ {name} passed in {}", Time(time));
                Outcome::Passed(time)
            }
            Err(error) => {
                println!("━━ {name} FAILED after {}: {error}", Time(time));
                Outcome::Failed(time)
            }
        };
        self.lines.push(Line { name, outcome });
        result.is_ok()
    }

    /// Notes that a step is not run.
    pub(crate) fn skip(&mut self, name: &'static str, why: String) {
        println!("\n━━ {}/{} {name}: skipped, {why}", self.lines.len() + 1, self.total);
        self.lines.push(Line { name, outcome: Outcome::Skipped(why) });
    }

    /// Whether a step has run and passed.
    pub(crate) fn passed(&self, name: &str) -> bool {
        self.lines
            .iter()
            .any(|line| line.name == name && matches!(line.outcome, Outcome::Passed(_)))
    }

    /// Prints the table and the closing line. True if nothing failed.
    pub(crate) fn close(&self) -> bool {
        println!("\n{self}");
        self.count(|outcome| matches!(outcome, Outcome::Failed(_))) == 0
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.lines.iter().filter(|line| which(&line.outcome)).count()
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.lines.iter().map(|line| line.name.len()).max().unwrap_or_default();
        for Line { name, outcome } in &self.lines {
            match outcome {
                Outcome::Passed(time) => writeln!(f, "{name:width$}  passed   {:>10}", Time(*time)),
                Outcome::Failed(time) => writeln!(f, "{name:width$}  FAILED   {:>10}", Time(*time)),
                Outcome::Skipped(why) => writeln!(f, "{name:width$}  skipped  {why}"),
            }?;
        }
        let passed = self.count(|outcome| matches!(outcome, Outcome::Passed(_)));
        let failed = self.count(|outcome| matches!(outcome, Outcome::Failed(_)));
        write!(f, "\n{passed} passed, {failed} failed")
    }
}

/// A duration as people say it: `0.4 s`, `2 min 05 s`.
struct Time(Duration);

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match self.0.as_secs() {
            0..60 => format!("{:.1} s", self.0.as_secs_f64()),
            seconds => format!("{} min {:02} s", seconds / 60, seconds % 60),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_ends_with_the_plain_closing_line() {
        let line = |name, outcome| Line { name, outcome };
        let report = Report {
            total: 3,
            lines: vec![
                line("fmt", Outcome::Passed(Duration::from_millis(420))),
                line("clippy", Outcome::Failed(Duration::from_millis(125_900))),
                line("browser", Outcome::Skipped("`build` failed".to_owned())),
            ],
        };
        let expected = "\
fmt      passed        0.4 s
clippy   FAILED   2 min 05 s
browser  skipped  `build` failed

1 passed, 1 failed";
        assert_eq!(report.to_string(), expected);
        assert!(report.passed("fmt") && !report.passed("clippy") && !report.passed("doc"));
    }
}
