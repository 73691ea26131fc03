//! A timeline in a terminal.

use std::fmt::Write;
use std::time::Duration;

use super::timeline::{Axis, Bar, Kind, Row, Timeline};
use super::words::{COLUMNS, paragraph, shortened};
use crate::model::duration::Human;
use crate::model::order::order_by;
use crate::model::report::Report;

/// The widest that a name may be.
const NAME: usize = 24;
/// The width of what stands right of the bars.
const TOOK: usize = 11;

pub(super) fn text(report: &Report, has_colours: bool) -> String {
    let timeline = Timeline::new(report);
    let mut text = format!("{}; exit code {}\n", report.reason, report.exit_code);
    let part = |text: &mut String, axis: &Axis, choose: fn(&Row) -> (bool, &str)| {
        write_axis(text, axis, &timeline.rows, choose, has_colours);
    };
    part(&mut text, &timeline.start, |row| (row.is_critical.0, &row.took.0));
    if let Some(stop) = &timeline.stop {
        text.push('\n');
        part(&mut text, stop, |row| (row.is_critical.1, &row.took.1));
    }
    text.push('\n');
    for &kind in &[Kind::Waiting, Kind::Acquiring, Kind::Draining, Kind::Releasing] {
        let glyph = paint(&glyph(kind).to_string(), kind, has_colours);
        let _ = write!(text, "  {glyph} {}", kind.word());
    }
    text += "  * critical path\n";
    for row in &timeline.rows {
        if let Some(trouble) = &row.trouble {
            text += &paragraph(&format!("  {}: ", shortened(row.name, NAME)), trouble);
        }
    }
    text
}

fn write_axis(
    text: &mut String,
    axis: &Axis,
    rows: &[Row],
    choose: fn(&Row) -> (bool, &str),
    has_colours: bool,
) {
    let longest = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let name = longest.min(NAME);
    // Two for the mark of the critical path, and one before and after the bars.
    let cells = COLUMNS - name - TOOK - 5;
    let _ = writeln!(text, "{}", axis.title);
    for row in rows {
        let (is_critical, took) = choose(row);
        let mark = if is_critical { '*' } else { ' ' };
        let bars = bars(row, axis, cells, has_colours);
        let line = format!("  {mark}{:name$} {bars} {took}", shortened(row.name, name));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let end = Human(axis.length()).to_string();
    let gap = cells.saturating_sub(1 + end.chars().count());
    let _ = writeln!(text, "   {:name$} 0{:gap$}{end}", "", "");
    for (what, at) in marks(axis) {
        let place = cell(axis.place(at), cells).min(cells.saturating_sub(1));
        let words = format!("{what} {}", Human(at.saturating_sub(axis.from)));
        // To the left of its mark where there is no room to the right.
        let line = if place + 2 + words.chars().count() <= cells + TOOK {
            format!("{:place$}^ {words}", "")
        } else {
            format!("{:>width$} ^", words, width = place.saturating_sub(1))
        };
        let _ = writeln!(text, "   {:name$} {line}", "");
    }
}

fn marks(axis: &Axis) -> Vec<(String, Duration)> {
    let mut marks: Vec<(String, Duration)> =
        axis.marks.iter().map(|mark| (mark.what.clone(), mark.at)).collect();
    marks.extend(axis.delay.map(|until| ("end of the drain delay".to_owned(), until)));
    let order = order_by(marks.len(), &|one, other| marks[one].1.cmp(&marks[other].1));
    order.into_iter().map(|place| std::mem::take(&mut marks[place])).collect()
}

/// The bars of a row in so many cells. Each bar has a cell at least, as long as there are cells.
fn bars(row: &Row, axis: &Axis, cells: usize, has_colours: bool) -> String {
    let mut line: Vec<Option<Kind>> = vec![None; cells];
    let parts: Vec<Bar> = row.bars.iter().filter_map(|bar| axis.part(*bar)).collect();
    // What is short comes last, so that it is not hidden by what is long beside it.
    let is_work = |kind: Kind| matches!(kind, Kind::Acquiring | Kind::Draining | Kind::Releasing);
    for &works in &[false, true] {
        for bar in parts.iter().filter(|bar| is_work(bar.kind) == works) {
            let from = cell(axis.place(bar.from), cells).min(cells - 1);
            let to = cell(axis.place(bar.to), cells).max(from + 1).min(cells);
            line[from..to].fill(Some(bar.kind));
        }
    }
    let mut text = String::new();
    for run in line.chunk_by(|one, other| one == other) {
        match run[0] {
            Some(kind) => {
                let glyphs: String = std::iter::repeat_n(glyph(kind), run.len()).collect();
                text += &paint(&glyphs, kind, has_colours);
            }
            None => text.extend(std::iter::repeat_n(' ', run.len())),
        }
    }
    text
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place is between 0 and 1")]
fn cell(place: f64, cells: usize) -> usize {
    (place * f64::from(u32::try_from(cells).unwrap_or(u32::MAX))).round() as usize
}

fn glyph(kind: Kind) -> char {
    match kind {
        Kind::Waiting => '·',
        Kind::Acquiring => '█',
        Kind::Ready => ' ',
        Kind::Draining => '▒',
        Kind::Releasing => '▓',
    }
}

fn paint(text: &str, kind: Kind, has_colours: bool) -> String {
    let code = match kind {
        Kind::Waiting => "2",
        Kind::Acquiring => "34",
        Kind::Ready => return text.to_owned(),
        Kind::Draining => "33",
        Kind::Releasing => "35",
    };
    if has_colours { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}
