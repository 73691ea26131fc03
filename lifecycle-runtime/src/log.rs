//! What an operator reads while it happens: every notice of the engine as one event of `tracing`.

use std::time::Duration;

use tracing::{debug, error, info, warn};

use crate::engine::command::{Doing, Ignored, Insistence, Notice, Waiting};
use crate::engine::event::Cut;
use crate::error::Panic;
use crate::phase::Reason;
use crate::plan::{Id, Plan};
use crate::report::{Human, Report};

/// All events are under this target, whatever module they come from.
const TARGET: &str = "lifecycle";

pub(crate) fn tell(
    plan: &Plan,
    notice: &Notice,
    in_flight: &dyn Fn(Id) -> usize,
    report: impl FnOnce() -> Report,
) {
    let name = |id: Id| plan.name(id);
    match notice {
        Notice::Plan => tell_plan(plan),
        Notice::GraceTooShort { timeout, grace, platform } => warn!(
            target: TARGET, timeout_ms = millis(*timeout), grace_ms = millis(*grace),
            "shutdown_timeout is {}, but {platform} kills the process after {}: what is not released by then is lost; \
             shorten the one or lengthen the other, and say LIFECYCLE_GRACE_PERIOD if it is not {}",
            Human(*timeout), Human(*grace), Human(*grace),
        ),
        Notice::PanicAborts => warn!(
            target: TARGET,
            "this program is built with panic = \"abort\": a panic ends it at once, and nothing is released",
        ),
        Notice::ShellAsPid1(shell) => warn!(
            target: TARGET, shell,
            "the parent of this process is `{shell}` as PID 1, which may not pass SIGTERM on: start the program \
             with `exec`, or in the exec form of CMD",
        ),
        Notice::ReservesScaled { path, half } => warn!(
            target: TARGET, path_ms = millis(*path), half_ms = millis(*half),
            "the reserves on the longest path add up to {}, which is more than half of shutdown_timeout ({}): \
             all reserves are scaled down to fit", Human(*path), Human(*half),
        ),
        Notice::DelayCapped { asked, given } => warn!(
            target: TARGET, asked_ms = millis(*asked), given_ms = millis(*given),
            "drain_delay is {}, but shutdown_timeout leaves room for {} only: that is what it will be",
            Human(*asked), Human(*given),
        ),
        #[cfg(feature = "probe")]
        Notice::ProbeListens(address) => {
            info!(target: TARGET, address = %address, "the probe answers at http://{address}");
        }
        #[cfg(all(feature = "systemd", target_os = "linux"))]
        Notice::NotNotifying(why) => {
            warn!(target: TARGET, "systemd cannot be notified: NOTIFY_SOCKET {why}");
        }
        #[cfg(feature = "probe")]
        Notice::PreStop { delay } => info!(
            target: TARGET, delay_ms = millis(*delay),
            "a preStop hook announces the stop: not ready any more, serving for another {}", Human(*delay),
        ),
        Notice::Acquiring(id) => info!(target: TARGET, resource = name(*id), "acquiring {}", name(*id)),
        Notice::Acquired { id, took } => info!(
            target: TARGET, resource = name(*id), took_ms = millis(*took),
            "acquired {} in {}", name(*id), Human(*took),
        ),
        Notice::AcquireCancelled { id, took } => info!(
            target: TARGET, resource = name(*id), after_ms = millis(*took),
            "cancelled the acquisition of {} after {}", name(*id), Human(*took),
        ),
        Notice::Skipped(id) => info!(
            target: TARGET, resource = name(*id), "{} is switched off by its configuration", name(*id),
        ),
        Notice::StartProgress { under_way, left } => tell_start_progress(plan, under_way, *left),
        Notice::Running { took } => info!(
            target: TARGET, took_ms = millis(*took), "running: everything was acquired in {}", Human(*took),
        ),
        Notice::Failed { what, cause, is_tolerated: false } => {
            error!(target: TARGET, cause, "{what}: {cause}");
        }
        Notice::Failed { what, cause, is_tolerated: true } => warn!(
            target: TARGET, cause, "{what}: {cause}; it is optional, and the application goes on without it",
        ),
        Notice::ShuttingDown { reason, timeout, delay } => tell_shutdown(reason, *timeout, *delay),
        Notice::NextInterrupt(Insistence::Hurries) => {
            info!(target: TARGET, "Ctrl-C again stops without waiting for work in flight");
        }
        Notice::NextInterrupt(Insistence::Ends) => {
            warn!(target: TARGET, "Ctrl-C again ends the process at once, without releasing anything more");
        }
        Notice::SignalIgnored { signal, left, why: Ignored::AlreadyStopping } => info!(
            target: TARGET, signal = %signal, left_ms = millis(*left),
            "{signal}: already stopping, {} left; SIGINT hurries", Human(*left),
        ),
        Notice::SignalIgnored { signal, left, why: Ignored::Repeated } => debug!(
            target: TARGET, signal = %signal, left_ms = millis(*left),
            "{signal}: so soon after another signal, it counts as the same one",
        ),
        Notice::Hurried { by, left } => warn!(
            target: TARGET, left_ms = millis(*left),
            "{}: no more waiting for work in flight; {} left for the releases",
            by.map_or_else(|| "in a hurry".to_owned(), |signal| signal.to_string()), Human(*left),
        ),
        Notice::Turn { id, tasks } if tasks.is_empty() => {
            debug!(target: TARGET, resource = name(*id), "stopping {}", name(*id));
        }
        Notice::Turn { id, tasks } => info!(
            target: TARGET, resource = name(*id), tasks = tasks.join(", "),
            "stopping {}: waiting for {}", name(*id), tasks.join(", "),
        ),
        Notice::Drained { id, took } => info!(
            target: TARGET, resource = name(*id), took_ms = millis(*took),
            "drained {} in {}", name(*id), Human(*took),
        ),
        Notice::TasksAborted { id, after, tasks, cut: Cut { in_flight, excused } } => warn!(
            target: TARGET, resource = name(*id), after_ms = millis(*after), tasks = tasks.join(", "),
            in_flight, excused,
            "{} did not drain within {}: aborting {}; {in_flight} in flight{}",
            name(*id), Human(*after), what_is_left(tasks), excused_among(*excused),
        ),
        Notice::TasksStuck { id, tasks } => error!(
            target: TARGET, resource = name(*id), tasks = tasks.join(", "),
            "{} is stuck: {} did not end when aborted, and is left behind", name(*id), what_is_left(tasks),
        ),
        Notice::Releasing(id) => info!(target: TARGET, resource = name(*id), "releasing {}", name(*id)),
        Notice::Released { id, took } => info!(
            target: TARGET, resource = name(*id), took_ms = millis(*took),
            "released {} in {}", name(*id), Human(*took),
        ),
        Notice::TurnEnded { id, outcome } => {
            warn!(target: TARGET, resource = name(*id), outcome = %outcome, "{}: {outcome}", name(*id));
        }
        Notice::StopProgress { waiting, left } => tell_stop_progress(plan, waiting, *left, in_flight),
        Notice::Report => tell_report(&report()),
        Notice::OwnerDropped => warn!(
            target: TARGET, "the application was dropped before its end; it stops at once, and nobody waits for it",
        ),
        Notice::LastWord => {}
    }
}

