//! Rules D5 to D7: each resource has its turn, dependents before what they need, under one deadline.

use std::time::Duration;

use super::budget::{TurnLimits, join_limit};
use super::command::{Command, Output};
use super::notice::Notice;
use super::settings::BodyKind;
use super::shutdown::Shutdown;
use super::slot::State;
use super::{Counts, Engine};
use crate::model::failure::{Cause, Limit, Operation};
use crate::model::graph::Id;
use crate::model::phase::{Phase, Reason};
use crate::model::report::Outcome;

/// Time for an answer that is already under way.
const MOMENT: Duration = Duration::from_millis(1);

impl Engine {
    /// A turn begins once everything that comes after the resource has had its own (rule D5); of a resource that
    /// the application does without, at once (rule S6).
    pub(super) fn begin_turn_if_due(&mut self, id: Id, counts: &dyn Counts) {
        let slot = &self.slots[id];
        let has_given_up =
            slot.is_settled && !slot.has_instance && self.plan.step(id).necessity.may_be_missing();
        let is_due =
            self.phase == Phase::Stopping && slot.above == 0 || self.phase == Phase::Starting && has_given_up;
        if !is_due {
            return;
        }
        if slot.state == State::Waiting {
            self.end_turn(id);
        } else {
            self.begin_turn(id, counts);
        }
    }

    fn begin_turn(&mut self, id: Id, counts: &dyn Counts) {
        let main_is_idle = id == self.plan.main() && !self.body_is_alive;
        if !main_is_idle {
            self.say_with(|engine| Notice::Turn {
                name: engine.name(id),
                tasks: engine.slots[id].tasks.names(),
            });
        }
        self.command(Command::Drain(id));
        let in_flight = counts.begin_drain(id);
        let units = counts.units(id);
        let slot = &mut self.slots[id];
        slot.times.turn = Some(self.now);
        slot.in_flight = in_flight;
        slot.units = units;
        slot.is_drained |= in_flight == 0;
        self.enter_state(id, State::Draining);
        if self.plan.step(id).foundation {
            self.report_if_due();
        }
        if self.can_leave_drain(id) {
            self.end_drain(id);
        } else if id == self.plan.main() && self.body_is_deaf() {
            // A body that never asked for a notice gets no time to drain (rule R5).
            self.cut_drain(id, counts);
        } else {
            self.let_go_of_errors(id);
        }
    }

    /// Once a turn waits for nothing but units, an error that is kept may hold the last of them.
    fn let_go_of_errors(&mut self, id: Id) {
        let body_is_there = id == self.plan.main() && self.body_is_alive;
        let slot = &mut self.slots[id];
        let has_units =
            !slot.is_drained && slot.tasks.is_empty() && !slot.acquisition_is_alive && !body_is_there;
        if has_units && !std::mem::replace(&mut slot.waits_for_units, true) {
            self.left.turns_with_units += 1;
            if !self.failures.is_empty() {
                self.command(Command::ForgetErrors);
            }
        }
    }

    pub(super) fn end_drain_if_done(&mut self, id: Id) {
        if self.can_leave_drain(id) {
            self.end_drain(id);
        } else {
            self.let_go_of_errors(id);
        }
    }

    /// The time to drain is over: tasks are aborted.
    pub(super) fn cut_drain(&mut self, id: Id, counts: &dyn Counts) {
        self.enter_state(id, State::Joining { since: self.now });
        self.command(Command::AbortTasks(id));
        self.note_cut(id, counts);
    }

    /// What is cut off counts, unless all of it is excused (rule E1). Interrupting a body is a different matter.
    fn note_cut(&mut self, id: Id, counts: &dyn Counts) {
        let (cut, units) = (counts.in_flight(id), counts.units(id));
        let is_main = id == self.plan.main();
        // A body that is dropped with its owner is about to leave.
        let is_interruption = is_main && (self.body_is_deaf() || !self.body_is_alive);
        if cut.in_flight == 0 || is_interruption {
            return;
        }
        let slot = &mut self.slots[id];
        let tasks = slot.tasks.names();
        slot.cut = cut;
        slot.cut_units = units;
        slot.aborted_tasks.clone_from(&tasks);
        let excused = slot.excused();
        if cut.counts() {
            // Before the stop there is no deadline that could cut anything off.
            self.was_cut |= self.shutdown.is_some();
            slot.trouble(Outcome::Aborted);
        }
        let after = self.now - slot.times.turn.unwrap_or_default();
        self.say(Notice::TasksAborted { name: self.name(id), after, tasks, units, excused });
    }

