//! §9: the resources that are declared `reload` reload while the application runs, one after the other in the order of
//! the plan.
//!
//! There is one reload at a time. A request during one, or during the start, makes one more, however many requests there
//! are. A failure changes nothing but the record of it: the resource keeps what it had, and the next one has its turn. A
//! hook whose time is over is cut off, and has [`TO_LEAVE`] to be gone before the next one begins. A stop wins: what is
//! under way is dropped when the stop begins, and nothing is reloaded from then on.
//!
//! Invariants, checked by the simulation:
//! * `Reload(r)` is commanded in `Running` only, between `BeginReload` and `EndReload`, and for a resource that is there;
//! * it is not commanded while the future of an earlier reload of `r` is still there;
//! * every `BeginReload` has its `EndReload`, at the trigger at the latest.

use std::time::Duration;

use super::Engine;
use super::command::Command;
use super::event::Ticket;
use super::notice::Notice;
use super::slot::State;
use super::timers::Timer;
use crate::model::Name;
use crate::model::failure::{Cause, Failure, Limit};
use crate::model::graph::{Graph, Id};
use crate::model::phase::Phase;
use crate::model::reload::{EndedReload, ReloadReason, Reloads};

/// Why a resource is not reloaded while something of an earlier reload is still there.
const STILL_BUSY: &str = "its reload before this one was cut off, and has not ended yet";

/// How long a hook that was cut off is waited for. One that awaits anything is gone at once, so that a reload that was
/// asked for meanwhile finds nothing in its way.
pub(crate) const TO_LEAVE: Duration = Duration::from_secs(1);

/// What is known of reloads.
#[derive(Clone, Debug)]
pub(super) struct ReloadState {
    /// Those that are declared `reload`, in the order of the plan.
    ids: Vec<Id>,
    current: Option<Current>,
    /// One more was asked for, by this.
    asked: Option<ReloadReason>,
    last_ticket: Ticket,
    begun: u64,
    last_began: Duration,
    /// Those that nobody was told of yet, each with the last request that it answers.
    untold: Vec<(Ticket, EndedReload)>,
    past: Reloads,
}

/// A reload under way.
#[derive(Clone, Debug)]
struct Current {
    reason: ReloadReason,
    began: Duration,
    /// Every request up to this one is answered by it.
    answers: Ticket,
    /// How many of `ids` have had their turn, or have it.
    position: usize,
    hook: Option<Hook>,
    reloaded: usize,
    failures: Vec<Failure>,
}

/// A hook under way.
#[derive(Clone, Copy, Debug)]
struct Hook {
    id: Id,
    since: Duration,
    limit: Option<Limit>,
    /// Its time is over.
    is_cut_off: bool,
}

/// Whether the time of a hook is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookState {
    Running,
    CutOff,
}

/// A moment of the reloads.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReloadStatus {
    /// How many have begun.
    #[allow(dead_code, reason = "systemd is told")]
    pub(crate) begun: u64,
    /// When the last one began.
    #[allow(dead_code, reason = "systemd is told")]
    pub(crate) last_began: Duration,
    /// Whether one is under way.
    #[allow(dead_code, reason = "the endpoints read it")]
    pub(crate) is_under_way: bool,
    /// What is being reloaded.
    #[allow(dead_code, reason = "the endpoints read it")]
    pub(crate) resource: Option<Name>,
    #[allow(dead_code, reason = "the endpoints read it")]
    pub(crate) past: Reloads,
}

impl ReloadState {
    pub(super) fn new(plan: &Graph) -> Self {
        Self {
            ids: plan.resources().filter(|&id| plan.step(id).reloads).collect(),
            current: None,
            asked: None,
            last_ticket: 0,
            begun: 0,
            last_began: Duration::ZERO,
            untold: Vec::new(),
            past: Reloads::default(),
        }
    }

    /// See [`Engine::fingerprint`].
    #[cfg(test)]
    pub(super) fn fingerprint(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        // The limit is in the timers, and everything else is for the report and for those that wait.
        let Self { ids: _, current, asked, last_ticket: _, begun: _, last_began: _, untold: _, past: _ } =
            self;
        let current =
            current.as_ref().map(|it| (it.position, it.hook.map(|hook| (hook.id, hook.is_cut_off))));
        (current, asked.is_some()).hash(hasher);
    }
}

