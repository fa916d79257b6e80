//! `cargo xtask audit`: what is slow, or needs tools that not everybody has.

use std::fs;

use crate::{
    compare,
    report::Report,
    run::{Result, Runner},
};

const USAGE: &str = "\
Usage: cargo xtask audit [CHECK…]

Runs the checks that are named, or all of them. What this machine has no tool for is skipped,
and said so at the end.

";

/// No I/O in them, so Miri can run their tests.
const PURE_CRATES: [&str; 4] =
    ["sockeye-protocol", "sockeye-websocket", "sockeye-event", "sockeye-adapter"];

struct Check {
    name: &'static str,
    about: &'static str,
    /// What is not here, and how to get it.
    missing: fn(&Runner) -> Result<Option<String>>,
    run: fn(&Runner) -> Result,
}

const CHECKS: [Check; 5] = [
    Check {
        name: "deny",
        about: "licences, advisories and sources of the dependencies",
        missing: |runner| {
            let here = runner.output(&mut runner.cargo(&["deny", "--version"])).is_some();
            Ok((!here).then(|| "cargo-deny: cargo install --locked cargo-deny".to_owned()))
        },
        run: |runner| runner.run(&mut runner.cargo(&["deny", "check"])),
    },
    Check {
        name: "features",
        about: "every crate by itself, with every set of its features",
        missing: |_| Ok(None),
        run: feature_sets,
    },
    Check {
        name: "msrv",
        about: "the oldest Rust that the manifest promises",
        missing: |runner| {
            let version = oldest_rust(runner)?;
            let here = toolchain(runner, &version).is_some();
            Ok((!here).then(|| format!("Rust {version}: rustup toolchain install {version}")))
        },
        run: |runner| {
            let version = oldest_rust(runner)?;
            let toolchain = toolchain(runner, &version).ok_or("the toolchain is gone")?;
            // Not `cargo +…`, which the cargo of a distribution does not know.
            let mut rustup = runner.command("rustup", "");
            runner.run(rustup.args(["run", &toolchain, "cargo", "check", "--workspace"]))
        },
    },
    Check {
        name: "miri",
        about: "the crates without I/O, free of undefined behaviour",
        missing: |runner| {
            let mut miri = runner.command("rustup", "");
            miri.args(["run", "nightly", "cargo", "miri", "--version"]);
            let here = runner.output(&mut miri).is_some();
            Ok((!here).then(|| "Miri: rustup toolchain install nightly -c miri".to_owned()))
        },
        run: |runner| {
            let mut miri = runner.command("rustup", "");
            miri.args(["run", "nightly", "cargo", "miri", "test"])
                .args(PURE_CRATES.map(|name| format!("--package={name}")))
                // Properties are a thousand times slower here; proptest reads the working directory.
                .env("PROPTEST_CASES", "8")
                .env("MIRIFLAGS", "-Zmiri-disable-isolation");
            runner.run(&mut miri)
        },
    },
    Check {
        name: "floor",
        about: "what servers are compared with takes as many instructions as is committed",
        missing: |runner| {
            if cfg!(not(all(target_os = "linux", target_arch = "x86_64"))) {
                return Ok(Some("Linux on x86-64, where the instructions were counted".to_owned()));
            }
            let here = runner.output(runner.command("valgrind", "").arg("--version")).is_some();
            Ok((!here).then(|| "Valgrind: apt-get install valgrind".to_owned()))
        },
        run: |runner| match compare::check_floor(runner, false)? {
            true => Ok(()),
            false => Err("the floor has changed".into()),
        },
    },
];

pub(crate) fn main(arguments: &[&str]) -> Result<bool> {
    if let ["--help" | "-h", ..] = arguments {
        print!("{}", usage());
        return Ok(true);
    }
    if let Some(unknown) =
        arguments.iter().find(|name| CHECKS.iter().all(|check| check.name != **name))
    {
        return Err(format!("there is no check `{unknown}`\n\n{}", usage()).into());
    }
    let wanted = |check: &&Check| arguments.is_empty() || arguments.contains(&check.name);
    let checks: Vec<&Check> = CHECKS.iter().filter(wanted).collect();
    let runner = Runner::new()?;
    let mut report = Report::new(checks.len());
    for Check { name, about, missing, run } in checks {
        if runner.interrupted() {
            break;
        }
        match missing(&runner)? {
            Some(what) => report.skip(name, format!("not here: {what}")),
            None => _ = report.step(name, about, || run(&runner)),
        }
    }
    Ok(report.close())
}

