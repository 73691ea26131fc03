//! What an operator reads while it happens: every notice in words, as one line.

use std::cell::OnceCell;
use std::fmt::Write;
use std::time::Duration;

use tracing::Level;

use super::audience::Ear;
use super::doubt::Doubt;
use super::spans::Mark;
use crate::engine::activity::Activity;
use crate::engine::notice::{Acquiring, Blame, Ignored, Insistence, Killing, LastWords, Notice, Waiting};
use crate::model::TaskName;
use crate::model::duration::Human;
use crate::model::failure::Failure;
use crate::model::graph::{Graph, Id};
use crate::model::left_out::{LeftOut, LinkedAndLeftOut};
use crate::model::phase::Reason;
use crate::model::platform::Origin;
use crate::model::report::{Outcome, Report, ResourceReport};
use crate::model::signal::Taken;
use crate::model::units::{cut_off, in_flight};

/// Something that waits to be said.
pub(super) enum Word {
    Notice(Notice),
    /// A span begins or ends.
    Mark(Mark),
    /// What happened so far; nothing if nobody listens.
    Report(Option<Box<Report>>),
    /// There is nothing more to say.
    Last,
}

/// Says one line: a level and its words. Lines are for people and have no fields, which would repeat the words. Programs
/// read spans.
macro_rules! say {
    ($ear:expr, $level:ident, $($words:tt)*) => {
        $ear.hear(tracing::Level::$level, format_args!($($words)*))
    };
}

mod reload;

pub(super) fn say(word: &Word, ear: Ear<'_>) {
    match word {
        Word::Notice(notice) => say_notice(notice, ear),
        Word::Report(Some(report)) => say_report(report, ear),
        Word::Mark(_) | Word::Report(None) | Word::Last => {}
    }
}

/// The words of a notice, for somebody who reads them later.
pub(super) fn words_of(notice: &Notice) -> Option<(Level, String)> {
    let line = OnceCell::new();
    say_notice(notice, Ear::Reader(&line));
    line.into_inner()
}

