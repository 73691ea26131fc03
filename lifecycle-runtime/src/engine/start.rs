//! Rules S1 to S6: resources are acquired, concurrently where the graph allows it.

use std::time::Duration;

use super::command::{Command, Notice};
use super::slot::State;
use super::{BodyKind, Delay, Engine};
use crate::error::{Cause, Limit, Operation};
use crate::phase::Phase;
use crate::plan::Id;
use crate::report::Outcome;

impl Engine {
    pub(super) fn begin(&mut self) {
        self.tell(Notice::Plan);
        for warning in std::mem::take(&mut self.settings.warnings) {
            self.tell(warning);
        }
        if let Some(path) = self.budget.scaled_from() {
            self.tell(Notice::ReservesScaled { path, half: self.budget.timeout() / 2 });
        }
        if let Delay::Given(asked) = self.settings.drain_delay {
            let given = self.budget.cap_delay(asked);
            if given < asked {
                self.tell(Notice::DelayCapped { asked, given });
            }
        }
    }

    /// One step of the start: time-outs first, so that what is late does not begin anything.
    pub(super) fn advance_start(&mut self) -> bool {
        if self.time_out_start() {
            return true;
        }
        let ready = self.plan.resources().find(|&id| {
            self.slots[id].state == State::Waiting
                && self.plan.after(id).iter().all(|&beneath| self.slots[beneath].is_settled)
        });
        if let Some(id) = ready {
            let slot = &mut self.slots[id];
            slot.state = State::Acquiring;
            slot.acquisition_is_alive = true;
            slot.times.acquiring = Some(self.now);
            self.tell(Notice::Acquiring(id));
            self.commands.push(Command::Acquire(id));
            return true;
        }
        let is_complete = self.plan.resources().all(|id| self.slots[id].is_settled);
        if is_complete {
            self.run();
        }
        is_complete
    }

    fn run(&mut self) {
        self.enter(Phase::Running);
        self.tell(Notice::Running { took: self.now });
        let main = self.plan.main();
        self.slots[main].state = State::Ready;
        self.slots[main].times.acquiring = Some(self.now);
        self.body_is_alive = self.settings.body != BodyKind::Empty;
        if self.body_is_alive {
            self.commands.push(Command::RunMain);
        }
    }

    fn time_out_start(&mut self) -> bool {
        if let Some(limit) = self.settings.startup_timeout.filter(|&limit| self.now >= limit) {
            let late: Vec<Id> =
                self.plan.resources().filter(|&id| self.slots[id].state == State::Acquiring).collect();
            for &id in &late {
                self.time_out_acquisition(id, Limit::StartupTimeout(limit));
            }
            if !late.is_empty() {
                return true;
            }
        }
        let late = self.plan.resources().find(|&id| {
            self.slots[id].state == State::Acquiring
                && self.acquire_limit(id).is_some_and(|limit| self.now >= limit)
        });
        let Some(id) = late else { return false };
        let limit = self.plan.step(id).acquire_timeout.unwrap_or_default();
        self.time_out_acquisition(id, Limit::AcquireTimeout(limit));
        true
    }

    fn time_out_acquisition(&mut self, id: Id, limit: Limit) {
        self.cancel(id);
        self.fail(id, Operation::Acquire, Cause::TimedOut(limit));
        self.settle_without_instance(id);
    }

    /// An optional resource that will not be there has its turn at once; its dependents go on (rule S6).
    fn settle_without_instance(&mut self, id: Id) {
        self.slots[id].is_settled = true;
        if self.plan.step(id).optional && self.phase == Phase::Starting {
            self.begin_turn(id);
        }
    }

    /// Drops an acquisition that is under way.
    pub(super) fn cancel(&mut self, id: Id) {
        let slot = &mut self.slots[id];
        if slot.acquisition_is_alive && !slot.is_cancelled {
            slot.is_cancelled = true;
            self.commands.push(Command::CancelAcquire(id));
        }
    }

    pub(super) fn acquired(&mut self, id: Id) {
        let now = self.now;
        let slot = &mut self.slots[id];
        if !slot.acquisition_is_alive {
            return;
        }
        slot.acquisition_is_alive = false;
        slot.has_instance = true;
        slot.times.acquired = Some(now);
        let took = now - slot.times.acquiring.unwrap_or_default();
        match slot.state {
            State::Acquiring => {
                slot.state = State::Ready;
                slot.is_settled = true;
                self.tell(Notice::Acquired { id, took });
            }
            // It came when its turn was over. Nobody will release it properly any more.
            State::Gone => self.commands.push(Command::Abort(id)),
            // It came while it was being dropped: its turn goes on, with something to release at its end.
            _ => self.tell(Notice::Acquired { id, took }),
        }
    }

    pub(super) fn acquire_failed(&mut self, id: Id, cause: Cause) {
        if !self.slots[id].acquisition_is_alive {
            return;
        }
        self.slots[id].acquisition_is_alive = false;
        self.fail(id, Operation::Acquire, cause);
        self.settle_without_instance(id);
    }

    pub(super) fn acquire_skipped(&mut self, id: Id) {
        if !self.plan.step(id).optional {
            let why = "it says that it is switched off, but others count on it: declare it `optional`";
            return self.acquire_failed(id, Cause::Error(why.into()));
        }
        if !self.slots[id].acquisition_is_alive {
            return;
        }
        self.slots[id].acquisition_is_alive = false;
        self.slots[id].trouble(Outcome::Skipped);
        self.tell(Notice::Skipped(id));
        self.settle_without_instance(id);
    }

    pub(super) fn acquire_dropped(&mut self, id: Id) {
        let now = self.now;
        let slot = &mut self.slots[id];
        if !slot.acquisition_is_alive {
            return;
        }
        slot.acquisition_is_alive = false;
        if slot.is_cancelled {
            slot.trouble(Outcome::Cancelled);
            let took = now - slot.times.acquiring.unwrap_or_default();
            self.tell(Notice::AcquireCancelled { id, took });
        } else {
            self.fail(id, Operation::Acquire, Cause::Lost);
            self.settle_without_instance(id);
        }
    }

    /// Whether the tasks of a resource have to go although its turn has not begun.
    pub(super) fn is_being_rolled_back(&self, id: Id) -> bool {
        self.slots[id].is_cancelled || (self.slots[id].is_settled && !self.slots[id].has_instance)
    }

    fn acquire_limit(&self, id: Id) -> Option<Duration> {
        let since = self.slots[id].times.acquiring?;
        Some(since.saturating_add(self.plan.step(id).acquire_timeout?))
    }

    pub(super) fn start_limit(&self) -> Option<Duration> {
        let acquisitions = self
            .plan
            .resources()
            .filter(|&id| self.slots[id].state == State::Acquiring)
            .filter_map(|id| self.acquire_limit(id));
        acquisitions.chain(self.settings.startup_timeout).chain(self.early_turn_limit()).min()
    }

    pub(super) fn tell_start_progress(&mut self) {
        let under_way = self
            .plan
            .resources()
            .filter(|&id| self.slots[id].state == State::Acquiring)
            .map(|id| (id, self.now - self.slots[id].times.acquiring.unwrap_or_default()))
            .collect();
        let left = self.settings.startup_timeout.map(|limit| limit.saturating_sub(self.now));
        self.tell(Notice::StartProgress { under_way, left });
    }
}
