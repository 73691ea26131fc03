//! What an operator reads while it happens: every notice as one event of `tracing`.

use std::fmt::Write;
use std::time::Duration;

use tracing::dispatcher::{self, Dispatch};
use tracing::subscriber::NoSubscriber;
use tracing::{debug, error, info, warn};

use crate::engine::activity::Activity;
use crate::engine::notice::{Acquiring, Cut, Ignored, Insistence, Killing, LastWords, Notice, Waiting};
use crate::model::TaskName;
use crate::model::duration::Human;
use crate::model::failure::Failure;
use crate::model::left_out::{LeftOut, LinkedAndLeftOut};
use crate::model::phase::Reason;
use crate::model::plan::{Id, Plan};
use crate::model::report::Report;

/// All events are under this target, whatever module they come from.
const TARGET: &str = "lifecycle";

/// Something that waits to be said.
#[derive(Debug)]
pub(super) enum Word {
    Notice(Notice),
    /// What happened so far; nothing if nobody listens.
    Report(Option<Box<Report>>),
    /// There is nothing more to say.
    Last,
}

/// Who hears what is said.
#[derive(Debug)]
pub(super) struct Audience {
    /// The subscriber of the thread on which the application was made, if it had one.
    subscriber: Option<Dispatch>,
}

impl Audience {
    pub(super) fn of_this_thread() -> Self {
        let current = dispatcher::get_default(Dispatch::clone);
        Self { subscriber: (!current.is::<NoSubscriber>()).then_some(current) }
    }

    pub(super) fn is_there(&self) -> bool {
        self.subscriber.is_some() || has_subscriber()
    }

    /// Runs `f` so that what it says is heard: by the subscriber of the thread on which the application was made, or
    /// by one that was installed since.
    pub(super) fn listen(&self, f: impl FnOnce()) {
        match &self.subscriber {
            Some(subscriber) => dispatcher::with_default(subscriber, f),
            None => f(),
        }
    }
}

/// Whether any subscriber was installed.
pub(super) fn has_subscriber() -> bool {
    dispatcher::has_been_set()
}

pub(super) fn say(word: &Word) {
    match word {
        Word::Notice(notice) => say_notice(notice),
        Word::Report(Some(report)) => say_report(report),
        Word::Report(None) | Word::Last => {}
    }
}

