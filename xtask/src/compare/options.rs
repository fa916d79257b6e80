//! The command line of `cargo xtask compare`.

use super::{
    scenarios::{SCENARIOS, Scenario},
    servers::{DEFAULT, FURTHER, Server},
    table::Style,
};
use crate::{run::Result, tools::Tool};

const USAGE: &str = "\
Usage: cargo xtask compare [OPTIONS]

Builds the servers of benches/compare and the load generator, runs the scenarios against one
server after another, and prints medians and ratios. Nothing else should run meanwhile. It fails
if a target is missed, or a message of Sockeye's is out of order.

  --all               also Node.js and Bun
  --rounds N          how often each server is measured (default 3)
  --only SCENARIO…    only these scenarios
  --json FILE         also write all results, one a line
  --markdown          print the tables as docs/performance.md has them
  --show FILE…        measure nothing, print the tables of earlier results
  --check-floor       only count the floor's instructions per message, and compare them with
                      benches/compare/floor/instructions.txt; with --update, write them there

The scenarios:

";

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) action: Action,
    pub(crate) scenarios: Vec<&'static Scenario>,
    pub(crate) rounds: usize,
    pub(crate) json: Option<String>,
    pub(crate) style: Style,
    all: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Help,
    Measure,
    Show(Vec<String>),
    CheckFloor { update: bool },
}

impl Options {
    pub(crate) fn servers(&self) -> Vec<Server> {
        if self.all { [&DEFAULT[..], &FURTHER[..]].concat() } else { DEFAULT.to_vec() }
    }

    /// What has to be installed.
    pub(crate) fn tools(&self) -> &'static [Tool] {
        if self.all { &[Tool::Taskset, Tool::Node, Tool::Npm] } else { &[Tool::Taskset] }
    }
}

pub(crate) fn usage() -> String {
    let lines = SCENARIOS.iter().map(|it| format!("  {:20}{}\n", it.name, it.title));
    USAGE.to_owned() + &lines.collect::<String>()
}

pub(crate) fn parse(arguments: &[&str]) -> Result<Options> {
    let mut options = Options {
        action: Action::Measure,
        scenarios: SCENARIOS.iter().collect(),
        rounds: 3,
        json: None,
        style: Style::Terminal,
        all: false,
    };
    let mut arguments = arguments.iter().copied().peekable();
    while let Some(argument) = arguments.next() {
        let mut values = || {
            let mut values = Vec::new();
            while let Some(value) = arguments.next_if(|next| !next.starts_with("--")) {
                values.push(value);
            }
            if values.is_empty() { Err(format!("{argument} needs a value")) } else { Ok(values) }
        };
        match argument {
            "--help" | "-h" => options.action = Action::Help,
            "--all" => options.all = true,
            "--markdown" => options.style = Style::Markdown,
            "--rounds" => options.rounds = rounds(values()?[0])?,
            "--json" => options.json = Some(values()?[0].to_owned()),
            "--only" => options.scenarios = scenarios(&values()?)?,
            "--show" => {
                options.action = Action::Show(values()?.into_iter().map(str::to_owned).collect());
            }
            "--check-floor" => options.action = Action::CheckFloor { update: false },
            "--update" if matches!(options.action, Action::CheckFloor { .. }) => {
                options.action = Action::CheckFloor { update: true };
            }
            unknown => return Err(format!("what is `{unknown}`?\n\n{}", usage()).into()),
        }
    }
    Ok(options)
}

fn rounds(text: &str) -> Result<usize> {
    let rounds = text.parse().ok().filter(|rounds| *rounds > 0);
    rounds.ok_or_else(|| format!("`{text}` is no number of rounds").into())
}

/// Those of these names, in the order of the table.
fn scenarios(names: &[&str]) -> Result<Vec<&'static Scenario>> {
    if let Some(unknown) = names.iter().find(|name| SCENARIOS.iter().all(|it| it.name != **name)) {
        return Err(format!("there is no scenario `{unknown}`\n\n{}", usage()).into());
    }
    Ok(SCENARIOS.iter().filter(|scenario| names.contains(&scenario.name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_what_is_asked_for() {
        let options =
            parse(&["--all", "--only", "json-1", "echo-16", "--rounds", "5", "--json", "x"])
                .unwrap();
        let names: Vec<_> = options.scenarios.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, ["echo-16", "json-1"]);
        assert_eq!((options.rounds, options.servers().len()), (5, 9));
        assert_eq!(options.json.as_deref(), Some("x"));
        let show = parse(&["--show", "a", "b", "--markdown"]).unwrap();
        assert_eq!(show.action, Action::Show(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(show.style, Style::Markdown);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for wrong in [&["--only"][..], &["--only", "x"], &["--rounds", "0"], &["--update"], &["x"]]
        {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
