//! `cargo xtask test`: everything that CI checks.

use crate::{
    features, packages,
    report::Report,
    run::{Result, Runner},
    tools::{self, Tool},
};

const USAGE: &str = "\
Usage: cargo xtask test [--rust | --e2e | STEP…]

Runs the steps that are named, in order, and before them the steps that they need; without
names, all of them. A failed step does not keep those from running that do not need it.

";

/// The first step, and not one of the others: it looks for the tools of those that follow.
const PREREQUISITES: &str = "prerequisites";

struct Step {
    name: &'static str,
    about: &'static str,
    part: Part,
    /// Steps that have to have passed.
    needs: &'static [&'static str],
    tools: &'static [Tool],
    run: fn(&Runner) -> Result,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Rust,
    EndToEnd,
}

const STEPS: [Step; 15] = [
    Step {
        name: "fmt",
        about: "the code is formatted",
        part: Part::Rust,
        needs: &[],
        tools: &[Tool::Rustfmt],
        run: |runner| runner.run(&mut runner.cargo(&["fmt", "--all", "--check"])),
    },
    Step {
        name: "clippy",
        about: "no warning from the compiler or Clippy",
        part: Part::Rust,
        needs: &[],
        tools: &[Tool::Clippy],
        run: |runner| {
            let arguments = [
                "clippy",
                "--workspace",
                "--all-targets",
                "--all-features",
                "--",
                "-D",
                "warnings",
            ];
            runner.run(&mut runner.cargo(&arguments))
        },
    },
    Step {
        name: "doc",
        about: "the documentation builds without a warning",
        part: Part::Rust,
        needs: &[],
        tools: &[],
        run: |runner| {
            let mut doc = runner.cargo(&["doc", "--workspace", "--all-features", "--no-deps"]);
            runner.run(doc.env("RUSTDOCFLAGS", "-Dwarnings"))
        },
    },
    Step {
        name: "unit",
        about: "unit, property, integration and documentation tests",
        part: Part::Rust,
        needs: &[],
        tools: &[],
        run: |runner| {
            runner.run(&mut runner.cargo(&[
                "test",
                "--workspace",
                "--all-features",
                "--no-fail-fast",
            ]))
        },
    },
    Step {
        name: "features",
        about: "every test that the feature table names exists and runs",
        part: Part::Rust,
        needs: &[],
        tools: &[],
        run: features::check,
    },
    Step {
        name: "counts",
        about: "messages and connections cost no more than expected",
        part: Part::Rust,
        needs: &[],
        tools: &[Tool::Valgrind, Tool::Strace],
        run: |runner| runner.run(&mut runner.cargo(&["run", "--release", "-p", "counts"])),
    },
    Step {
        name: "npm",
        about: "the packages of the Node.js suites and of the chat page",
        part: Part::EndToEnd,
        needs: &[],
        tools: &[Tool::Node, Tool::Npm],
        run: |runner| {
            packages::NODE_DIRECTORIES
                .into_iter()
                .try_for_each(|directory| packages::install_node(runner, directory))
        },
    },
    Step {
        name: "venv",
        about: "the packages of the Python suite",
        part: Part::EndToEnd,
        needs: &[],
        tools: &[Tool::Python],
        run: packages::install_python,
    },
    Step {
        name: "build",
        about: "the servers and the client under test",
        part: Part::EndToEnd,
        needs: &[],
        tools: &[],
        run: |runner| {
            let packages = ["interop-server", "interop-client", "chat"];
            let packages = packages.iter().flat_map(|package| ["-p", package]);
            let arguments: Vec<_> = std::iter::once("build").chain(packages).collect();
            runner.run(&mut runner.cargo(&arguments))
        },
    },
    Step {
        name: "node-reference",
        about: "the Node.js suites against the reference, which has to pass them first",
        part: Part::EndToEnd,
        needs: &["npm"],
        tools: &[Tool::Node, Tool::Npm],
        run: |runner| node_suites(runner, "reference"),
    },
    Step {
        name: "node",
        about: "the Node.js suites against Sockeye",
        part: Part::EndToEnd,
        needs: &["npm", "build"],
        tools: &[Tool::Node, Tool::Npm],
        run: |runner| node_suites(runner, "sockeye"),
    },
    Step {
        name: "client",
        about: "our client against servers of others: socket.io 4, 3 and 2, python-socketio",
        part: Part::EndToEnd,
        needs: &["npm", "venv", "build"],
        tools: &[Tool::Node, Tool::Npm, Tool::Python],
        run: client_suite,
    },
    Step {
        name: "python-reference",
        about: "the Python suite against the reference",
        part: Part::EndToEnd,
        needs: &["npm", "venv"],
        tools: &[Tool::Node, Tool::Python],
        run: |runner| python_suite(runner, "reference"),
    },
    Step {
        name: "python",
        about: "the Python suite against Sockeye",
        part: Part::EndToEnd,
        needs: &["venv", "build"],
        tools: &[Tool::Python],
        run: |runner| python_suite(runner, "sockeye"),
    },
    Step {
        name: "browser",
        about: "the chat example in a real browser",
        part: Part::EndToEnd,
        needs: &["npm", "build"],
        tools: &[Tool::Node, Tool::Chromium],
        run: browser_test,
    },
];

