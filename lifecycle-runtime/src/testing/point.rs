//! Where an application is stopped, and how.

use std::fmt;

use crate::driver::kit::Work;
use crate::model::Name;

/// A crash point: an await of a hook or a task, and what happens there. See
/// [`for_every_point`](super::for_every_point).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Point {
    pub(super) place: Place,
    /// The first is 1.
    pub(super) at: usize,
    pub(super) by: Crash,
}

/// A hook or a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    resource: Name,
    pub(super) work: Part,
    /// Which one of those with that name, in the order in which they begin; the first is 1.
    nth: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Part {
    Acquire,
    Release,
    Reload,
    Task(String),
    Job,
}

/// What happens at a crash point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Crash {
    /// SIGTERM arrives.
    Signal,
    /// What is awaited fails.
    Error,
    /// What is awaited panics.
    Panic,
    /// What is awaited is never ready.
    Hang,
    /// SIGTERM arrives, and the future is dropped there, as at its cut-off.
    Drop,
}

/// What a crash point says as an error, and as a panic.
pub(super) const WORDS: &str = "stopped by the test at an await";

impl Crash {
    const ALL: [Self; 5] = [Self::Signal, Self::Error, Self::Panic, Self::Hang, Self::Drop];

    fn word(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Hang => "hang",
            Self::Drop => "drop",
        }
    }
}

impl Place {
    /// The next one of a resource's, after those that there are.
    pub(super) fn next(resource: Name, work: Work<'_>, others: &[(Self, usize)]) -> Self {
        let work = match work {
            Work::Acquire => Part::Acquire,
            Work::Release => Part::Release,
            Work::Reload => Part::Reload,
            Work::Task(name) => Part::Task(name.to_owned()),
            Work::Job => Part::Job,
        };
        let nth =
            others.iter().filter(|(other, _)| other.resource == resource && other.work == work).count() + 1;
        Self { resource, work, nth }
    }

    /// The name of the task, if it is one of this resource.
    pub(super) fn task_of(&self, resource: Name) -> Option<&str> {
        match &self.work {
            Part::Task(name) if self.resource == resource => Some(name),
            _ => None,
        }
    }

    /// All that can happen at one await of it.
    pub(super) fn points(&self, at: usize) -> impl Iterator<Item = Point> {
        // A job has no error to return.
        let is_possible = |by: &Crash| *by != Crash::Error || self.work != Part::Job;
        Crash::ALL.into_iter().filter(is_possible).map(move |by| Point { place: self.clone(), at, by })
    }
}

impl Point {
    /// A short name, for the command line.
    pub(super) fn id(&self) -> String {
        let Self { place: Place { resource, work, nth }, at, by } = self;
        let part = match work {
            Part::Acquire => "acquire".to_owned(),
            Part::Release => "release".to_owned(),
            Part::Reload => "reload".to_owned(),
            Part::Task(name) => format!("task-{name}"),
            Part::Job => "job".to_owned(),
        };
        let nth = if *nth > 1 { format!("#{nth}") } else { String::new() };
        format!("{resource}/{part}{nth}@{at}:{}", by.word())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, ", self.resource)?;
        match &self.work {
            Part::Acquire => write!(f, "`acquire`")?,
            Part::Release => write!(f, "`release`")?,
            Part::Reload => write!(f, "`reload`")?,
            Part::Task(name) => write!(f, "task `{name}`")?,
            Part::Job => write!(f, "a task of `tasks()`")?,
        }
        if self.nth > 1 { write!(f, " (the {} one)", Ordinal(self.nth)) } else { Ok(()) }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, at, by } = self;
        let article = if *by == Crash::Error { "an" } else { "a" };
        write!(f, "{place}, stopped at its {} await by {article} {}", Ordinal(*at), by.word())
    }
}

struct Ordinal(usize);

impl fmt::Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = match (self.0 % 10, self.0 % 100) {
            (_, 11..=13) => "th",
            (1, _) => "st",
            (2, _) => "nd",
            (3, _) => "rd",
            _ => "th",
        };
        write!(f, "{}{suffix}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_read_like_a_sentence_and_typed_like_a_word() {
        let first = Place::next("Worker", Work::Task("receipts"), &[]);
        let second = Place::next("Worker", Work::Task("receipts"), &[(first.clone(), 0)]);
        let point = Point { place: first, at: 3, by: Crash::Drop };
        assert_eq!(point.to_string(), "`Worker`, task `receipts`, stopped at its 3rd await by a drop");
        assert_eq!(point.id(), "Worker/task-receipts@3:drop");
        let point = Point { place: second, at: 11, by: Crash::Error };
        assert_eq!(
            point.to_string(),
            "`Worker`, task `receipts` (the 2nd one), stopped at its 11th await by an error"
        );
        assert_eq!(point.id(), "Worker/task-receipts#2@11:error");
    }
}