    fn body_is_deaf(&self) -> bool {
        self.body_is_alive && !self.body_listens && self.settings.body == BodyKind::Written
    }

    /// A body that never asked for a notice was dropped, which is an interruption (rules R5 and E1). One that did ask
    /// was cut off, if anything.
    pub(super) fn body_was_interrupted(&mut self) {
        if !self.body_listens {
            self.signal_interrupts();
        }
    }

    /// A body heeded its notice, and says that it left something undone (rule E1).
    pub(super) fn body_gave_up(&mut self) {
        if self.shutdown.is_some() {
            self.signal_interrupts();
        } else {
            let why = "it returned `Interrupted`, but nothing has asked the application to stop";
            self.fail(self.plan.main(), Operation::Main, Cause::Error(why.into()));
        }
    }

    fn signal_interrupts(&mut self) {
        if let Some(Shutdown { reason: Reason::Signal(signal), .. }) = &self.shutdown {
            self.interrupted_by = Some(*signal);
        }
    }

    /// What was aborted did not end in time, and is left behind.
    pub(super) fn leave_stuck(&mut self, id: Id) {
        let is_main = id == self.plan.main();
        let slot = &mut self.slots[id];
        let mut stuck = slot.tasks.names();
        stuck.extend(slot.acquisition_is_alive.then(|| "acquire".into()));
        stuck.extend(slot.reload_began.map(|_| "reload".into()));
        stuck.extend(is_main.then(|| "body".into()));
        // If all that was cut off is excused, so is what is left of it.
        if !stuck.is_empty() || slot.cut.counts() {
            self.was_cut = true;
            slot.trouble(Outcome::Aborted);
        }
        slot.stuck_tasks.clone_from(&stuck);
        self.left.stuck += usize::from(!stuck.is_empty());
        self.say(Notice::TasksStuck { name: self.name(id), tasks: stuck });
        self.end_drain(id);
    }

    /// The end of a task is told a moment after it has left the count; a turn is not over in between (rule R1).
    pub(super) fn can_leave_drain(&self, id: Id) -> bool {
        let slot = &self.slots[id];
        let body_is_there = id == self.plan.main() && self.body_is_alive;
        slot.is_drained && slot.tasks.is_empty() && !slot.acquisition_is_alive && !body_is_there
    }

    pub(super) fn end_drain(&mut self, id: Id) {
        let slot = &mut self.slots[id];
        slot.times.drained = Some(self.now);
        let took = self.now - slot.times.turn.unwrap_or_default();
        self.left.turns_with_units -= usize::from(std::mem::take(&mut slot.waits_for_units));
        let (has_drained, has_instance) = (slot.is_drained && slot.in_flight > 0, slot.has_instance);
        if has_drained {
            self.say(Notice::Drained { name: self.name(id), took });
        }
        if has_instance {
            self.slots[id].times.releasing = Some(self.now);
            self.enter_state(id, State::Releasing);
            self.say(Notice::Releasing(self.name(id)));
            self.command(Command::Release(id));
        } else {
            self.end_turn(id);
        }
    }

    pub(super) fn released(&mut self, id: Id, result: Result<(), Cause>) {
        if !matches!(self.slots[id].state, State::Releasing | State::Cutting { .. }) {
            return;
        }
        self.slots[id].times.released = Some(self.now);
        match result {
            Ok(()) => {
                let took = self.now - self.slots[id].times.releasing.unwrap_or_default();
                self.say(Notice::Released { name: self.name(id), took });
                self.end_turn(id);
            }
            Err(cause) => {
                self.fail(id, Operation::Release, cause);
                self.abort(id);
            }
        }
    }

    /// The time for the release is over: its future is dropped. The driver polls it once in any case, and says how
    /// that went.
    pub(super) fn cut_release(&mut self, id: Id) {
        self.enter_state(id, State::Cutting { since: self.now });
        self.command(Command::CutRelease(id));
    }

    pub(super) fn release_dropped(&mut self, id: Id) {
        if matches!(self.slots[id].state, State::Cutting { .. }) {
            self.give_up_release(id);
        }
    }

    /// The release did not complete. One in blocking code cannot be dropped, and is left behind.
    pub(super) fn give_up_release(&mut self, id: Id) {
        self.was_cut = true;
        let after = self.now - self.slots[id].times.releasing.unwrap_or_default();
        self.slots[id].times.released = Some(self.now);
        self.fail(id, Operation::Release, Cause::TimedOut(Limit::Cutoff(after)));
        self.abort(id);
    }

