//! What the application is at, now: names and states, and nothing that could hold a credential.

use std::time::Duration;

use super::Engine;
use super::slot::State;
use crate::phase::Phase;
use crate::plan::Id;
use crate::report::Outcome;

/// A moment of an application. Times are counted from its start.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "each of the features reads a part of it")]
pub(crate) struct Status {
    pub(crate) now: Duration,
    pub(crate) phase: Phase,
    pub(crate) phase_since: Duration,
    /// Until when everything has to be acquired, or released.
    pub(crate) deadline: Option<Duration>,
    pub(crate) has_started: bool,
    /// The last time that a resource was acquired.
    pub(crate) last_progress: Duration,
    /// In the order of the plan.
    pub(crate) resources: Vec<ResourceStatus>,
}

/// A moment of one resource.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "each of the features reads a part of it")]
pub(crate) struct ResourceStatus {
    pub(crate) name: String,
    pub(crate) state: &'static str,
    pub(crate) since: Duration,
    /// What became of it, once its turn is over.
    pub(crate) outcome: Option<Outcome>,
}

impl Engine {
    pub(crate) fn status(&self, now: Duration) -> Status {
        let now = self.now.max(now);
        let since = |phase| self.phases.iter().find(|(begun, _)| *begun == phase).map(|(_, at)| *at);
        let deadline = match (self.phase, &self.shutdown) {
            (Phase::Starting, _) => self.settings.startup_timeout,
            (Phase::Draining | Phase::Stopping, Some(shutdown)) => Some(shutdown.deadline),
            (Phase::Running | Phase::Draining | Phase::Stopping | Phase::Stopped, _) => None,
        };
        Status {
            now,
            phase: self.phase,
            phase_since: since(self.phase).unwrap_or_default(),
            deadline,
            has_started: since(Phase::Running).is_some(),
            last_progress: self.slots.iter().filter_map(|slot| slot.times.acquired).max().unwrap_or_default(),
            resources: self.plan.resources().map(|id| self.resource_status(id)).collect(),
        }
    }

    fn resource_status(&self, id: Id) -> ResourceStatus {
        let slot = &self.slots[id];
        let times = slot.times;
        let (state, since) = match slot.state {
            State::Waiting => ("waiting", Some(Duration::ZERO)),
            State::Acquiring => ("acquiring", times.acquiring),
            State::Ready => ("ready", times.acquired),
            State::TurnBegun | State::Draining => ("draining", times.turn),
            State::Joining { since } => ("aborting tasks", Some(since)),
            State::Releasing | State::Cutting { .. } => ("releasing", times.releasing),
            State::Aborting => ("aborting", times.released),
            State::Gone => ("gone", times.gone),
        };
        ResourceStatus {
            name: self.plan.name(id).to_owned(),
            state,
            since: since.unwrap_or_default(),
            outcome: (slot.state == State::Gone).then(|| slot.outcome()),
        }
    }
}
