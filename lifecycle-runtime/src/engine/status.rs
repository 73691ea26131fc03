//! Where the application stands now: names and states, and nothing that could hold a credential.
#![allow(
    dead_code,
    reason = "each of the endpoints reads a part of it, and all of them stand behind features"
)]

use std::time::Duration;

use super::Engine;
use super::activity::Activity;
use super::reload::ReloadStatus;
use super::slot::State;
use crate::model::graph::Id;
use crate::model::phase::{Phase, Reason};
use crate::model::report::Outcome;
use crate::model::{Name, TaskName};

/// A moment of an application. Times are counted from its start.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) now: Duration,
    pub(crate) phase: Phase,
    pub(crate) phase_since: Duration,
    /// Why it stops, once it does.
    pub(crate) reason: Option<Reason>,
    /// When everything has to be acquired, or released, at the latest.
    pub(crate) deadline: Option<Duration>,
    /// How much time there was for that in all.
    pub(crate) total: Option<Duration>,
    /// When the drain delay ends, once it has begun (rule D4).
    pub(crate) delay_ends: Option<Duration>,
    pub(crate) has_started: bool,
    /// The last time that a resource was acquired.
    pub(crate) last_progress: Duration,
    pub(crate) reload: ReloadStatus,
    /// In the order of the plan.
    pub(crate) resources: Vec<ResourceStatus>,
    /// The body of `main`, which has a turn like the resources.
    pub(crate) main: ResourceStatus,
}

/// A moment of one resource.
#[derive(Clone, Debug)]
pub(crate) struct ResourceStatus {
    pub(crate) name: Name,
    pub(crate) activity: Activity,
    pub(crate) since: Duration,
    /// How long each part of its life took, once that is over.
    pub(crate) acquire: Option<Duration>,
    pub(crate) drain: Option<Duration>,
    pub(crate) release: Option<Duration>,
    /// What became of it, once its turn is over.
    pub(crate) outcome: Option<Outcome>,
    /// Its supervised and background tasks, in the order in which they were spawned.
    pub(crate) tasks: Vec<TaskName>,
    /// When its turn is over at the latest (rule D6), while the application stops and until it is gone.
    pub(crate) cutoff: Option<Duration>,
}

#[cfg(test)]
impl ResourceStatus {
    /// One of which nothing else is known.
    pub(crate) fn new(name: Name, activity: Activity) -> Self {
        Self {
            name,
            activity,
            since: Duration::ZERO,
            acquire: None,
            drain: None,
            release: None,
            outcome: None,
            tasks: Vec::new(),
            cutoff: None,
        }
    }
}

impl Engine {
    pub(crate) fn status(&self, now: Duration) -> Status {
        let (deadline, total) = match (self.phase, &self.shutdown) {
            (Phase::Starting, _) => (self.settings.startup_timeout, self.settings.startup_timeout),
            (Phase::Draining | Phase::Stopping, Some(shutdown)) => {
                (Some(shutdown.deadline), Some(shutdown.deadline - shutdown.began))
            }
            (Phase::Running | Phase::Draining | Phase::Stopping | Phase::Stopped, _) => (None, None),
        };
        Status {
            now: self.now.max(now),
            phase: self.phase,
            phase_since: self.began(self.phase).unwrap_or_default(),
            reason: self.shutdown.as_ref().map(|shutdown| shutdown.reason.clone()),
            deadline,
            total,
            delay_ends: self.delay_ends(),
            has_started: self.has_started(),
            last_progress: self.slots.iter().filter_map(|slot| slot.times.acquired).max().unwrap_or_default(),
            reload: self.reload_status(),
            resources: self.plan.resources().map(|id| self.resource_status(id)).collect(),
            main: self.resource_status(self.plan.main()),
        }
    }

    /// Whether the application got as far as `Running`.
    pub(crate) fn has_started(&self) -> bool {
        self.began(Phase::Running).is_some()
    }

    /// The phase as it is now: the one that is watched follows a moment later.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether traffic may come, as far as the engine knows.
    pub(crate) fn is_ready(&self) -> bool {
        self.phase == Phase::Running && self.pre_stop.is_none()
    }

    /// Whether traffic that comes is served: while the application runs, and then for the drain delay (rule D4). A stop
    /// during the start has no delay, and nothing that was served.
    pub(crate) fn is_serving(&self) -> bool {
        self.phase == Phase::Running || (self.phase == Phase::Draining && self.has_started())
    }

    pub(super) fn began(&self, phase: Phase) -> Option<Duration> {
        self.phases.iter().find(|(begun, _)| *begun == phase).map(|(_, at)| *at)
    }

    fn resource_status(&self, id: Id) -> ResourceStatus {
        let slot = &self.slots[id];
        let (activity, since) = slot.activity();
        let is_gone = slot.state == State::Gone;
        let shutdown = self.shutdown.as_ref().filter(|_| !is_gone);
        let times = slot.times;
        let took = |from: Option<Duration>, to: Option<Duration>| Some(to? - from?);
        ResourceStatus {
            name: self.plan.name(id),
            activity,
            since,
            acquire: took(times.acquiring, times.acquired),
            drain: took(times.turn, times.drained),
            release: took(times.releasing, times.released.or(times.gone)),
            outcome: is_gone.then(|| slot.outcome()),
            tasks: slot.tasks.names(),
            cutoff: shutdown.map(|shutdown| self.budget.cutoff(id, shutdown.deadline)),
        }
    }
}
