//! A plan in the languages of graph drawers.

use std::fmt::Write;

use super::plan::{Plan, PlannedResource};
use super::plan_text::{headline, traits};
use crate::model::duration::Human;

/// What stands under the name of a resource.
fn details(resource: &PlannedResource) -> String {
    let traits = traits(resource).join(", ");
    let separator = if traits.is_empty() { "" } else { " · " };
    format!("{traits}{separator}reserve {}", Human(resource.reserve))
}

pub(super) fn dot(plan: &Plan) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut text = "digraph lifecycle {\n  rankdir=LR;\n".to_owned();
    let _ = writeln!(text, "  label={};", quoted(&headline(plan)));
    text += "  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n";
    for resource in &plan.resources {
        let label = quoted(&format!("{}\n{}", resource.name, details(resource))).replace('\n', "\\n");
        let style = if resource.foundation { ", style=\"rounded,dashed\"" } else { "" };
        let _ = writeln!(text, "  {} [label={label}{style}];", quoted(resource.name));
    }
    for (from, to) in plan.essential_edges() {
        let name = |place: usize| quoted(plan.resources[place].name);
        let _ = writeln!(text, "  {} -> {};", name(from), name(to));
    }
    text += "}\n";
    text
}

pub(super) fn mermaid(plan: &Plan) -> String {
    // Mermaid reads entities with `#` in place of `&`.
    let quoted = |text: &str| text.replace('#', "#35;").replace('"', "#quot;").replace('<', "#lt;");
    let mut text = "flowchart LR\n".to_owned();
    for (place, resource) in plan.resources.iter().enumerate() {
        let label = format!("{}<br/><small>{}</small>", quoted(resource.name), details(resource));
        let (open, close) = if resource.foundation { ("([", "])") } else { ("[", "]") };
        let _ = writeln!(text, "  r{place}{open}\"{label}\"{close}");
    }
    for (from, to) in plan.essential_edges() {
        let _ = writeln!(text, "  r{from} --> r{to}");
    }
    text
}
