//! Good manners for tokio services: resources start in order, and stop in order, on time, without losing a request.

mod app;
mod body;
mod budget;
mod catch;
mod config;
mod control;
mod discover;
mod driver;
mod engine;
mod error;
mod explain;
#[cfg(feature = "http")]
pub mod http;
mod inflight;
mod log;
mod node;
mod phase;
mod plan;
mod platform;
#[doc(hidden)]
pub mod private;
mod report;
mod resource;
mod run;
mod signals;
#[cfg(test)]
mod simulation;
mod stderr;
mod stopping;
mod tasks;
mod watchdog;

use std::error::Error;
use std::fmt;

pub use lifecycle_macros::{main, resource};

pub use crate::app::{App, Builder};
pub use crate::body::Output;
pub use crate::discover::Resources;
pub use crate::error::{Failure, Operation};
#[cfg(feature = "http")]
pub use crate::http::InFlight;
pub use crate::phase::{Phase, Reason, Signal};
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
