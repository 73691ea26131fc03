//! What the engine is told: plain data, in which nothing of the user's is left.

use std::time::Duration;

use crate::model::TaskName;
use crate::model::failure::Cause;
use crate::model::graph::Id;
use crate::model::signal::Signal;

/// One supervised or background task.
pub(crate) type TaskId = u64;

/// A request for a reload, for the one who waits for its end. Later ones have higher numbers.
pub(crate) type Ticket = u64;

/// Something that happened. Every state answers every event; those that come too late change nothing.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// The application begins.
    Start,
    /// The acquisition gave an instance, maybe after it was cancelled: the two may cross.
    Acquired(Id),
    /// The acquisition ended without an instance.
    AcquireFailed(Id, Cause),
    /// The resource is switched off by configuration (rule S6).
    AcquireSkipped(Id),
    /// The future of a cancelled acquisition is gone.
    AcquireDropped(Id),
    /// A task is about to be spawned for a resource.
    TaskStarted { owner: Id, task: TaskId, name: TaskName, kind: TaskKind },
    /// A task is gone. It has left the count of what is in flight a moment before.
    TaskEnded { owner: Id, task: TaskId, end: TaskEnd, rest: Rest },
    /// The last unit that was in flight when the turn began, or came since, is gone, and none can come.
    Drained(Id),
    /// Something of this application serves requests (rule D4).
    #[allow(dead_code, reason = "everything that serves stands behind features")]
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
    /// `App::fail` was called.
    Failed(Cause),
    /// A stop was requested, for this reason.
    Shutdown(String),
    /// `App::reload` was called, for the one who has this number.
    Reload(Ticket),
    /// A reload of a resource ended: its future is gone.
    Reloaded(Id, Result<(), Cause>),
    /// `App::insist` was called.
    Insist,
    /// The owner, who should have waited for the end, let go of the application.
    OwnerDropped,
    /// A preStop hook announces a stop: load balancers have to notice.
    #[allow(dead_code, reason = "the probe tells it")]
    PreStop,
    /// The process was frozen for about so long, and goes on.
    Thawed(Duration),
    /// Time has passed.
    Tick,
}

/// What rule R1 says of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TaskKind {
    /// Keeps the application alive, and is waited for.
    Supervised,
    /// Keeps nothing alive: a background task, which is dropped at its turn, or blocking work of an acquisition.
    Background,
}

/// What is in flight when a unit has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Rest {
    /// Nothing, and nothing can come: see [`Event::Drained`].
    Drained,
    Unknown,
}

/// How a task ended.
#[derive(Clone, Debug)]
pub(crate) enum TaskEnd {
    Done,
    Failed(Cause),
    /// Dropped before it was done.
    Dropped,
}

/// How the body of `main` ended.
#[derive(Clone, Debug)]
pub(crate) enum BodyEnd {
    Done,
    /// It returned an exit code of its own.
    Code(u8),
    /// It gave up because the application stops, and says so.
    Interrupted,
    Failed(Cause),
    /// Dropped before it was done.
    Dropped,
}
