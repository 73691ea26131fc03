//! A plan as JSON, for programs.

use super::json::Object;
use super::plan::{Plan, PlannedResource};
use crate::model::graph::Necessity;
use crate::model::planned_probe::PlannedProbe;

/// The version of the schema: it rises when a field changes its meaning, or goes.
const SCHEMA: u32 = 1;

pub(super) fn document(plan: &Plan) -> String {
    let object = Object::default()
        .field("schema", SCHEMA)
        .text("version", env!("CARGO_PKG_VERSION"))
        .millis("startup_timeout_ms", plan.startup_timeout)
        .millis("shutdown_timeout_ms", plan.shutdown_timeout)
        .text("timeout_origin", &plan.timeout_origin)
        .millis("drain_delay_ms", plan.drain_delay)
        .field("delays_only_if_serving", plan.delays_only_if_serving)
        .field("probe", plan.probe.map_or("null".to_owned(), probe))
        .texts("features", &plan.features)
        .list("resources", plan.resources.iter().map(resource))
        .texts("left_out", &plan.left_out)
        .texts("warnings", &plan.warnings)
        .texts("problems", &plan.problems);
    format!("{object}\n")
}

fn probe(probe: PlannedProbe) -> String {
    let PlannedProbe { address, has_prestop } = probe;
    Object::default().text("address", &address.to_string()).field("prestop", has_prestop).to_string()
}

fn resource(resource: &PlannedResource) -> Object {
    let necessity = match resource.necessity {
        Necessity::Required => "required",
        Necessity::Skippable => "skippable",
        Necessity::Optional => "optional",
    };
    Object::default()
        .text("name", resource.name)
        .field("level", resource.level)
        .texts("after", &resource.after)
        .field("foundation", resource.foundation)
        .text("necessity", necessity)
        .field("supplied", resource.is_supplied)
        .field("reloads", resource.reloads)
        .millis("acquire_timeout_ms", resource.acquire_timeout)
        .millis("drain_timeout_ms", resource.drain_timeout)
        .millis("reserve_ms", resource.reserve)
        .millis("cut_off_ms", resource.cut_off)
}