/// A task came when its resource's turn was over.
pub(crate) fn late_task(resource: &str) {
    warn!(target: TARGET, resource, "a task for {resource} came after its turn had ended; it was not begun");
}

/// Somebody holds on to a resource that has been released.
pub(crate) fn handle_outlives(resource: &str, handles: usize) {
    let handles_are = if handles == 1 { "1 handle to it is" } else { "handles to it are" };
    warn!(
        target: TARGET, resource, handles,
        "{resource} has been released, but {handles_are} still held: whoever has one will find it closed",
    );
}

/// A task whose failure is its own panicked.
pub(crate) fn task_panicked(resource: &str, panic: &Panic) {
    error!(target: TARGET, resource, "a task of {resource} panicked: {panic}");
}

/// A check fails that did not fail before, or did not exist.
#[cfg(feature = "probe")]
pub(crate) fn check_fails(resource: &str, why: &str) {
    warn!(target: TARGET, resource, "the check of {resource} fails: {why}");
}

/// A check passes that failed before.
#[cfg(feature = "probe")]
pub(crate) fn check_passes(resource: &str) {
    info!(target: TARGET, resource, "the check of {resource} passes again");
}

fn tell_plan(plan: &Plan) {
    let described = |id: Id| match plan.after(id) {
        [] => plan.name(id).to_owned(),
        after => format!("{} (after {})", plan.name(id), plan.names(after.iter().copied())),
    };
    let resources: Vec<String> = plan.resources().map(described).collect();
    match resources.len() {
        0 => info!(target: TARGET, "starting: no resource is declared"),
        1 => info!(target: TARGET, count = 1, "starting 1 resource: {}", resources[0]),
        count => info!(target: TARGET, count, "starting {count} resources: {}", resources.join(", ")),
    }
}