    /// The last resort (rule D7). `abort` is quick; what it does not finish by the cut-off is not waited for: the
    /// reserve of what is beneath begins there.
    fn abort(&mut self, id: Id) {
        self.enter_state(id, State::Aborting);
        self.command(Command::Abort(id));
    }

    pub(super) fn aborted(&mut self, id: Id, result: Result<(), Cause>) {
        if let Err(cause) = result {
            self.fail(id, Operation::Abort, cause);
        }
        if self.slots[id].state == State::Aborting {
            self.end_turn(id);
        }
    }

    pub(super) fn end_turn(&mut self, id: Id) {
        self.enter_state(id, State::Gone);
        self.slots[id].times.gone = Some(self.now);
        self.left.turns -= 1;
        self.left.turns_of_foundations -= usize::from(self.plan.step(id).foundation);
        let outcome = self.slots[id].outcome();
        self.outputs.push_back(Output::Gone(id, outcome));
        // Skipped and cancelled resources have been logged already.
        let is_news = !matches!(outcome, Outcome::Clean | Outcome::Skipped | Outcome::Cancelled);
        let is_worth_a_line = self.slots[id].times.turn.is_some() && is_news;
        if is_worth_a_line {
            self.say(Notice::TurnEnded { name: self.name(id), outcome });
        }
        for &beneath in self.plan.after(id).iter().rev() {
            let slot = &mut self.slots[beneath];
            slot.above -= 1;
            if slot.above == 0 {
                self.to_look.push_back(beneath);
            }
        }
    }

    /// Once everything but the foundations is gone the report is told, before the first of them is released: it still
    /// reaches the log (rule E2).
    fn report_if_due(&mut self) {
        if self.reported.is_none() && self.left.turns == self.left.turns_of_foundations {
            self.reported = Some(self.failures.len());
            let report = self.has_audience.then(|| Box::new(self.report()));
            self.outputs.push_back(Output::Report(report));
        }
    }

    pub(super) fn advance_end(&mut self) -> bool {
        let is_over = self.left.turns == 0;
        if is_over {
            self.report_if_due();
            self.enter(Phase::Stopped);
            self.outputs.push_back(Output::LastWord);
            self.command(Command::End);
            self.is_over = true;
        }
        is_over
    }

    /// The limits of a resource's turn, once there is a deadline.
    pub(super) fn limits(&self, id: Id) -> Option<TurnLimits> {
        let shutdown = self.shutdown.as_ref()?;
        let began = self.slots[id].times.turn.unwrap_or(self.now);
        let mut limits = self.budget.limits(id, shutdown.deadline, began, self.plan.step(id).drain_timeout);
        if let Some(hurry) = shutdown.hurried {
            limits.drain = began.max(hurry.since);
        }
        if let Some(thawed) = shutdown.thawed {
            // The clock ran on, the tasks did not (rule D13).
            limits.drain = limits.drain.max(thawed + self.budget.reserve(id) / 2);
        }
        Some(limits)
    }

    /// When everything is over, once the stop has begun.
    pub(crate) fn stop_limit(&self) -> Option<Duration> {
        self.shutdown.as_ref().map(|shutdown| shutdown.deadline)
    }

    /// When `release` is cut off, once there is a deadline.
    pub(crate) fn release_limit(&self, id: Id) -> Option<Duration> {
        self.limits(id).map(|limits| limits.release)
    }

    /// Until when the tasks of a resource may run. A turn before the stop (of an optional resource that failed) has
    /// half of its reserve.
    pub(crate) fn drain_limit(&self, id: Id) -> Option<Duration> {
        let began = self.slots[id].times.turn.unwrap_or_default();
        Some(self.limits(id).map_or(began + self.budget.reserve(id) / 2, |limits| limits.drain))
    }

    /// Until when aborted tasks are waited for. Without an instance there is nothing to release, so they have all the
    /// time until the cut-off.
    pub(super) fn join_limit(&self, id: Id, since: Duration) -> Option<Duration> {
        let TurnLimits { cutoff, .. } = self.limits(id)?;
        Some(if self.slots[id].has_instance { join_limit(since, cutoff) } else { cutoff })
    }

    /// Until when the answer to `CutRelease` is waited for. It is at least a moment, even without any reserve, because
    /// the release may have completed by then.
    pub(super) fn drop_limit(&self, id: Id, since: Duration) -> Option<Duration> {
        self.limits(id).map(|limits| limits.drop.max(since + MOMENT))
    }
}
