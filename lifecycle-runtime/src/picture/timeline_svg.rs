//! A timeline as a picture: one row for each resource, the start on the left and the stop on the right.

use std::time::Duration;

use super::svg::{Escaped, Svg, fitting, float, width};
use super::timeline::{Axis, Kind, Row, Timeline};
use super::words::shortened;
use crate::model::duration::Human;
use crate::model::report::Report;

const TEXT: f64 = 12.0;
const SMALL: f64 = 11.0;
const MARGIN: f64 = 24.0;
const ROW: f64 = 24.0;
const BAR: f64 = 14.0;
const AXIS: f64 = 380.0;
/// Between an axis and what stands right of it.
const GAP: f64 = 10.0;
/// For how long something took.
const TOOK: f64 = 96.0;
const TOP: f64 = 96.0;
/// The widest that a name may be.
const NAME: usize = 32;

pub(super) fn picture(report: &Report) -> String {
    let timeline = Timeline::new(report);
    let rows = &timeline.rows;
    let names: Vec<String> = rows.iter().map(|row| shortened(row.name, NAME)).collect();
    let names_width = names.iter().map(|name| width(name, TEXT)).fold(0.0, f64::max);
    let left = MARGIN + 14.0 + names_width + GAP;
    let right = left + AXIS + GAP + TOOK;
    let bottom = TOP + ROW * float(rows.len());
    let axes = 1.0 + float(usize::from(timeline.stop.is_some()));
    let title = format!("{}; exit code {}", report.reason, report.exit_code);
    let wide = (left + axes * (AXIS + GAP + TOOK)).max(MARGIN + width(&title, 16.0)) + MARGIN;
    let most_lines = timeline.start.lines().max(timeline.stop.as_ref().map_or(0, Axis::lines));
    let marks = 16.0 * float(most_lines);
    let troubles: Vec<String> =
        rows.iter().filter_map(|row| Some(format!("{}: {}", row.name, row.trouble.as_ref()?))).collect();
    let legend_at = bottom + 40.0 + marks;
    let high = legend_at + 18.0 * (1.0 + float(troubles.len())) + 8.0;

    let mut svg = Svg::new(wide, high, &title);
    svg.text((MARGIN, 36.0), 16.0, "text", &title);
    for (place, (name, row)) in names.iter().zip(rows).enumerate() {
        let y = TOP + ROW * float(place);
        let class = if row.trouble.is_some() { "bad" } else { "text" };
        svg.text((MARGIN + 14.0, y + 16.0), TEXT, class, name);
    }
    draw(&mut svg, &timeline.start, rows, left, |row| (row.is_critical.0, &row.took.0));
    if let Some(stop) = &timeline.stop {
        draw(&mut svg, stop, rows, right, |row| (row.is_critical.1, &row.took.1));
    }
    legend(&mut svg, legend_at);
    for (place, trouble) in troubles.iter().enumerate() {
        let fitting = fitting(trouble, SMALL, wide - 2.0 * MARGIN);
        svg.text((MARGIN, legend_at + 18.0 * (1.0 + float(place))), SMALL, "bad", &fitting);
    }
    svg.end()
}

