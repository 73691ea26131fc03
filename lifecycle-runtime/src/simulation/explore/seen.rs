//! What was seen is put into the book, and what follows from it by the rules.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::application::Outside;
use super::book::{SAME, Why};
use super::state::{Acquisition, Body, How, Left, Release};
use super::world::{CODE, World};
use crate::engine::event::TaskKind;
use crate::engine::settings::{BodyKind, Delay, Ending};
use crate::model::graph::Id;
use crate::model::phase::Phase;
use crate::model::reload::Hangup;
use crate::model::signal::Signal;

impl World<'_> {
    /// The same for any two worlds that have the same future, whatever the time is.
    pub(super) fn fingerprint(&self, hasher: &mut impl Hasher) {
        let Self { frame, engine, now, things, counters, body, left, book, early, wake: _, next } = self;
        assert!(next.is_empty());
        engine.fingerprint(hasher);
        early.hash(hasher);
        for (id, thing) in things.iter().enumerate() {
            let spec = frame.app.resources.get(id);
            let has_limit = spec.is_some_and(|spec| spec.acquire_timeout.is_some());
            thing.fingerprint(*now, has_limit, hasher);
            counters.of(id).hash(hasher);
        }
        let Body { exists, may_run, listens } = body;
        let Left { outside, faults, limits, pauses, freezes } = left;
        (exists, may_run, listens, outside, faults, limits, pauses, freezes).hash(hasher);
        book.fingerprint(*now, hasher);
    }

    /// A failure that has to be recorded (rule E3).
    pub(super) fn fails(&mut self, id: Id) {
        if self.book.is_ended {
            return;
        }
        self.book.must_fail[id] += 1;
        let is_tolerated = self.frame.app.resources.get(id).is_some_and(|spec| spec.necessity.may_fail());
        if !is_tolerated {
            self.book.has_failed = true;
            // D4: the delay is for what still works. The failure that is itself the trigger may have it.
            self.book.delay_ends = self.book.delay_ends.min(self.now);
        }
    }

    /// An acquisition fails. If the resource is optional, the others go on without it (rule S6).
    pub(super) fn gives_up(&mut self, id: Id) {
        self.fails(id);
        self.things[id].is_settled |= self.frame.app.resources[id].necessity.may_fail();
    }

    /// D1, D2, D4: why it stops, and by when.
    pub(super) fn stop(&mut self, why: Why) {
        if self.book.trigger.is_some() {
            return;
        }
        let settings = &self.frame.app.settings;
        self.book.trigger = Some(why);
        self.book.must_reload = false;
        self.book.deadline = Some(self.now + settings.shutdown_timeout);
        self.book.delay_ends = self.now + self.delay(why);
        match why {
            Why::Signal(signal) => {
                self.book.last_signal = Some(self.now);
                // S5.
                if self.book.phase == Phase::Starting && settings.body != BodyKind::Empty {
                    self.book.interrupted_by = Some(signal);
                }
            }
            Why::Requested | Why::Failed | Why::Finished | Why::Dropped => {}
        }
    }

    fn delay(&self, why: Why) -> Duration {
        let settings = &self.frame.app.settings;
        let is_at_terminal = settings.at_terminal && why == Why::Signal(Signal::Interrupt);
        if self.book.phase != Phase::Running || why == Why::Finished || is_at_terminal {
            return Duration::ZERO;
        }
        let asked = match settings.drain_delay {
            Delay::Given(delay) => delay,
            Delay::IfServing(delay) if self.book.serves => delay,
            Delay::IfServing(_) => Duration::ZERO,
        };
        let left = settings.shutdown_timeout - self.path((0..self.things.len()).collect());
        let spent = self.book.pre_stop.map_or(Duration::ZERO, |since| self.now - since);
        asked.min(left / 2).saturating_sub(spent)
    }

    /// The longest path of reserves from one of these on.
    fn path(&self, ids: Vec<Id>) -> Duration {
        let path = |id: Id| self.frame.reserves[id] + self.frame.tails[id];
        ids.into_iter().map(path).max().unwrap_or_default()
    }

    /// D8: delay and draining end, and no more time is left than the longest path of what is not gone.
    fn hurry(&mut self, by: Option<Signal>) {
        let left = (0..self.things.len()).filter(|&id| self.was_begun(id) && !self.things[id].is_gone);
        let path = self.path(left.collect());
        self.book.hurried.get_or_insert(by);
        self.book.delay_ends = self.book.delay_ends.min(self.now);
        self.book.deadline = self.book.deadline.map(|deadline| deadline.min(self.now + path));
    }

    /// Something comes from outside.
    pub(super) fn comes(&mut self, outside: Outside) {
        match outside {
            Outside::Signal(signal) => self.signal(signal),
            Outside::Reload => self.must_reload(),
            Outside::Shutdown => self.stop(Why::Requested),
            Outside::Insist => {
                self.stop(Why::Requested);
                if self.book.hurried.is_none() {
                    self.hurry(None);
                }
            }
            Outside::OwnerDropped => {
                self.book.was_owner_dropped = true;
                self.stop(Why::Dropped);
                self.hurry(None);
                self.book.body_is_alive = false;
            }
            Outside::PreStop => {
                if self.book.phase == Phase::Running {
                    self.book.pre_stop.get_or_insert(self.now);
                }
            }
            Outside::Fail => {
                self.fails(self.frame.main());
                // What comes after it, in the same breath, finds the stop begun.
                self.stop(Why::Failed);
            }
            Outside::Serves => self.book.serves = true,
        }
    }

    /// §9: a stop wins.
    fn must_reload(&mut self) {
        self.book.must_reload |= self.book.trigger.is_none();
    }

    /// D8, and §9 for SIGHUP.
    fn signal(&mut self, signal: Signal) {
        match (signal, self.frame.app.settings.hangup) {
            (Signal::Hangup, Hangup::Reload) => return self.must_reload(),
            (Signal::Hangup, Hangup::Ignore) => return,
            _ => {}
        }
        let is_repeated = self.book.last_signal.is_some_and(|last| self.now - last < SAME);
        let insists = matches!(signal, Signal::Interrupt | Signal::Quit) && !is_repeated;
        if self.book.trigger.is_none() {
            return self.stop(Why::Signal(signal));
        }
        if !insists {
            return;
        }
        self.book.last_signal = Some(self.now);
        if self.book.is_ended {
            self.book.must_exit = (self.frame.app.settings.ending == Ending::Process).then_some(signal);
        } else if self.book.hurried.is_some() {
            self.book.must_exit = Some(signal);
        } else {
            self.hurry(Some(signal));
        }
    }

    pub(super) fn was_begun(&self, id: Id) -> bool {
        if id == self.frame.main() {
            self.book.has_run
        } else {
            self.things[id].acquisition != Acquisition::None
        }
    }

    /// The end of a task is told (rule R1).
    pub(super) fn task_ends(&mut self, id: Id, number: usize, how: How) {
        if self.frame.app.resources[id].tasks[number] == TaskKind::Supervised {
            self.book.supervised -= 1;
        }
        let thing = &self.things[id];
        let was_told_to_go =
            thing.turn.is_some() || thing.was_called_back || thing.is_settled && !thing.has_instance;
        match how {
            How::Done | How::WithCode => {}
            How::Dropped if was_told_to_go => {}
            How::Failed | How::Panicked | How::Dropped => self.fails(id),
        }
    }

    pub(super) fn body_ends(&mut self, how: How) {
        if !std::mem::take(&mut self.book.body_is_alive) {
            return;
        }
        match how {
            How::Done => {}
            How::WithCode => self.book.body_code = Some(CODE),
            How::Failed | How::Panicked => self.fails(self.frame.main()),
            // R5: one that never asked for its notice is interrupted by its turn.
            How::Dropped => {
                if let (false, Some(Why::Signal(signal))) = (self.body.listens, self.book.trigger) {
                    self.book.interrupted_by = Some(signal);
                }
            }
        }
    }

    /// A release ends by itself. Once `abort` was called, that changes nothing.
    pub(super) fn release_ends(&mut self, id: Id, how: Release) {
        if let Release::UnderWay | Release::CutOff { .. } = self.things[id].release {
            self.things[id].release = how;
            if how == Release::Failed {
                self.fails(id);
            }
        }
    }

    /// A release is not done in time.
    pub(super) fn cut_release_off(&mut self, id: Id) {
        self.things[id].release = Release::Failed;
        self.book.was_cut = true;
        self.fails(id);
    }

    /// E1: what is cut off by the deadline counts, unless it is excused. Interrupting a body is a different matter.
    pub(super) fn abort_tasks(&mut self, id: Id) {
        let counter = self.counters.of(id);
        // A body that is dropped with its owner is about to leave.
        let is_interruption = id == self.frame.main() && (self.body_is_deaf() || self.book.was_owner_dropped);
        self.things[id].aborted = Some(self.now);
        self.things[id].counted = counter.in_flight > counter.excused && !is_interruption;
        self.book.was_cut |= self.things[id].counted && self.book.trigger.is_some();
    }

    /// Something is left behind that does not end, or whose end is not told. What was excused when it was to be aborted
    /// still is.
    pub(super) fn leave_behind(&mut self, id: Id) {
        let counter = self.counters.of(id);
        self.book.was_cut |= self.things[id].counted
            || counter.in_flight > counter.excused
            || self.things[id].acquisition.is_alive()
            || self.has_untold_tasks(id);
    }

    /// R5.
    pub(super) fn body_is_deaf(&self) -> bool {
        self.book.body_is_alive && !self.body.listens && self.frame.app.settings.body == BodyKind::Written
    }
}
