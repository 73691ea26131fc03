//! What happened (rule E2), and the exit code (rule E1).

use std::fmt;
use std::process::{ExitCode, Termination};
use std::sync::Arc;
use std::time::Duration;

use super::exit_code;
use super::failure::{Failure, Operation};
use super::order::order_by;
use super::phase::{Phase, Reason};
use super::reload::Reloads;
use super::signal::Signal;
use super::units::Units;

/// What happened to an application, from its start to its end, and the exit code.
///
/// [`App::run`](crate::App::run) returns it, and a `main` can return it in turn: as a [`Termination`], it ends the
/// process with [`exit_code`](Self::exit_code). Its `Display` is the text that is logged at the end. To follow an
/// application while it runs, use [`App::watch_phase`](crate::App::watch_phase) or the probe's `/status`.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "a report carries the exit code: return it from `main`, or look at it"]
pub struct Report {
    /// Why the application ended.
    pub reason: Reason,
    /// When each phase began, measured from the start of the application.
    pub phases: Vec<(Phase, Duration)>,
    /// The signals that arrived, and when each did, measured from the start of the application. One that changed nothing
    /// is among them: a second SIGTERM, for example.
    pub signals: Vec<(Signal, Duration)>,
    /// What happened to each resource, dependencies first.
    pub resources: Vec<ResourceReport>,
    /// Everything that went wrong, in order.
    pub failures: Vec<Failure>,
    /// The reloads while it ran. What failed in them is not among the `failures`, and does not affect the exit code.
    pub reloads: Reloads,
    /// The critical path of the start: each resource was waited for by the next one.
    pub start_path: Vec<&'static str>,
    /// The critical path of the stop: each resource was waited for by the next one.
    pub stop_path: Vec<&'static str>,
    /// The time available for the stop, from the request to the deadline.
    pub shutdown_timeout: Duration,
    /// The time that the stop took, from the request to the end; `None` if nothing was started.
    pub stop_took: Option<Duration>,
    /// 0 success, 1 failure, 124 cut off by the deadline, 128+n interrupted by signal n, 78 bad configuration.
    pub exit_code: u8,
    /// What is done when `main` returns the report.
    pub(crate) exit: Option<Arc<dyn Exit>>,
}

/// What is done when a `main` has returned the report of an application: the process ends now, and its end is guarded
/// like that of the application was.
pub(crate) trait Exit: fmt::Debug + Send + Sync {
    fn begin(&self);
}

/// What happened to one resource.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ResourceReport {
    /// Its name.
    pub name: &'static str,
    /// Whether it is a foundation, released after everything else.
    pub foundation: bool,
    /// The result in one word.
    pub outcome: Outcome,
    /// The resources that it came after.
    pub after: Vec<&'static str>,
    /// Whether it was acquired, and so had to be released.
    pub was_acquired: bool,
    /// When `acquire` was called, measured from the start of the application like everything here that is a moment.
    pub acquire_began: Option<Duration>,
    /// When its turn began.
    pub drain_began: Option<Duration>,
    /// When `release` was called.
    pub release_began: Option<Duration>,
    /// When its turn was over.
    pub ended: Option<Duration>,
    /// How long `acquire` took; `None` if it was never called.
    pub acquire: Option<Duration>,
    /// How long its tasks took to end, from the start of its turn; `None` if it had no turn.
    pub drain: Option<Duration>,
    /// How long `release` took; `None` if it was never called.
    pub release: Option<Duration>,
    /// How many units were in flight when its turn began: requests, tasks and so on, without idle connections.
    pub in_flight: usize,
    /// What was there when its turn began, by kind.
    pub in_flight_by_kind: Units,
    /// How many units were cut off, idle connections included.
    pub cut: usize,
    /// What was cut off, by kind.
    pub cut_by_kind: Units,
    /// How many of the units that were cut off do not affect the exit code: endless responses and upgraded connections
    /// that were notified, and connections without a request (rule E1).
    pub excused: usize,
    /// The supervised tasks that were aborted at the cut-off.
    pub aborted_tasks: Vec<String>,
    /// The tasks that did not end even when they were aborted.
    pub stuck_tasks: Vec<String>,
}

/// The result for one resource, in one word. [`Report::failures`] has the details of what failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Acquired, drained and released without a problem.
    Clean,
    /// Not released yet. The logged report shows foundations like this, because the log itself may be one of them.
    Held,
    /// An error in `acquire`, `release` or a supervised task.
    Failed,
    /// A panic in `acquire`, `release` or a supervised task.
    Panicked,
    /// `acquire` or `release` exceeded its time limit.
    TimedOut,
    /// Its tasks exceeded their time limit and were aborted; the release completed.
    Aborted,
    /// It was being acquired when the application began to stop; the acquisition was dropped.
    Cancelled,
    /// It is switched off by configuration: see [`Skip`](crate::Skip).
    Skipped,
    /// `acquire` was never called.
    NeverStarted,
}

impl Outcome {
    /// Whether somebody should look at it.
    pub(crate) fn is_trouble(self) -> bool {
        matches!(self, Self::Failed | Self::Panicked | Self::TimedOut | Self::Aborted)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Clean => "clean",
            Self::Held => "still held",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed out",
            Self::Aborted => "aborted",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::NeverStarted => "never started",
        })
    }
}

