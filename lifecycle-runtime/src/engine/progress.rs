//! Rules S3 and D11: what is under way, said every five seconds.

use super::notice::{Acquiring, Notice, Waiting};
use super::slot::State;
use super::timers::Timer;
use super::{Counts, Engine, PROGRESS};
use crate::model::Name;
use crate::model::graph::Id;
use crate::model::phase::Phase;

impl Engine {
    pub(super) fn tell_progress(&mut self, counts: &dyn Counts) {
        match self.phase {
            Phase::Starting => self.tell_start_progress(),
            Phase::Draining | Phase::Stopping => self.tell_stop_progress(counts),
            Phase::Running | Phase::Stopped => return,
        }
        self.timers.set(Timer::Progress, Some(self.now + PROGRESS));
    }

    fn tell_start_progress(&mut self) {
        let acquiring = |id: Id| Acquiring {
            name: self.name(id),
            since: self.now - self.slots[id].times.acquiring.unwrap_or_default(),
            dependents: self.names(self.plan.dependents(id)),
        };
        let is_under_way = |id: &Id| self.slots[*id].state == State::Acquiring;
        let under_way = self.plan.resources().filter(is_under_way).map(acquiring).collect();
        let left = self.settings.startup_timeout.map(|limit| limit.saturating_sub(self.now));
        self.say(Notice::StartProgress { under_way, left });
    }

    fn tell_stop_progress(&mut self, counts: &dyn Counts) {
        let left = self.deadline().saturating_sub(self.now);
        self.say(Notice::StopProgress { waiting: self.turns_under_way(counts), left });
    }

    /// Dependents before what they need.
    pub(super) fn turns_under_way(&self, counts: &dyn Counts) -> Vec<Waiting> {
        let waiting = |id: Id| {
            let (doing, since) = self.slots[id].activity();
            Waiting {
                name: self.name(id),
                doing,
                since: self.now - since,
                units: counts.units(id),
                tasks: self.slots[id].tasks.names(),
            }
        };
        let is_under_way = |id: &Id| {
            let slot = &self.slots[*id];
            slot.turn_has_begun() && slot.state != State::Gone
        };
        self.plan.all().rev().filter(is_under_way).map(waiting).collect()
    }

    pub(super) fn names(&self, ids: Vec<Id>) -> Vec<Name> {
        ids.into_iter().map(|id| self.name(id)).collect()
    }
}
