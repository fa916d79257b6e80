//! What the generator says, kept as it said it.

use serde_json::{Value, json};

use super::{
    scenarios::{Measure, Workload},
    servers::Server,
};

/// One run of the generator against one server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) server: Server,
    pub(crate) generator: String,
    pub(crate) outcome: Outcome,
}

/// The generator's result, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Measured(Value),
    Failed(String),
}

impl Run {
    pub(crate) fn is_of(&self, server: Server, workload: Workload) -> bool {
        self.server == server && self.generator == workload.generator
    }

    /// A number of the result, by its path: `/server/cpu_percent`.
    fn number(&self, path: &str) -> Option<f64> {
        match &self.outcome {
            Outcome::Measured(result) => result.pointer(path)?.as_f64(),
            Outcome::Failed(_) => None,
        }
    }

    pub(crate) fn measured(&self, measure: Measure) -> Option<f64> {
        match measure {
            Measure::ProcessorTime => self.number("/server/cpu_us_per_message"),
            Measure::Memory => Some(self.number("/server/bytes_per_connection")? / 1024.0),
        }
    }

    pub(crate) fn rate(&self) -> Option<f64> {
        self.number("/rate")
    }

    /// In ms.
    pub(crate) fn p99(&self) -> Option<f64> {
        Some(self.number("/latency_us/p99")? / 1000.0)
    }

    pub(crate) fn messages(&self) -> Option<f64> {
        self.number("/messages")
    }

    pub(crate) fn out_of_order(&self) -> Option<f64> {
        self.number("/out_of_order")
    }

    pub(crate) fn errors(&self) -> Option<f64> {
        self.number("/errors")
    }

    pub(crate) fn generator_percent(&self) -> Option<f64> {
        self.number("/generator/cpu_percent")
    }

    pub(crate) fn server_percent(&self) -> Option<f64> {
        self.number("/server/cpu_percent")
    }

    /// Whether more could have been asked of the server than was.
    pub(crate) fn is_generator_bound(&self) -> bool {
        let of = |percent: Option<f64>| percent.unwrap_or_default();
        of(self.generator_percent()) > 95.0 && of(self.server_percent()) < 95.0
    }

    /// As one line of the file of `--json`.
    pub(crate) fn to_json(&self) -> Value {
        let (result, failure) = match &self.outcome {
            Outcome::Measured(result) => (Some(result), None),
            Outcome::Failed(why) => (None, Some(why)),
        };
        let (server, generator) = (self.server.name(), &self.generator);
        json!({ "server": server, "generator": generator, "result": result, "failure": failure })
    }

    /// None if it is not what [`to_json`](Self::to_json) makes.
    pub(crate) fn from_json(line: &Value) -> Option<Self> {
        let name = line["server"].as_str()?;
        let outcome = match &line["result"] {
            Value::Null => Outcome::Failed(line["failure"].as_str()?.to_owned()),
            result => Outcome::Measured(result.clone()),
        };
        Some(Self {
            server: Server::ALL.into_iter().find(|server| server.name() == name)?,
            generator: line["generator"].as_str()?.to_owned(),
            outcome,
        })
    }
}

/// All runs, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Runs(pub(crate) Vec<Run>);

impl Runs {
    pub(crate) fn of(&self, server: Server, workload: Workload) -> impl Iterator<Item = &Run> {
        self.0.iter().filter(move |run| run.is_of(server, workload))
    }

    /// The median over the rounds; none if nothing was measured.
    pub(crate) fn median(
        &self,
        server: Server,
        workload: Workload,
        value: impl Fn(&Run) -> Option<f64>,
    ) -> Option<f64> {
        median(self.of(server, workload).filter_map(value).collect())
    }

    /// The sum over the rounds; none if nothing was measured.
    pub(crate) fn sum(
        &self,
        server: Server,
        workload: Workload,
        value: impl Fn(&Run) -> Option<f64>,
    ) -> Option<f64> {
        self.of(server, workload).filter_map(value).reduce(|sum, value| sum + value)
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some(f64::midpoint(values[low], values[high]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![30.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 30.0]), Some(3.0));
    }

    #[test]
    fn a_run_is_read_back_as_it_was_written() {
        let outcomes =
            [Outcome::Measured(json!({"rate": 7.5})), Outcome::Failed("it ended".to_owned())];
        for outcome in outcomes {
            let generator = "echo --connections 100".to_owned();
            let run = Run { server: Server::SocketioxideWorker, generator, outcome };
            assert_eq!(Run::from_json(&run.to_json()), Some(run));
        }
        assert_eq!(Run::from_json(&json!({"server": "Sockeye"})), None);
    }

    #[test]
    fn the_generator_is_the_bottleneck_if_only_it_is_busy() {
        let run = |server: f64, generator: f64| Run {
            server: Server::Sockeye,
            generator: String::new(),
            outcome: Outcome::Measured(json!({
                "server": {"cpu_percent": server},
                "generator": {"cpu_percent": generator},
            })),
        };
        assert!(run(70.0, 99.0).is_generator_bound());
        assert!(!run(99.0, 99.0).is_generator_bound());
        assert!(!run(70.0, 80.0).is_generator_bound());
    }
}