impl Engine {
    /// The program asks.
    pub(super) fn reload_requested(&mut self, ticket: Ticket) {
        self.reloading.last_ticket = self.reloading.last_ticket.max(ticket);
        self.ask_to_reload(ReloadReason::Requested);
    }

    pub(super) fn ask_to_reload(&mut self, reason: ReloadReason) {
        match self.phase {
            Phase::Running if self.reloading.current.is_none() => self.begin_reload(reason),
            // What is not acquired cannot reload, and what it has read already may have changed since.
            Phase::Starting | Phase::Running => {
                if self.reloading.asked.replace(reason).is_none() {
                    self.say(Notice::ReloadLater { reason, is_starting: self.phase == Phase::Starting });
                }
            }
            Phase::Draining | Phase::Stopping | Phase::Stopped => self.say(Notice::ReloadRefused(reason)),
        }
    }

    /// The one that was asked for meanwhile.
    pub(super) fn begin_reload_if_asked(&mut self) {
        if let Some(reason) = self.reloading.asked.take() {
            self.begin_reload(reason);
        }
    }

    fn begin_reload(&mut self, reason: ReloadReason) {
        let reloading = &mut self.reloading;
        (reloading.begun, reloading.last_began) = (reloading.begun + 1, self.now);
        reloading.current = Some(Current {
            reason,
            began: self.now,
            answers: reloading.last_ticket,
            position: 0,
            hook: None,
            reloaded: 0,
            failures: Vec::new(),
        });
        self.command(Command::BeginReload);
        self.say(Notice::ReloadBegan(reason));
        self.reload_next();
    }

    /// The next resource has its turn, or there is none.
    fn reload_next(&mut self) {
        while let Some(id) = self.next_to_reload() {
            if self.slots[id].reload_began.is_some() {
                self.reload_failed(id, Cause::Error(STILL_BUSY.into()));
                continue;
            }
            self.slots[id].reload_began = Some(self.now);
            let limit = self.reload_limit(id);
            let due = limit.map(|limit| self.now.saturating_add(limit.duration()));
            self.timers.set(Timer::Reload, due);
            if let Some(current) = &mut self.reloading.current {
                current.hook = Some(Hook { id, since: self.now, limit, is_cut_off: false });
            }
            self.command(Command::Reload(id));
            return;
        }
        self.end_reload();
    }

    fn next_to_reload(&mut self) -> Option<Id> {
        let Self { reloading: ReloadState { ids, current, .. }, slots, .. } = self;
        let current = current.as_mut()?;
        // An optional resource may be missing.
        let is_there = |id: Id| slots[id].state == State::Ready && slots[id].has_instance;
        let next = ids[current.position..].iter().position(|&id| is_there(id));
        current.position = next.map_or(ids.len(), |next| current.position + next + 1);
        next.map(|_| ids[current.position - 1])
    }

    /// A reload has the time that an acquisition has.
    fn reload_limit(&self, id: Id) -> Option<Limit> {
        let own = self.plan.step(id).acquire_timeout.map(Limit::AcquireTimeout);
        own.or(self.settings.startup_timeout.map(Limit::StartupTimeout))
    }

    /// A hook ended by itself, or its future is gone.
    pub(super) fn reloaded(&mut self, id: Id, result: Result<(), Cause>) {
        if self.slots[id].reload_began.take().is_none() {
            return;
        }
        let hook = self.reloading.current.as_mut().and_then(|current| current.hook.take_if(|it| it.id == id));
        if hook.is_none_or(|hook| hook.is_cut_off) && result.is_ok() && self.shutdown.is_none() {
            // It came to its end in spite of being cut off.
            self.say(Notice::ReloadedLate(self.name(id)));
        }
        let Some(Hook { since, is_cut_off, .. }) = hook else { return };
        self.timers.set(Timer::Reload, None);
        match result {
            _ if is_cut_off => {} // Its failure is recorded.
            Ok(()) => {
                if let Some(current) = &mut self.reloading.current {
                    current.reloaded += 1;
                }
                self.say(Notice::Reloaded { name: self.name(id), took: self.now - since });
            }
            Err(cause) => self.reload_failed(id, cause),
        }
        self.reload_next();
    }