impl Report {
    /// The report of an application that could not be started, because of its configuration or its surroundings.
    pub(crate) fn refused(failures: Vec<Failure>) -> Self {
        let is_configuration = |failure: &Failure| *failure.operation() == Operation::Configure;
        let (reason, exit_code) = if failures.iter().any(is_configuration) {
            (Reason::Configuration, exit_code::CONFIGURATION)
        } else {
            (Reason::Failed, exit_code::FAILED)
        };
        Self { failures, ..Self::of_nothing(reason, exit_code) }
    }

    /// The report of an application that showed its plan, and was not started.
    pub(crate) fn planned(exit_code: u8) -> Self {
        Self::of_nothing(Reason::Planned, exit_code)
    }

    fn of_nothing(reason: Reason, exit_code: u8) -> Self {
        Self {
            reason,
            phases: Vec::new(),
            signals: Vec::new(),
            resources: Vec::new(),
            failures: Vec::new(),
            reloads: Reloads::default(),
            start_path: Vec::new(),
            stop_path: Vec::new(),
            shutdown_timeout: Duration::ZERO,
            stop_took: None,
            exit_code,
            exit: None,
        }
    }

    /// The same report, with what is done when `main` returns it.
    pub(crate) fn ends_with(self, exit: Option<Arc<dyn Exit>>) -> Self {
        Self { exit, ..self }
    }

    /// Whether nothing failed, and everything that was acquired was released cleanly.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.exit_code == 0 && self.failures.is_empty()
    }

    /// Whether something failed or was cut off, so that somebody should look at it.
    pub(crate) fn has_trouble(&self) -> bool {
        // A resource whose acquisition was cancelled may have been cut off as well.
        let is_trouble = |it: &ResourceReport| {
            it.outcome.is_trouble() || it.cut > it.excused || !it.stuck_tasks.is_empty()
        };
        !self.failures.is_empty() || self.resources.iter().any(is_trouble)
    }

    /// What made the start fail, if it did.
    pub(crate) fn failed_start(&self) -> Option<&Failure> {
        let has_failed = |failure: &&Failure| !failure.is_tolerated();
        if self.has_started() { None } else { self.failures.iter().find(has_failed) }
    }

    /// Whether the application reached [`Phase::Running`].
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.phases.iter().any(|(phase, _)| *phase == Phase::Running)
    }

    /// How long each resource took by itself, to be acquired, drained and released together; the longest first.
    #[must_use]
    pub fn blame(&self) -> Vec<(&'static str, Duration)> {
        let took = |it: &ResourceReport| {
            it.acquire.unwrap_or_default() + it.drain.unwrap_or_default() + it.release.unwrap_or_default()
        };
        let blame: Vec<(&'static str, Duration)> =
            self.resources.iter().map(|it| (it.name, took(it))).collect();
        let order = order_by(blame.len(), &|one, other| blame[other].1.cmp(&blame[one].1));
        order.into_iter().map(|place| blame[place]).collect()
    }

    /// The critical path of the start, with how long each resource on it took to be acquired: each was waited for by the
    /// next one, so that the start is as long as all of them together. To make it shorter, begin with the longest.
    ///
    /// [`start_path`](Self::start_path) has the names alone.
    #[must_use]
    pub fn critical_start(&self) -> Vec<(&'static str, Duration)> {
        self.timed(&self.start_path, |it| it.acquire.unwrap_or_default())
    }

    /// The critical path of the stop, with how long each resource on it took to be drained and released: each was waited
    /// for by the next one.
    ///
    /// [`stop_path`](Self::stop_path) has the names alone.
    #[must_use]
    pub fn critical_stop(&self) -> Vec<(&'static str, Duration)> {
        self.timed(&self.stop_path, |it| it.drain.unwrap_or_default() + it.release.unwrap_or_default())
    }

    fn timed(
        &self,
        path: &[&'static str],
        took: impl Fn(&ResourceReport) -> Duration,
    ) -> Vec<(&'static str, Duration)> {
        path.iter().map(|&name| (name, self.resource(name).map(&took).unwrap_or_default())).collect()
    }

    /// When a phase began, measured from the start of the application; `None` if it never did.
    #[must_use]
    pub fn began(&self, phase: Phase) -> Option<Duration> {
        self.phases.iter().find(|(begun, _)| *begun == phase).map(|(_, at)| *at)
    }

    /// The resource with this name.
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<&ResourceReport> {
        self.resources.iter().find(|resource| resource.name == name)
    }
}

/// The exit code alone, for a program that has something left to do. If there is nothing, return the report itself from
/// `main`: the end of the process is then guarded as well (rule D9).
impl From<Report> for ExitCode {
    fn from(report: Report) -> Self {
        Self::from(report.exit_code)
    }
}

impl Termination for Report {
    fn report(self) -> ExitCode {
        if let Some(exit) = &self.exit {
            exit.begin();
        }
        ExitCode::from(self.exit_code)
    }
}
