//! Rules D1 to D4 and D8: what triggers the shutdown, its delay, and escalation.

use std::time::Duration;

use super::Engine;
use super::command::{Command, Output};
use super::notice::{Ignored, Insistence, Notice};
use super::settings::{BodyKind, Delay, Ending};
use super::slot::State;
use super::timers::Timer;
use crate::model::graph::Id;
use crate::model::phase::{Phase, Reason};
use crate::model::reload::{Hangup, ReloadReason};
use crate::model::signal::Signal;

/// A signal within this time after one that counted is the same one (rule D8).
pub(crate) const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// A shutdown under way.
#[derive(Clone, Debug)]
pub(super) struct Shutdown {
    pub(super) reason: Reason,
    pub(super) began: Duration,
    pub(super) deadline: Duration,
    delay_ends: Duration,
    /// When the last signal came that counted.
    last_signal: Option<Duration>,
    pub(super) hurried: Option<Hurry>,
    /// When the process went on after it had been frozen.
    pub(super) thawed: Option<Duration>,
}

/// Somebody insisted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Hurry {
    pub(super) by: Option<Signal>,
    pub(super) since: Duration,
}

#[cfg(test)]
impl Shutdown {
    /// See [`Engine::fingerprint`].
    pub(super) fn fingerprint(&self, now: Duration, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        let Self { reason, began: _, deadline, delay_ends, last_signal, hurried, thawed } = self;
        // The words of a request are for the log.
        std::mem::discriminant(reason).hash(hasher);
        if let Reason::Signal(signal) = reason {
            signal.hash(hasher);
        }
        (deadline.checked_sub(now), now.checked_sub(*deadline), delay_ends.saturating_sub(now)).hash(hasher);
        last_signal.map(|last| SAME_SIGNAL.saturating_sub(now - last)).hash(hasher);
        hurried.map(|hurry| hurry.by).hash(hasher);
        thawed.map(|thawed| now - thawed).hash(hasher);
    }
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
                self.interrupted_by = Some(*signal);
            }
        }
        let origin = self.settings.timeout_origin;
        self.say(Notice::ShuttingDown { reason: reason.clone(), timeout, origin, delay });
        self.shutdown = Some(Shutdown {
            last_signal: matches!(reason, Reason::Signal(_)).then_some(self.now),
            reason,
            began: self.now,
            deadline: self.now + timeout,
            delay_ends: self.now + delay,
            hurried: None,
            thawed: None,
        });
        self.enter(Phase::Draining);
        self.timers.set(Timer::Startup, None);
        self.timers.set(Timer::Delay, Some(self.now + delay));
        self.command(Command::Deadline(self.now + timeout));
        self.command(Command::FireDraining);
        self.drop_reload();
        for id in self.plan.resources() {
            self.cancel(id);
        }
        self.set_limits_anew();
        self.say_next_interrupt(Insistence::Hurries);
    }

    /// The deadline has changed, and with it the limits of the turns under way.
    fn set_limits_anew(&mut self) {
        for id in self.plan.all() {
            self.set_limit(id);
        }
    }

    fn delay(&self, reason: &Reason) -> Duration {
        let applies = self.phase == Phase::Running && *reason != Reason::Finished && !self.is_ctrl_c(reason);
        if applies { self.drain_delay() } else { Duration::ZERO }
    }

    /// A person at a terminal asks, and waits.
    fn is_ctrl_c(&self, reason: &Reason) -> bool {
        self.settings.at_terminal && *reason == Reason::Signal(Signal::Interrupt)
    }

    /// Whether the stop is due to a Ctrl-C at a terminal.
    #[allow(dead_code, reason = "servers ask")]
    pub(crate) fn was_interrupted_at_terminal(&self) -> bool {
        self.shutdown.as_ref().is_some_and(|shutdown| self.is_ctrl_c(&shutdown.reason))
    }

    /// The middle of the drain delay, once that has begun: with the shutdown, or with a preStop hook before it.
    #[allow(dead_code, reason = "servers ask, and the probe")]
    pub(crate) fn middle_of_delay(&self) -> Option<Duration> {
        let (began, ends) = match (self.pre_stop, &self.shutdown) {
            (pre_stop, Some(shutdown)) => (pre_stop.unwrap_or(shutdown.began), shutdown.delay_ends),
            (Some(began), None) => (began, self.now + self.drain_delay()),
            (None, None) => return None,
        };
        Some((began + ends) / 2)
    }

    /// When the drain delay ends, once it has begun: with the shutdown, or with a preStop hook before it.
    pub(super) fn delay_ends(&self) -> Option<Duration> {
        match (self.phase, &self.shutdown) {
            (Phase::Running, _) => self.pre_stop.map(|_| self.now + self.drain_delay()),
            (Phase::Draining, Some(shutdown)) => Some(shutdown.delay_ends),
            (Phase::Starting | Phase::Draining | Phase::Stopping | Phase::Stopped, _) => None,
        }
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
    pub(super) fn pre_stop(&mut self) {
        if self.phase == Phase::Running && self.pre_stop.is_none() {
            self.pre_stop = Some(self.now);
            self.say(Notice::PreStop { delay: self.drain_delay() });
        }
    }

    /// What is left of a drain delay that a preStop hook has begun.
    #[allow(dead_code, reason = "the probe asks")]
    pub(crate) fn pre_stop_left(&self) -> Duration {
        if self.phase == Phase::Running { self.drain_delay() } else { Duration::ZERO }
    }

    fn say_next_interrupt(&mut self, next: Insistence) {
        if self.settings.at_terminal {
            self.say(Notice::NextInterrupt(next));
        }
    }

    pub(super) fn end_delay(&mut self) {
        if let Some(shutdown) = &mut self.shutdown {
            shutdown.delay_ends = shutdown.delay_ends.min(self.now);
        }
    }

    pub(super) fn owner_dropped(&mut self) {
        self.say(Notice::OwnerDropped);
        self.trigger(Reason::Dropped);
        self.hurry(None);
        self.body_is_alive = false;
        self.to_look.push_back(self.plan.main());
    }

    /// The first signal asks; a later SIGINT or SIGQUIT insists, and one more ends the process (rule D8).
    pub(super) fn signal(&mut self, signal: Signal) {
        if signal == Signal::Hangup {
            match self.settings.hangup {
                Hangup::Stop => {}
                Hangup::Ignore => return,
                Hangup::Reload if self.shutdown.is_none() => return self.ask_to_reload(ReloadReason::Hangup),
                // It is answered like any other that changes nothing.
                Hangup::Reload => {}
            }
        }
        self.signals.push((signal, self.now));
        if self.shutdown.is_none() {
            return self.trigger(Reason::Signal(signal));
        }
        if !self.insists(signal) {
            return;
        }
        if self.shutdown.as_ref().is_some_and(|shutdown| shutdown.hurried.is_some()) {
            self.command(Command::Exit(signal));
            self.is_over = true;
        } else {
            self.hurry(Some(signal));
            self.say_next_interrupt(Insistence::Ends);
        }
    }

    /// Everything is released, and the process is still here: a person who insists does not want to wait for what
    /// holds it. A signal that is the same as one before is still the same one, though (rule D8).
    pub(super) fn late_signal(&mut self, signal: Signal) {
        let process_ends = self.phase == Phase::Stopped && self.settings.ending == Ending::Process;
        if process_ends && self.insists(signal) {
            self.outputs.push_back(Output::Do(Command::Exit(signal)));
        }
    }

    /// Whether a signal during the shutdown asks for more than one before it.
    fn insists(&mut self, signal: Signal) -> bool {
        let now = self.now;
        let Some(shutdown) = &mut self.shutdown else { return false };
        let left = shutdown.deadline.saturating_sub(now);
        let is_repeated = shutdown.last_signal.is_some_and(|last| now - last < SAME_SIGNAL);
        let insists = signal.insists() && !is_repeated;
        if insists {
            shutdown.last_signal = Some(now);
        } else if self.phase != Phase::Stopped {
            let why = if is_repeated { Ignored::Repeated } else { Ignored::AlreadyStopping };
            self.say(Notice::SignalIgnored { signal, left, why });
        }
        insists
    }

    pub(super) fn insist(&mut self) {
        self.trigger(Reason::Requested("insisted".to_owned()));
        if self.shutdown.as_ref().is_some_and(|shutdown| shutdown.hurried.is_none()) {
            self.hurry(None);
        }
    }

    /// Delay and draining end now; releases keep their reserves, and no more time than that is left.
    fn hurry(&mut self, by: Option<Signal>) {
        let path = self.path_of_turns();
        let now = self.now;
        let Some(shutdown) = &mut self.shutdown else { return };
        shutdown.hurried.get_or_insert(Hurry { by, since: now });
        shutdown.deadline = shutdown.deadline.min(now + path);
        let deadline = shutdown.deadline;
        self.command(Command::Deadline(deadline));
        self.end_delay();
        self.set_limits_anew();
        self.say(Notice::Hurried { by, left: deadline.saturating_sub(now) });
    }

    /// The longest path of reserves among the turns that are not over.
    fn path_of_turns(&self) -> Duration {
        // What is still waiting now will not be acquired, and has no turn.
        let has_turn = |id: &Id| !matches!(self.slots[*id].state, State::Waiting | State::Gone);
        self.budget.path(self.plan.all().filter(has_turn))
    }

    /// The process was frozen in the middle of the stop. However late it is now: every turn still has its reserve, and
    /// what had begun has time to end (rule D13).
    pub(super) fn thawed(&mut self, frozen: Duration) {
        let path = self.path_of_turns();
        let now = self.now;
        let Some(shutdown) = &mut self.shutdown else { return };
        shutdown.thawed = Some(now);
        shutdown.deadline = shutdown.deadline.max(now + path);
        let deadline = shutdown.deadline;
        for slot in &mut self.slots {
            if let State::Joining { since } | State::Cutting { since } = &mut slot.state {
                *since = now;
            }
        }
        self.command(Command::Deadline(deadline));
        self.set_limits_anew();
        self.say(Notice::Thawed { frozen, left: deadline.saturating_sub(now) });
    }

    pub(super) fn advance_delay(&mut self) -> bool {
        let is_over = self.shutdown.as_ref().is_some_and(|shutdown| self.now >= shutdown.delay_ends);
        if is_over {
            self.enter(Phase::Stopping);
            self.timers.set(Timer::Delay, None);
            self.to_look.push_back(self.plan.main());
        }
        is_over
    }

    /// The process ends with the application after all. Returns the time that it has at least.
    pub(crate) fn process_ends(&mut self, now: Duration) -> Duration {
        self.settings.ending = Ending::Process;
        self.now = self.now.max(now);
        self.shutdown.as_ref().map_or(self.now, |shutdown| shutdown.deadline.max(self.now))
    }

    pub(super) fn deadline(&self) -> Duration {
        self.shutdown.as_ref().map_or(Duration::MAX, |shutdown| shutdown.deadline)
    }
}
