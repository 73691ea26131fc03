//! What the engine puts out: commands, carried out in their order, and apart from them what is to be said.

use std::time::Duration;

use super::notice::Notice;
use crate::model::graph::Id;
use crate::model::phase::Phase;
use crate::model::report::{Outcome, Report};
use crate::model::signal::Signal;

/// One piece of the engine's output.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    Do(Command),
    Say(Notice),
    /// The turn of a resource is over.
    Gone(Id, Outcome),
    /// Say what happened so far (rule E2): as it is now, whatever happens until it is said.
    Report(Option<Box<Report>>),
    /// Nothing more will be logged.
    LastWord,
}

/// Something that the driver has to do. Commands are carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Publish the phase.
    Enter(Phase),
    /// Begin to acquire a resource.
    Acquire(Id),
    /// Drop the future of an acquisition.
    CancelAcquire(Id),
    /// Let the body of `main` run.
    RunMain,
    /// Fix the deadline, or move it forward.
    Deadline(Duration),
    /// Give the process-wide notice: `draining()`.
    FireDraining,
    /// Begin a turn: fire `stopping`.
    Drain(Id),
    /// Abort the tasks of a resource.
    AbortTasks(Id),
    /// Begin to release an instance.
    Release(Id),
    /// Drop the future of a release.
    CutRelease(Id),
    /// Call `abort` on an instance.
    Abort(Id),
    /// A reload begins (§9).
    BeginReload,
    /// Begin to reload a resource.
    Reload(Id),
    /// Drop the future of a reload of a resource.
    CancelReload(Id),
    /// The reload has ended, or the stop has ended it.
    EndReload,
    /// Let go of the errors that were kept: one may hold a unit in flight that a turn waits for.
    ForgetErrors,
    /// Everything has had its turn: release those that wait for the report.
    End,
    /// End the process at once: a signal insisted a second time.
    Exit(Signal),
}
