//! The programs that steps need and that cargo does not bring.

use std::{env, path::Path};

use crate::run::{Result, Runner};

/// A program that somebody has to install.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tool {
    Rustfmt,
    Clippy,
    Node,
    Npm,
    Python,
    Chromium,
    Taskset,
    /// What counts instructions and copies, where there is such a thing.
    Valgrind,
    /// What counts system calls, where there is such a thing.
    Strace,
}

/// Where a browser may be; the first is where Debian puts it.
const BROWSERS: [&str; 6] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/opt/homebrew/bin/chromium",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Fails with a list of all that is missing, each with how to get it.
pub(crate) fn check(runner: &Runner, tools: &[Tool]) -> Result {
    let missing: Vec<String> =
        tools.iter().filter(|tool| !tool.is_here(runner)).map(|tool| tool.advice()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("missing on this machine:\n\n{}", missing.join("\n")).into())
}

/// The browser to test with: `CHROMIUM`, or one that we find.
pub(crate) fn chromium() -> Option<String> {
    let named = env::var("CHROMIUM").ok().filter(|path| !path.is_empty());
    match named {
        Some(path) => Path::new(&path).exists().then_some(path),
        None => BROWSERS.into_iter().find(|path| Path::new(path).exists()).map(str::to_owned),
    }
}

impl Tool {
    fn is_here(self, runner: &Runner) -> bool {
        let answer = |program: &str, arguments: &[&str]| {
            runner.output(runner.command(program, "").args(arguments))
        };
        match self {
            Self::Rustfmt => answer("cargo", &["fmt", "--version"]).is_some(),
            Self::Clippy => answer("cargo", &["clippy", "--version"]).is_some(),
            Self::Node => {
                let version = answer("node", &["--version"]);
                version.and_then(|text| node_version(&text)).is_some_and(node_is_recent)
            }
            Self::Npm => answer("npm", &["--version"]).is_some(),
            Self::Python => {
                // Debian ships venv without ensurepip, and then it does not work.
                let test = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
                answer("python3", &["-c", test]).is_some()
            }
            Self::Chromium => chromium().is_some(),
            Self::Taskset => answer("taskset", &["--version"]).is_some(),
            // Elsewhere the counts do without them.
            Self::Valgrind | Self::Strace if !cfg!(target_os = "linux") => true,
            Self::Valgrind => answer("valgrind", &["--version"]).is_some(),
            Self::Strace => answer("strace", &["--version"]).is_some(),
        }
    }

    /// What to install, and how.
    fn advice(self) -> String {
        let [what, debian, macos] = match self {
            Self::Rustfmt => ["rustfmt", "rustup component add rustfmt", "the same"],
            Self::Clippy => ["Clippy", "rustup component add clippy", "the same"],
            Self::Node => [
                "Node.js 20.19 or later (not 21, nor 22 before 22.12)",
                "apt-get install nodejs (13 and later; others: https://nodejs.org/en/download)",
                "brew install node",
            ],
            Self::Npm => ["npm", "apt-get install npm", "brew install node"],
            Self::Python => [
                "Python 3.10 or later, with venv",
                "apt-get install python3 python3-venv",
                "brew install python",
            ],
            Self::Chromium => [
                "Chromium (or name a browser with CHROMIUM)",
                "apt-get install chromium",
                "brew install --cask chromium",
            ],
            Self::Taskset => ["taskset", "apt-get install util-linux", "not there: use Linux"],
            Self::Valgrind => ["Valgrind", "apt-get install valgrind", "not needed"],
            Self::Strace => ["strace", "apt-get install strace", "not needed"],
        };
        format!("  {what}\n      Debian  {debian}\n      macOS   {macos}\n")
    }
}

/// Major and minor of `v20.19.2`.
fn node_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// What Vite asks for, in examples/chat/page/package.json; the tests are content with any 20.
fn node_is_recent(version: (u32, u32)) -> bool {
    matches!(version, (20, 19..) | (22, 12..) | (23.., _))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_is_recent_from_20_19_and_22_12() {
        for (text, expected) in [
            ("v18.19.0\n", false),
            ("v20.18.3\n", false),
            ("v20.19.0\n", true),
            ("v21.7.3\n", false),
            ("v22.11.0\n", false),
            ("v22.12.0\n", true),
            ("v25.0.0-nightly2026\n", true),
            ("command not found", false),
        ] {
            assert_eq!(node_version(text).is_some_and(node_is_recent), expected, "{text}");
        }
    }
}