fn say_notice(notice: &Notice) {
    match notice {
        Notice::Plan { plan, left_out } => say_plan(plan, left_out),
        Notice::GraceTooShort { timeout, grace, platform } => warn!(
            target: TARGET, timeout_ms = millis(*timeout), grace_ms = millis(*grace),
            "shutdown_timeout is {}, but {platform} kills the process after {}: what is not released by then is lost; \
             shorten the timeout or lengthen the grace period, and set LIFECYCLE_GRACE_PERIOD if it is not {}",
            Human(*timeout), Human(*grace), Human(*grace),
        ),
        Notice::PanicAborts => warn!(
            target: TARGET,
            "this program is built with panic = \"abort\": a panic ends it at once, and nothing is released",
        ),
        Notice::ShellAsPid1(shell) => warn!(
            target: TARGET, shell,
            "the parent of this process is the shell `{shell}` as PID 1, which may not pass SIGTERM on: start the \
             program with `exec`, or use the exec form of CMD",
        ),
        Notice::ReservesScaled { path, half } => warn!(
            target: TARGET, path_ms = millis(*path), half_ms = millis(*half),
            "the reserves on the longest path add up to {}, which is more than half of shutdown_timeout ({}): \
             all reserves are scaled down to fit", Human(*path), Human(*half),
        ),
        Notice::DelayCapped { asked, given } => warn!(
            target: TARGET, asked_ms = millis(*asked), given_ms = millis(*given),
            "drain_delay is {}, but shutdown_timeout leaves room for only {}: the delay is shortened to that",
            Human(*asked), Human(*given),
        ),
        Notice::ProbeListens(address) => {
            info!(target: TARGET, address = %address, "the probe answers at http://{address}");
        }
        Notice::NotNotifying(why) => {
            warn!(target: TARGET, "systemd cannot be notified: NOTIFY_SOCKET {why}");
        }
        Notice::PreStop { delay } => info!(
            target: TARGET, delay_ms = millis(*delay),
            "a preStop hook announces the stop: no longer ready, serving for another {}", Human(*delay),
        ),
        Notice::Acquiring(name) => info!(target: TARGET, resource = *name, "acquiring {name}"),
        Notice::Acquired { name, took } => info!(
            target: TARGET, resource = *name, took_ms = millis(*took), "acquired {name} in {}", Human(*took),
        ),
        Notice::AcquireCancelled { name, took } => info!(
            target: TARGET, resource = *name, after_ms = millis(*took),
            "cancelled the acquisition of {name} after {}", Human(*took),
        ),
        Notice::Skipped(name) => {
            info!(target: TARGET, resource = *name, "{name} is switched off by configuration");
        }
        Notice::StartProgress { under_way, left } => say_start_progress(under_way, *left),
        Notice::Running { took } => info!(
            target: TARGET, took_ms = millis(*took), "running: everything was acquired in {}", Human(*took),
        ),
        Notice::Failed(failure) => say_failure(failure),
        Notice::ShuttingDown { reason, timeout, delay } => say_shutdown(reason, *timeout, *delay),
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
            "{signal}: it came right after another signal, and counts as the same one",
        ),
        Notice::Hurried { by, left } => warn!(
            target: TARGET, left_ms = millis(*left),
            "{}: no more waiting for work in flight; {} left for the releases",
            by.map_or_else(|| "asked to hurry".to_owned(), |signal| signal.to_string()), Human(*left),
        ),
        Notice::Turn { name, tasks } if tasks.is_empty() => {
            debug!(target: TARGET, resource = *name, "stopping {name}");
        }
        Notice::Turn { name, tasks } => info!(
            target: TARGET, resource = *name, tasks = tasks.join(", "),
            "stopping {name}: waiting for {}", tasks.join(", "),
        ),
        Notice::Drained { name, took } => info!(
            target: TARGET, resource = *name, took_ms = millis(*took), "drained {name} in {}", Human(*took),
        ),
        Notice::TasksAborted { name, after, tasks, cut: Cut { in_flight, excused } } => warn!(
            target: TARGET, resource = *name, after_ms = millis(*after), tasks = tasks.join(", "),
            in_flight, excused,
            "{name} did not drain within {}: aborting {}; {in_flight} in flight{}",
            Human(*after), what_is_left(tasks), excused_among(*excused),
        ),
        Notice::TasksStuck { name, tasks } => error!(
            target: TARGET, resource = *name, tasks = tasks.join(", "),
            "{name} is stuck: {} did not end when it was aborted, and is left behind", what_is_left(tasks),
        ),
        Notice::Releasing(name) => info!(target: TARGET, resource = *name, "releasing {name}"),
        Notice::Released { name, took } => info!(
            target: TARGET, resource = *name, took_ms = millis(*took), "released {name} in {}", Human(*took),
        ),
        Notice::TurnEnded { name, outcome } => {
            warn!(target: TARGET, resource = *name, outcome = %outcome, "{name}: {outcome}");
        }
        Notice::StopProgress { waiting, left } => say_stop_progress(waiting, *left),
        Notice::OwnerDropped => warn!(
            target: TARGET, "the application was dropped before its end; it stops at once, and nothing waits for it",
        ),
        Notice::LateTask(name) => warn!(
            target: TARGET, resource = *name,
            "a task for {name} came after its turn had ended, and was not started",
        ),
        Notice::TaskPanicked { name, words } => {
            error!(target: TARGET, resource = *name, "a task of {name} panicked: {words}");
        }
        Notice::HandlesOutlive { name, handles } => {
            let handles_are = if *handles == 1 {
                "1 handle to it is".to_owned()
            } else {
                format!("{handles} handles to it are")
            };
            warn!(
                target: TARGET, resource = *name, handles,
                "{name} has been released, but {handles_are} still held: whoever uses one finds it closed",
            );
        }
        Notice::CheckFails { name, why } => {
            warn!(target: TARGET, resource = *name, "the check of {name} fails: {why}");
        }
        Notice::CheckPasses(name) => {
            info!(target: TARGET, resource = *name, "the check of {name} passes again");
        }
    }
}

fn say_plan(plan: &Plan, left_out: &[LeftOut]) {
    let described = |id: Id| match plan.after(id) {
        [] => plan.name(id).to_owned(),
        after => format!("{} (after {})", plan.name(id), plan.names(after.iter().copied()).join(", ")),
    };
    let resources: Vec<String> = plan.resources().map(described).collect();
    let starting = match &resources[..] {
        [] if left_out.is_empty() => "starting: no resource is linked into the program".to_owned(),
        [] => "starting no resource".to_owned(),
        [resource] => format!("starting 1 resource: {resource}"),
        resources => format!("starting {} resources: {}", resources.len(), resources.join(", ")),
    };
    let besides =
        if left_out.is_empty() { String::new() } else { format!("; {}", LinkedAndLeftOut(left_out)) };
    info!(target: TARGET, count = resources.len(), left_out = left_out.len(), "{starting}{besides}");
}

