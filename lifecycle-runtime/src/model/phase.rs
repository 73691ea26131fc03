//! Where an application is in its life, and what ended it.

use std::fmt;

use super::signal::Signal;

/// Where an application is in its life. The phases follow one another in this order and none is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Resources are being acquired.
    Starting,
    /// Everything is acquired; the only phase in which the application is ready.
    Running,
    /// Shutdown was asked for. The deadline is fixed, readiness is false, work goes on for the drain delay.
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

/// What ended an application (rule D1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A signal arrived.
    Signal(Signal),
    /// Somebody asked for it, with these words.
    Requested(String),
    /// Something failed; [`Report::failures`](crate::Report::failures) tells what.
    Failed,
    /// Nothing was left to live for: the body of `main` had returned and no supervised task was alive.
    Finished,
    /// The configuration was refused, and nothing was started.
    Configuration,
    /// The application was dropped before its end: nobody waited for it.
    Dropped,
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
        }
    }
}
