//! The phase of an application, and the reason for its end.

use std::fmt;

use super::signal::Signal;

/// The phase of an application. Phases follow one another in this order, and none is skipped.
///
/// [`App::phase`](crate::App::phase) returns the current one. To be told of the stop rather than to ask, use
/// [`Stopping`](crate::Stopping).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Resources are being acquired.
    Starting,
    /// Everything is acquired. The application is ready only in this phase.
    Running,
    /// A stop was requested and the deadline is fixed. The application is not ready any more, but keeps working for the
    /// drain delay.
    Draining,
    /// Resources have their turns: tasks finish, resources are released.
    Stopping,
    /// Every resource has had its turn.
    Stopped,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

/// Why an application ended (rule D1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A signal arrived.
    Signal(Signal),
    /// A stop was requested, for this reason.
    Requested(String),
    /// Something failed; [`Report::failures`](crate::Report::failures) lists what.
    Failed,
    /// Nothing was left to do: the body of `main` had returned and no supervised task was running.
    Finished,
    /// The configuration was refused, and nothing was started.
    Configuration,
    /// Its owner was dropped before the end.
    Dropped,
    /// `LIFECYCLE_PLAN` asked for the plan, and nothing was started.
    Planned,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(signal) => write!(f, "{signal} received"),
            Self::Requested(words) => write!(f, "shutdown requested: {words}"),
            Self::Failed => f.write_str("something failed"),
            Self::Finished => f.write_str("nothing is left to do"),
            Self::Configuration => f.write_str("the configuration was refused"),
            Self::Dropped => f.write_str("the application was dropped"),
            Self::Planned => f.write_str("the plan was asked for"),
        }
    }
}
