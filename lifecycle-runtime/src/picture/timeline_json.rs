//! A report as JSON, for programs.

use super::json::Object;
use crate::model::failure::Operation;
use crate::model::json::Quoted;
use crate::model::phase::Phase;
use crate::model::report::{Report, ResourceReport};
use crate::model::units::Units;

/// The version of the schema: it rises when a field changes its meaning, or goes.
pub(super) const SCHEMA: u32 = 1;

pub(super) fn document(report: &Report) -> String {
    let phases = report
        .phases
        .iter()
        .map(|(phase, at)| Object::default().text("phase", &phase.to_string()).millis("at_ms", *at));
    let signals = report
        .signals
        .iter()
        .map(|(signal, at)| Object::default().text("signal", &signal.to_string()).millis("at_ms", *at));
    let failures = report.failures.iter().map(|failure| {
        let (operation, task) = operation(failure.operation());
        Object::default()
            .text("resource", failure.resource())
            .text("operation", operation)
            .field("task", task.map_or("null".to_owned(), |task| Quoted(task).to_string()))
            .text("what", &failure.to_string())
            .text("cause", &failure.cause())
            .field("tolerated", failure.is_tolerated())
    });
    let deadline = report.began(Phase::Draining).map(|began| began + report.shutdown_timeout);
    let object = Object::default()
        .field("schema", SCHEMA)
        .text("version", env!("CARGO_PKG_VERSION"))
        .text("reason", &report.reason.to_string())
        .field("exit_code", report.exit_code)
        .millis("shutdown_timeout_ms", report.shutdown_timeout)
        .millis("stop_took_ms", report.stop_took)
        .millis("deadline_ms", deadline)
        .list("phases", phases)
        .list("signals", signals)
        .list("resources", report.resources.iter().map(resource))
        .list("failures", failures)
        .texts("start_path", &report.start_path)
        .texts("stop_path", &report.stop_path);
    format!("{object}\n")
}

/// The operation in a word, and the name of the task if it is one.
pub(super) fn operation(operation: &Operation) -> (&'static str, Option<&str>) {
    match operation {
        Operation::Acquire => ("acquire", None),
        Operation::Task(task) => ("task", Some(task)),
        Operation::Release => ("release", None),
        Operation::Abort => ("abort", None),
        Operation::Main => ("main", None),
        Operation::Configure => ("configure", None),
        Operation::Prepare => ("prepare", None),
        Operation::Probe => ("probe", None),
    }
}

fn resource(resource: &ResourceReport) -> Object {
    Object::default()
        .text("name", resource.name)
        .field("foundation", resource.foundation)
        .text("outcome", &resource.outcome.to_string())
        .texts("after", &resource.after)
        .field("acquired", resource.was_acquired)
        .millis("acquire_began_ms", resource.acquire_began)
        .millis("acquire_ms", resource.acquire)
        .millis("drain_began_ms", resource.drain_began)
        .millis("drain_ms", resource.drain)
        .millis("release_began_ms", resource.release_began)
        .millis("release_ms", resource.release)
        .millis("ended_ms", resource.ended)
        .field("in_flight", units(&resource.in_flight_by_kind))
        .field("cut", units(&resource.cut_by_kind))
        .field("excused", resource.excused)
        .texts("aborted_tasks", &resource.aborted_tasks)
        .texts("stuck_tasks", &resource.stuck_tasks)
}

fn units(units: &Units) -> Object {
    Object::default()
        .field("requests", units.requests)
        .field("streams", units.streams)
        .field("upgraded", units.upgraded)
        .field("tasks", units.tasks)
        .field("idle", units.idle)
}
