//! What the rules say about what was seen so far: the phase, the deadline, the exit code. Nothing here asks the engine.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use super::application::{Outside, PLACES, ms};
use super::state::{Acquisition, Release, Reload, Thing};
use crate::engine::event::{Event, TaskKind};
use crate::engine::reload::TO_LEAVE;
use crate::model::failure::Cause;
use crate::model::graph::Id;
use crate::model::phase::Phase;
use crate::model::signal::Signal;

/// Two signals within this time are one (rule D8).
pub(super) const SAME: Duration = ms(500);

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
    /// One more reload is due, at once or when this one has ended.
    pub(super) must_reload: bool,
    pub(super) reload: Option<Current>,
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

/// The reload under way (§9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Current {
    /// The last that had its turn.
    pub(super) last: Option<Id>,
    /// The one whose turn it is, or that was called back and has not left.
    pub(super) hook: Option<Id>,
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
            must_reload: false,
            reload: None,
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

    pub(super) fn fingerprint(&self, now: Duration, hasher: &mut impl Hasher) {
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
            must_reload,
            reload,
            must_exit: _,
            exited,
            was_frozen,
            must_fail: _,
            may_fail: _,
        } = self;
        (is_started, phase, trigger, hurried, serves, was_owner_dropped, has_run, body_is_alive).hash(hasher);
        (has_spawned, supervised, has_failed, was_cut, interrupted_by, body_code).hash(hasher);
        (must_reload, reload).hash(hasher);
        (is_reported, is_ended, exited, was_frozen).hash(hasher);
        deadline.map(|at| (at.checked_sub(now), now.checked_sub(at))).hash(hasher);
        delay_ends.saturating_sub(now).hash(hasher);
        last_signal.map(|last| SAME.saturating_sub(now - last)).hash(hasher);
        pre_stop.map(|since| now - since).hash(hasher);
    }
}

impl Thing {
    /// Without a limit of its own, it makes no difference since when it is being acquired.
    pub(super) fn fingerprint(&self, now: Duration, has_limit: bool, hasher: &mut impl Hasher) {
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
            reload,
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
        std::mem::discriminant(reload).hash(hasher);
        match reload {
            Reload::None => {}
            Reload::UnderWay { since } => (now - *since).hash(hasher),
            Reload::CalledBack { since } => (now - *since).min(TO_LEAVE).hash(hasher),
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
            Self::Reload => Event::Reload(0),
            Self::OwnerDropped => Event::OwnerDropped,
            Self::PreStop => Event::PreStop,
            Self::Fail => Event::Failed(Cause::Error("it broke".into())),
            Self::Serves => Event::Serves,
        }
    }
}