fn say_notice(notice: &Notice, ear: Ear<'_>) {
    match notice {
        Notice::Plan { plan, left_out } => say_plan(plan, left_out, ear),
        Notice::GraceTooShort { .. }
        | Notice::UnknownVariable { .. }
        | Notice::ReservesScaled { .. }
        | Notice::DelayCapped { .. } => say!(ear, WARN, "{}", Doubt(notice)),
        Notice::PanicAborts => say!(
            ear,
            WARN,
            "this program is built with panic = \"abort\": a panic ends it at once, and nothing is released",
        ),
        Notice::ShellAsPid1(shell) => say!(
            ear,
            WARN,
            "the parent of this process is the shell `{shell}` as PID 1, which may not pass SIGTERM on: start the \
             program with `exec`, or use the exec form of CMD",
        ),
        Notice::ProbeListens(address) => {
            say!(ear, INFO, "the probe answers at http://{address}");
        }
        Notice::NotNotifying(why) => {
            say!(ear, WARN, "systemd cannot be notified: NOTIFY_SOCKET {why}");
        }
        Notice::LastLife(words) => say!(ear, WARN, "the last life {words}"),
        Notice::NoBlackBox { path, why } => {
            let path = path.display();
            say!(ear, WARN, "the black box {path} is not written: {why}; nothing else changes");
        }
        Notice::PreStop { delay } => say!(
            ear,
            INFO,
            "a preStop hook announces the stop: no longer ready, serving for another {}",
            Human(*delay),
        ),
        Notice::Acquiring(name) => say!(ear, INFO, "acquiring {name}"),
        Notice::Acquired { name, took } => {
            say!(ear, INFO, "acquired {name} in {}", Human(*took));
        }
        Notice::AcquireCancelled { name, took } => {
            say!(ear, INFO, "cancelled the acquisition of {name} after {}", Human(*took));
        }
        Notice::Skipped(name) => {
            say!(ear, INFO, "{name} is switched off by configuration");
        }
        Notice::StartProgress { under_way, left } => say_start_progress(under_way, *left, ear),
        Notice::Running { took } => {
            say!(ear, INFO, "running: everything was acquired in {}", Human(*took));
        }
        Notice::SignalsTaken(Taken::ByCtrlc) => say!(
            ear,
            WARN,
            "the crate `ctrlc` has replaced the handler for SIGINT, and with its feature `termination` those for \
             SIGTERM and SIGHUP: these signals do not reach this application any more; remove `ctrlc`, and use \
             `App::stopping` or a resource's `release` for what its handler does",
        ),
        Notice::SignalsTaken(Taken::Lost(signals)) => {
            let names: Vec<String> = signals.iter().map(ToString::to_string).collect();
            let names = names.join(", ");
            say!(
                ear,
                WARN,
                "something in this process has taken away the handlers for {names}: they do not reach this \
                 application any more",
            );
        }
        Notice::Failed(failure) => say_failure(failure, ear),
        Notice::ReloadBegan(..)
        | Notice::ReloadLater { .. }
        | Notice::ReloadRefused(..)
        | Notice::NothingToReload
        | Notice::Reloaded { .. }
        | Notice::ReloadFailed(..)
        | Notice::ReloadedLate(..)
        | Notice::ReloadDropped(..)
        | Notice::ReloadEnded { .. } => reload::say(notice, ear),
        Notice::ShuttingDown { reason, timeout, origin, delay } => {
            say_shutdown(reason, (*timeout, *origin), *delay, ear);
        }
        Notice::NextInterrupt(Insistence::Hurries) => {
            say!(ear, INFO, "Ctrl-C again stops without waiting for work in flight");
        }
        Notice::NextInterrupt(Insistence::Ends) => {
            say!(ear, WARN, "Ctrl-C again ends the process at once, without releasing anything more");
        }
        Notice::SignalIgnored { signal, left, why: Ignored::AlreadyStopping } => {
            say!(ear, INFO, "{signal}: already stopping, {} left; SIGINT hurries", Human(*left));
        }
        Notice::SignalIgnored { signal, why: Ignored::Repeated, .. } => {
            say!(ear, DEBUG, "{signal}: it came right after another signal, and counts as the same one");
        }
        Notice::Hurried { by, left } => say!(
            ear,
            WARN,
            "{}: no more waiting for work in flight; {} left for the releases",
            by.map_or_else(|| "asked to hurry".to_owned(), |signal| signal.to_string()),
            Human(*left),
        ),
        Notice::Thawed { frozen, left } => say!(
            ear,
            WARN,
            "the process was frozen for {} (SIGSTOP, a paused container); {} left for what is not released yet",
            Human(*frozen),
            Human(*left),
        ),
        Notice::Turn { name, tasks } if tasks.is_empty() => {
            say!(ear, DEBUG, "stopping {name}");
        }
        Notice::Turn { name, tasks } => say!(ear, INFO, "stopping {name}: waiting for {}", tasks.join(", ")),
        Notice::Drained { name, took } => {
            say!(ear, INFO, "drained {name} in {}", Human(*took));
        }
        Notice::TasksAborted { name, after, tasks, units, excused } => say!(
            ear,
            WARN,
            "{name} did not drain within {}: aborting {}; {}",
            Human(*after),
            what_is_left(tasks),
            if units.are_tasks() { in_flight(units, "") } else { cut_off(units, *excused, "") },
        ),
        Notice::TasksStuck { name, tasks } => say!(
            ear,
            ERROR,
            "{name} is stuck: {} did not end when it was aborted, and is left behind",
            what_is_left(tasks),
        ),
        Notice::Releasing(name) => say!(ear, INFO, "releasing {name}"),
        Notice::Released { name, took } => {
            say!(ear, INFO, "released {name} in {}", Human(*took));
        }
        Notice::TurnEnded { name, outcome } => {
            say!(ear, WARN, "{name}: {outcome}");
        }
        Notice::StopProgress { waiting, left } => say_stop_progress(waiting, *left, ear),
        Notice::OwnerDropped => say!(
            ear,
            WARN,
            "the application was dropped before its end; it stops at once, and nothing waits for it",
        ),
        Notice::LateTask(name) => {
            say!(ear, WARN, "a task for {name} came too late in its turn, and was not started");
        }
        Notice::TaskEnded { name, task } => {
            say!(ear, INFO, "task `{task}` of `{name}` has ended");
        }
        Notice::TaskPanicked { name, words } => {
            say!(ear, ERROR, "a task of {name} panicked: {words}");
        }
        Notice::HandlesOutlive { name, handles } => {
            let handles_are = if *handles == 1 {
                "1 handle to it is".to_owned()
            } else {
                format!("{handles} handles to it are")
            };
            say!(
                ear,
                WARN,
                "{name} has been released, but {handles_are} still held: whoever uses one finds it closed",
            );
        }
        Notice::CannotAccept { name, why, retry } => {
            say!(ear, WARN, "{name} cannot accept connections, and tries again in {}: {why}", Human(*retry));
        }
        Notice::AllPlacesTaken { name, places } => say!(
            ear,
            WARN,
            "{name} has {places} connections, which is its maximum: further clients wait until one ends; \
             if that is too few, raise max_connections, or the limit on open files that its default comes from",
        ),
        Notice::CheckFails { name, why } => {
            say!(ear, WARN, "the check of {name} fails: {why}");
        }
        Notice::CheckPasses(name) => {
            say!(ear, INFO, "the check of {name} passes again");
        }
    }
}

