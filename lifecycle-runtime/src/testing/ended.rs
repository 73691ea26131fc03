//! What became of an application, and what a test expects of it.

use std::fmt::{self, Write};
use std::ops::Deref;

use super::difference::difference;
use super::director::Log;
use super::event::{Event, Kind, name};
use crate::declare::declared::Declared;
use crate::model::Name;
use crate::model::failure::Failure;
use crate::model::report::{Outcome, Report};

/// An application of a [`World`](super::World) that has ended: its [`Report`], which it derefs to, and the ordered log
/// of what happened.
#[derive(Clone, Debug)]
#[must_use = "look at what happened, with `assert_clean` for example"]
pub struct Ended {
    pub(super) report: Report,
    pub(super) log: Log,
}

impl Deref for Ended {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.report
    }
}

/// Displays the report.
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report.fmt(f)
    }
}

impl Ended {
    /// What happened, in order: see [`Event`].
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.iter().map(|(_, event)| event.to_string()).collect()
    }

    /// What happened, each line behind its time in milliseconds from the start of the application: `1500 acquired Db`.
    #[must_use]
    pub fn timed_log(&self) -> Vec<String> {
        self.log.iter().map(|(at, event)| format!("{} {event}", at.as_millis())).collect()
    }

    /// The report itself.
    pub fn into_report(self) -> Report {
        self.report
    }

    /// Asserts that exactly these lines are in the [log](Self::log), and in this order.
    ///
    /// # Panics
    ///
    /// If that is not so. The message shows both, line by line, with `-` and `+` where they differ.
    #[track_caller]
    pub fn assert_log(&self, expected: impl IntoIterator<Item: Into<String>>) {
        let (expected, log) = (expected.into_iter().map(Into::into).collect::<Vec<_>>(), self.log());
        assert!(
            expected == log,
            "the log is not as expected (- expected, + happened):\n{}",
            difference(&expected, &log)
        );
    }

    /// Asserts that these events happened, in this order. Others may have happened before, between and after them.
    ///
    /// # Panics
    ///
    /// If that is not so. The message shows the log, and what is missing in it.
    #[track_caller]
    pub fn assert_in_order(&self, expected: impl IntoIterator<Item = Event>) {
        let mut rest = self.log.iter();
        let mut last = None;
        for event in expected {
            if !rest.any(|(_, happened)| *happened == event) {
                let after = last.map_or(String::new(), |last: Event| format!(" after \"{last}\""));
                panic!("\"{event}\" did not happen{after}:\n{}", self.happened());
            }
            last = Some(event);
        }
    }

    /// Asserts that `First` was released before the turn of `Then` began, as it is where `First` comes after `Then`. An
    /// `abort` counts as a release.
    ///
    /// # Panics
    ///
    /// If that is not so, or if one of them was never acquired. The message shows the log.
    #[track_caller]
    pub fn assert_released_before<First: Declared, Then: Declared>(&self) {
        let (first, then) = (name::<First>(), name::<Then>());
        for name in [first, then] {
            assert!(self.resource(name).is_some(), "{name} is not part of the application\n{self}");
        }
        let gone = self.place(|kind| matches!(kind, Kind::Released(it) | Kind::Aborted(it) if *it == first));
        let turn = self.place(|kind| matches!(kind, Kind::Turn(it) | Kind::Releasing(it) if *it == then));
        match (gone, turn) {
            (Some(gone), Some(turn)) if gone < turn => {}
            (Some(_), Some(_)) => {
                panic!("{first} was not released before the turn of {then} began:\n{}", self.happened())
            }
            (None, _) => panic!("{first} was never released:\n{}", self.happened()),
            (_, None) => panic!("{then} never had its turn:\n{}", self.happened()),
        }
    }

    /// Whether this happened.
    #[must_use]
    pub fn has(&self, event: &Event) -> bool {
        self.log.iter().any(|(_, happened)| happened == event)
    }

    fn place(&self, is_it: impl Fn(&Kind) -> bool) -> Option<usize> {
        self.log.iter().position(|(_, Event(kind))| is_it(kind))
    }

    fn happened(&self) -> String {
        text(&self.log)
    }
}

/// The lines of a log, each behind its time.
pub(super) fn text(log: &Log) -> String {
    log.iter().fold("  what happened:\n".to_owned(), |mut text, (at, event)| {
        let _ = writeln!(text, "    {:>7} ms  {event}", at.as_millis());
        text
    })
}

/// What a test expects of a report (feature `testing`).
impl Report {
    /// Asserts that nothing failed, and that everything that was acquired was released cleanly: see
    /// [`is_clean`](Self::is_clean).
    ///
    /// # Panics
    ///
    /// If that is not so. The message shows the report, with every failure.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "it should have ended cleanly, with exit code 0\n{self}");
    }

    /// Asserts the exit code.
    ///
    /// # Panics
    ///
    /// If it is another one. The message shows the report, with every failure.
    #[track_caller]
    pub fn assert_exit_code(&self, expected: u8) {
        assert!(
            self.exit_code == expected,
            "the exit code is {}, and should be {expected}\n{self}",
            self.exit_code
        );
    }

    /// Asserts what went wrong: all of [`failures`](Self::failures) in order, each as the resource and operation that an
    /// operator reads, a colon and the cause: ``"`Db` could not be released: disk full"``.
    ///
    /// # Panics
    ///
    /// If that is not so. The message shows both, line by line, with `-` and `+` where they differ.
    #[track_caller]
    pub fn assert_failures(&self, expected: impl IntoIterator<Item: Into<String>>) {
        let expected: Vec<String> = expected.into_iter().map(Into::into).collect();
        let failures: Vec<String> = self.failures.iter().map(line).collect();
        assert!(
            expected == failures,
            "the failures are not as expected (- expected, + happened):\n{}",
            difference(&expected, &failures)
        );
    }

    /// Asserts how the resource `R` ended.
    ///
    /// # Panics
    ///
    /// If it ended otherwise, or is not part of the application. The message shows the report.
    #[track_caller]
    pub fn assert_outcome<R: Declared>(&self, expected: Outcome) {
        let name: Name = name::<R>();
        let outcome = self.resource(name).map(|resource| resource.outcome);
        let Some(outcome) = outcome else { panic!("{name} is not part of the application\n{self}") };
        assert!(
            outcome == expected,
            "{name} ended as \"{outcome}\", and should have as \"{expected}\"\n{self}"
        );
    }
}

fn line(failure: &Failure) -> String {
    format!("{failure}: {}", failure.cause())
}
