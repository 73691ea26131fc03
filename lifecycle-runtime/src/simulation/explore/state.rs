//! What there is: of each resource, of the body, of what is in flight; and what can happen to it.

use std::cell::Cell;
use std::time::Duration;

use super::application::{Outside, TASKS};
use crate::engine::Counts;
use crate::engine::event::Rest;
use crate::engine::notice::Cut;
use crate::model::failure::Cause;
use crate::model::graph::Id;

/// How much may still happen: see `Bounds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Left {
    pub(super) outside: u8,
    pub(super) faults: u8,
    pub(super) limits: Option<u8>,
    pub(super) pauses: u8,
    pub(super) freezes: u8,
}

/// What there is of one resource, and what was commanded for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Thing {
    pub(super) acquisition: Acquisition,
    pub(super) was_called_back: bool,
    pub(super) has_instance: bool,
    /// Those that come after it need not wait.
    pub(super) is_settled: bool,
    pub(super) tasks: [Task; TASKS],
    /// Guards in flight.
    pub(super) guards: u8,
    /// Guards that may still be taken.
    pub(super) guards_left: u8,
    /// Guards in errors that are kept.
    pub(super) held: u8,
    /// The last guard has left, and that is still to be told.
    pub(super) is_drained_untold: bool,
    pub(super) turn: Option<Duration>,
    /// Its turn began before the stop.
    pub(super) is_early: bool,
    /// Its tasks were aborted.
    pub(super) aborted: Option<Duration>,
    /// Something that counts was in flight then.
    pub(super) counted: bool,
    pub(super) release: Release,
    pub(super) release_is_alive: bool,
    pub(super) abort: Abort,
    pub(super) reload: Reload,
    /// Its turn is over.
    pub(super) is_gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Acquisition {
    None,
    UnderWay { since: Duration },
    CalledBack,
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Task {
    None,
    /// It counts, and its start is still to be told.
    Entered,
    Alive,
    /// It does not count any more, and its end is still to be told.
    Left {
        rest: Rest,
        holds: bool,
        may_be_dropped: bool,
    },
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Release {
    None,
    UnderWay,
    CutOff {
        since: Duration,
    },
    Done,
    /// Or it was not done in time.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Abort {
    None,
    Called,
    Returned,
}

/// The future of a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reload {
    None,
    UnderWay { since: Duration },
    CalledBack { since: Duration },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Body {
    /// There is one, whether it runs or not.
    pub(super) exists: bool,
    pub(super) may_run: bool,
    pub(super) listens: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum How {
    Done,
    Failed,
    Panicked,
    Dropped,
    /// As the body of `main` may.
    WithCode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    Error,
    Panic,
    /// It was dropped by something else.
    Lost,
}

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Start,
    Acquired(Id),
    AcquireFails(Id, Fault),
    Skips(Id),
    AcquisitionIsDropped(Id),
    TaskEnters(Id, usize),
    TaskTellsStart(Id, usize),
    TaskLeaves(Id, usize),
    /// It leaves with an error that holds a guard.
    TaskLeavesHolding(Id, usize),
    TaskTellsEnd(Id, usize, How),
    GuardEnters(Id),
    GuardLeaves(Id),
    GuardTells(Id),
    Released(Id),
    ReleaseFails(Id, Fault),
    ReleaseIsDropped(Id),
    Reloaded(Id),
    ReloadFails(Id, Fault),
    ReloadIsDropped(Id),
    Aborted(Id),
    AbortPanics(Id),
    BodyListens,
    BodyEnds(How),
    FromOutside(Outside),
    /// Time passes to the next limit, and the engine is woken.
    Wake,
    /// Time passes, and no limit is reached.
    Pause,
    /// Time passes until long after the deadline, and the engine is woken.
    Freeze,
}

/// One step on a path: what happens, and whether it does so at the very time of the next limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) what: Move,
    pub(super) is_at_limit: bool,
}

/// What is in flight of each, and whether its turn has begun: the counters of the driver, as a model.
#[derive(Clone, Debug)]
pub(super) struct Counters(pub(super) Vec<Cell<Counter>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Counter {
    pub(super) in_flight: u8,
    pub(super) excused: u8,
    pub(super) is_draining: bool,
    pub(super) is_closed: bool,
}

impl Counters {
    pub(super) fn of(&self, id: Id) -> Counter {
        self.0[id].get()
    }

    pub(super) fn enter(&self, id: Id, is_excused: bool) {
        let Counter { in_flight, excused, is_draining, is_closed } = self.of(id);
        assert!(!is_closed);
        let excused = excused + u8::from(is_excused);
        self.0[id].set(Counter { in_flight: in_flight + 1, excused, is_draining, is_closed });
    }

    pub(super) fn leave(&self, id: Id, is_excused: bool) -> Rest {
        let Counter { in_flight, excused, is_draining, .. } = self.of(id);
        let (in_flight, excused) = (in_flight - 1, excused - u8::from(is_excused));
        let is_closed = in_flight == 0 && is_draining;
        self.0[id].set(Counter { in_flight, excused, is_draining, is_closed });
        if is_closed { Rest::Drained } else { Rest::Unknown }
    }
}

impl Counts for Counters {
    fn begin_drain(&self, id: Id) -> usize {
        let counter = self.of(id);
        assert!(!counter.is_draining, "r{id} has one turn");
        let is_closed = counter.in_flight == 0;
        self.0[id].set(Counter { is_draining: true, is_closed, ..counter });
        counter.in_flight.into()
    }

    fn in_flight(&self, id: Id) -> Cut {
        let Counter { in_flight, excused, .. } = self.of(id);
        Cut { in_flight: in_flight.into(), excused: excused.into() }
    }
}

impl Acquisition {
    pub(super) fn is_alive(self) -> bool {
        matches!(self, Self::UnderWay { .. } | Self::CalledBack)
    }
}

/// What an operation that went wrong leaves behind.
pub(super) fn cause(fault: Fault) -> Cause {
    match fault {
        Fault::Error => Cause::Error("it broke".into()),
        Fault::Panic => Cause::Panic("it broke".to_owned()),
        Fault::Lost => Cause::Lost,
    }
}
