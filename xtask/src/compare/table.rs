//! Tables, for the terminal and for a page.

use std::fmt::Write as _;

/// Cells in rows; the first row is the header.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

/// How tables are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Terminal,
    Markdown,
}

impl Table {
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines of the table. The first column is to the left, the others to the right.
    pub(crate) fn render(&self, style: Style) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
                if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
            });
            let cells: Vec<String> = cells.collect();
            match style {
                Style::Terminal => _ = writeln!(text, "{}", cells.join("  ").trim_end()),
                Style::Markdown => _ = writeln!(text, "| {} |", cells.join(" | ")),
            }
            if index == 0 && style == Style::Markdown {
                let rules = (0..columns).map(|column| if column == 0 { "---" } else { "--:" });
                _ = writeln!(text, "| {} |", rules.collect::<Vec<_>>().join(" | "));
            }
        }
        text
    }
}

/// A number with about three digits, and thousands apart; a dash if there is none.
pub(crate) fn number(value: Option<f64>) -> String {
    let Some(value) = value else { return "–".to_owned() };
    match value.abs() {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => grouped(value.round() as i64),
    }
}

/// A whole number, thousands apart.
pub(crate) fn count(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| grouped(value.round() as i64))
}

fn grouped(value: i64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        for (value, expected) in [
            (Some(0.345), "0.34"),
            (Some(9.999), "10.0"),
            (Some(28.53), "28.5"),
            (Some(128.53), "129"),
            (Some(1_234_567.8), "1,234,568"),
            (None, "–"),
        ] {
            assert_eq!(number(value), expected);
        }
        assert_eq!(count(Some(0.0)), "0");
    }

    #[test]
    fn a_table_is_aligned_or_markdown() {
        let mut table = Table::default();
        table.row(["scenario", "µs"].map(str::to_owned));
        table.row(["echo", "10.6"].map(str::to_owned));
        assert_eq!(table.render(Style::Terminal), "scenario    µs\necho      10.6\n");
        let markdown = "| scenario |   µs |\n| --- | --: |\n| echo     | 10.6 |\n";
        assert_eq!(table.render(Style::Markdown), markdown);
    }
}