fn say_plan(plan: &Graph, left_out: &[LeftOut], ear: Ear<'_>) {
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
    say!(ear, INFO, "{starting}{besides}");
}

fn say_failure(failure: &Failure, ear: Ear<'_>) {
    let cause = failure.cause();
    if failure.is_tolerated() {
        say!(ear, WARN, "{failure}: {cause}; it is optional, and the application goes on without it");
    } else {
        say!(ear, ERROR, "{failure}: {cause}");
    }
}

fn say_start_progress(under_way: &[Acquiring], left: Option<Duration>, ear: Ear<'_>) {
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
    say!(ear, INFO, "still starting: acquiring {}{left}", under_way.join(", "));
}

fn say_shutdown(reason: &Reason, (timeout, origin): (Duration, Origin), delay: Duration, ear: Ear<'_>) {
    if delay.is_zero() {
        say!(ear, INFO, "stopping: {reason}; {} at most ({origin})", Human(timeout));
    } else {
        say!(
            ear,
            INFO,
            "draining: {reason}; serving for another {}, then stopping; {} at most in all ({origin})",
            Human(delay),
            Human(timeout),
        );
    }
}

fn say_stop_progress(waiting: &[Waiting], left: Duration, ear: Ear<'_>) {
    let describe = |Waiting { name, doing, since, units, tasks }: &Waiting| {
        let doing = match doing {
            Activity::Draining => in_flight(units, &tasks.join(", ")),
            Activity::AbortingTasks => {
                format!("{}, aborted: {}", in_flight(units, ""), what_is_left(tasks))
            }
            Activity::Releasing => "its release".to_owned(),
            Activity::Aborting => "its abort".to_owned(),
            Activity::Waiting | Activity::Acquiring | Activity::Ready | Activity::Gone => doing.to_string(),
        };
        format!("{name} ({doing}) for {}", Human(*since))
    };
    let waiting: Vec<String> = waiting.iter().map(describe).collect();
    let what = if waiting.is_empty() { "the drain delay".to_owned() } else { waiting.join(", ") };
    say!(ear, INFO, "still stopping: waiting for {what}; {} left", Human(left));
}

fn say_report(report: &Report, ear: Ear<'_>) {
    // A failed start is told on stderr in any case, and not twice.
    if ear == Ear::Stderr && report.failed_start().is_some() {
        return;
    }
    let text = report.to_string();
    // One block: whoever writes the line ends it.
    let text = text.trim_end();
    if report.is_clean() {
        say!(ear, INFO, "{text}");
    } else {
        say!(ear, WARN, "{text}");
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

/// Why the process ends with its exit code: on stderr, where the log does not tell.
pub(super) fn exit_line(report: &Report, blame: Blame) -> String {
    let why = match blame {
        Blame::Hurried(signal) => format!("{signal} hurried the end"),
        Blame::Interrupted(signal) => format!("interrupted by {signal}"),
        Blame::CutOff => format!("the deadline cut off {}", what_was_cut(report)),
        Blame::Failed => match report.failures.iter().find(|failure| !failure.is_tolerated()) {
            Some(failure) => format!("{failure}: {}", failure.cause()),
            None => "something failed".to_owned(),
        },
    };
    format!("lifecycle: exit code {}: {why}\n", report.exit_code)
}

fn what_was_cut(report: &Report) -> String {
    let was_cut = |resource: &&ResourceReport| {
        resource.cut > resource.excused || matches!(resource.outcome, Outcome::TimedOut | Outcome::Aborted)
    };
    let names: Vec<&str> = report.resources.iter().filter(was_cut).map(|resource| resource.name).collect();
    if names.is_empty() { "the body of `main`".to_owned() } else { names.join(", ") }
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