fn draw(svg: &mut Svg, axis: &Axis, rows: &[Row], left: f64, choose: fn(&Row) -> (bool, &str)) {
    let bottom = TOP + ROW * float(rows.len());
    let x = |at: Duration| left + AXIS * axis.place(at);
    svg.text((left, 62.0), TEXT, "text", &axis.title);
    if let Some(until) = axis.delay {
        svg.add(format_args!(
            "<rect x=\"{left:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\" class=\"wait\" opacity=\"0.35\">\
             <title>drain delay: {}</title></rect>",
            x(until) - left,
            bottom - TOP,
            Human(until.saturating_sub(axis.from))
        ));
    }
    // Where there is no room for the words of a tick, its line is enough.
    let mut taken = left;
    for tick in ticks(axis.length()) {
        let (at, words) = (x(axis.from + tick), Human(tick).to_string());
        svg.add(format_args!("<path d=\"M{at:.1} {:.1}V{bottom:.1}\" class=\"grid\"/>", TOP - 4.0));
        let wide = width(&words, SMALL);
        let from = (at - wide / 2.0).clamp(left, left + AXIS - wide);
        if from >= taken {
            svg.text((from, TOP - 10.0), SMALL, "soft", &words);
            taken = from + wide + GAP;
        }
    }
    for (place, row) in rows.iter().enumerate() {
        let y = TOP + ROW * float(place) + (ROW - BAR) / 2.0;
        for bar in row.bars.iter().filter_map(|bar| axis.part(*bar)) {
            // Waiting is thin, so that work stands out; what is short is still seen.
            let (height, least) = if bar.kind == Kind::Waiting { (2.0, 0.0) } else { (BAR, 2.0) };
            let (from, to) = (x(bar.from), x(bar.to));
            svg.add(format_args!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height}\" rx=\"2\" class=\"{}\">\
                 <title>{}: {} for {}, from {}</title></rect>",
                from.min(left + AXIS - least),
                y + (BAR - height) / 2.0,
                (to - from).max(least),
                class(bar.kind),
                Escaped(row.name),
                bar.kind.word(),
                Human(bar.to.saturating_sub(bar.from)),
                Human(bar.from.saturating_sub(axis.from)),
            ));
        }
        let (is_critical, took) = choose(row);
        svg.text((left + AXIS + GAP, y + BAR - 3.0), SMALL, "soft", took);
        if is_critical {
            let at = (left + AXIS + GAP + width(took, SMALL) + 5.0, y + BAR - 3.0);
            svg.text(at, SMALL, "text", "◆");
        }
    }
    let mut at_y = bottom + 16.0;
    for mark in &axis.marks {
        let at = x(mark.at);
        let words = format!("{} {}", mark.what, Human(mark.at.saturating_sub(axis.from)));
        svg.add(format_args!(
            "<path d=\"M{at:.1} {:.1}V{:.1}\" class=\"mark\" stroke-dasharray=\"3 3\"/>",
            TOP - 4.0,
            at_y - 4.0
        ));
        let from = (at + 4.0).min(left + AXIS + GAP + TOOK - width(&words, SMALL));
        svg.text((from, at_y), SMALL, "bad", &words);
        at_y += 16.0;
    }
    if let Some(until) = axis.delay {
        let words = format!("drain delay until {}", Human(until.saturating_sub(axis.from)));
        svg.text((left + 4.0, at_y), SMALL, "soft", &words);
    }
}

fn legend(svg: &mut Svg, y: f64) {
    let mut x = MARGIN;
    for kind in Kind::ALL {
        svg.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" rx=\"2\" class=\"{}\"/>",
            y - 9.0,
            class(kind)
        ));
        svg.text((x + 15.0, y), SMALL, "soft", kind.word());
        x += 15.0 + width(kind.word(), SMALL) + 18.0;
    }
    svg.text((x, y), SMALL, "soft", "◆ critical path");
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Waiting => "wait",
        Kind::Acquiring => "acquire",
        Kind::Ready => "ready",
        Kind::Draining => "drain",
        Kind::Releasing => "release",
    }
}

/// Round moments, at most four of them besides 0.
fn ticks(length: Duration) -> Vec<Duration> {
    let nanos = length.as_nanos();
    if nanos == 0 {
        return vec![Duration::ZERO];
    }
    let mut step: u128 = 1_000;
    'found: loop {
        for factor in &[1, 2, 5] {
            if nanos / (step * factor) <= 4 {
                step *= factor;
                break 'found;
            }
        }
        step *= 10;
    }
    let count = nanos / step;
    (0..=count).map(|number| Duration::from_nanos(u64::try_from(step * number).unwrap_or(u64::MAX))).collect()
}
