//! A plan as a person reads it in a terminal.

use std::fmt;
use std::time::Duration;

use super::plan::{Plan, PlannedResource};
use super::words::{list, paragraph, shortened};
use crate::model::duration::Human;
use crate::model::graph::Necessity;
use crate::model::order::order_by;

/// The widest that a name may be, so that the table fits.
const NAME: usize = 29;

pub(super) fn write(plan: &Plan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Plan { resources, startup_timeout, shutdown_timeout, timeout_origin, .. } = plan;
    writeln!(f, "{}", headline(plan))?;
    writeln!(f, "  start: level by level, {}", at_most(*startup_timeout))?;
    writeln!(f, "  stop:  in reverse, {} at most ({timeout_origin})", Human(*shutdown_timeout))?;
    if !plan.drain_delay.is_zero() {
        let condition = if plan.delays_only_if_serving { ", if something serves requests" } else { "" };
        writeln!(f, "         of these, {} of drain delay{condition}", Human(plan.drain_delay))?;
    }
    if let Some(probe) = plan.probe {
        writeln!(f, "  probe: {probe}")?;
    }
    let chain = longest_chain(plan);
    if chain.len() > 1 {
        let reserves: Duration = chain.iter().map(|it| it.reserve).sum();
        f.write_str(&paragraph(
            "  longest chain: ",
            &chain.iter().map(|it| it.name).collect::<Vec<_>>().join(" → "),
        ))?;
        writeln!(f, "    with {} of reserves", Human(reserves))?;
    }
    let tops = plan.tops();
    if !tops.is_empty() {
        f.write_str(&list("  nothing comes after: ", tops))?;
    }
    if !resources.is_empty() {
        let longest = resources.iter().map(|it| it.name.chars().count()).max().unwrap_or(0);
        let width = longest.clamp("resource".len(), NAME);
        writeln!(f, "\n  level  {:width$}  acquire   drain     reserve   cut-off", "resource")?;
        let by_level = |one: usize, other: usize| resources[one].level.cmp(&resources[other].level);
        for place in order_by(resources.len(), &by_level) {
            write_row(&resources[place], width, f)?;
        }
        writeln!(f, "\n  cut-off: when a turn is over at the latest, after the request to stop")?;
    }
    if !plan.left_out.is_empty() {
        f.write_str(&list("  linked and left out: ", &plan.left_out))?;
    }
    for warning in &plan.warnings {
        f.write_str(&paragraph("  warning: ", warning))?;
    }
    for problem in &plan.problems {
        f.write_str(&paragraph("  problem: ", problem))?;
    }
    Ok(())
}

pub(super) fn headline(plan: &Plan) -> String {
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    format!("{} on {}", count(plan.resources.len(), "resource"), count(plan.levels(), "level"))
}

pub(super) fn at_most(limit: Option<Duration>) -> String {
    limit.map_or_else(|| "without a limit".to_owned(), |limit| format!("{} at most", Human(limit)))
}

/// What is special about a resource, in words.
pub(super) fn traits(resource: &PlannedResource) -> Vec<&'static str> {
    let mut traits = Vec::new();
    traits.extend(resource.foundation.then_some("foundation"));
    traits.extend(match resource.necessity {
        Necessity::Required => None,
        Necessity::Skippable => Some("skippable"),
        Necessity::Optional => Some("optional"),
    });
    traits.extend(resource.is_supplied.then_some("supplied"));
    traits.extend(resource.reloads.then_some("reloads"));
    traits
}

fn write_row(resource: &PlannedResource, width: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let limit = |limit: Option<Duration>| limit.map_or("-".to_owned(), |limit| Human(limit).to_string());
    writeln!(
        f,
        "  {:5}  {:width$}  {:8}  {:8}  {:8}  {}",
        resource.level,
        shortened(resource.name, width),
        limit(resource.acquire_timeout),
        limit(resource.drain_timeout),
        Human(resource.reserve),
        Human(resource.cut_off),
    )?;
    let traits = traits(resource);
    if !traits.is_empty() {
        writeln!(f, "         · {}", traits.join(", "))?;
    }
    if !resource.after.is_empty() {
        f.write_str(&list("         · after ", &resource.after))?;
    }
    Ok(())
}

/// The chain whose reserves take the longest, in the order of the start. Foundations are beneath everything.
fn longest_chain(plan: &Plan) -> Vec<&PlannedResource> {
    let resources = &plan.resources;
    let is_beneath = |it: &PlannedResource, other: &PlannedResource| {
        it.after.contains(&other.name) || (other.foundation && !it.foundation)
    };
    let mut best: Vec<(Duration, Option<usize>)> = Vec::with_capacity(resources.len());
    for resource in resources {
        let mut longest = (Duration::ZERO, None);
        for (place, &(took, _)) in best.iter().enumerate() {
            if is_beneath(resource, &resources[place]) && took >= longest.0 {
                longest = (took, Some(place));
            }
        }
        best.push((longest.0 + resource.reserve, longest.1));
    }
    let mut next = (0..best.len()).max_by_key(|&place| (best[place].0, std::cmp::Reverse(place)));
    let mut chain = Vec::new();
    while let Some(place) = next {
        chain.push(&resources[place]);
        next = best[place].1;
    }
    chain.reverse();
    chain
}