fn usage() -> String {
    let lines = CHECKS.iter().map(|check| format!("  {:10} {}\n", check.name, check.about));
    USAGE.to_owned() + &lines.collect::<String>()
}

/// The `rust-version` of the workspace.
fn oldest_rust(runner: &Runner) -> Result<String> {
    let manifest = fs::read_to_string(runner.path("Cargo.toml"))?;
    let version = string(&manifest, "rust-version").ok_or("Cargo.toml has no rust-version")?;
    Ok(version.to_owned())
}

/// The name of an installed toolchain of this version, or of a patch release of it.
fn toolchain(runner: &Runner, version: &str) -> Option<String> {
    let list =
        runner.output(runner.command("rustup", "").args(["toolchain", "list", "--quiet"]))?;
    list.lines().find(|name| is_release(name, version)).map(str::to_owned)
}

/// Whether `1.85.1-x86_64-unknown-linux-gnu` is a release of `1.85`.
fn is_release(toolchain: &str, version: &str) -> bool {
    toolchain.strip_prefix(version).is_some_and(|rest| rest.starts_with(['-', '.']))
}

/// `cargo check` of each crate alone, where no sibling's features help it to compile.
fn feature_sets(runner: &Runner) -> Result {
    let mut directories = fs::read_dir(runner.path("crates"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    directories.sort();
    for directory in directories {
        let manifest = fs::read_to_string(directory.join("Cargo.toml"))?;
        let name = string(&manifest, "name").ok_or("a manifest without a name")?;
        for set in subsets(&features(&manifest)) {
            let mut check = runner.cargo(&["check", "--package", name, "--no-default-features"]);
            runner.run(check.arg(format!("--features={}", set.join(","))))?;
        }
    }
    Ok(())
}

/// The value of the first line `key = "value"`.
fn string<'a>(manifest: &'a str, key: &str) -> Option<&'a str> {
    manifest.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then(|| value.trim().trim_matches('"'))
    })
}

/// The names in `[features]`, without `default`, which is a set of the others.
fn features(manifest: &str) -> Vec<&str> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[features]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.starts_with(char::is_alphabetic))
        .filter_map(|line| Some(line.split_once('=')?.0.trim()))
        .filter(|name| *name != "default")
        .collect()
}

/// All subsets, the empty one first.
fn subsets<'a>(all: &[&'a str]) -> Vec<Vec<&'a str>> {
    all.iter().fold(vec![vec![]], |sets, one| {
        let with = sets.iter().map(|set| [&set[..], &[*one]].concat()).collect::<Vec<_>>();
        [sets, with].concat()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
[package]
name = "sockeye"
rust-version = "1.85"

[features]
default = ["anyhow"]
# Handlers may return `anyhow::Result`.
anyhow = ["dep:anyhow"]
tower = [
    "dep:tower", # beside hyper
]

[dependencies]
bytes = "1"
"#;

    #[test]
    fn the_features_of_a_manifest_are_found() {
        assert_eq!(features(MANIFEST), ["anyhow", "tower"]);
        assert_eq!(features("[package]\nname = \"sockeye\"\n"), [""; 0]);
        assert_eq!(string(MANIFEST, "rust-version"), Some("1.85"));
        assert_eq!(string(MANIFEST, "version"), None);
    }

    #[test]
    fn every_set_of_features_comes_once() {
        assert_eq!(subsets(&[]), [vec![""; 0]]);
        assert_eq!(subsets(&["a", "b"]), [vec![], vec!["a"], vec!["b"], vec!["a", "b"]]);
    }

    #[test]
    fn a_patch_release_is_a_release_and_a_longer_number_is_not() {
        assert!(is_release("1.85-x86_64-unknown-linux-gnu", "1.85"));
        assert!(is_release("1.85.1-aarch64-apple-darwin", "1.85"));
        assert!(!is_release("1.850.0-aarch64-apple-darwin", "1.85"));
    }
}
