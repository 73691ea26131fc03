//! What is recorded: the names, labels and units that the page `metrics` of the documentation lists.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

use super::Driver;
use crate::model::graph::Id;
use crate::model::phase::{Phase, Reason};
use crate::model::report::{Outcome, Report, ResourceReport};
use crate::model::units::Units;

const PHASE: &str = "lifecycle_phase";
const IN_FLIGHT: &str = "lifecycle_in_flight";
const IDLE: &str = "lifecycle_idle_connections";
const DURATION: &str = "lifecycle_resource_duration_seconds";
const OUTCOME: &str = "lifecycle_resource_outcome";
const CUT_OFF: &str = "lifecycle_resource_cut_off";
const STARTUP: &str = "lifecycle_startup_duration_seconds";
const SHUTDOWN: &str = "lifecycle_shutdown_duration_seconds";
const LEFT: &str = "lifecycle_shutdown_left_seconds";
const REASON: &str = "lifecycle_shutdown_reason";
const EXIT_CODE: &str = "lifecycle_exit_code";
const BEGUN: &str = "lifecycle_shutdowns_begun_total";
const COMPLETED: &str = "lifecycle_shutdowns_completed_total";

const PHASES: [Phase; 5] =
    [Phase::Starting, Phase::Running, Phase::Draining, Phase::Stopping, Phase::Stopped];

/// The stops of all applications that this process has had.
static ALL_BEGUN: AtomicU64 = AtomicU64::new(0);
static ALL_COMPLETED: AtomicU64 = AtomicU64::new(0);

/// What is counted of this application already.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    begun: AtomicBool,
    completed: AtomicBool,
}

/// Counts something once. Only one thread records.
fn count(total: &AtomicU64, counted: &AtomicBool, has_happened: bool) -> u64 {
    let is_news = has_happened && !counted.swap(true, Ordering::Relaxed);
    total.fetch_add(u64::from(is_news), Ordering::Relaxed) + u64::from(is_news)
}

/// A moment of an application.
struct Moment {
    now: Duration,
    phase: Phase,
    /// When everything is over, once the stop has begun.
    deadline: Option<Duration>,
    /// Everything but the foundations is released.
    is_reported: bool,
    report: Report,
}

impl Driver {
    pub(super) fn record_metrics(&self) {
        let now = self.origin.elapsed();
        let moment = {
            let core = self.core();
            let engine = &core.engine;
            Moment {
                now,
                phase: engine.phase(),
                deadline: engine.stop_limit(),
                is_reported: engine.is_reported(),
                report: engine.report_at(now),
            }
        };
        describe();
        record_phase(&moment);
        self.record_stop(&moment);
        for (id, resource) in self.plan.resources().zip(&moment.report.resources) {
            self.record_in_flight(id, resource.name);
            record_resource(resource);
        }
    }

    fn record_stop(&self, moment: &Moment) {
        let Moment { now, deadline, is_reported, report, .. } = moment;
        let Ledger { begun, completed } = &self.meter.ledger;
        let has_begun = report.stop_took.is_some();
        counter!(BEGUN).absolute(count(&ALL_BEGUN, begun, has_begun));
        counter!(COMPLETED).absolute(count(&ALL_COMPLETED, completed, *is_reported));
        if let Some(took) = report.stop_took {
            gauge!(SHUTDOWN).set(took.as_secs_f64());
            gauge!(LEFT).set(deadline.map_or(0.0, |deadline| deadline.saturating_sub(*now).as_secs_f64()));
            gauge!(REASON, "reason" => reason(&report.reason)).set(1.0);
        }
        if *is_reported {
            gauge!(EXIT_CODE).set(f64::from(report.exit_code));
        }
    }

    /// A resource that serves nothing has no kinds but tasks.
    fn record_in_flight(&self, id: Id, name: &'static str) {
        let cell = self.cell(id);
        let units = cell.units();
        for (kind, count) in kinds(&units) {
            if kind == "tasks" || cell.has_kinds() {
                gauge!(IN_FLIGHT, "resource" => name, "kind" => kind).set(number(count));
            }
        }
        if cell.has_kinds() {
            gauge!(IDLE, "resource" => name).set(number(units.idle));
        }
    }
}

fn record_phase(Moment { now, phase, report, .. }: &Moment) {
    for each in PHASES {
        gauge!(PHASE, "phase" => each.to_string()).set(f64::from(u8::from(each == *phase)));
    }
    let started =
        report.phases.iter().find(|(phase, _)| *phase != Phase::Starting).map_or(*now, |(_, at)| *at);
    gauge!(STARTUP).set(started.as_secs_f64());
}

fn record_resource(resource: &ResourceReport) {
    let ResourceReport { name, outcome, acquire, drain, release, ended, cut_by_kind, .. } = resource;
    for (stage, took) in [("acquire", acquire), ("drain", drain), ("release", release)] {
        if let Some(took) = took {
            gauge!(DURATION, "resource" => *name, "stage" => stage).set(took.as_secs_f64());
        }
    }
    if ended.is_some() && *outcome != Outcome::Held {
        gauge!(OUTCOME, "resource" => *name, "outcome" => outcome.to_string()).set(1.0);
    }
    for (kind, count) in kinds(cut_by_kind).into_iter().filter(|(_, count)| *count > 0) {
        gauge!(CUT_OFF, "resource" => *name, "kind" => kind).set(number(count));
    }
}

/// Words of the program's own may hold anything, and stay out of it.
fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Signal(signal) => signal.to_string(),
        Reason::Requested(_) => "requested".to_owned(),
        Reason::Failed => "failed".to_owned(),
        Reason::Finished => "finished".to_owned(),
        Reason::Dropped => "dropped".to_owned(),
        Reason::Configuration | Reason::Planned => "never started".to_owned(),
    }
}

fn kinds(units: &Units) -> [(&'static str, usize); 4] {
    let Units { requests, streams, upgraded, tasks, idle: _ } = *units;
    [("requests", requests), ("streams", streams), ("upgraded", upgraded), ("tasks", tasks)]
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn describe() {
    let gauges = [
        (PHASE, Unit::Count, "1 for the phase that the application is in, 0 for the others"),
        (IN_FLIGHT, Unit::Count, "What the resource would wait for if its turn began now, by kind"),
        (IDLE, Unit::Count, "Connections without a request, which are not in flight"),
        (DURATION, Unit::Seconds, "How long a stage of the resource has taken so far, or took"),
        (OUTCOME, Unit::Count, "1 for the outcome of the resource, once its turn is over"),
        (CUT_OFF, Unit::Count, "What was cut off because its time was over, by kind"),
        (STARTUP, Unit::Seconds, "How long the start has taken so far, or took"),
        (SHUTDOWN, Unit::Seconds, "How long the stop has taken so far, or took"),
        (LEFT, Unit::Seconds, "How much time is left until the deadline of the stop"),
        (REASON, Unit::Count, "1 for the reason of the stop, once it has begun"),
        (EXIT_CODE, Unit::Count, "The exit code, once everything but the foundations is released"),
    ];
    for (name, unit, help) in gauges {
        describe_gauge!(name, unit, help);
    }
    describe_counter!(BEGUN, Unit::Count, "Stops that have begun");
    describe_counter!(COMPLETED, Unit::Count, "Stops that released everything but the foundations");
}
