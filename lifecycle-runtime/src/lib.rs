//! Good manners for tokio services: resources start in order, and stop in order, on time, without losing a request.

mod app;
mod body;
mod budget;
mod catch;
mod config;
mod control;
mod discover;
mod driver;
mod endpoints;
mod engine;
mod error;
mod explain;
#[cfg(any(feature = "probe", all(feature = "systemd", target_os = "linux")))]
mod heartbeat;
mod inflight;
mod log;
mod node;
mod phase;
mod plan;
mod platform;
#[doc(hidden)]
pub mod private;
#[cfg(feature = "probe")]
mod probe;
mod report;
mod resource;
mod run;
mod signals;
#[cfg(test)]
mod simulation;
mod stderr;
mod stopping;
#[cfg(all(feature = "systemd", target_os = "linux"))]
mod systemd;
mod tasks;
mod watchdog;

use std::error::Error;
use std::fmt;

pub use lifecycle_macros::{main, resource};

pub use crate::app::{App, Builder};
pub use crate::body::Output;
pub use crate::discover::Resources;
pub use crate::error::{Failure, Operation};
pub use crate::phase::{Phase, Reason, Signal};
#[cfg(feature = "probe")]
pub use crate::probe::Probe;
pub use crate::report::{Outcome, Report, ResourceReport};
pub use crate::resource::{Acquire, Release, Resource};
pub use crate::stopping::Stopping;
pub use crate::tasks::{Guard, TaskOutput, Tasks};

/// Any error.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A result for which `?` takes any error, `anyhow::Error` included.
pub type Result<T = (), E = BoxError> = std::result::Result<T, E>;

/// The error by which an `optional` resource says that it is switched off by configuration, which is no failure:
/// `return Err(lifecycle::Skip.into())`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip;

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("switched off by configuration")
    }
}

impl Error for Skip {}
