//! Counts beside what was expected of them.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Deserialize;

/// The version of the compiler that built this program and, with it, the server.
pub(crate) const COMPILER: &str = env!("COMPILER");

/// What the file of expectations begins with.
const HEADER: &str = "\
# What Sockeye's work costs: counts that no noise can touch, checked by `cargo xtask test counts`.
#
# A commit that raises a number gives its reason in its message. One that lowers a number lowers it
# here as well: `cargo run --release -p counts -- --bless` rewrites this file. README.md says how
# each is counted.
";

/// Numbers of one kind.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// By what share a number may exceed the expected one.
    pub(crate) tolerance: f64,
    /// A difference of so little is no difference, whatever the share.
    pub(crate) least: f64,
    /// Whether another compiler gives other numbers.
    pub(crate) by_compiler: bool,
    pub(crate) rows: Vec<Row>,
}

/// Numbers of one kind of work.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) values: Vec<(&'static str, f64)>,
    /// Instead of the section's, where chance has a larger share.
    pub(crate) tolerance: Option<f64>,
    /// Said beside the numbers, and not checked.
    pub(crate) note: String,
}

/// The file of expectations: by section, row and name of the number.
#[derive(Debug, Deserialize)]
pub(crate) struct Expected {
    /// With what the numbers were counted that depend on it.
    compiler: String,
    #[serde(flatten)]
    sections: BTreeMap<String, BTreeMap<String, BTreeMap<String, f64>>>,
}

/// A number and what was expected.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    AsExpected,
    Grew(f64),
    /// By so much that the expectation should be lowered.
    Fell(f64),
    NotExpected,
    /// Counted with another compiler.
    NotComparable(f64),
}

/// How much a number may fall without being mentioned.
const MUCH: f64 = 0.05;

impl Expected {
    fn judge(&self, section: &Section, row: &Row, key: &str, value: f64) -> Verdict {
        let rows = self.sections.get(section.name);
        let expected = rows.and_then(|rows| rows.get(row.name)).and_then(|row| row.get(key));
        let Some(&expected) = expected else { return Verdict::NotExpected };
        if section.by_compiler && self.compiler != COMPILER {
            return Verdict::NotComparable(expected);
        }
        let over = value - expected;
        let tolerance = row.tolerance.unwrap_or(section.tolerance);
        let much = tolerance.max(MUCH);
        if over > (expected * tolerance).max(section.least) {
            Verdict::Grew(expected)
        } else if -over > (expected * much).max(section.least) {
            Verdict::Fell(expected)
        } else {
            Verdict::AsExpected
        }
    }

    /// Expected rows and numbers of a section that nobody counts any more.
    fn forgotten(&self, section: &Section) -> Vec<String> {
        let is_counted = |name: &str, key: &str| {
            let row = section.rows.iter().find(|row| row.name == name);
            row.is_some_and(|row| row.values.iter().any(|(counted, _)| *counted == key))
        };
        let rows = self.sections.get(section.name).into_iter().flatten();
        rows.flat_map(|(name, row)| row.keys().map(move |key| (name, key)))
            .filter(|(name, key)| !is_counted(name, key))
            .map(|(name, key)| format!("{}.{name}.{key}", section.name))
            .collect()
    }
}

/// The table for people, and what is wrong.
pub(crate) fn compare(sections: &[Section], expected: &Expected) -> (String, Vec<String>) {
    let mut table = String::new();
    let mut failures = Vec::new();
    for section in sections {
        _ = writeln!(table, "\n{}: {}", section.name, section.about);
        for row in &section.rows {
            _ = write!(table, "  {:18}", row.name);
            for (key, value) in &row.values {
                _ = write!(table, "{:>9} {key}", number(*value));
                let name = format!("{}.{}.{key}", section.name, row.name);
                match expected.judge(section, row, key, *value) {
                    Verdict::AsExpected => (),
                    Verdict::NotComparable(before) => {
                        _ = write!(table, " (not checked, {})", number(before));
                    }
                    Verdict::Fell(before) => {
                        _ = write!(table, " (BETTER than {}: lower it)", number(before));
                    }
                    Verdict::Grew(before) => {
                        let (before, value) = (number(before), number(*value));
                        _ = write!(table, " (expected {before})");
                        failures.push(format!("{name} is {value}, and was {before}"));
                    }
                    Verdict::NotExpected => failures.push(format!("{name} is not expected yet")),
                }
            }
            _ = writeln!(table, "   {}", row.note);
        }
        let forgotten = expected.forgotten(section);
        failures.extend(forgotten.iter().map(|name| format!("{name} is not counted any more")));
    }
    if expected.compiler != COMPILER {
        let ours = COMPILER;
        let theirs = &expected.compiler;
        _ = writeln!(table, "\nnot checked: counted with {ours}, expected with {theirs}");
    }
    (table, failures)
}

