//! Rules D1 to D8: triggers, the delay, turns in reverse order under one deadline, escalation.

use std::time::Duration;

use super::command::{Command, Doing, Ignored, Insistence, Notice, Waiting};
use super::event::Cut;
use super::slot::{Slot, State};
use super::{BodyKind, Delay, Engine};
use crate::budget::{Limits, join_limit};
use crate::error::{Cause, Limit, Operation};
use crate::phase::{Phase, Reason, Signal};
use crate::plan::Id;
use crate::report::Outcome;

/// A signal that follows one that counted within this time is the same one (rule D8).
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// Time for an answer that is under way.
const MOMENT: Duration = Duration::from_millis(1);

/// A shutdown under way.
#[derive(Debug)]
pub(super) struct Shutdown {
    pub(super) reason: Reason,
    pub(super) began: Duration,
    pub(super) deadline: Duration,
    delay_ends: Duration,
    /// When the last signal came that counted.
    last_signal: Option<Duration>,
    pub(super) hurried: Option<Hurry>,
}

/// Somebody insisted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hurry {
    pub(super) by: Option<Signal>,
    since: Duration,
}

impl Engine {
    /// Begins the shutdown, unless it has begun (rules D1 to D4).
    pub(super) fn trigger(&mut self, reason: Reason) {
        if self.shutdown.is_some() {
            return;
        }
        let delay = self.delay(&reason);
        let timeout = self.budget.timeout();
        if let (Reason::Signal(signal), Phase::Starting) = (&reason, self.phase) {
            if self.settings.body != BodyKind::Empty {
                self.interrupted_by = Some(signal.number());
            }
        }
        self.tell(Notice::ShuttingDown { reason: reason.clone(), timeout, delay });
        self.shutdown = Some(Shutdown {
            last_signal: matches!(reason, Reason::Signal(_)).then_some(self.now),
            reason,
            began: self.now,
            deadline: self.now + timeout,
            delay_ends: self.now + delay,
            hurried: None,
        });
        self.enter(Phase::Draining);
        self.commands.push(Command::Deadline(self.now + timeout));
        self.commands.push(Command::FireDraining);
        for id in self.plan.resources() {
            self.cancel(id);
        }
        self.tell_next_interrupt(Insistence::Hurries);
    }

    fn delay(&self, reason: &Reason) -> Duration {
        let is_at_terminal = self.settings.at_terminal && *reason == Reason::Signal(Signal::Interrupt);
        let applies = self.phase == Phase::Running && *reason != Reason::Finished && !is_at_terminal;
        if applies { self.drain_delay() } else { Duration::ZERO }
    }

    /// The drain delay, less what a preStop hook has spent of it already.
    fn drain_delay(&self) -> Duration {
        let spent = self.pre_stop.map_or(Duration::ZERO, |since| self.now - since);
        let delay = match self.settings.drain_delay {
            Delay::Given(delay) => delay,
            Delay::IfServing(delay) if self.serves => delay,
            Delay::IfServing(_) => Duration::ZERO,
        };
        self.budget.cap_delay(delay).saturating_sub(spent)
    }

    /// The drain delay begins, and readiness is over, before anybody asked for the stop. Only the first time counts.
    #[cfg(feature = "probe")]
    pub(super) fn pre_stop(&mut self) {
        if self.phase == Phase::Running && self.pre_stop.is_none() {
            self.pre_stop = Some(self.now);
            self.tell(Notice::PreStop { delay: self.drain_delay() });
        }
    }

    /// What is left of a drain delay that a preStop hook has begun.
    #[cfg(feature = "probe")]
    pub(crate) fn pre_stop_left(&self) -> Duration {
        if self.phase == Phase::Running { self.drain_delay() } else { Duration::ZERO }
    }

    /// Whether traffic may come, as far as it is the engine's to say.
    #[cfg(feature = "probe")]
    pub(crate) fn is_ready(&self) -> bool {
        self.phase == Phase::Running && self.pre_stop.is_none()
    }

