//! What the engine is told.

use crate::error::Cause;
use crate::phase::Signal;
use crate::plan::Id;

/// One supervised or background task.
pub(crate) type TaskId = u64;

/// Something that happened. Every state answers every event; those that come too late change nothing.
#[derive(Debug)]
pub(crate) enum Event {
    /// The application begins.
    Start,
    /// The acquisition gave an instance, maybe after it was cancelled: the two may cross.
    Acquired(Id),
    /// The acquisition ended without an instance.
    AcquireFailed(Id, Cause),
    /// The resource is switched off by its configuration (rule S6).
    AcquireSkipped(Id),
    /// The future of a cancelled acquisition is gone.
    AcquireDropped(Id),
    /// A task is about to be spawned for a resource.
    TaskStarted { task: TaskId, owner: Id, name: String, kind: TaskKind },
    /// A task is gone.
    TaskEnded(TaskId, TaskEnd, Rest),
    /// `stopping` of the resource was fired, and so many units of work were in flight. If there were none, none
    /// can come.
    DrainBegan(Id, usize),
    /// The last unit that was in flight when the turn began, or came since, is gone, and none can come.
    Drained(Id),
    /// What was in flight when the tasks were aborted.
    Cut(Id, Cut),
    /// Something of this application serves requests (rule D4).
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "all that serves stands behind features"))]
    Serves,
    /// `release` ended by itself.
    Released(Id, Result<(), Cause>),
    /// The future of a release that was cut off is gone.
    ReleaseDropped(Id),
    /// `abort` returned.
    Aborted(Id, Result<(), Cause>),
    /// The body of `main` asked for `stopping` or `draining` (rule R5).
    BodyListens,
    /// The body of `main` is gone.
    BodyEnded(BodyEnd, Rest),
    /// A signal arrived.
    Signal(Signal),
    /// Somebody says that the application has failed.
    Failed(Cause),
    /// Somebody asked for shutdown, with these words.
    Shutdown(String),
    /// Somebody asked for what a second Ctrl-C does.
    Insist,
    /// Whoever should have waited for the end let go of the application.
    OwnerDropped,
    /// Time has passed.
    Tick,
}

/// What rule R1 says of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskKind {
    /// Keeps the application alive, and is waited for.
    Supervised,
    /// Keeps nothing alive, and is dropped at its turn.
    Background,
}

/// What is in flight when a unit has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing, and nothing can come: see [`Event::Drained`].
    Drained,
    Unknown,
}

/// What is in flight when a resource is cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) in_flight: usize,
    /// How many of these may be cut off without that being a failure: see rule E1.
    pub(crate) excused: usize,
}

impl Cut {
    /// Whether something was cut off that should have been done.
    pub(crate) fn counts(self) -> bool {
        self.in_flight > self.excused
    }
}

/// How a task ended.
#[derive(Debug)]
pub(crate) enum TaskEnd {
    Done,
    Failed(Cause),
    /// Dropped before it was done.
    Dropped,
}

/// How the body of `main` ended.
#[derive(Debug)]
pub(crate) enum BodyEnd {
    Done,
    /// It returned an exit code of its own.
    Code(u8),
    Failed(Cause),
    /// Dropped before it was done.
    Dropped,
}