/// The file of expectations for these counts.
pub(crate) fn bless(sections: &[Section]) -> String {
    let mut text = format!("{HEADER}\ncompiler = \"{COMPILER}\"\n");
    for section in sections {
        let rule = match section.by_compiler {
            true => ", with the same compiler",
            false => "",
        };
        let percent = section.tolerance * 100.;
        _ = writeln!(text, "\n# {}; {percent} % more is tolerated{rule}.", section.about);
        _ = writeln!(text, "[{}]", section.name);
        for row in &section.rows {
            let values =
                row.values.iter().map(|(key, value)| format!("{key} = {}", number(*value)));
            let values: Vec<String> = values.collect();
            _ = write!(text, "{} = {{ {} }}", row.name, values.join(", "));
            let rule = row.tolerance.map(|share| format!(" # {} %", share * 100.));
            _ = writeln!(text, "{}", rule.unwrap_or_default());
        }
    }
    text
}

/// As many decimals as mean something.
fn number(value: f64) -> String {
    match value.abs() {
        0.00005..1. => format!("{value:.4}"),
        // Not "-0".
        0.0..0.00005 => "0".to_owned(),
        1.0..100. => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(values: &[(&'static str, f64)]) -> Section {
        let rows = values
            .iter()
            .map(|(name, value)| Row {
                name,
                values: vec![("bytes", *value)],
                tolerance: None,
                note: String::new(),
            })
            .collect();
        let tolerance = 0.01;
        Section { name: "heap", about: "bytes", tolerance, least: 0.02, by_compiler: false, rows }
    }

    fn failures(counted: &Section, expected: &str) -> Vec<String> {
        compare(std::slice::from_ref(counted), &toml::from_str(expected).unwrap()).1
    }

    #[test]
    fn what_is_blessed_is_expected() {
        let counted = section(&[("echo", 3.333), ("idle", 2_345.678), ("broadcast", 0.0001)]);
        let blessed = bless(std::slice::from_ref(&counted));
        assert_eq!(failures(&counted, &blessed), [""; 0], "{blessed}");
        let lines =
            "echo = { bytes = 3.33 }\nidle = { bytes = 2346 }\nbroadcast = { bytes = 0.0001 }\n";
        assert!(blessed.ends_with(lines), "{blessed}");
    }

    #[test]
    fn what_grows_beyond_its_tolerance_fails() {
        let expected = bless(&[section(&[("idle", 1000.)])]);
        assert_eq!(failures(&section(&[("idle", 1010.)]), &expected), [""; 0]);
        let grown = failures(&section(&[("idle", 1011.)]), &expected);
        assert_eq!(grown, ["heap.idle.bytes is 1011, and was 1000"]);
        // Nothing times its tolerance is nothing; rounding is not.
        let expected = bless(&[section(&[("idle", 0.)])]);
        assert_eq!(failures(&section(&[("idle", 0.019)]), &expected), [""; 0]);
        assert_eq!(failures(&section(&[("idle", 0.03)]), &expected).len(), 1);
    }

    #[test]
    fn a_row_can_have_a_tolerance_of_its_own() {
        let expected = bless(&[section(&[("idle", 1000.)])]);
        let mut counted = section(&[("idle", 1090.)]);
        counted.rows[0].tolerance = Some(0.1);
        assert_eq!(failures(&counted, &expected), [""; 0]);
        counted.rows[0].values[0].1 = 1101.;
        assert_eq!(failures(&counted, &expected).len(), 1);
        assert!(bless(&[counted]).ends_with("idle = { bytes = 1101 } # 10 %\n"));
    }

    #[test]
    fn what_falls_by_much_is_told() {
        let expected = toml::from_str(&bless(&[section(&[("idle", 1000.)])])).unwrap();
        let table = |value| compare(&[section(&[("idle", value)])], &expected);
        assert!(!table(951.).0.contains("BETTER"));
        let (text, failures) = table(949.);
        assert!(text.contains("BETTER than 1000: lower it"), "{text}");
        assert_eq!(failures, [""; 0]);
    }

    #[test]
    fn what_only_one_of_both_knows_fails() {
        let expected = bless(&[section(&[("old", 1.)])]);
        let failures = failures(&section(&[("new", 1.)]), &expected);
        let told = ["heap.new.bytes is not expected yet", "heap.old.bytes is not counted any more"];
        assert_eq!(failures, told);
    }

    #[test]
    fn numbers_of_another_compiler_are_shown_and_not_checked() {
        let mut counted = section(&[("echo", 200.)]);
        counted.by_compiler = true;
        let expected = "compiler = \"rustc 1.0.0\"\n[heap]\necho = { bytes = 100 }\n";
        let (table, failures) = compare(&[counted], &toml::from_str(expected).unwrap());
        assert_eq!(failures, [""; 0]);
        assert!(table.contains("not checked: counted with rustc "), "{table}");
    }
}
