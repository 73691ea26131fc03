//! What a resource is doing, in the words that the log, the probe and systemd use.
#![allow(dead_code, reason = "endpoints ask more than the log does, and all of them stand behind features")]

use std::fmt;

/// What a resource is at, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// For what it comes after.
    Waiting,
    Acquiring,
    Ready,
    /// Its tasks finish.
    Draining,
    /// Its tasks were aborted, and are waited for.
    AbortingTasks,
    Releasing,
    /// Its release did not complete, and `abort` runs.
    Aborting,
    Gone,
}

impl Activity {
    /// Whether something is under way.
    pub(crate) fn is_busy(self) -> bool {
        match self {
            Self::Waiting | Self::Ready | Self::Gone => false,
            Self::Acquiring | Self::Draining | Self::AbortingTasks | Self::Releasing | Self::Aborting => true,
        }
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Acquiring => "acquiring",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::AbortingTasks => "aborting tasks",
            Self::Releasing => "releasing",
            Self::Aborting => "aborting",
            Self::Gone => "gone",
        })
    }
}
