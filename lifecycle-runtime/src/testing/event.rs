//! What happens in an application, as a test sees it.

use std::fmt;

use crate::declare::declared::Declared;
use crate::model::Name;
use crate::model::phase::Phase;
use crate::model::signal::Signal;

/// Something that happens in an application: a line of the log of a [`World`](super::World), and a moment at which it
/// can [do something](super::World::when).
///
/// Its `Display` is the line: `acquiring Db`, `acquired Db`, `stopping Db` (its turn begins), `releasing Db`,
/// `released Db`. A resource goes by its declared name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event(pub(super) Kind);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Phase(Phase),
    Acquiring(Name),
    Acquired(Name),
    AcquireFailed(Name),
    AcquireCancelled(Name),
    Skipped(Name),
    Reloading(Name),
    Reloaded(Name),
    ReloadFailed(Name),
    Turn(Name),
    TaskEnded(Name, String),
    TaskFailed(Name, String),
    TaskDropped(Name, String),
    AbortingTasks(Name),
    Releasing(Name),
    Released(Name),
    ReleaseFailed(Name),
    ReleaseCut(Name),
    Aborting(Name),
    Aborted(Name),
    Signal(Signal),
    Shutdown(String),
    /// A line of the test's own.
    Noted(String),
    /// A crash point.
    Stopped(String),
}

impl Event {
    /// `acquire` of `R` is about to be called.
    #[must_use]
    pub fn acquiring<R: Declared>() -> Self {
        Self(Kind::Acquiring(name::<R>()))
    }

    /// `acquire` of `R` has given an instance.
    #[must_use]
    pub fn acquired<R: Declared>() -> Self {
        Self(Kind::Acquired(name::<R>()))
    }

    /// `reload` of `R` is about to be called.
    #[must_use]
    pub fn reloading<R: Declared>() -> Self {
        Self(Kind::Reloading(name::<R>()))
    }

    /// `reload` of `R` has completed.
    #[must_use]
    pub fn reloaded<R: Declared>() -> Self {
        Self(Kind::Reloaded(name::<R>()))
    }

    /// The turn of `R` begins: its notice is about to fire.
    #[must_use]
    pub fn stopping<R: Declared>() -> Self {
        Self(Kind::Turn(name::<R>()))
    }

    /// The supervised or background task `task` of `R` has returned, and has not failed.
    #[must_use]
    pub fn task_ended<R: Declared>(task: impl Into<String>) -> Self {
        Self(Kind::TaskEnded(name::<R>(), task.into()))
    }

    /// `release` of `R` is about to be called.
    #[must_use]
    pub fn releasing<R: Declared>() -> Self {
        Self(Kind::Releasing(name::<R>()))
    }

    /// `release` of `R` has completed.
    #[must_use]
    pub fn released<R: Declared>() -> Self {
        Self(Kind::Released(name::<R>()))
    }

    /// `abort` of `R` is about to be called, since its `release` did not complete.
    #[must_use]
    pub fn aborting<R: Declared>() -> Self {
        Self(Kind::Aborting(name::<R>()))
    }

    /// The code of the test adds this line to the log, with [`Notes`](super::Notes).
    #[must_use]
    pub fn noted(line: impl Into<String>) -> Self {
        Self(Kind::Noted(line.into()))
    }

    /// The application enters a phase.
    #[must_use]
    pub fn phase(phase: Phase) -> Self {
        Self(Kind::Phase(phase))
    }
}

impl Event {
    /// The resource that it is about.
    pub(super) fn resource(&self) -> Option<Name> {
        match &self.0 {
            Kind::Acquiring(name)
            | Kind::Acquired(name)
            | Kind::AcquireFailed(name)
            | Kind::AcquireCancelled(name)
            | Kind::Skipped(name)
            | Kind::Reloading(name)
            | Kind::Reloaded(name)
            | Kind::ReloadFailed(name)
            | Kind::Turn(name)
            | Kind::TaskEnded(name, _)
            | Kind::TaskFailed(name, _)
            | Kind::TaskDropped(name, _)
            | Kind::AbortingTasks(name)
            | Kind::Releasing(name)
            | Kind::Released(name)
            | Kind::ReleaseFailed(name)
            | Kind::ReleaseCut(name)
            | Kind::Aborting(name)
            | Kind::Aborted(name) => Some(name),
            Kind::Phase(_) | Kind::Signal(_) | Kind::Shutdown(_) | Kind::Noted(_) | Kind::Stopped(_) => None,
        }
    }
}

pub(super) fn name<R: Declared>() -> Name {
    R::node().declaration.name
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Phase(phase) => write!(f, "phase {phase}"),
            Kind::Acquiring(name) => write!(f, "acquiring {name}"),
            Kind::Acquired(name) => write!(f, "acquired {name}"),
            Kind::AcquireFailed(name) => write!(f, "acquire of {name} failed"),
            Kind::AcquireCancelled(name) => write!(f, "acquire of {name} cancelled"),
            Kind::Skipped(name) => write!(f, "skipped {name}"),
            Kind::Reloading(name) => write!(f, "reloading {name}"),
            Kind::Reloaded(name) => write!(f, "reloaded {name}"),
            Kind::ReloadFailed(name) => write!(f, "reload of {name} failed"),
            Kind::Turn(name) => write!(f, "stopping {name}"),
            Kind::TaskEnded(name, task) => write!(f, "task {task} of {name} ended"),
            Kind::TaskFailed(name, task) => write!(f, "task {task} of {name} failed"),
            Kind::TaskDropped(name, task) => write!(f, "task {task} of {name} dropped"),
            Kind::AbortingTasks(name) => write!(f, "aborting the tasks of {name}"),
            Kind::Releasing(name) => write!(f, "releasing {name}"),
            Kind::Released(name) => write!(f, "released {name}"),
            Kind::ReleaseFailed(name) => write!(f, "release of {name} failed"),
            Kind::ReleaseCut(name) => write!(f, "release of {name} cut off"),
            Kind::Aborting(name) => write!(f, "aborting {name}"),
            Kind::Aborted(name) => write!(f, "aborted {name}"),
            Kind::Signal(signal) => write!(f, "{signal}"),
            Kind::Shutdown(reason) => write!(f, "shutdown: {reason}"),
            Kind::Noted(line) => f.write_str(line),
            Kind::Stopped(point) => write!(f, "-- {point}"),
        }
    }
}
