//! Which core is whose.

use std::fs;

use crate::run::Result;

/// Lists of cores as `taskset` takes them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    pub(crate) server: String,
    /// Of a server with threads: two, one of which is the generator's where there are no more.
    pub(crate) threads: String,
    pub(crate) generator: String,
}

impl Cores {
    /// The first and the last of those that we may use.
    pub(crate) fn detect() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")
            .map_err(|error| format!("`compare` needs Linux, to read /proc and to pin: {error}"))?;
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .and_then(|list| parse(list.trim()))
            .ok_or("/proc/self/status does not say which cores we may use")?;
        match list[..] {
            [server, second, ..] => Ok(Self {
                server: server.to_string(),
                threads: format!("{server},{second}"),
                generator: list[list.len() - 1].to_string(),
            }),
            _ => Err("`compare` needs two cores: one for the server, one for the generator".into()),
        }
    }
}

/// The numbers in `0-2,5`.
fn parse(list: &str) -> Option<Vec<u32>> {
    let ranges = list.split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    });
    Some(ranges.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_have_ranges() {
        assert_eq!(parse("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse("3"), Some(vec![3]));
        assert_eq!(parse("all"), None);
    }
}
