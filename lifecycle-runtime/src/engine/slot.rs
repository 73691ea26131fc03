//! What the engine knows of one resource.

use std::time::Duration;

use super::event::Cut;
use crate::report::Outcome;

/// Where a resource is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// For what it comes after.
    Waiting,
    /// Its acquisition is under way.
    Acquiring,
    /// It is there.
    Ready,
    /// Its turn has begun; how much is in flight is not known yet. The driver answers at once.
    TurnBegun,
    /// Its tasks may finish.
    Draining,
    /// Its tasks were aborted, then, and are waited for.
    Joining { since: Duration },
    /// Its release is under way.
    Releasing,
    /// Its release was told to go, then.
    Cutting { since: Duration },
    /// Its release did not complete, and `abort` was called.
    Aborting,
    /// Its turn is over.
    Gone,
}

/// One resource, or the body of `main`.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) state: State,
    /// The future of its acquisition exists.
    pub(crate) acquisition_is_alive: bool,
    /// The acquisition was told to go.
    pub(crate) is_cancelled: bool,
    /// There is something to release.
    pub(crate) has_instance: bool,
    /// Nothing is in flight, and nothing can come.
    pub(crate) is_drained: bool,
    /// Its dependents do not wait for it any longer: it is there, or it is optional and will not be.
    pub(crate) is_settled: bool,
    /// What went wrong first.
    pub(crate) trouble: Option<Outcome>,
    pub(crate) times: Times,
    pub(crate) in_flight: usize,
    pub(crate) cut: Cut,
    pub(crate) aborted_tasks: Vec<String>,
    pub(crate) stuck_tasks: Vec<String>,
}

/// When a resource did what, since the application began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) acquiring: Option<Duration>,
    pub(crate) acquired: Option<Duration>,
    pub(crate) turn: Option<Duration>,
    pub(crate) drained: Option<Duration>,
    pub(crate) releasing: Option<Duration>,
    pub(crate) released: Option<Duration>,
    pub(crate) gone: Option<Duration>,
}

impl Slot {
    pub(crate) fn new() -> Self {
        Self {
            state: State::Waiting,
            acquisition_is_alive: false,
            is_cancelled: false,
            has_instance: false,
            is_drained: false,
            is_settled: false,
            trouble: None,
            times: Times::default(),
            in_flight: 0,
            cut: Cut::default(),
            aborted_tasks: Vec::new(),
            stuck_tasks: Vec::new(),
        }
    }

    /// Whether its turn has begun, or is over.
    pub(crate) fn has_had_its_turn_begun(&self) -> bool {
        !matches!(self.state, State::Waiting | State::Acquiring | State::Ready)
    }

    /// The first trouble is the one that is reported; what follows from it is not.
    pub(crate) fn trouble(&mut self, outcome: Outcome) {
        self.trouble.get_or_insert(outcome);
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match self.trouble {
            Some(outcome) => outcome,
            None if self.times.acquiring.is_none() => Outcome::NeverStarted,
            None if self.state != State::Gone => Outcome::Held,
            None => Outcome::Clean,
        }
    }
}
