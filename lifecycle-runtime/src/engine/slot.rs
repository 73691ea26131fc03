//! What the engine knows of one resource.

use std::time::Duration;

use super::activity::Activity;
use super::notice::Cut;
use super::tasks::Tasks;
use crate::model::TaskName;
use crate::model::report::Outcome;
use crate::model::units::Units;

/// The state of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// For what it comes after.
    Waiting,
    /// Its acquisition is under way.
    Acquiring,
    /// It is acquired.
    Ready,
    /// Its turn has begun, and its tasks may finish.
    Draining,
    /// Its tasks were aborted at `since`, and are waited for.
    Joining { since: Duration },
    /// Its release is under way.
    Releasing,
    /// Its release was cut off at `since`; the end of the future is waited for.
    Cutting { since: Duration },
    /// Its release did not complete, and `abort` was called.
    Aborting,
    /// Its turn is over.
    Gone,
}

/// One resource, or the body of `main`.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) state: State,
    /// How many of the resources that it comes after are not settled.
    pub(super) missing: usize,
    /// How many of those that come after it have not had their turn.
    pub(super) above: usize,
    /// The future of its acquisition exists.
    pub(super) acquisition_is_alive: bool,
    /// Its acquisition was cancelled.
    pub(super) is_cancelled: bool,
    /// There is something to release.
    pub(super) has_instance: bool,
    /// Nothing is in flight, and nothing more can come.
    pub(super) is_drained: bool,
    /// Its dependents wait no longer: it is acquired, or the application does without it.
    pub(super) is_settled: bool,
    /// Its turn waited, or waits, for nothing but units in flight that are not its tasks.
    pub(super) waits_for_units: bool,
    /// Since when the future of a reload exists, if one does.
    pub(super) reload_began: Option<Duration>,
    /// Its supervised and background tasks whose end was not told yet.
    pub(super) tasks: Tasks,
    /// What went wrong first.
    pub(super) trouble: Option<Outcome>,
    pub(super) times: Times,
    pub(super) in_flight: usize,
    /// What was in flight when its turn began, and when it was cut off.
    pub(super) units: Units,
    pub(super) cut_units: Units,
    pub(super) cut: Cut,
    pub(super) aborted_tasks: Vec<TaskName>,
    pub(super) stuck_tasks: Vec<TaskName>,
}

/// When a resource reached each state, measured from the start of the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Times {
    pub(super) acquiring: Option<Duration>,
    pub(super) acquired: Option<Duration>,
    pub(super) turn: Option<Duration>,
    pub(super) drained: Option<Duration>,
    pub(super) releasing: Option<Duration>,
    pub(super) released: Option<Duration>,
    pub(super) gone: Option<Duration>,
}

impl Slot {
    pub(super) fn new(missing: usize, above: usize) -> Self {
        Self {
            state: State::Waiting,
            missing,
            above,
            acquisition_is_alive: false,
            is_cancelled: false,
            has_instance: false,
            is_drained: false,
            is_settled: false,
            waits_for_units: false,
            reload_began: None,
            tasks: Tasks::default(),
            trouble: None,
            times: Times::default(),
            in_flight: 0,
            units: Units::default(),
            cut_units: Units::default(),
            cut: Cut::default(),
            aborted_tasks: Vec::new(),
            stuck_tasks: Vec::new(),
        }
    }

    /// A resource that is there from the beginning.
    pub(super) fn supplied(above: usize) -> Self {
        let times =
            Times { acquiring: Some(Duration::ZERO), acquired: Some(Duration::ZERO), ..Times::default() };
        Self { state: State::Ready, has_instance: true, is_settled: true, times, ..Self::new(0, above) }
    }

    /// Whether its turn has begun, or is over.
    pub(super) fn turn_has_begun(&self) -> bool {
        !matches!(self.state, State::Waiting | State::Acquiring | State::Ready)
    }

    /// Whether its tasks have to go although its turn has not begun.
    pub(super) fn is_rolled_back(&self) -> bool {
        self.is_cancelled || (self.is_settled && !self.has_instance)
    }

    /// The first problem is the one that is reported; its consequences are not.
    pub(super) fn trouble(&mut self, outcome: Outcome) {
        self.trouble.get_or_insert(outcome);
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self.trouble {
            Some(outcome) => outcome,
            None if self.times.acquiring.is_none() => Outcome::NeverStarted,
            None if self.state != State::Gone => Outcome::Held,
            None => Outcome::Clean,
        }
    }

    /// What it is at, and since when.
    pub(super) fn activity(&self) -> (Activity, Duration) {
        let times = self.times;
        let (activity, since) = match self.state {
            State::Waiting => (Activity::Waiting, Some(Duration::ZERO)),
            State::Acquiring => (Activity::Acquiring, times.acquiring),
            State::Ready => (Activity::Ready, times.acquired),
            State::Draining => (Activity::Draining, times.turn),
            State::Joining { since } => (Activity::AbortingTasks, Some(since)),
            State::Releasing | State::Cutting { .. } => (Activity::Releasing, times.releasing),
            State::Aborting => (Activity::Aborting, times.released),
            State::Gone => (Activity::Gone, times.gone),
        };
        (activity, since.unwrap_or_default())
    }

    /// How much of what was cut off is excused. The counter knows of the tasks, and the kinds of several streams on one
    /// connection.
    pub(super) fn excused(&self) -> usize {
        self.cut.excused.max(self.cut_units.excused())
    }
}