    fn tell_next_interrupt(&mut self, next: Insistence) {
        if self.settings.at_terminal {
            self.tell(Notice::NextInterrupt(next));
        }
    }

    pub(super) fn end_delay(&mut self) {
        if let Some(shutdown) = &mut self.shutdown {
            shutdown.delay_ends = shutdown.delay_ends.min(self.now);
        }
    }

    pub(super) fn owner_dropped(&mut self) {
        self.tell(Notice::OwnerDropped);
        self.trigger(Reason::Dropped);
        self.hurry(None);
        self.body_is_alive = false;
    }

    /// The first signal asks; a later SIGINT or SIGQUIT insists, and one more ends the process (rule D8).
    pub(super) fn signal(&mut self, signal: Signal) {
        let now = self.now;
        let Some(shutdown) = &mut self.shutdown else { return self.trigger(Reason::Signal(signal)) };
        let left = shutdown.deadline.saturating_sub(now);
        let is_repeated = shutdown.last_signal.is_some_and(|last| now - last < SAME_SIGNAL);
        if is_repeated || !signal.insists() {
            let why = if is_repeated { Ignored::Repeated } else { Ignored::AlreadyStopping };
            return self.tell(Notice::SignalIgnored { signal, left, why });
        }
        shutdown.last_signal = Some(now);
        if shutdown.hurried.is_none() {
            self.hurry(Some(signal));
            self.tell_next_interrupt(Insistence::Ends);
        } else {
            self.commands.push(Command::Exit(signal));
            self.is_over = true;
        }
    }

    pub(super) fn insist(&mut self) {
        self.trigger(Reason::Requested("insisted".to_owned()));
        if self.shutdown.as_ref().is_some_and(|shutdown| shutdown.hurried.is_none()) {
            self.hurry(None);
        }
    }

    /// Delay and draining end now; releases keep their reserves, and no more time than that is left.
    fn hurry(&mut self, by: Option<Signal>) {
        let path = self.budget.path(self.plan.all().filter(|&id| !self.is_gone(id)));
        let now = self.now;
        let Some(shutdown) = &mut self.shutdown else { return };
        shutdown.hurried.get_or_insert(Hurry { by, since: now });
        shutdown.deadline = shutdown.deadline.min(now + path);
        let deadline = shutdown.deadline;
        let left = deadline.saturating_sub(now);
        self.commands.push(Command::Deadline(deadline));
        self.end_delay();
        self.tell(Notice::Hurried { by, left });
    }

    pub(super) fn advance_delay(&mut self) -> bool {
        let is_over = self.shutdown.as_ref().is_some_and(|shutdown| self.now >= shutdown.delay_ends);
        if is_over {
            self.enter(Phase::Stopping);
        }
        is_over
    }

    /// Moves every turn on by one step, dependents before what they need.
    pub(super) fn advance_turns(&mut self) -> bool {
        let mut has_moved = false;
        for id in self.plan.all().rev() {
            has_moved |= match self.slots[id].state {
                State::Waiting | State::Acquiring | State::Ready => self.advance_to_turn(id),
                State::TurnBegun | State::Gone => false,
                State::Draining => self.advance_draining(id),
                State::Joining { since } => self.advance_joining(id, since),
                State::Releasing => self.advance_releasing(id),
                State::Cutting { since } => self.advance_cutting(id, since),
                State::Aborting => self.advance_aborting(id),
            };
        }
        has_moved
    }

    /// A turn begins once everything that comes after the resource has had its own (rule D5).
    fn advance_to_turn(&mut self, id: Id) -> bool {
        let is_due =
            self.phase == Phase::Stopping && self.plan.before(id).iter().all(|&above| self.is_gone(above));
        if is_due {
            if self.slots[id].state == State::Waiting {
                self.end_turn(id);
            } else {
                self.begin_turn(id);
            }
        }
        is_due
    }

