//! What a comparison says in the end.

use super::{
    measurement::{Outcome, Run, Runs},
    scenarios::{Measure, Scenario},
    servers::Server,
    table::{Style, Table, count, number},
    verdict::{Ratio, Verdict},
};

/// The tables of the scenarios that were run, over the servers that took part.
pub(crate) struct Report<'a> {
    pub(crate) runs: &'a Runs,
    pub(crate) scenarios: &'a [&'static Scenario],
    /// Where this was measured, a fact a line.
    pub(crate) facts: &'a [String],
}

impl Report<'_> {
    pub(crate) fn render(&self, style: Style) -> String {
        let mut text = String::new();
        for fact in self.facts {
            text += &format!("{}{fact}\n", if style == Style::Markdown { "- " } else { "" });
        }
        let mut part = |title: &str, table: &Table| {
            let rule = if style == Style::Markdown { "### " } else { "" };
            text += &format!("\n{rule}{title}\n\n{}", table.render(style));
        };
        part("Processor time of the server per message, in µs (medians)", &self.times());
        part("The multi-threaded runtime, on two cores", &self.threads());
        part("Messages per second", &self.by_server(Run::rate));
        part("p99, in ms", &self.by_server(Run::p99));
        part(
            "The generator's use of its core, in percent (*: it held the server back)",
            &self.generator(),
        );
        text + &self.closing()
    }

    /// Whether nothing was out of order, and no target missed.
    pub(crate) fn is_good(&self) -> bool {
        let reached = |scenario: &&&Scenario| {
            Verdict::new(scenario, self.runs).is_reached(scenario) != Some(false)
        };
        self.is_in_order() && self.scenarios.iter().all(|scenario| reached(&scenario))
    }

    fn is_in_order(&self) -> bool {
        self.our_runs().all(|run| run.out_of_order().unwrap_or_default() == 0.0)
    }

    fn our_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.0.iter().filter(|run| run.server.is_ours())
    }

    /// Those on one core that took part in any run.
    fn servers(&self) -> impl Iterator<Item = Server> + '_ {
        let took_part = |server: &Server| self.runs.0.iter().any(|run| run.server == *server);
        Server::ALL.into_iter().filter(|server| !server.has_threads()).filter(took_part)
    }

    fn times(&self) -> Table {
        let servers: Vec<Server> = self.servers().collect();
        let mut table = Table::default();
        let names = servers.iter().map(|server| server.name());
        let header = ["scenario"].into_iter().chain(names);
        let header = header.chain(["of socketioxide", "of the floor", "reached"]);
        table.row(header.map(str::to_owned));
        for scenario in self.scenarios {
            let verdict = Verdict::new(scenario, self.runs);
            let medians = servers.iter().map(|&server| {
                let value = self.median(scenario, server, |run| run.measured(scenario.measure));
                let target = verdict.absolute_target.filter(|_| server == Server::Sockeye);
                number(value) + &limit(target)
            });
            let reached = match verdict.is_reached(scenario) {
                Some(true) => "yes",
                Some(false) => "NO",
                None => "–",
            };
            let row = [scenario.title.to_owned()].into_iter().chain(medians);
            let ratios = [ratio(verdict.of_socketioxide), ratio(verdict.of_floor)];
            table.row(row.chain(ratios).chain([reached.to_owned()]));
        }
        table
    }

    fn threads(&self) -> Table {
        let mut table = Table::default();
        let both = [Server::SockeyeThreads, Server::SocketioxideThreads];
        let columns = both.iter().flat_map(|server| {
            let name = server.name();
            let first = format!("{name}: µs per message");
            [first, "p99, ms".to_owned(), "out of order".to_owned(), "of".to_owned()]
        });
        table.row(["scenario".to_owned()].into_iter().chain(columns));
        for scenario in self.scenarios {
            let cells = both.into_iter().flat_map(|server| {
                let workload = scenario.workload(server);
                [
                    number(self.median(scenario, server, |run| run.measured(scenario.measure))),
                    number(self.median(scenario, server, Run::p99)),
                    count(self.runs.sum(server, workload, Run::out_of_order)),
                    count(self.runs.sum(server, workload, Run::messages)),
                ]
            });
            table.row([scenario.title.to_owned()].into_iter().chain(cells));
        }
        table
    }

    fn generator(&self) -> Table {
        self.table(|scenario, server| {
            let percent = self.median(scenario, server, Run::generator_percent);
            let mut runs = self.runs.of(server, scenario.workload(server));
            let is_bound = runs.any(Run::is_generator_bound);
            count(percent) + if is_bound { "*" } else { "" }
        })
    }

    fn by_server(&self, value: fn(&Run) -> Option<f64>) -> Table {
        self.table(|scenario, server| number(self.median(scenario, server, value)))
    }

    fn table(&self, cell: impl Fn(&Scenario, Server) -> String) -> Table {
        let mut table = Table::default();
        let names = self.servers().map(|server| server.name().to_owned());
        table.row(["scenario".to_owned()].into_iter().chain(names));
        for scenario in self.scenarios.iter().filter(|it| it.measure == Measure::ProcessorTime) {
            let cells = self.servers().map(|server| cell(scenario, server));
            table.row([scenario.title.to_owned()].into_iter().chain(cells));
        }
        table
    }

    fn median(
        &self,
        scenario: &Scenario,
        server: Server,
        value: impl Fn(&Run) -> Option<f64>,
    ) -> Option<f64> {
        self.runs.median(server, scenario.workload(server), value)
    }

    /// What failed, the gate, and the targets.
    fn closing(&self) -> String {
        let mut text = String::from("\n");
        for run in &self.runs.0 {
            let (server, generator) = (run.server.name(), &run.generator);
            if let Outcome::Failed(why) = &run.outcome {
                text += &format!("{server}, `{generator}`: {why}\n");
            }
            if let Some(errors @ 1.0..) = run.errors() {
                text += &format!("{server}, `{generator}`: {} errors\n", count(Some(errors)));
            }
        }
        let messages = self.our_runs().filter_map(Run::messages).sum();
        let out_of_order: f64 = self.our_runs().filter_map(Run::out_of_order).sum();
        text += &format!(
            "Sockeye's messages out of order, on both runtimes: {} of {}\n",
            count(Some(out_of_order)),
            count(Some(messages)),
        );
        let verdicts = self.scenarios.iter();
        let reached: Vec<bool> = verdicts
            .filter_map(|scenario| Verdict::new(scenario, self.runs).is_reached(scenario))
            .collect();
        let yes = reached.iter().filter(|one| **one).count();
        text + &format!("Scenarios whose targets are reached: {yes} of {}\n", reached.len())
    }
}

/// `0.71 (≤ 0.8)`.
fn ratio(ratio: Option<Ratio>) -> String {
    match ratio {
        Some(Ratio { value, target }) => format!("{value:.2}{}", limit(target)),
        None => "–".to_owned(),
    }
}

fn limit(target: Option<f64>) -> String {
    target.map(|target| format!(" (≤ {target})")).unwrap_or_default()
}
