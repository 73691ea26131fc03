//! Rules S1 to S6: resources are acquired, concurrently where the graph allows it.

use std::time::Duration;

use super::command::Command;
use super::notice::Notice;
use super::settings::{BodyKind, Delay};
use super::slot::State;
use super::timers::Timer;
use super::{Engine, PROGRESS};
use crate::model::failure::{Cause, Limit, Operation};
use crate::model::graph::Id;
use crate::model::left_out::LinkedAndLeftOut;
use crate::model::phase::Phase;
use crate::model::report::Outcome;

impl Engine {
    pub(super) fn begin(&mut self) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        self.say(Notice::Plan { plan: self.plan.clone(), left_out: self.settings.left_out.clone() });
        for warning in self.settings.warnings.clone() {
            self.say(warning);
        }
        if let Some(path) = self.budget.scaled_from() {
            self.say(Notice::ReservesScaled { path, half: self.budget.timeout() / 2 });
        }
        if let Delay::Given(asked) = self.settings.drain_delay {
            let given = self.budget.cap_delay(asked);
            if given < asked {
                self.say(Notice::DelayCapped { asked, given });
            }
        }
        self.timers.set(Timer::Startup, self.settings.startup_timeout);
        self.timers.set(Timer::Progress, Some(self.now + PROGRESS));
        self.to_look.extend(self.plan.resources());
    }

    pub(super) fn acquire_if_ready(&mut self, id: Id) {
        let is_resource = id != self.plan.main();
        if !is_resource || self.slots[id].missing > 0 {
            return;
        }
        self.slots[id].acquisition_is_alive = true;
        self.slots[id].times.acquiring = Some(self.now);
        self.enter_state(id, State::Acquiring);
        self.say(Notice::Acquiring(self.name(id)));
        self.command(Command::Acquire(id));
        if let Some(limit) = self.startup_timeout_is_over() {
            self.give_up_acquisition(id, Limit::StartupTimeout(limit));
        }
    }

    /// One step of the start.
    pub(super) fn advance_start(&mut self) -> bool {
        let is_complete = self.left.unsettled == 0;
        if is_complete {
            self.run();
        }
        is_complete
    }

    fn run(&mut self) {
        self.enter(Phase::Running);
        self.timers.set(Timer::Startup, None);
        self.say(Notice::Running { took: self.now });
        let main = self.plan.main();
        self.slots[main].state = State::Ready;
        self.slots[main].times.acquiring = Some(self.now);
        self.body_is_alive = self.settings.body != BodyKind::Empty;
        if self.body_is_alive {
            self.command(Command::RunMain);
        }
        self.begin_reload_if_asked();
    }

    /// What is wrong with an application that has no body and has spawned nothing, and what to do.
    pub(super) fn nothing_to_live_for(&self) -> String {
        let left_out = &self.settings.left_out;
        if self.plan.resources().is_empty() && !left_out.is_empty() {
            return format!(
                "it has no body and no resources; {}: name those that belong to it in `resources = […]`, or write \
                 `resources = linked`",
                LinkedAndLeftOut(left_out),
            );
        }
        "it has no body, and no resource spawned a task that keeps the application alive: spawn servers and workers \
         with `cx.spawn` in `acquire`, not with a bare `tokio::spawn`"
            .to_owned()
    }

    fn startup_timeout_is_over(&self) -> Option<Duration> {
        self.settings.startup_timeout.filter(|&limit| self.now >= limit)
    }

    /// `startup_timeout` is over.
    pub(super) fn time_out_start(&mut self) {
        let Some(limit) = self.startup_timeout_is_over() else { return };
        let is_late = |id: &Id| self.slots[*id].state == State::Acquiring;
        let late: Vec<Id> = self.plan.resources().filter(is_late).collect();
        for id in late {
            self.give_up_acquisition(id, Limit::StartupTimeout(limit));
        }
    }

    /// `acquire_timeout` is over.
    pub(super) fn time_out_acquisition(&mut self, id: Id) {
        let limit = self.plan.step(id).acquire_timeout.unwrap_or_default();
        self.give_up_acquisition(id, Limit::AcquireTimeout(limit));
    }

    fn give_up_acquisition(&mut self, id: Id, limit: Limit) {
        self.timers.set(Timer::Slot(id), None);
        self.cancel(id);
        self.fail(id, Operation::Acquire, Cause::TimedOut(limit));
        self.settle(id);
    }

    /// Those that come after a resource need not wait for it any longer: it is there, or the application does
    /// without it. In the second case it has its turn at once, and the others go on (rule S6).
    fn settle(&mut self, id: Id) {
        let step = self.plan.step(id);
        let gives_up = step.necessity.may_be_missing() && !self.slots[id].has_instance;
        if !std::mem::replace(&mut self.slots[id].is_settled, true) {
            self.left.unsettled -= 1;
            self.left.unsettled_foundations -= usize::from(step.foundation);
            for &dependent in self.plan.dependents_of(id) {
                let slot = &mut self.slots[dependent];
                // What is supplied does not wait for anything.
                if slot.missing > 0 {
                    slot.missing -= 1;
                    if slot.missing == 0 {
                        self.to_look.push_back(dependent);
                    }
                }
            }
        }
        if gives_up {
            self.to_look.push_back(id);
        }
    }

    /// Drops an acquisition that is under way.
    pub(super) fn cancel(&mut self, id: Id) {
        let slot = &mut self.slots[id];
        if slot.acquisition_is_alive && !slot.is_cancelled {
            slot.is_cancelled = true;
            self.command(Command::CancelAcquire(id));
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
                self.enter_state(id, State::Ready);
                self.say(Notice::Acquired { name: self.name(id), took });
                self.settle(id);
            }
            // It was acquired after its turn was over. It is too late for a proper release.
            State::Gone => self.command(Command::Abort(id)),
            // It was acquired while being dropped: its turn goes on, and ends with a release, which needs its time.
            State::Waiting
            | State::Ready
            | State::Draining
            | State::Joining { .. }
            | State::Releasing
            | State::Cutting { .. }
            | State::Aborting => {
                self.set_limit(id);
                self.say(Notice::Acquired { name: self.name(id), took });
            }
        }
        self.to_look.push_back(id);
    }

    pub(super) fn acquire_failed(&mut self, id: Id, cause: Cause) {
        if self.acquisition_ended(id) {
            self.fail(id, Operation::Acquire, cause);
            self.settle(id);
        }
    }

    pub(super) fn acquire_skipped(&mut self, id: Id) {
        if !self.plan.step(id).necessity.may_be_missing() {
            let why = "it returned `Skip`, but it is neither `skippable` nor `optional`: declare it `skippable`, so that its dependents \
                       can do without it";
            return self.acquire_failed(id, Cause::Error(why.into()));
        }
        if self.acquisition_ended(id) {
            self.slots[id].trouble(Outcome::Skipped);
            self.say(Notice::Skipped(self.name(id)));
            self.settle(id);
        }
    }

    pub(super) fn acquire_dropped(&mut self, id: Id) {
        if !self.acquisition_ended(id) {
            return;
        }
        let slot = &mut self.slots[id];
        if slot.is_cancelled {
            slot.trouble(Outcome::Cancelled);
            let took = self.now - slot.times.acquiring.unwrap_or_default();
            self.say(Notice::AcquireCancelled { name: self.name(id), took });
        } else {
            self.fail(id, Operation::Acquire, Cause::Lost);
            self.settle(id);
        }
    }

    /// Its future is gone. Says whether that is news.
    fn acquisition_ended(&mut self, id: Id) -> bool {
        if self.slots[id].state == State::Acquiring {
            self.timers.set(Timer::Slot(id), None);
        }
        self.to_look.push_back(id);
        std::mem::take(&mut self.slots[id].acquisition_is_alive)
    }

    /// Until when an acquisition may take; once the start is over, the turn has the limits.
    pub(super) fn acquire_limit(&self, id: Id) -> Option<Duration> {
        if self.phase != Phase::Starting
            || !self.slots[id].acquisition_is_alive
            || self.slots[id].is_cancelled
        {
            return None;
        }
        let since = self.slots[id].times.acquiring?;
        Some(since.saturating_add(self.plan.step(id).acquire_timeout?))
    }
}
