//! Reloading while the application runs (§9): what asks for it, and what became of it.

use std::fmt;
use std::time::Duration;

use super::failure::Failure;

/// What SIGHUP does: the option `hangup` of `#[lifecycle::main]`, and [`Builder::hangup`](crate::Builder::hangup).
///
/// By default it reloads if the application has a resource that is declared `reload`, and otherwise stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hangup {
    /// It reloads every resource that is declared `reload`.
    Reload,
    /// It stops the application, as SIGTERM does.
    Stop,
    /// It does nothing: the program handles it itself, for example with `tokio::signal`.
    Ignore,
}

/// What asked for a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReloadReason {
    /// SIGHUP: `systemctl reload`, `kill -HUP`.
    Hangup,
    /// [`App::reload`](crate::App::reload).
    Requested,
}

impl fmt::Display for ReloadReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hangup => "SIGHUP received",
            Self::Requested => "requested by the program",
        })
    }
}

/// The reloads of an application so far. It does not grow with their number.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Reloads {
    /// How many came to their end. One that a stop broke off is not among them.
    pub count: u64,
    /// In how many of these something failed.
    pub failed: u64,
    /// The last one.
    pub last: Option<EndedReload>,
    /// The last one in which something failed.
    pub last_failed: Option<EndedReload>,
}

impl Reloads {
    /// Whether something failed in the last one, so that an old state is still in use.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.last.as_ref().is_some_and(|last| !last.failures.is_empty())
    }
}

/// A reload that came to its end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EndedReload {
    /// What asked for it.
    pub reason: ReloadReason,
    /// When it ended, measured from the start of the application.
    pub ended: Duration,
    /// How long it took.
    pub took: Duration,
    /// How many resources were reloaded.
    pub reloaded: usize,
    /// What failed, in order. Each of these resources keeps what it had.
    pub failures: Vec<Failure>,
}
