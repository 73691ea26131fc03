//! What an operator wants to know, as data. The driver's `log` puts it into words.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::activity::Activity;
use crate::model::failure::Failure;
use crate::model::graph::Graph;
use crate::model::left_out::LeftOut;
use crate::model::phase::Reason;
use crate::model::platform::{Origin, Platform};
use crate::model::reload::ReloadReason;
use crate::model::report::Outcome;
use crate::model::signal::{Signal, Taken};
use crate::model::units::Units;
use crate::model::{Name, TaskName};

/// Something to be said.
#[derive(Clone, Debug)]
pub(crate) enum Notice {
    /// The resources of the application, in the order in which they are acquired, and what is linked besides.
    Plan {
        plan: Arc<Graph>,
        left_out: Vec<LeftOut>,
    },
    /// `shutdown_timeout` is more than the platform gives (rule S7).
    GraceTooShort {
        timeout: Duration,
        grace: Duration,
        platform: Platform,
    },
    /// A variable of the environment looks like one of the library's, and is none (rule S7).
    UnknownVariable {
        name: String,
        likely: Option<&'static str>,
        known: &'static [&'static str],
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
    /// The probe answers at this address.
    #[allow(dead_code, reason = "the probe says it")]
    ProbeListens(SocketAddr),
    /// NOTIFY_SOCKET is set, and cannot be used.
    #[allow(dead_code, reason = "the room `systemd` says it")]
    NotNotifying(String),
    /// What became of the last life of the program, as far as its black box tells.
    LastLife(String),
    /// The black box is not written, at least for now.
    NoBlackBox {
        path: PathBuf,
        why: String,
    },
    /// A preStop hook has withdrawn readiness.
    PreStop {
        delay: Duration,
    },
    Acquiring(Name),
    Acquired {
        name: Name,
        took: Duration,
    },
    AcquireCancelled {
        name: Name,
        took: Duration,
    },
    Skipped(Name),
    /// What is being acquired, and what waits for it (rule S3).
    StartProgress {
        under_way: Vec<Acquiring>,
        left: Option<Duration>,
    },
    Running {
        took: Duration,
    },
    /// Something else in the process has taken the handlers of signals (rule S1).
    SignalsTaken(Taken),
    /// If the resource is optional, the application goes on without it (rule S6).
    Failed(Failure),
    /// Shutdown begins (rules D1 and D2).
    ShuttingDown {
        reason: Reason,
        timeout: Duration,
        origin: Origin,
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
    /// The process was frozen for so long in the middle of the stop: this much time is left (rule D13).
    Thawed {
        frozen: Duration,
        left: Duration,
    },
    /// A reload begins (§9).
    ReloadBegan(ReloadReason),
    /// A reload is asked for, and has to wait: for the end of the start, or of the one under way.
    ReloadLater {
        reason: ReloadReason,
        is_starting: bool,
    },
    /// A reload is asked for, and the application stops.
    ReloadRefused(ReloadReason),
    /// A reload was asked for, and no resource is declared `reload`.
    NothingToReload,
    Reloaded {
        name: Name,
        took: Duration,
    },
    /// The resource keeps what it had.
    ReloadFailed(Failure),
    /// A reload that was cut off came to its end in spite of that.
    ReloadedLate(Name),
    /// The stop has dropped the reload of this resource.
    ReloadDropped(Name),
    ReloadEnded {
        reloaded: usize,
        failed: usize,
        took: Duration,
    },
    /// A turn begins.
    Turn {
        name: Name,
        tasks: Vec<TaskName>,
    },
    /// The tasks of a resource are done, after so long.
    Drained {
        name: Name,
        took: Duration,
    },
    /// Tasks did not finish in time and are aborted.
    TasksAborted {
        name: Name,
        after: Duration,
        tasks: Vec<TaskName>,
        units: Units,
        excused: usize,
    },
    /// Aborted tasks that are still there.
    TasksStuck {
        name: Name,
        tasks: Vec<TaskName>,
    },
    Releasing(Name),
    Released {
        name: Name,
        took: Duration,
    },
    /// A turn ended otherwise than clean.
    TurnEnded {
        name: Name,
        outcome: Outcome,
    },
    /// What is waited for, and how much time is left (rule D11).
    StopProgress {
        waiting: Vec<Waiting>,
        left: Duration,
    },
    /// The owner dropped the application without waiting for its end.
    OwnerDropped,
    /// A task was spawned after its resource's turn had ended.
    LateTask(Name),
    /// A supervised task returned before its notice (rule R1).
    TaskEnded {
        name: Name,
        task: TaskName,
    },
    /// A task whose failure is its own panicked.
    TaskPanicked {
        name: Name,
        words: String,
    },
    /// Somebody holds on to a resource that has been released (rule D12).
    HandlesOutlive {
        name: Name,
        handles: usize,
    },
    /// A server tries again to accept connections, after so long.
    #[allow(dead_code, reason = "the room `http` says it")]
    CannotAccept {
        name: Name,
        why: String,
        retry: Duration,
    },
    /// A server has as many connections as it may have, and accepts no more for now.
    #[allow(dead_code, reason = "the room `http` says it")]
    AllPlacesTaken {
        name: Name,
        places: usize,
    },
    /// A check fails that did not fail before.
    #[allow(dead_code, reason = "the probe says it")]
    CheckFails {
        name: Name,
        why: String,
    },
    /// A check passes that failed before.
    #[allow(dead_code, reason = "the probe says it")]
    CheckPasses(Name),
}

/// What is in flight when a resource is cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

/// One acquisition that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Acquiring {
    pub(crate) name: Name,
    /// For how long.
    pub(crate) since: Duration,
    /// The resources that wait for it, the nearest first.
    pub(crate) dependents: Vec<Name>,
}

/// One turn that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) name: Name,
    pub(crate) doing: Activity,
    /// For how long.
    pub(crate) since: Duration,
    pub(crate) units: Units,
    /// The tasks that are still there.
    pub(crate) tasks: Vec<TaskName>,
}

/// What there is to say when the process is ended from outside (rules D8 and D9).
#[derive(Clone, Debug)]
pub(crate) struct LastWords {
    pub(crate) why: Killing,
    /// The application itself had stopped; the process had not.
    pub(crate) has_stopped: bool,
    /// The turns that are under way.
    pub(crate) stuck: Vec<Waiting>,
    /// Resources whose turn is over, and their tasks that never ended.
    pub(crate) left_behind: Vec<(Name, Vec<TaskName>)>,
    pub(crate) never_released: Vec<Name>,
    pub(crate) exit_code: u8,
}

/// Why the process is ended before the application has ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Killing {
    /// By the watchdog, one second after the deadline.
    TimeIsUp,
    /// By one insisting signal more.
    Insisted(Signal),
}

/// What the exit code says, where it is not the body's own (rule E1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// An insisting signal hurried the end.
    Hurried(Signal),
    /// A signal interrupted the start, or the body of `main`.
    Interrupted(Signal),
    /// The deadline cut something off.
    CutOff,
    Failed,
}
