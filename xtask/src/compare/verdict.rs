//! Where Sockeye stands in a scenario.

use super::{measurement::Runs, scenarios::Scenario, servers::Server};

/// The medians of one scenario, and what they are beside each other.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    /// Sockeye on the single-threaded runtime.
    pub(crate) ours: Option<f64>,
    pub(crate) of_socketioxide: Option<Ratio>,
    pub(crate) of_floor: Option<Ratio>,
    pub(crate) absolute_target: Option<f64>,
}

/// So many times what another takes, and how many times that may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) value: f64,
    pub(crate) target: Option<f64>,
}

impl Verdict {
    pub(crate) fn new(scenario: &Scenario, runs: &Runs) -> Self {
        let median = |server: Server| {
            runs.median(server, scenario.workload(server), |run| run.measured(scenario.measure))
        };
        let ours = median(Server::Sockeye);
        // The better of its two runtimes.
        let socketioxide = [Server::Socketioxide, Server::SocketioxideWorker]
            .into_iter()
            .filter_map(median)
            .min_by(f64::total_cmp);
        let ratio = |other: Option<f64>, target: Option<f64>| {
            Some(Ratio { value: ours? / other.filter(|other| *other > 0.0)?, target })
        };
        Self {
            ours,
            of_socketioxide: ratio(socketioxide, scenario.targets.of_socketioxide),
            of_floor: ratio(median(Server::Floor), scenario.targets.of_floor),
            absolute_target: scenario.targets.absolute,
        }
    }

    /// Whether all targets are reached; none if there are none, or one cannot be told.
    pub(crate) fn is_reached(&self, scenario: &Scenario) -> Option<bool> {
        let targets = scenario.targets;
        let within = |ratio: Option<Ratio>| ratio.map(|Ratio { value, .. }| value);
        let all = [
            (targets.of_socketioxide, within(self.of_socketioxide)),
            (targets.of_floor, within(self.of_floor)),
            (targets.absolute, self.ours),
        ];
        let set = all.into_iter().filter_map(|(target, value)| Some((target?, value)));
        let reached = set.map(|(target, value)| Some(value? <= target));
        let reached = reached.collect::<Option<Vec<bool>>>()?;
        if reached.is_empty() { None } else { Some(reached.into_iter().all(|one| one)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::compare::{
        measurement::{Outcome, Run},
        scenarios::SCENARIOS,
    };

    fn runs(times: &[(Server, &[f64])]) -> Runs {
        let run = |server, time: &f64| Run {
            server,
            generator: SCENARIOS[0].ours.generator.to_owned(),
            outcome: Outcome::Measured(json!({"server": {"cpu_us_per_message": time}})),
        };
        Runs(
            times
                .iter()
                .flat_map(|(server, times)| times.iter().map(|t| run(*server, t)))
                .collect(),
        )
    }

    #[test]
    fn the_better_runtime_of_socketioxide_is_the_peer() {
        let runs = runs(&[
            (Server::Sockeye, &[6.0, 100.0, 5.0]),
            (Server::Socketioxide, &[12.0]),
            (Server::SocketioxideWorker, &[10.0]),
            (Server::Floor, &[4.0]),
        ]);
        let verdict = Verdict::new(&SCENARIOS[0], &runs);
        assert_eq!(verdict.of_socketioxide, Some(Ratio { value: 0.6, target: Some(0.8) }));
        assert_eq!(verdict.of_floor, Some(Ratio { value: 1.5, target: Some(1.8) }));
        assert_eq!(verdict.is_reached(&SCENARIOS[0]), Some(true));
    }

    #[test]
    fn one_missed_target_is_a_miss_and_one_unknown_is_unknown() {
        let slow = [(Server::Sockeye, &[8.0][..]), (Server::Socketioxide, &[10.0])];
        let verdict = Verdict::new(&SCENARIOS[0], &runs(&slow));
        assert_eq!(verdict.is_reached(&SCENARIOS[0]), None);
        let all = [&slow[..], &[(Server::Floor, &[4.0][..])]].concat();
        let verdict = Verdict::new(&SCENARIOS[0], &runs(&all));
        assert_eq!(verdict.is_reached(&SCENARIOS[0]), Some(false));
    }
}
