//! What the engine wants done, and what it wants said.

use std::fmt;
use std::time::Duration;

use super::event::Cut;
use crate::phase::{Phase, Reason, Signal};
use crate::plan::Id;
use crate::platform::Platform;
use crate::report::Outcome;

/// Something that the driver has to do. Commands are carried out in the order in which they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Make the phase known to those who watch it.
    Enter(Phase),
    /// Begin to acquire a resource.
    Acquire(Id),
    /// Drop the future of an acquisition.
    CancelAcquire(Id),
    /// Let the body of `main` run.
    RunMain,
    /// The deadline, now that there is one, or is an earlier one.
    Deadline(Duration),
    /// Give the process-wide notice: `draining()`.
    FireDraining,
    /// Begin a turn: fire `stopping`, and answer with [`DrainBegan`](super::event::Event::DrainBegan) at once.
    Drain(Id),
    /// Abort the tasks of a resource, and answer with [`Cut`](super::event::Event::Cut) at once.
    AbortTasks(Id),
    /// Begin to release an instance.
    Release(Id),
    /// Drop the future of a release.
    CutRelease(Id),
    /// Call `abort` on an instance.
    Abort(Id),
    /// Say something.
    Tell(Notice),
    /// Everything has had its turn: give the report to whoever waits for it.
    End,
    /// End the process at once: this signal was one too many.
    Exit(Signal),
}

/// Something that an operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// What was found, and in which order it is acquired.
    Plan,
    /// `shutdown_timeout` is more than the platform gives (rule S7).
    GraceTooShort {
        timeout: Duration,
        grace: Duration,
        platform: Platform,
    },
    /// The program is built with `panic = "abort"`, which voids rules R1, S4 and D7 (rule S7).
    PanicAborts,
    /// The parent is a shell that is PID 1 (rule S7).
    ShellAsPid1(String),
    /// Reserves did not fit half of `shutdown_timeout` and were scaled down (rule D6).
    ReservesScaled {
        path: Duration,
        half: Duration,
    },
    /// The drain delay did not fit and was capped (rule D4).
    DelayCapped {
        asked: Duration,
        given: Duration,
    },
    Acquiring(Id),
    Acquired {
        id: Id,
        took: Duration,
    },
    AcquireCancelled {
        id: Id,
        took: Duration,
    },
    Skipped(Id),
    /// What is being acquired, since when, and what waits for it (rule S3).
    StartProgress {
        under_way: Vec<(Id, Duration)>,
        left: Option<Duration>,
    },
    Running {
        took: Duration,
    },
    /// Something failed; the text names the resource and the cause. If the resource is optional, the application
    /// goes on without it (rule S6).
    Failed {
        what: String,
        cause: String,
        is_tolerated: bool,
    },
    /// Shutdown begins (rules D1 and D2).
    ShuttingDown {
        reason: Reason,
        timeout: Duration,
        delay: Duration,
    },
    /// At a terminal: what the next Ctrl-C does (rule D8).
    NextInterrupt(Insistence),
    /// A signal that changes nothing (rule D8).
    SignalIgnored {
        signal: Signal,
        left: Duration,
        why: Ignored,
    },
    /// A signal or a call insisted: this much time is left.
    Hurried {
        by: Option<Signal>,
        left: Duration,
    },
    /// A turn begins.
    Turn {
        id: Id,
        tasks: Vec<String>,
    },
    /// The tasks of a resource are done, after so long.
    Drained {
        id: Id,
        took: Duration,
    },
    /// Tasks did not finish in time and are aborted.
    TasksAborted {
        id: Id,
        after: Duration,
        tasks: Vec<String>,
        cut: Cut,
    },
    /// Aborted tasks that are still there.
    TasksStuck {
        id: Id,
        tasks: Vec<String>,
    },
    Releasing(Id),
    Released {
        id: Id,
        took: Duration,
    },
    /// A turn ended otherwise than clean.
    TurnEnded {
        id: Id,
        outcome: Outcome,
    },
    /// What is waited for, and how much time is left (rule D11).
    StopProgress {
        waiting: Vec<Waiting>,
        left: Duration,
    },
    /// The report (rule E2).
    Report,
    /// The owner dropped the application without waiting for its end.
    OwnerDropped,
    /// There is nothing more to say.
    LastWord,
}

/// What the next insisting signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insistence {
    Hurries,
    Ends,
}

/// Why a signal changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ignored {
    /// It came so soon after another that it is the same one.
    Repeated,
    /// It asks, and was answered already.
    AlreadyStopping,
}

/// One turn that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) id: Id,
    pub(crate) doing: Doing,
    /// For how long.
    pub(crate) since: Duration,
    /// The tasks that are still there.
    pub(crate) tasks: Vec<String>,
}

/// What a turn is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Draining,
    Joining,
    Releasing,
    Aborting,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draining => "draining",
            Self::Joining => "waiting for aborted tasks",
            Self::Releasing => "releasing",
            Self::Aborting => "aborting",
        })
    }
}