fn say_failure(failure: &Failure) {
    let cause = failure.cause();
    if failure.is_tolerated() {
        warn!(
            target: TARGET, cause, "{failure}: {cause}; it is optional, and the application goes on without it",
        );
    } else {
        error!(target: TARGET, cause, "{failure}: {cause}");
    }
}

fn say_start_progress(under_way: &[Acquiring], left: Option<Duration>) {
    let describe = |Acquiring { name, since, dependents }: &Acquiring| {
        let waiting = match &dependents[..] {
            [] => String::new(),
            [dependent] => format!(" ({dependent} waits for it)"),
            dependents => format!(" ({} wait for it)", dependents.join(", ")),
        };
        format!("{name} for {}{waiting}", Human(*since))
    };
    let under_way: Vec<String> = under_way.iter().map(describe).collect();
    let left = left.map_or(String::new(), |left| format!("; {} until startup_timeout", Human(left)));
    info!(target: TARGET, "still starting: acquiring {}{left}", under_way.join(", "));
}

fn say_shutdown(reason: &Reason, timeout: Duration, delay: Duration) {
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

fn say_stop_progress(waiting: &[Waiting], left: Duration) {
    let describe = |Waiting { name, doing, since, in_flight, tasks }: &Waiting| {
        let doing = match doing {
            Activity::Draining if tasks.is_empty() => format!("{in_flight} in flight"),
            Activity::Draining => format!("{in_flight} in flight: {}", tasks.join(", ")),
            Activity::AbortingTasks => format!("{in_flight} in flight, aborted: {}", what_is_left(tasks)),
            Activity::Releasing => "its release".to_owned(),
            Activity::Aborting => "its abort".to_owned(),
            Activity::Waiting | Activity::Acquiring | Activity::Ready | Activity::Gone => doing.to_string(),
        };
        format!("{name} ({doing}) for {}", Human(*since))
    };
    let waiting: Vec<String> = waiting.iter().map(describe).collect();
    let what = if waiting.is_empty() { "the drain delay".to_owned() } else { waiting.join(", ") };
    info!(target: TARGET, left_ms = millis(left), "still stopping: waiting for {what}; {} left", Human(left));
}

fn say_report(report: &Report) {
    let exit_code = report.exit_code;
    if report.is_clean() {
        info!(target: TARGET, exit_code, "{report}");
    } else {
        warn!(target: TARGET, exit_code, "{report}");
    }
}

/// What failed when the report had been logged: on stderr, since the log may be gone.
pub(super) fn after_the_report(failures: &[Failure], exit_code: u8) -> String {
    let mut text = "lifecycle: after the report:\n".to_owned();
    for failure in failures {
        let kind = if failure.is_tolerated() { "tolerated" } else { "failed" };
        let _ = writeln!(text, "  {kind}: {failure}: {}", failure.cause());
    }
    let _ = writeln!(text, "  exit code: {exit_code}");
    text
}

/// What is said when the process is ended from outside.
pub(super) fn last_words(words: &LastWords) -> String {
    let LastWords { why, has_stopped, stuck, left_behind, never_released, exit_code } = words;
    let why = match why {
        Killing::Insisted(signal) => format!("{signal} again"),
        Killing::TimeIsUp if *has_stopped => {
            "the application has stopped, but the process did not end by itself".to_owned()
        }
        Killing::TimeIsUp => "the deadline has passed, and the process is still running".to_owned(),
    };
    let mut text = format!("lifecycle: {why}: ending it now\n");
    for Waiting { name, doing, since, tasks, .. } in stuck {
        let tasks = if tasks.is_empty() { String::new() } else { format!(": {}", tasks.join(", ")) };
        let _ = writeln!(text, "  stuck:          {name}, {doing} for {}{tasks}", Human(*since));
    }
    for (name, tasks) in left_behind {
        let _ = writeln!(text, "  left behind:    {name}: {}", tasks.join(", "));
    }
    let never_released =
        if never_released.is_empty() { "nothing".to_owned() } else { never_released.join(", ") };
    let _ = writeln!(text, "  never released: {never_released}\n  exit code:      {exit_code}");
    text
}

/// Tasks have names; other units in flight have none.
fn what_is_left(tasks: &[TaskName]) -> String {
    if tasks.is_empty() { "everything in flight".to_owned() } else { tasks.join(", ") }
}

fn excused_among(excused: usize) -> String {
    match excused {
        0 => String::new(),
        excused => format!(" ({excused} not counted: notified streams or idle connections)"),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
