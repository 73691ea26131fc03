//! Where the application stands, for the black box: who is waited for, and what is in flight. Names and states, and
//! nothing that could hold a credential.

use std::time::Duration;

use super::activity::Activity;
use super::reload::HookState;
use super::{Counts, Engine};
use crate::model::graph::Id;
use crate::model::phase::{Phase, Reason};
use crate::model::units::Units;
use crate::model::{Name, TaskName};

/// More resources than that are only counted, in each list.
const LISTED: usize = 16;

/// More tasks of one resource than that are not named.
const NAMED: usize = 8;

/// A moment of an application. Two of them are the same unless something has happened in between: all times are those
/// at which something began or will be over, counted from its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) phase: Phase,
    pub(crate) phase_since: Duration,
    /// Why it stops, once it does.
    pub(crate) reason: Option<Reason>,
    /// When the start or the stop is over at the latest, and how long it may take in all.
    pub(crate) limit: Option<(Duration, Duration)>,
    /// The hooks of reloads, also those that were cut off and have not ended.
    pub(crate) reloading: Vec<Reloading>,
    /// What is waited for: acquisitions and turns.
    pub(crate) waiting: Vec<Busy>,
    /// The other resources that have something in flight.
    pub(crate) working: Vec<(Name, Units)>,
    /// How many resources are in neither list for want of room.
    pub(crate) unlisted: usize,
    /// Of all resources.
    pub(crate) in_flight: usize,
}

/// A resource that reloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reloading {
    pub(crate) name: Name,
    pub(crate) since: Duration,
    pub(crate) state: HookState,
}

/// A resource that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Busy {
    pub(crate) name: Name,
    pub(crate) doing: Activity,
    pub(crate) since: Duration,
    pub(crate) units: Units,
    /// Its tasks, if they are few.
    pub(crate) tasks: Vec<TaskName>,
}

impl Engine {
    /// It looks through all resources: those who ask leave some time between.
    pub(crate) fn standing(&self, counts: &dyn Counts) -> Standing {
        let mut standing = Standing {
            phase: self.phase,
            phase_since: self.began(self.phase).unwrap_or_default(),
            reason: self.shutdown.as_ref().map(|shutdown| shutdown.reason.clone()),
            limit: self.limit(),
            reloading: self.reloading(),
            waiting: Vec::new(),
            working: Vec::new(),
            unlisted: 0,
            in_flight: 0,
        };
        for id in self.plan.all().rev() {
            let (activity, _) = self.slots[id].activity();
            let units = counts.units(id);
            standing.in_flight += units.in_flight();
            let list_length =
                if activity.is_busy() { standing.waiting.len() } else { standing.working.len() };
            if !activity.is_busy() && units.all() == 0 {
                continue;
            }
            if list_length == LISTED {
                standing.unlisted += 1;
            } else if activity.is_busy() {
                standing.waiting.push(self.busy(id, units));
            } else {
                standing.working.push((self.name(id), units));
            }
        }
        standing
    }

    fn busy(&self, id: Id, units: Units) -> Busy {
        let slot = &self.slots[id];
        let (doing, since) = slot.activity();
        let tasks = if slot.tasks.len() > NAMED { Vec::new() } else { slot.tasks.names() };
        Busy { name: self.name(id), doing, since, units, tasks }
    }

    fn reloading(&self) -> Vec<Reloading> {
        let all = self.hooks_under_way();
        all.take(LISTED).map(|(id, since, state)| Reloading { name: self.name(id), since, state }).collect()
    }

    fn limit(&self) -> Option<(Duration, Duration)> {
        match (self.phase, &self.shutdown) {
            (Phase::Starting, _) => self.settings.startup_timeout.map(|timeout| (timeout, timeout)),
            (Phase::Draining | Phase::Stopping, Some(shutdown)) => {
                Some((shutdown.deadline, self.budget.timeout()))
            }
            (Phase::Running | Phase::Draining | Phase::Stopping | Phase::Stopped, _) => None,
        }
    }
}