    pub(super) fn begin_turn(&mut self, id: Id) {
        self.slots[id].state = State::TurnBegun;
        self.slots[id].times.turn = Some(self.now);
        let is_idle_main = id == self.plan.main() && !self.body_is_alive;
        if !is_idle_main {
            self.tell(Notice::Turn { id, tasks: self.tasks_of(id) });
        }
        self.commands.push(Command::Drain(id));
    }

    pub(super) fn drain_began(&mut self, id: Id, in_flight: usize) {
        let slot = &mut self.slots[id];
        if slot.state == State::TurnBegun {
            slot.state = State::Draining;
            slot.in_flight = in_flight;
            slot.is_drained |= in_flight == 0;
        }
    }

    fn advance_draining(&mut self, id: Id) -> bool {
        if self.can_leave_drain(id) {
            self.end_drain(id);
            return true;
        }
        // A body that never asked for a notice gets no time to drain (rule R5).
        let is_deaf = id == self.plan.main() && self.body_is_deaf();
        if !is_deaf && self.now < self.drain_limit(id) {
            return false;
        }
        self.slots[id].state = State::Joining { since: self.now };
        self.commands.push(Command::AbortTasks(id));
        true
    }

    /// What is cut off counts, unless all of it is excused (rule E1). To interrupt a body is something else.
    pub(super) fn cut(&mut self, id: Id, cut: Cut) {
        let is_interruption = id == self.plan.main() && self.body_is_deaf();
        if cut.in_flight == 0 || is_interruption {
            return;
        }
        let tasks = self.tasks_of(id);
        self.slots[id].cut = cut;
        self.slots[id].aborted_tasks.clone_from(&tasks);
        if cut.counts() {
            // Before the shutdown there is no deadline that could cut anything.
            self.was_cut |= self.shutdown.is_some();
            self.slots[id].trouble(Outcome::Aborted);
        }
        let after = self.now - self.slots[id].times.turn.unwrap_or_default();
        self.tell(Notice::TasksAborted { id, after, tasks, cut });
    }

    fn body_is_deaf(&self) -> bool {
        self.body_is_alive && !self.body_listens && self.settings.body == BodyKind::Written
    }

    /// A body that never asked for a notice was dropped, and that is an interruption (rules R5 and E1). One that asked
    /// was cut off, if anything.
    pub(super) fn body_was_interrupted(&mut self) {
        if self.body_listens {
            return;
        }
        if let Some(Shutdown { reason: Reason::Signal(signal), .. }) = &self.shutdown {
            self.interrupted_by = Some(signal.number());
        }
    }

    fn advance_joining(&mut self, id: Id, since: Duration) -> bool {
        if self.can_leave_drain(id) {
            self.end_drain(id);
            return true;
        }
        if self.now < self.join_limit(id, since) {
            return false;
        }
        let mut stuck = self.tasks_of(id);
        if self.slots[id].acquisition_is_alive {
            stuck.push("acquire".to_owned());
        }
        if id == self.plan.main() {
            stuck.push("body".to_owned());
        }
        // If all that was cut off is excused, so is what is left of it.
        if !stuck.is_empty() || self.slots[id].cut.counts() {
            self.was_cut = true;
            self.slots[id].trouble(Outcome::Aborted);
        }
        self.slots[id].stuck_tasks.clone_from(&stuck);
        self.tell(Notice::TasksStuck { id, tasks: stuck });
        self.end_drain(id);
        true
    }

    fn can_leave_drain(&self, id: Id) -> bool {
        self.slots[id].is_drained && !self.slots[id].acquisition_is_alive
    }

