//! What the rules leave to the application.

use std::time::Duration;

use super::notice::Notice;
use crate::model::left_out::LeftOut;
use crate::model::planned_probe::PlannedProbe;
use crate::model::platform::Origin;
use crate::model::reload::Hangup;

/// The effective configuration, as far as the rules depend on it.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) shutdown_timeout: Duration,
    pub(crate) timeout_origin: Origin,
    pub(crate) startup_timeout: Option<Duration>,
    pub(crate) drain_delay: Delay,
    pub(crate) body: BodyKind,
    pub(crate) ending: Ending,
    /// What SIGHUP does (§9).
    pub(crate) hangup: Hangup,
    /// A person sits at the other end: SIGINT is theirs.
    pub(crate) at_terminal: bool,
    /// Something serves requests from the beginning: the probe does (rule D4).
    pub(crate) serves: bool,
    pub(crate) probe: Option<PlannedProbe>,
    /// What is linked into the program and not part of the application.
    pub(crate) left_out: Vec<LeftOut>,
    /// What the log says about the circumstances at the start (rule S7).
    pub(crate) warnings: Vec<Notice>,
}

/// How long an application keeps serving after a request to stop (rule D4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delay {
    /// Set explicitly.
    Given(Duration),
    /// The platform's default, if something serves.
    IfServing(Duration),
}

/// The kind of the body of `main`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// `#[lifecycle::main] async fn main() {}`: the resources are the application.
    Empty,
    /// Statements that the library runs, and can drop.
    Written,
    /// A host that has not called `run` yet. It is waited for, but cannot be dropped.
    Host,
}

/// What ends with the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The process: the application is all of it.
    Process,
    /// The application alone: the program around it goes on.
    Application,
}
