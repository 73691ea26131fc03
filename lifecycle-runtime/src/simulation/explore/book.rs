//! What the rules say about what was seen so far: the phase, the deadline, the exit code. Nothing here asks the engine.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::application::{Outside, PLACES, ms};
use super::state::{Acquisition, Body, How, Left, Release, Thing};
use super::world::{CODE, World};
use crate::engine::event::{Event, TaskKind};
use crate::engine::settings::{BodyKind, Delay, Ending};
use crate::model::failure::Cause;
use crate::model::phase::Phase;
use crate::model::plan::Id;
use crate::model::signal::Signal;

/// Two signals within this time are one (rule D8).
const SAME: Duration = ms(500);

/// What is known of the whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Book {
    pub(super) is_started: bool,
    pub(super) phase: Phase,
    /// Why it stops.
    pub(super) trigger: Option<Why>,
    pub(super) deadline: Option<Duration>,
    pub(super) told_deadline: Option<Duration>,
    pub(super) delay_ends: Duration,
    pub(super) is_draining_fired: bool,
    /// The last signal that counted.
    pub(super) last_signal: Option<Duration>,
    /// Somebody insisted, and with which signal.
    pub(super) hurried: Option<Option<Signal>>,
    pub(super) pre_stop: Option<Duration>,
    pub(super) serves: bool,
    pub(super) was_owner_dropped: bool,
    /// It got as far as `Running`.
    pub(super) has_run: bool,
    /// The body of `main` keeps the application alive.
    pub(super) body_is_alive: bool,
    pub(super) has_spawned: bool,
    /// Supervised tasks.
    pub(super) supervised: u8,
    /// What decides about the exit code (rule E1).
    pub(super) has_failed: bool,
    pub(super) was_cut: bool,
    pub(super) interrupted_by: Option<Signal>,
    pub(super) body_code: Option<u8>,
    pub(super) is_reported: bool,
    pub(super) is_last_word_said: bool,
    pub(super) is_ended: bool,
    pub(super) must_exit: Option<Signal>,
    pub(super) exited: Option<Signal>,
    pub(super) was_frozen: bool,
    /// How many failures have to be recorded with this event, of each resource and of the body.
    pub(super) must_fail: [u8; PLACES],
    /// How many may be, beside these: of the acquisitions that are late when the start fails for one of them.
    pub(super) may_fail: [u8; PLACES],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Why {
    Signal(Signal),
    Requested,
    Failed,
    Finished,
    Dropped,
}

impl Book {
    pub(super) fn new(serves: bool) -> Self {
        Self {
            is_started: false,
            phase: Phase::Starting,
            trigger: None,
            deadline: None,
            told_deadline: None,
            delay_ends: Duration::ZERO,
            is_draining_fired: false,
            last_signal: None,
            hurried: None,
            pre_stop: None,
            serves,
            was_owner_dropped: false,
            has_run: false,
            body_is_alive: false,
            has_spawned: false,
            supervised: 0,
            has_failed: false,
            was_cut: false,
            interrupted_by: None,
            body_code: None,
            is_reported: false,
            is_last_word_said: false,
            is_ended: false,
            must_exit: None,
            exited: None,
            was_frozen: false,
            must_fail: [0; PLACES],
            may_fail: [0; PLACES],
        }
    }

    pub(super) fn task_starts(&mut self, kind: TaskKind) {
        if kind == TaskKind::Supervised {
            self.has_spawned = true;
            self.supervised += 1;
        }
    }

    /// E1: of several codes the gravest wins.
    pub(super) fn exit_code(&self) -> u8 {
        let insisted = self.hurried.flatten().or(self.interrupted_by);
        match insisted {
            Some(signal) => 128 + signal.number(),
            None if self.was_cut => 124,
            None if self.has_failed => 1,
            None => self.body_code.unwrap_or(0),
        }
    }