pub(crate) fn main(arguments: &[&str]) -> Result<bool> {
    if let ["--help" | "-h", ..] = arguments {
        print!("{}", usage());
        return Ok(true);
    }
    let selected = select(arguments)?;
    let runner = Runner::new()?;
    let mut report = Report::new(selected.len() + 1);
    let prepared = report.step(PREREQUISITES, "what the steps need is installed", || {
        // Asked for alone, it looks for everything.
        let steps = if selected.is_empty() { &STEPS.each_ref() } else { &selected[..] };
        tools::check(&runner, &tools_of(steps))
    });
    if prepared {
        for step in selected {
            if runner.interrupted() {
                break;
            }
            match step.needs.iter().find(|need| !report.passed(need)) {
                Some(need) => report.skip(step.name, format!("it needs {need}")),
                None => _ = report.step(step.name, step.about, || (step.run)(&runner)),
            }
        }
    }
    Ok(report.close())
}

/// What each selected step needs, once.
fn tools_of(steps: &[&Step]) -> Vec<Tool> {
    let mut tools: Vec<Tool> = steps.iter().flat_map(|step| step.tools).copied().collect();
    tools.sort_unstable();
    tools.dedup();
    tools
}

/// The steps that the arguments name, with those that they need, in order.
fn select(arguments: &[&str]) -> Result<Vec<&'static Step>> {
    let mut named = vec![];
    for argument in arguments {
        match *argument {
            "--rust" => named.extend(STEPS.iter().filter(|step| step.part == Part::Rust)),
            "--e2e" => named.extend(STEPS.iter().filter(|step| step.part == Part::EndToEnd)),
            PREREQUISITES => (),
            name => match STEPS.iter().find(|step| step.name == name) {
                Some(step) => named.push(step),
                None => return Err(format!("there is no step `{name}`\n\n{}", usage()).into()),
            },
        }
    }
    let wanted = |step: &&Step| {
        arguments.is_empty()
            || named.iter().any(|one| one.name == step.name || one.needs.contains(&step.name))
    };
    Ok(STEPS.iter().filter(wanted).collect())
}

fn usage() -> String {
    let mut usage = USAGE.to_owned();
    let mut line = |name: &str, about: &str| usage += &format!("  {name:20}{about}\n");
    line(PREREQUISITES, "what the steps need is installed; always the first");
    let parts = [
        (Part::Rust, "--rust", "all that needs no clients of others:"),
        (Part::EndToEnd, "--e2e", "all that needs the clients of others:"),
    ];
    for (part, flag, about) in parts {
        line(flag, about);
        for step in STEPS.iter().filter(|step| step.part == part) {
            line(&format!("  {}", step.name), step.about);
        }
    }
    usage
}

fn node_suites(runner: &Runner, target: &str) -> Result {
    let mut npm = runner.command("npm", "e2e");
    npm.arg("test").env("TARGET", target).env("INTEROP_SERVER", runner.binary("interop-server"));
    runner.run(&mut npm)
}

fn client_suite(runner: &Runner) -> Result {
    let mut npm = runner.command("npm", "e2e");
    npm.args(["run", "test:client"])
        .env("PYTHON", packages::python(runner))
        .env("INTEROP_SERVER", runner.binary("interop-server"))
        .env("INTEROP_CLIENT", runner.binary("interop-client"));
    runner.run(&mut npm)
}

fn python_suite(runner: &Runner, target: &str) -> Result {
    let mut python = runner.command(packages::python(runner), "e2e");
    python
        .args(["-W", "ignore", "-m", "unittest", "discover", "-s", "python"])
        .env("TARGET", target)
        .env("INTEROP_SERVER", runner.binary("interop-server"));
    runner.run(&mut python)
}

fn browser_test(runner: &Runner) -> Result {
    let browser = tools::chromium().ok_or("there is no browser any more")?;
    let mut node = runner.command("node", "e2e");
    node.args(["--test", "browser/chat.test.mjs"])
        .env("CHROMIUM", browser)
        // A command line, in which quotes keep a path in one piece.
        .env("CHAT_SERVER", format!("\"{}\"", runner.binary("chat").display()))
        .env("PAGE_PORT", "0");
    runner.run(&mut node)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Vec<&'static str> {
        select(arguments).unwrap().iter().map(|step| step.name).collect()
    }

    #[test]
    fn named_steps_run_in_order_after_what_they_need() {
        assert_eq!(names(&["browser", "fmt"]), ["fmt", "npm", "build", "browser"]);
        assert_eq!(names(&["prerequisites"]), [""; 0]);
        assert_eq!(names(&["--rust"]), ["fmt", "clippy", "doc", "unit", "features", "counts"]);
        assert_eq!(names(&["--rust", "--e2e"]), names(&[]));
        assert_eq!(names(&[]).len(), STEPS.len());
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_list_of_those_there_are() {
        let error = select(&["fmt", "lint"]).err().unwrap().to_string();
        assert!(error.starts_with("there is no step `lint`\n"), "{error}");
        assert!(error.contains("  fmt  "), "{error}");
    }

    #[test]
    fn what_a_step_needs_is_an_earlier_step_that_needs_nothing() {
        for (index, step) in STEPS.iter().enumerate() {
            for need in step.needs {
                let needed = STEPS[..index].iter().find(|earlier| earlier.name == *need).unwrap();
                assert_eq!(needed.needs, [""; 0], "{need}, of {}", step.name);
            }
        }
    }

    #[test]
    fn tools_are_those_of_the_steps_once_each() {
        assert_eq!(
            tools_of(&select(&["--rust"]).unwrap()),
            [Tool::Rustfmt, Tool::Clippy, Tool::Valgrind, Tool::Strace]
        );
        assert_eq!(
            tools_of(&select(&["--e2e"]).unwrap()),
            [Tool::Node, Tool::Npm, Tool::Python, Tool::Chromium]
        );
    }
}
