//! `cargo xtask compare`: Sockeye beside others, and beside what is possible at all.

mod cores;
mod floor;
mod generator;
mod machine;
mod measurement;
mod options;
mod report;
mod scenarios;
mod servers;
mod table;
mod verdict;

use std::{
    fs::{self, File},
    io::Write,
};

use serde_json::{Value, json};

pub(crate) use self::floor::check as check_floor;
use self::{
    cores::Cores,
    measurement::{Run, Runs},
    options::{Action, Options},
    report::Report,
    scenarios::{Scenario, Workload},
    servers::Server,
};
use crate::{
    run::{Result, Runner},
    tools,
};

pub(crate) fn main(arguments: &[&str]) -> Result<bool> {
    let options = options::parse(arguments)?;
    let runner = Runner::new()?;
    match options.action {
        Action::Help => {
            print!("{}", options::usage());
            Ok(true)
        }
        Action::CheckFloor { update } => check_floor(&runner, update),
        Action::Show(ref files) => {
            let (facts, runs) = read(files)?;
            Ok(report(&options, &facts, &runs))
        }
        Action::Measure => measure(&runner, &options),
    }
}

fn measure(runner: &Runner, options: &Options) -> Result<bool> {
    let servers = options.servers();
    tools::check(runner, options.tools())?;
    let cores = Cores::detect()?;
    servers::build(runner, &servers)?;

    let facts = machine::facts(runner);
    let mut record = options.json.as_ref().map(File::create).transpose()?;
    write_line(record.as_mut(), &json!({ "facts": facts }))?;
    let mut runs = Runs::default();
    let plan = plan(&options.scenarios, &servers);
    let total = plan.iter().map(|(_, servers)| servers.len()).sum::<usize>() * options.rounds;
    for (workload, servers) in plan {
        // A B A B: what changes on the machine meanwhile concerns all of them.
        for server in std::iter::repeat_n(servers, options.rounds).flatten() {
            let run = generator::run(runner, &cores, server, workload);
            if runner.interrupted() {
                return Err("interrupted".into());
            }
            println!("{:>3}/{total}  {run}", runs.0.len() + 1);
            write_line(record.as_mut(), &run.to_json())?;
            runs.0.push(run);
        }
    }
    Ok(report(options, &facts, &runs))
}

/// Prints the tables; whether all is as it should be.
fn report(options: &Options, facts: &[String], runs: &Runs) -> bool {
    // Of what was recorded earlier, only what is there.
    let is_there = |scenario: &&Scenario| {
        runs.of(Server::Sockeye, scenario.workload(Server::Sockeye)).next().is_some()
    };
    let scenarios: Vec<_> = options.scenarios.iter().copied().filter(is_there).collect();
    let report = Report { runs, scenarios: &scenarios, facts };
    println!("\n{}", report.render(options.style));
    report.is_good()
}

/// Each workload once, though several scenarios may need it, and who is to do it.
fn plan(scenarios: &[&Scenario], servers: &[Server]) -> Vec<(Workload, Vec<Server>)> {
    let mut plan: Vec<(Workload, Vec<Server>)> = Vec::new();
    for scenario in scenarios {
        for &server in servers.iter().filter(|server| server.takes_part(scenario)) {
            let workload = scenario.workload(server);
            match plan.iter_mut().find(|(planned, _)| *planned == workload) {
                Some((_, servers)) if servers.contains(&server) => (),
                Some((_, servers)) => servers.push(server),
                None => plan.push((workload, vec![server])),
            }
        }
    }
    plan
}

fn write_line(record: Option<&mut File>, line: &Value) -> Result {
    if let Some(record) = record {
        writeln!(record, "{line}")?;
    }
    Ok(())
}

/// What earlier comparisons recorded: the facts of the first, the runs of all.
fn read(files: &[String]) -> Result<(Vec<String>, Runs)> {
    let (mut facts, mut runs) = (Vec::new(), Runs::default());
    for file in files {
        let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        for line in text.lines() {
            let line: Value = serde_json::from_str(line)?;
            if let Some(lines) = line["facts"].as_array() {
                if facts.is_empty() {
                    facts.extend(lines.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                continue;
            }
            let run =
                Run::from_json(&line).ok_or_else(|| format!("{file}: this is no run: {line}"))?;
            runs.0.push(run);
        }
    }
    Ok((facts, runs))
}

#[cfg(test)]
mod tests {
    use super::{scenarios::SCENARIOS, *};

    #[test]
    fn a_workload_is_planned_once_for_each_server() {
        let all: Vec<&Scenario> = SCENARIOS.iter().collect();
        let plan = plan(&all, &[Server::Sockeye, Server::Floor]);
        for (index, (workload, servers)) in plan.iter().enumerate() {
            assert!(plan[..index].iter().all(|(earlier, _)| earlier != workload));
            assert!(servers.len() <= 2);
        }
        let runs: usize = plan.iter().map(|(_, servers)| servers.len()).sum();
        // Sockeye does all but one of two that are the same to it; the floor has no raw form, and
        // the `Value` once for three.
        assert_eq!(runs, (SCENARIOS.len() - 1) + (SCENARIOS.len() - 2));
    }
}
