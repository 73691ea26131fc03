//! A plan as a picture: the levels from left to right, as they start.

use super::layout::{Layout, layered};
use super::plan::{Plan, PlannedResource};
use super::plan_text::{at_most, headline, traits};
use super::svg::{Svg, fitting, float, width};
use super::words::shortened;
use crate::model::duration::Human;

const NAME_SIZE: f64 = 14.0;
const SMALL: f64 = 11.0;
const PADDING: f64 = 12.0;
const HEIGHT: f64 = 48.0;
const MARGIN: f64 = 24.0;
/// Where the graph begins, under the title and the names of the levels.
const TOP: f64 = 116.0;
/// The widest that a name may be.
const NAME: usize = 40;

pub(super) fn picture(plan: &Plan) -> String {
    let names: Vec<(String, String)> =
        plan.resources.iter().map(|it| (shortened(it.name, NAME), details(it))).collect();
    let sizes: Vec<(f64, f64)> = names
        .iter()
        .map(|(name, details)| (width(name, NAME_SIZE).max(width(details, SMALL)) + 2.0 * PADDING, HEIGHT))
        .collect();
    let levels: Vec<usize> = plan.resources.iter().map(|it| it.level).collect();
    let edges = plan.essential_edges();
    let Layout { corners, paths, width: wide, height } = layered(&levels, &sizes, &edges);

    let title = headline(plan);
    let limits = format!(
        "start {} · stop {} at most ({})",
        at_most(plan.startup_timeout),
        Human(plan.shutdown_timeout),
        plan.timeout_origin
    );
    let legend = "left to right as they start; the stop goes from right to left";
    let widest = wide.max(width(&title, 18.0)).max(width(&limits, 12.0)).max(width(legend, SMALL));
    let bottom = TOP + height + MARGIN;
    let lines = float(plan.problems.len() + plan.warnings.len());
    let mut svg = Svg::new(widest + 2.0 * MARGIN, bottom + 18.0 * lines + MARGIN, &title);
    svg.text((MARGIN, 38.0), 18.0, "text", &title);
    svg.text((MARGIN, 58.0), 12.0, "soft", &limits);
    svg.text((MARGIN, bottom), SMALL, "soft", legend);
    for level in 0..plan.levels() {
        let x = corners.iter().zip(&levels).find(|(_, it)| **it == level).map_or(0.0, |(corner, _)| corner.0);
        svg.text((MARGIN + x, TOP - 14.0), SMALL, "soft", &format!("level {level}"));
    }
    for path in &paths {
        draw_edge(&mut svg, path);
    }
    let boxes = plan.resources.iter().zip(&names).zip(&corners).zip(&sizes);
    for (((resource, (name, details)), &(x, y)), &(wide, _)) in boxes {
        let (x, y) = (x + MARGIN, y + TOP);
        let dashes = if resource.foundation { " stroke-dasharray=\"5 3\"" } else { "" };
        svg.add(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{HEIGHT}\" rx=\"8\" class=\"box rim\"{dashes}/>"
        ));
        svg.text((x + PADDING, y + 20.0), NAME_SIZE, "text", name);
        svg.text((x + PADDING, y + 37.0), SMALL, "soft", details);
    }
    let mut y = bottom + 20.0;
    for note in plan.problems.iter().chain(&plan.warnings) {
        svg.text((MARGIN, y), SMALL, "bad", &fitting(note, SMALL, widest));
        y += 18.0;
    }
    svg.end()
}

fn details(resource: &PlannedResource) -> String {
    let limits = format!("reserve {} · until {}", Human(resource.reserve), Human(resource.cut_off));
    let traits = traits(resource);
    if traits.is_empty() { limits } else { format!("{} · {limits}", traits.join(", ")) }
}

fn draw_edge(svg: &mut Svg, points: &[(f64, f64)]) {
    let Some((&(x, y), rest)) = points.split_first() else { return };
    let (mut x, mut y) = (x + MARGIN, y + TOP);
    let mut path = format!("M{x:.1} {y:.1}");
    for &(to_x, to_y) in rest {
        let (to_x, to_y) = (to_x + MARGIN, to_y + TOP);
        let middle = f64::midpoint(x, to_x);
        path += &format!(" C{middle:.1} {y:.1} {middle:.1} {to_y:.1} {to_x:.1} {to_y:.1}");
        (x, y) = (to_x, to_y);
    }
    svg.add(format_args!("<path d=\"{path}\" fill=\"none\" class=\"rim\" stroke-width=\"1.4\"/>"));
    svg.add(format_args!("<path d=\"M{x:.1} {y:.1}l-7 -3.5v7z\" class=\"soft\"/>"));
}
