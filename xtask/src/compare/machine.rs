//! Where, when and with what a comparison was made.

use std::{fs, thread};

use serde_json::Value;

use crate::run::Runner;

/// A fact a line, for the head of the tables. It names no host.
pub(crate) fn facts(runner: &Runner) -> Vec<String> {
    let says = |program: &str, arguments: &[&str]| {
        let text = runner.output(runner.command(program, "").args(arguments));
        text.map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
    };
    let date = says("date", &["-u", "+%Y-%m-%d"]);
    let commit = says("git", &["rev-parse", "--short", "HEAD"]);
    let cores = thread::available_parallelism().map_or(0, usize::from);
    vec![
        format!("date: {date}; commit: {commit}"),
        format!("machine: {cores} cores, {}; Linux {}", processor(), kernel()),
        format!("versions: {}; {}; {}", says("rustc", &["--version"]), peers(runner), node(runner)),
    ]
}

fn processor() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or("unknown", |model| model.trim_start_matches([':', '\t', ' '])).to_owned()
}

/// `6.18.44`, without what a distribution adds.
fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().split('-').next().unwrap_or_default().to_owned()
}

fn peers(runner: &Runner) -> String {
    let manifest = runner.path("benches/compare/socketioxide/Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap_or_default();
    let version = manifest.lines().find_map(|line| line.strip_prefix("socketioxide = \"="));
    format!("socketioxide {}", version.unwrap_or("unknown").trim_end_matches('"'))
}

fn node(runner: &Runner) -> String {
    let version = |directory: &str, package: &str| {
        let text = fs::read_to_string(runner.path(directory).join("package.json")).ok()?;
        let manifest: Value = serde_json::from_str(&text).ok()?;
        Some(manifest["dependencies"][package].as_str()?.to_owned())
    };
    let of = |directory: &str, package: &str| {
        version(directory, package).unwrap_or_else(|| "unknown".to_owned())
    };
    let node = runner.output(runner.command("node", "").arg("--version")).unwrap_or_default();
    format!(
        "Node.js {} with socket.io {}; Bun {} with @socket.io/bun-engine {}",
        node.trim().trim_start_matches('v'),
        of("benches/compare/node", "socket.io"),
        of("benches/compare/bun", "bun"),
        of("benches/compare/bun", "@socket.io/bun-engine"),
    )
}
