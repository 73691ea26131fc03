//! Figures in rows and columns, for people and for programs.

use std::fmt;

use serde_json::{Value, json};

use crate::series::Series;

/// Ratios whose middle half lies further apart than this are marked: the machine was busy.
const NOISY: f64 = 0.2;

/// What a column shows of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Median,
    /// The median, the least and the greatest.
    Range,
    /// The same, and a mark if the figures lie far apart.
    Ratio,
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) columns: Vec<(&'static str, Show)>,
    /// What a row is about, and one series for each column.
    pub(crate) rows: Vec<(String, Vec<Series>)>,
}

impl Table {
    pub(crate) fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|(name, cells)| {
            let figures = self.columns.iter().zip(cells);
            let figures = figures.map(|((column, _), series)| ((*column).to_owned(), series.to_json()));
            json!({ "name": name, "figures": Value::Object(figures.collect()) })
        });
        json!({ "title": self.title, "rows": rows.collect::<Vec<_>>() })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        let mut lines = vec![vec![String::new()]];
        lines[0].extend(self.columns.iter().map(|(name, _)| (*name).to_owned()));
        for (name, cells) in &self.rows {
            let mut line = vec![name.clone()];
            line.extend(self.columns.iter().zip(cells).map(|((_, show), series)| cell(*show, series)));
            lines.push(line);
        }
        let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..=self.columns.len()).map(width).collect();
        for line in &lines {
            write!(f, "{:1$}", line[0], widths[0])?;
            for (cell, width) in line.iter().zip(&widths).skip(1) {
                write!(f, "  {cell:>width$}")?;
            }
            writeln!(f)?;
        }
        let has_ratio = |(_, show): &&(&str, Show)| *show == Show::Ratio;
        if self.columns.iter().any(|column| has_ratio(&column)) {
            writeln!(f, "a ratio with `~`: its middle half lies {:.0} % apart or more", NOISY * 100.0)?;
        }
        Ok(())
    }
}

fn cell(show: Show, series: &Series) -> String {
    let median = figure(series.median());
    let range = format!("({}-{})", figure(series.min()), figure(series.max()));
    match show {
        Show::Median => median,
        Show::Range => format!("{median} {range}"),
        Show::Ratio if series.spread() > NOISY => format!("~{median} {range}"),
        Show::Ratio => format!("{median} {range}"),
    }
}

/// Three digits that count, or all there are before the point.
fn figure(figure: f64) -> String {
    let decimals = match figure.abs() {
        0.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{figure:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let shown = [0.123, 1.234, 12.34, 123.4, 1234.5].map(figure);
        assert_eq!(shown, ["0.12", "1.23", "12.3", "123", "1234"]);
    }
}
