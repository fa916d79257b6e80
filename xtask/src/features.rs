//! `docs/feature-table.md` keeps what it promises: every row names tests that exist and run, or says
//! that there is nothing yet, or why it is left out.

use std::{collections::HashMap, fs};

use crate::run::{Result, Runner};

/// How many rows may lean on one test.
const MAX_ROWS: usize = 5;

/// Where `module::test` is looked for, and `client::module::test`, and `manager::module::test`.
const SERVER_TESTS: &str = "crates/server/tests/server";
const OTHER_TESTS: [(&str, &str); 2] =
    [("client", "crates/client/tests/client"), ("manager", "crates/protocol/tests/manager")];

/// Complains about all rows that are wrong.
pub(crate) fn check(runner: &Runner) -> Result {
    let table = fs::read_to_string(runner.path("docs/feature-table.md"))?;
    let read = |path: &str| fs::read_to_string(runner.path(path)).ok();
    let complaints = complaints(&table, &read);
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n").into()) }
}

fn complaints(table: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut complaints = vec![];
    let mut rows_of = HashMap::<&str, usize>::new();
    for (index, row) in table.lines().enumerate() {
        let mut complain = |what: String| {
            complaints.push(format!("docs/feature-table.md:{}: {what}", index + 1));
        };
        let shown = match cells(row)[..] {
            [_, _, shown] if shown != "shown by" => shown,
            [] | [_, _, _] => continue,
            _ => {
                complain("a row has three cells".to_owned());
                continue;
            }
        };
        if shown.starts_with("not yet") || shown.starts_with("left out: ") {
            continue;
        }
        let tests: Vec<_> = shown.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() {
            complain("no test, nor `not yet`, nor `left out: …`".to_owned());
        }
        for test in tests {
            if let Err(problem) = find(test, read) {
                complain(problem);
            }
            let rows = rows_of.entry(test).or_default();
            *rows += 1;
            if *rows > MAX_ROWS {
                complain(format!("`{test}` stands for more than {MAX_ROWS} rows"));
            }
        }
    }
    complaints
}

/// The cells of a row; none of what is no row, as the line under a head.
fn cells(line: &str) -> Vec<&str> {
    let row = line.strip_prefix("| ").and_then(|row| row.strip_suffix(" |"));
    row.map_or_else(Vec::new, |row| row.split(" | ").collect())
}

/// Whether a test exists and runs: `module::test` of the server's, `client::module::test` and its
/// like, or `path#test` of any other.
fn find(test: &str, read: &dyn Fn(&str) -> Option<String>) -> std::result::Result<(), String> {
    let (path, name) = match (test.split_once('#'), test.split_once("::")) {
        (Some((path, name)), _) => (path.to_owned(), name),
        (None, Some((first, rest))) => {
            let other = OTHER_TESTS.iter().find(|(suite, _)| *suite == first);
            match (other, rest.split_once("::")) {
                (Some((_, folder)), Some((module, name))) => {
                    (format!("{folder}/{module}.rs"), name)
                }
                _ => (format!("{SERVER_TESTS}/{first}.rs"), rest),
            }
        }
        (None, None) => return Err(format!("`{test}` is neither `module::test` nor `path#test`")),
    };
    let source = read(&path).ok_or_else(|| format!("there is no file {path}"))?;
    let runs = if path.ends_with(".rs") { rust_test(&source, name) } else { other(&source, name) };
    match runs {
        Some(true) => Ok(()),
        Some(false) => Err(format!("`{test}` is skipped")),
        None => Err(format!("there is no test `{name}` in {path}")),
    }
}

/// Whether a test of Rust runs, if it exists.
fn rust_test(source: &str, name: &str) -> Option<bool> {
    let head = format!("fn {name}(");
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| line.contains(&head))?;
    let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    let attributes: Vec<_> = attributes.collect();
    let is_test = attributes.iter().any(|line| line.contains("test"));
    is_test.then(|| !attributes.iter().any(|line| line.contains("ignore")))
}

/// Whether a test of JavaScript or Python runs, if it exists.
fn other(source: &str, name: &str) -> Option<bool> {
    let heads = [format!("test(\"{name}\""), format!("test(`{name}`"), format!("def {name}(")];
    let mut lines = source.lines();
    let line = lines.find(|line| heads.iter().any(|head| line.contains(head)))?;
    Some(!["notYet(", "skip", "todo"].iter().any(|mark| line.contains(mark)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<String> {
        let text = match path {
            "crates/server/tests/server/rooms.rs" => {
                "#[tokio::test]\nasync fn one() {}\n#[test]\n#[ignore]\nfn two() {}\nfn three() {}"
            }
            "a.mjs" => "test(\"a b\", async () => {});\ntest(`c`, notYet(\"d\"), () => {});",
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn of(cell: &str) -> Vec<String> {
        let head = "| feature | Sockeye | shown by |\n|---|---|---|\n";
        let complaints = complaints(&format!("{head}| x | y | {cell} |\n"), &read);
        complaints.iter().map(|text| text.replace("docs/feature-table.md:3: ", "")).collect()
    }

    #[test]
    fn a_row_names_tests_that_run_or_says_why_not() {
        assert_eq!(of("`rooms::one`, `a.mjs#a b`"), [""; 0]);
        assert_eq!(of("not yet"), [""; 0]);
        assert_eq!(of("left out: it makes no sense here"), [""; 0]);
        assert_eq!(of("it works"), ["no test, nor `not yet`, nor `left out: …`"]);
        assert_eq!(of("`rooms::two`"), ["`rooms::two` is skipped"]);
        assert_eq!(
            of("`rooms::three`"),
            ["there is no test `three` in crates/server/tests/server/rooms.rs"]
        );
        assert_eq!(of("`a.mjs#c`"), ["`a.mjs#c` is skipped"]);
        assert_eq!(of("`b.mjs#c`"), ["there is no file b.mjs"]);
        assert_eq!(of("`c`"), ["`c` is neither `module::test` nor `path#test`"]);
    }

    #[test]
    fn no_row_goes_unread() {
        assert_eq!(of("`rooms::one` | more"), ["a row has three cells"]);
    }

    #[test]
    fn a_test_stands_for_five_rows_at_most() {
        let table = "| x | y | `rooms::one` |\n".repeat(6);
        let complaints = complaints(&table, &read);
        assert_eq!(
            complaints,
            ["docs/feature-table.md:6: `rooms::one` stands for more than 5 rows"]
        );
    }
}