    fn fingerprint(&self, now: Duration, hasher: &mut impl Hasher) {
        let Self {
            is_started,
            phase,
            trigger,
            deadline,
            told_deadline: _,
            delay_ends,
            is_draining_fired: _,
            last_signal,
            hurried,
            pre_stop,
            serves,
            was_owner_dropped,
            has_run,
            body_is_alive,
            has_spawned,
            supervised,
            has_failed,
            was_cut,
            interrupted_by,
            body_code,
            is_reported,
            is_last_word_said: _,
            is_ended,
            must_exit: _,
            exited,
            was_frozen,
            must_fail: _,
            may_fail: _,
        } = self;
        (is_started, phase, trigger, hurried, serves, was_owner_dropped, has_run, body_is_alive).hash(hasher);
        (has_spawned, supervised, has_failed, was_cut, interrupted_by, body_code).hash(hasher);
        (is_reported, is_ended, exited, was_frozen).hash(hasher);
        deadline.map(|at| (at.checked_sub(now), now.checked_sub(at))).hash(hasher);
        delay_ends.saturating_sub(now).hash(hasher);
        last_signal.map(|last| SAME.saturating_sub(now - last)).hash(hasher);
        pre_stop.map(|since| now - since).hash(hasher);
    }
}

impl Thing {
    /// Without a limit of its own, it makes no difference since when it is being acquired.
    fn fingerprint(&self, now: Duration, has_limit: bool, hasher: &mut impl Hasher) {
        let Self {
            acquisition,
            was_called_back,
            has_instance,
            is_settled,
            tasks,
            guards,
            guards_left,
            held,
            is_drained_untold,
            turn,
            is_early,
            aborted,
            counted,
            release,
            release_is_alive,
            abort,
            is_gone,
        } = self;
        std::mem::discriminant(acquisition).hash(hasher);
        if let (Acquisition::UnderWay { since }, true) = (acquisition, has_limit) {
            (now - *since).hash(hasher);
        }
        std::mem::discriminant(release).hash(hasher);
        if let Release::CutOff { since } = release {
            (now - *since).hash(hasher);
        }
        let is_in_turn = *release == Release::None && !is_gone;
        let age = |since: &Option<Duration>| since.filter(|_| is_in_turn).map(|since| now - since);
        (turn.is_some(), aborted.is_some(), age(turn).filter(|_| aborted.is_none()), age(aborted))
            .hash(hasher);
        (was_called_back, has_instance, is_settled, tasks, guards, guards_left, held).hash(hasher);
        (is_drained_untold, is_early, counted, release_is_alive, abort, is_gone).hash(hasher);
    }
}

impl Outside {
    pub(super) fn event(self) -> Event {
        match self {
            Self::Signal(signal) => Event::Signal(signal),
            Self::Shutdown => Event::Shutdown("test".to_owned()),
            Self::Insist => Event::Insist,
            Self::OwnerDropped => Event::OwnerDropped,
            Self::PreStop => Event::PreStop,
            Self::Fail => Event::Failed(Cause::Error("it broke".into())),
            Self::Serves => Event::Serves,
        }
    }
}

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
        let is_tolerated = self.frame.app.resources.get(id).is_some_and(|spec| spec.optional);
        if !is_tolerated {
            self.book.has_failed = true;
            // D4: the delay is for what still works. The failure that is itself the trigger may have it.
            self.book.delay_ends = self.book.delay_ends.min(self.now);
        }
    }

    /// An acquisition fails. If the resource is optional, the others go on without it (rule S6).
    pub(super) fn gives_up(&mut self, id: Id) {
        self.fails(id);
        self.things[id].is_settled |= self.frame.app.resources[id].optional;
    }

    /// D1, D2, D4: why it stops, and by when.
    pub(super) fn stop(&mut self, why: Why) {
        if self.book.trigger.is_some() {
            return;
        }
        let settings = &self.frame.app.settings;
        self.book.trigger = Some(why);
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

    /// D8.
    fn signal(&mut self, signal: Signal) {
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
