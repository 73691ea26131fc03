//! What holds for every application, wherever it was stopped: the rules of the library.

use super::director::Log;
use super::event::{Event, Kind};
use super::point::{Crash, Part, Point, WORDS};
use crate::model::Name;
use crate::model::phase::Reason;
use crate::model::report::{Outcome, Report, ResourceReport};

/// The rules that were broken, in words. `point` was reached.
pub(super) fn broken(report: &Report, log: &Log, point: Option<&Point>) -> Vec<String> {
    let mut broken = Vec::new();
    if let Some(took) = report.stop_took.filter(|took| *took > report.shutdown_timeout) {
        broken.push(format!("D2: the stop took {took:?}, and had {:?}", report.shutdown_timeout));
    }
    for resource in &report.resources {
        broken.extend(ending(resource, log));
        broken.extend(order(resource, report, log));
    }
    broken.extend(exit_code(report));
    if let Some(Point { place, by: Crash::Error | Crash::Panic, .. }) = point {
        let is_in_report = report.failures.iter().any(|failure| failure.cause().contains(WORDS));
        // The failure of a job is its own, and a reload that fails ends nothing.
        if !matches!(place.work, Part::Job | Part::Reload) && !is_in_report {
            broken.push("E3: the failure is not in the report".to_owned());
        }
    }
    broken
}

/// D7: what was acquired has had its release, or its abort.
fn ending(resource: &ResourceReport, log: &Log) -> Option<String> {
    let name = resource.name;
    if !resource.was_acquired {
        return None;
    }
    if resource.ended.is_none() || matches!(resource.outcome, Outcome::Held | Outcome::NeverStarted) {
        return Some(format!("D5: {name} was acquired, and never had its turn"));
    }
    let releases = log.iter().filter(|(_, event)| event.0 == Kind::Releasing(name)).count();
    let is_gone = |kind: &Kind| *kind == Kind::Released(name) || *kind == Kind::Aborting(name);
    match releases {
        1 if place(log, is_gone).is_some() => None,
        1 => Some(format!("D7: the release of {name} did not complete, and it was not aborted")),
        releases => Some(format!("D5: {name} was released {releases} times")),
    }
}

/// D5: nothing is released while what comes after it is not gone. What was skipped ends when it is.
fn order(resource: &ResourceReport, report: &Report, log: &Log) -> Vec<String> {
    let name = resource.name;
    let is_end = |kind: &Kind| {
        let ends = [Kind::Released(name), Kind::ReleaseFailed(name), Kind::ReleaseCut(name)];
        ends.contains(kind)
    };
    let Some(end) = place(log, is_end) else { return Vec::new() };
    let is_late = |beneath: &&Name| {
        let was_acquired = report.resources.iter().any(|it| it.name == **beneath && it.was_acquired);
        was_acquired && place(log, |kind| *kind == Kind::Turn(beneath)).is_some_and(|turn| turn < end)
    };
    let late = resource.after.iter().filter(is_late);
    late.map(|beneath| format!("D5: the turn of {beneath} began before {name} was gone")).collect()
}

/// E1.
fn exit_code(report: &Report) -> Option<String> {
    let has_failed = report.failures.iter().any(|failure| !failure.is_tolerated());
    let code = report.exit_code;
    if has_failed && code == 0 {
        return Some("E1: something failed, and the exit code is 0".to_owned());
    }
    let is_explained = code == 0
        || report.has_trouble()
        || matches!(report.reason, Reason::Signal(signal) if signal.exit_code() == code);
    (!is_explained).then(|| format!("E1: the exit code is {code}, and nothing failed"))
}

fn place(log: &Log, is_it: impl Fn(&Kind) -> bool) -> Option<usize> {
    log.iter().position(|(_, Event(kind))| is_it(kind))
}
