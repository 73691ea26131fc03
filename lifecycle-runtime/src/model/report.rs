//! What happened, told afterwards (rule E2), and the exit code (rule E1).

use std::fmt;
use std::process::{ExitCode, Termination};
use std::time::Duration;

use super::exit_code;
use super::failure::{Failure, Operation};
use super::phase::{Phase, Reason};

/// What happened to an application, from its start to its end.
///
/// It is what [`App::run`](crate::App::run) gives, and what a `main` can return: as a
/// [`Termination`] it ends the process with [`exit_code`](Self::exit_code). Displayed, it is the block that is
/// logged at the end.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[must_use = "a report carries the exit code: return it from `main`, or look at it"]
pub struct Report {
    /// What ended the application.
    pub reason: Reason,
    /// When each phase began, counted from the start of the application.
    pub phases: Vec<(Phase, Duration)>,
    /// What became of each resource, dependencies first.
    pub resources: Vec<ResourceReport>,
    /// Everything that went wrong, in the order in which it did.
    pub failures: Vec<Failure>,
    /// The resources on the critical path of the start: each was waited for by the next.
    pub start_path: Vec<String>,
    /// The resources on the critical path of the stop: each was waited for by the next.
    pub stop_path: Vec<String>,
    /// The time that was there for the stop, from the trigger to the deadline.
    pub shutdown_timeout: Duration,
    /// The time that the stop took, from the trigger to the end; `None` if nothing was started.
    pub stop_took: Option<Duration>,
    /// 0 clean, 1 failed, 124 cut off by the deadline, 128+n interrupted by signal n, 78 bad configuration.
    pub exit_code: u8,
}

/// What became of one resource.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ResourceReport {
    /// Its name.
    pub name: String,
    /// Whether it is a foundation: released after everything else.
    pub foundation: bool,
    /// How it went.
    pub outcome: Outcome,
    /// What it came after.
    pub after: Vec<String>,
    /// Whether its acquisition gave something that had to be released.
    pub was_acquired: bool,
    /// How long its acquisition took; `None` if it was never begun.
    pub acquire: Option<Duration>,
    /// How long its tasks took to end, from the beginning of its turn; `None` if it had no turn.
    pub drain: Option<Duration>,
    /// How long `release` took; `None` if it was never called.
    pub release: Option<Duration>,
    /// Units of work in flight when its turn began: tasks and guards.
    pub in_flight: usize,
    /// Units of work in flight when they were cut off.
    pub cut: usize,
    /// How many of those that were cut off do not make it a failure: streams and upgraded connections that had been
    /// told, and connections without a request (rule E1).
    pub excused: usize,
    /// The supervised tasks that were aborted because their time was up.
    pub aborted_tasks: Vec<String>,
    /// The tasks that did not end even then.
    pub stuck_tasks: Vec<String>,
}

/// How it went with one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Acquired, drained and released without a complaint.
    Clean,
    /// Its turn is not over yet: so it is with foundations in the report that is logged, since the log may be one.
    Held,
    /// An error in `acquire`, `release` or a supervised task.
    Failed,
    /// A panic in `acquire`, `release` or a supervised task.
    Panicked,
    /// `acquire` or `release` took longer than it may.
    TimedOut,
    /// Its tasks took longer than they may and were aborted; the release went well.
    Aborted,
    /// Its acquisition was under way when the application began to stop, and was dropped.
    Cancelled,
    /// It said that it is switched off by configuration.
    Skipped,
    /// Its acquisition was never begun.
    NeverStarted,
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
    /// The report of an application that was not begun: its configuration was refused, or the circumstances.
    pub(crate) fn refused(failures: Vec<Failure>) -> Self {
        let is_configuration = |failure: &Failure| *failure.operation() == Operation::Configure;
        let (reason, exit_code) = if failures.iter().any(is_configuration) {
            (Reason::Configuration, exit_code::CONFIGURATION)
        } else {
            (Reason::Failed, exit_code::FAILED)
        };
        Self {
            reason,
            phases: Vec::new(),
            resources: Vec::new(),
            failures,
            start_path: Vec::new(),
            stop_path: Vec::new(),
            shutdown_timeout: Duration::ZERO,
            stop_took: None,
            exit_code,
        }
    }

    /// Whether everything that was acquired was released cleanly and nothing failed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.exit_code == 0 && self.failures.is_empty()
    }

    /// Whether somebody should look at it: something failed or was cut off.
    pub(crate) fn has_trouble(&self) -> bool {
        let is_bad = |outcome| {
            matches!(outcome, Outcome::Failed | Outcome::Panicked | Outcome::TimedOut | Outcome::Aborted)
        };
        !self.failures.is_empty() || self.resources.iter().any(|resource| is_bad(resource.outcome))
    }

    /// Whether the application got as far as [`Phase::Running`].
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.phases.iter().any(|(phase, _)| *phase == Phase::Running)
    }

    /// The resource of that name.
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<&ResourceReport> {
        self.resources.iter().find(|resource| resource.name == name)
    }
}

impl Termination for Report {
    fn report(self) -> ExitCode {
        ExitCode::from(self.exit_code)
    }
}