fn tell_start_progress(plan: &Plan, under_way: &[(Id, Duration)], left: Option<Duration>) {
    let describe = |&(id, since): &(Id, Duration)| {
        let dependents = plan.dependents(id);
        let waits = if dependents.len() == 1 { "waits" } else { "wait" };
        let waiting = match dependents {
            dependents if dependents.is_empty() => String::new(),
            dependents => format!(" ({} {waits} for it)", plan.names(dependents)),
        };
        format!("{} for {}{waiting}", plan.name(id), Human(since))
    };
    let under_way: Vec<String> = under_way.iter().map(describe).collect();
    let left = left.map_or(String::new(), |left| format!("; {} until startup_timeout", Human(left)));
    info!(target: TARGET, "still starting: acquiring {}{left}", under_way.join(", "));
}

fn tell_shutdown(reason: &Reason, timeout: Duration, delay: Duration) {
    let timeout_ms = millis(timeout);
    if delay.is_zero() {
        info!(target: TARGET, reason = %reason, timeout_ms, "stopping: {reason}; {} at most", Human(timeout));
    } else {
        info!(
            target: TARGET, reason = %reason, timeout_ms, delay_ms = millis(delay),
            "draining: {reason}; serving for another {}, then stopping; {} at most in all",
            Human(delay), Human(timeout),
        );
    }
}

fn tell_stop_progress(plan: &Plan, waiting: &[Waiting], left: Duration, in_flight: &dyn Fn(Id) -> usize) {
    let describe = |Waiting { id, doing, since, tasks }: &Waiting| {
        let doing = match doing {
            Doing::Draining if tasks.is_empty() => format!("{} in flight", in_flight(*id)),
            Doing::Draining => format!("{} in flight: {}", in_flight(*id), tasks.join(", ")),
            Doing::Joining => format!("{} in flight, aborted: {}", in_flight(*id), what_is_left(tasks)),
            Doing::Releasing => "its release".to_owned(),
            Doing::Aborting => "its abort".to_owned(),
        };
        format!("{} ({doing}) for {}", plan.name(*id), Human(*since))
    };
    let waiting: Vec<String> = waiting.iter().map(describe).collect();
    let what = if waiting.is_empty() { "the drain delay".to_owned() } else { waiting.join(", ") };
    info!(target: TARGET, left_ms = millis(left), "still stopping: waiting for {what}; {} left", Human(left));
}

fn tell_report(report: &Report) {
    let exit_code = report.exit_code;
    if report.is_clean() {
        info!(target: TARGET, exit_code, "{report}");
    } else {
        warn!(target: TARGET, exit_code, "{report}");
    }
}

/// Tasks have names; other units in flight have none.
fn what_is_left(tasks: &[String]) -> String {
    if tasks.is_empty() { "what is in flight".to_owned() } else { tasks.join(", ") }
}

fn excused_among(excused: usize) -> String {
    match excused {
        0 => String::new(),
        excused => format!(", {excused} of them streams that were told, or without a request"),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