    fn end_drain(&mut self, id: Id) {
        let now = self.now;
        let slot = &mut self.slots[id];
        slot.times.drained = Some(now);
        let took = now - slot.times.turn.unwrap_or_default();
        if slot.is_drained && slot.in_flight > 0 {
            self.tell(Notice::Drained { id, took });
        }
        if self.slots[id].has_instance {
            self.slots[id].state = State::Releasing;
            self.slots[id].times.releasing = Some(now);
            self.tell(Notice::Releasing(id));
            self.commands.push(Command::Release(id));
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
                self.tell(Notice::Released { id, took });
                self.end_turn(id);
            }
            Err(cause) => {
                self.fail(id, Operation::Release, cause);
                self.abort(id);
            }
        }
    }

    /// When the time for the release is up, its future is dropped. Whoever drops it polls it once in any case, and
    /// says how that went.
    fn advance_releasing(&mut self, id: Id) -> bool {
        let is_late = self.limits(id).is_some_and(|limits| self.now >= limits.release);
        if is_late {
            self.slots[id].state = State::Cutting { since: self.now };
            self.commands.push(Command::CutRelease(id));
        }
        is_late
    }

    /// A release in blocking code cannot be dropped, and is left behind.
    fn advance_cutting(&mut self, id: Id, since: Duration) -> bool {
        let is_late = self.now >= self.drop_limit(id, since);
        if is_late {
            self.cut_release(id);
        }
        is_late
    }

    pub(super) fn release_dropped(&mut self, id: Id) {
        if matches!(self.slots[id].state, State::Cutting { .. }) {
            self.cut_release(id);
        }
    }

    fn cut_release(&mut self, id: Id) {
        self.was_cut = true;
        let after = self.now - self.slots[id].times.releasing.unwrap_or_default();
        self.slots[id].times.released = Some(self.now);
        self.fail(id, Operation::Release, Cause::TimedOut(Limit::Cutoff(after)));
        self.abort(id);
    }

    /// The last resort (rule D7).
    fn abort(&mut self, id: Id) {
        self.slots[id].state = State::Aborting;
        self.commands.push(Command::Abort(id));
    }

    /// `abort` is quick; what it does not finish by the cut-off is not waited for: the reserve of what is beneath
    /// begins there.
    fn advance_aborting(&mut self, id: Id) -> bool {
        let is_late = self.limits(id).is_some_and(|limits| self.now >= limits.cutoff);
        if is_late {
            self.end_turn(id);
        }
        is_late
    }

    pub(super) fn aborted(&mut self, id: Id, result: Result<(), Cause>) {
        if let Err(cause) = result {
            self.fail(id, Operation::Abort, cause);
        }
        if self.slots[id].state == State::Aborting {
            self.end_turn(id);
        }
    }

    fn end_turn(&mut self, id: Id) {
        self.slots[id].state = State::Gone;
        self.slots[id].times.gone = Some(self.now);
        let outcome = self.slots[id].outcome();
        // What was skipped or cancelled has been told as such.
        let is_news = !matches!(outcome, Outcome::Clean | Outcome::Skipped | Outcome::Cancelled);
        let is_worth_a_line = self.slots[id].times.turn.is_some() && is_news;
        if is_worth_a_line {
            self.tell(Notice::TurnEnded { id, outcome });
        }
    }

    /// Once everything but the foundations is gone the report is told, so that it still reaches the log.
    pub(super) fn advance_end(&mut self) -> bool {
        let is_gone_but_for_foundations =
            self.plan.all().all(|id| self.is_gone(id) || self.plan.step(id).foundation);
        if is_gone_but_for_foundations && !self.report_is_told {
            self.report_is_told = true;
            self.tell(Notice::Report);
            return true;
        }
        if !self.plan.all().all(|id| self.is_gone(id)) {
            return false;
        }
        self.enter(Phase::Stopped);
        self.tell(Notice::LastWord);
        self.commands.push(Command::End);
        self.is_over = true;
        true
    }

    fn deadline(&self) -> Duration {
        self.shutdown.as_ref().map_or(Duration::MAX, |shutdown| shutdown.deadline)
    }

    /// Until when the turn of a resource may do what, once there is a deadline.
    fn limits(&self, id: Id) -> Option<Limits> {
        let shutdown = self.shutdown.as_ref()?;
        let began = self.slots[id].times.turn.unwrap_or(self.now);
        let limits = self.budget.limits(id, shutdown.deadline, began, self.plan.step(id).drain_timeout);
        Some(match shutdown.hurried {
            Some(hurry) => Limits { drain: began.max(hurry.since), ..limits },
            None => limits,
        })
    }

    /// Until when `release` may run, once there is a deadline.
    pub(crate) fn release_limit(&self, id: Id) -> Option<Duration> {
        self.limits(id).map(|limits| limits.release)
    }

    /// Until when the tasks of a resource may finish. A turn before the shutdown (an optional resource that
    /// failed) has half of its reserve for it.
    fn drain_limit(&self, id: Id) -> Duration {
        let began = self.slots[id].times.turn.unwrap_or_default();
        self.limits(id).map_or(began + self.budget.reserve(id) / 2, |limits| limits.drain)
    }

    /// Until when aborted tasks are waited for. Without an instance there is nothing to release, so that they
    /// may have the whole time up to the cut-off.
    fn join_limit(&self, id: Id, since: Duration) -> Duration {
        let Some(Limits { cutoff, .. }) = self.limits(id) else { return Duration::MAX };
        if self.slots[id].has_instance { join_limit(since, cutoff) } else { cutoff }
    }

    /// Until when the answer to `CutRelease` is waited for: for a moment also where there is no reserve at all, since
    /// the release may be done by then.
    fn drop_limit(&self, id: Id, since: Duration) -> Duration {
        let limit = self.limits(id).map_or(Duration::MAX, |limits| limits.drop);
        limit.max(since + MOMENT)
    }

    /// When the next of the turns under way runs into a limit.
    pub(super) fn early_turn_limit(&self) -> Option<Duration> {
        let limits = self.plan.all().filter_map(|id| match self.slots[id].state {
            State::Draining => Some(self.drain_limit(id)),
            State::Joining { since } => Some(self.join_limit(id, since)),
            State::Releasing => self.limits(id).map(|limits| limits.release),
            State::Cutting { since } => Some(self.drop_limit(id, since)),
            State::Aborting => self.limits(id).map(|limits| limits.cutoff),
            State::Waiting | State::Acquiring | State::Ready | State::TurnBegun | State::Gone => None,
        });
        limits.filter(|&limit| limit < Duration::MAX).min()
    }

    pub(super) fn stop_limit(&self) -> Option<Duration> {
        let delay = match (&self.shutdown, self.phase) {
            (Some(shutdown), Phase::Draining) => Some(shutdown.delay_ends),
            _ => None,
        };
        delay.into_iter().chain(self.early_turn_limit()).min()
    }

    pub(super) fn tell_stop_progress(&mut self) {
        let waiting = self.turns_under_way().collect();
        let left = self.deadline().saturating_sub(self.now);
        self.tell(Notice::StopProgress { waiting, left });
    }

    pub(super) fn turns_under_way(&self) -> impl Iterator<Item = Waiting> {
        self.plan.all().rev().filter_map(|id| {
            let Slot { state, times, .. } = &self.slots[id];
            let (doing, since) = match state {
                State::TurnBegun | State::Draining => (Doing::Draining, times.turn),
                State::Joining { since } => (Doing::Joining, Some(*since)),
                State::Releasing | State::Cutting { .. } => (Doing::Releasing, times.releasing),
                State::Aborting => (Doing::Aborting, times.released),
                State::Waiting | State::Acquiring | State::Ready | State::Gone => return None,
            };
            let since = self.now - since.unwrap_or_default();
            Some(Waiting { id, doing, since, tasks: self.tasks_of(id) })
        })
    }
}