    /// The time of a hook is over, or the time that it has to leave.
    pub(super) fn time_out_reload(&mut self) {
        let Some(current) = &mut self.reloading.current else { return };
        match &mut current.hook {
            Some(Hook { id, limit: Some(limit), is_cut_off: is_cut_off @ false, .. }) => {
                *is_cut_off = true;
                let (id, limit) = (*id, *limit);
                self.timers.set(Timer::Reload, Some(self.now + TO_LEAVE));
                self.command(Command::CancelReload(id));
                self.reload_failed(id, Cause::TimedOut(limit));
            }
            hook => {
                *hook = None;
                self.reload_next();
            }
        }
    }

    fn reload_failed(&mut self, id: Id, cause: Cause) {
        let failure = Failure::of_reload(&self.plan, id, cause);
        self.say(Notice::ReloadFailed(failure.clone()));
        if let Some(current) = &mut self.reloading.current {
            current.failures.push(failure);
        }
    }

    fn end_reload(&mut self) {
        let Some(current) = self.reloading.current.take() else { return };
        let Current { reason, began, answers, reloaded, failures, position: _, hook: _ } = current;
        let (took, failed) = (self.now - began, failures.len());
        let has_resources = !self.reloading.ids.is_empty();
        let ended = EndedReload { reason, ended: self.now, took, reloaded, failures };
        let ReloadState { past, untold, .. } = &mut self.reloading;
        untold.push((answers, ended.clone()));
        past.count += 1;
        if failed > 0 {
            past.failed += 1;
            past.last_failed = Some(ended.clone());
        }
        past.last = Some(ended);
        self.command(Command::EndReload);
        self.say(if has_resources {
            Notice::ReloadEnded { reloaded, failed, took }
        } else {
            Notice::NothingToReload
        });
        self.begin_reload_if_asked();
    }

    /// The stop wins.
    pub(super) fn drop_reload(&mut self) {
        self.timers.set(Timer::Reload, None);
        if let Some(current) = self.reloading.current.take() {
            if let Some(Hook { id, is_cut_off: false, .. }) = current.hook {
                self.command(Command::CancelReload(id));
                self.say(Notice::ReloadDropped(self.name(id)));
            }
            self.command(Command::EndReload);
        }
        if let Some(reason) = self.reloading.asked.take() {
            self.say(Notice::ReloadRefused(reason));
        }
    }

    /// When the hook of a resource that is being reloaded is dropped.
    pub(crate) fn reload_deadline(&self, id: Id) -> Option<Duration> {
        let hook = self.reloading.current.as_ref()?.hook.filter(|hook| hook.id == id && !hook.is_cut_off)?;
        Some(hook.since.saturating_add(hook.limit?.duration()))
    }

    /// The hooks whose futures exist, also those that were cut off and have not ended, and since when they do.
    pub(super) fn hooks_under_way(&self) -> impl Iterator<Item = (Id, Duration, HookState)> {
        let hook = self.reloading.current.as_ref().and_then(|current| current.hook);
        self.reloading.ids.iter().filter_map(move |&id| {
            let is_cut_off = hook.is_none_or(|hook| hook.id != id || hook.is_cut_off);
            let state = if is_cut_off { HookState::CutOff } else { HookState::Running };
            Some((id, self.slots[id].reload_began?, state))
        })
    }

    /// What asked for the reload under way.
    pub(crate) fn reload_reason(&self) -> Option<ReloadReason> {
        self.reloading.current.as_ref().map(|current| current.reason)
    }

    pub(crate) fn reload_status(&self) -> ReloadStatus {
        let ReloadState { current, begun, last_began, past, .. } = &self.reloading;
        ReloadStatus {
            begun: *begun,
            last_began: *last_began,
            is_under_way: current.is_some(),
            resource: current.as_ref().and_then(|current| current.hook).map(|hook| self.name(hook.id)),
            past: past.clone(),
        }
    }

    /// What ended since this was asked last, each with the last request that it answers.
    pub(crate) fn take_ended_reloads(&mut self) -> Vec<(Ticket, EndedReload)> {
        std::mem::take(&mut self.reloading.untold)
    }

    /// What became of the reloads so far.
    pub(super) fn reloads(&self) -> Reloads {
        self.reloading.past.clone()
    }
}
