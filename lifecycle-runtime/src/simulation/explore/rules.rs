//! What has to be so in every state. Nothing here asks the engine or its budget, but for its list of failures, its exit code
//! and when it wants to be woken.

use std::time::Duration;

use super::application::{PLACES, ms};
use super::state::{Abort, Acquisition, Release, Task};
use super::world::{Verdict, World};
use crate::engine::settings::BodyKind;
use crate::model::graph::Id;
use crate::model::phase::Phase;

/// How long the answer to `CutRelease` is waited for at the least.
pub(super) const MOMENT: Duration = ms(1);

pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// The limits of a turn (rule D6). There are none before there is a deadline, but for the draining.
impl World<'_> {
    pub(super) fn cutoff(&self, id: Id) -> Option<Duration> {
        Some(self.book.deadline?.saturating_sub(self.frame.tails[id]))
    }

    pub(super) fn drain_limit(&self, id: Id) -> Duration {
        let turn = self.things[id].turn.unwrap_or_default();
        let reserve = self.frame.reserves[id];
        let Some(cutoff) = self.cutoff(id) else { return turn + reserve / 2 };
        if self.book.hurried.is_some() {
            return turn;
        }
        let own = self.frame.app.resources.get(id).and_then(|spec| spec.drain_timeout);
        cutoff.saturating_sub(reserve / 2).min(own.map_or(Duration::MAX, |timeout| turn + timeout))
    }

    /// Without an instance there is nothing to release, and aborted tasks have the time until the cut-off.
    pub(super) fn join_limit(&self, id: Id) -> Option<Duration> {
        let (cutoff, since) = (self.cutoff(id)?, self.things[id].aborted?);
        Some(if self.things[id].has_instance { since + cutoff.saturating_sub(since) / 2 } else { cutoff })
    }

    pub(super) fn time_for_abort(&self, id: Id) -> Duration {
        ms(100).min(self.frame.reserves[id] / 10)
    }

    pub(super) fn release_limit(&self, id: Id) -> Option<Duration> {
        Some(self.cutoff(id)?.saturating_sub(self.time_for_abort(id)))
    }

    pub(super) fn answer_limit(&self, id: Id, since: Duration) -> Option<Duration> {
        Some(self.cutoff(id)?.saturating_sub(self.time_for_abort(id) / 2).max(since + MOMENT))
    }

    pub(super) fn acquire_limit(&self, id: Id, since: Duration) -> Option<Duration> {
        let own = self.frame.app.resources[id].acquire_timeout.map(|timeout| since + timeout);
        own.into_iter().chain(self.frame.app.settings.startup_timeout).min()
    }

    pub(super) fn is_past(&self, limit: Option<Duration>) -> bool {
        limit.is_some_and(|limit| self.now >= limit)
    }
}

/// What there still is.
impl World<'_> {
    pub(super) fn has_untold_tasks(&self, id: Id) -> bool {
        self.things[id].tasks.iter().any(|task| matches!(task, Task::Alive | Task::Left { .. }))
    }

    /// R1: whether nothing is in flight any more, and every end was told.
    pub(super) fn is_idle(&self, id: Id) -> bool {
        let thing = &self.things[id];
        self.counters.of(id).in_flight == 0
            && !thing.acquisition.is_alive()
            && !self.has_untold_tasks(id)
            && !thing.is_drained_untold
    }

    /// D5: whether the turn of a resource is over, or it has none.
    pub(super) fn is_over(&self, id: Id) -> bool {
        let thing = &self.things[id];
        if thing.is_gone || !self.was_begun(id) {
            return true;
        }
        let is_cut_off = self.is_past(self.cutoff(id));
        match (thing.turn, thing.has_instance) {
            (None, _) => false,
            (Some(_), false) => self.is_idle(id) || thing.aborted.is_some() && is_cut_off,
            (Some(_), true) => match (thing.release, thing.abort) {
                (Release::Done, _) | (_, Abort::Returned) => true,
                (_, Abort::Called) => is_cut_off,
                (_, Abort::None) => false,
            },
        }
    }

    /// The same; what it leaves behind is noted.
    pub(super) fn ends_its_turn(&mut self, id: Id) -> bool {
        let is_over = self.is_over(id);
        if is_over && self.was_begun(id) && !self.things[id].is_gone {
            self.things[id].is_gone = true;
            if !self.things[id].has_instance && !self.is_idle(id) {
                self.leave_behind(id);
            }
        }
        is_over
    }

    pub(super) fn is_settled(&self, id: Id) -> bool {
        self.frame.after[id].iter().all(|&beneath| self.things[beneath].is_settled)
    }

    /// D1: whether nothing is left to live for.
    pub(super) fn has_nothing_to_live_for(&self) -> bool {
        let waits_for_host = self.frame.app.settings.body == BodyKind::Host && !self.book.has_spawned;
        !self.book.body_is_alive && self.book.supervised == 0 && !waits_for_host
    }
}

/// What has to be so whenever the engine has answered.
impl World<'_> {
    /// E3: every failure is recorded, and no other.
    pub(super) fn check_failures(&mut self, known: usize) -> Verdict {
        let (must, may) = (std::mem::take(&mut self.book.must_fail), std::mem::take(&mut self.book.may_fail));
        let mut recorded = [0; PLACES];
        for failure in &self.engine.failures()[known..] {
            let place = (0..self.things.len()).find(|&id| self.frame.plan.name(id) == failure.resource());
            recorded[place.expect("it is the failure of a resource, or of the body")] += 1;
        }
        for id in 0..self.things.len() {
            let due = must[id]..=must[id] + may[id];
            ensure(due.contains(&recorded[id]), || {
                format!("{} failures of r{id} were recorded, and there were {due:?}", recorded[id])
            })?;
        }
        Ok(())
    }

    pub(super) fn check_state(&mut self) -> Verdict {
        self.wake = self.engine.next_wake();
        ensure(self.book.must_exit.is_none(), || "a second insisting signal did not end the process".into())?;
        if self.book.is_ended || self.book.exited.is_some() {
            return self.check_late();
        }
        for id in 0..self.things.len() {
            self.check_turn_goes_on(id)?;
        }
        match self.book.phase {
            Phase::Starting => self.check_starting()?,
            Phase::Running => {
                self.check_reload_goes_on()?;
                ensure(!self.has_nothing_to_live_for(), || "it goes on, and has nothing to live for".into())?;
            }
            Phase::Draining => {
                ensure(self.now < self.book.delay_ends, || "the delay is over, and goes on".into())?;
                self.check_wake(Some(self.book.delay_ends), || "the delay".into())?;
            }
            Phase::Stopping => self.check_stopping()?,
            Phase::Stopped => return Err("it has stopped, and does not end".to_owned()),
        }
        self.check_stop()
    }

    /// An instance that came too late is aborted at once.
    fn check_late(&self) -> Verdict {
        let is_forgotten = |id: &Id| {
            let thing = &self.things[*id];
            thing.has_instance && thing.release == Release::None && thing.abort == Abort::None
        };
        let forgotten = (0..self.frame.main()).find(is_forgotten).filter(|_| self.book.exited.is_none());
        ensure(forgotten.is_none(), || format!("an instance was never given back: {forgotten:?}"))
    }

    /// S2, S3, S6.
    fn check_starting(&self) -> Verdict {
        if !self.book.is_started || self.book.trigger.is_some() {
            return Ok(());
        }
        let resources = 0..self.frame.main();
        ensure(!resources.clone().all(|id| self.things[id].is_settled), || {
            "all is there, and it waits".into()
        })?;
        for id in resources {
            let thing = &self.things[id];
            match thing.acquisition {
                Acquisition::None => {
                    ensure(!self.is_settled(id), || format!("all that r{id} needs is there, and it waits"))?;
                }
                Acquisition::UnderWay { since } => {
                    let is_late = self.is_past(self.acquire_limit(id, since));
                    ensure(!is_late, || format!("the acquisition of r{id} is late, and goes on"))?;
                    self.check_wake(self.acquire_limit(id, since), || format!("the acquisition of r{id}"))?;
                }
                Acquisition::CalledBack | Acquisition::Over => {
                    let is_waiting = !thing.has_instance && thing.turn.is_none();
                    ensure(!is_waiting, || format!("r{id} will not be there, and has no turn"))?;
                }
            }
        }
        Ok(())
    }

    /// The engine is woken when a limit is reached, at the latest.
    pub(super) fn check_wake(&self, limit: Option<Duration>, what: impl FnOnce() -> String) -> Verdict {
        let is_woken = limit.is_none_or(|limit| self.wake.is_some_and(|wake| wake <= limit));
        ensure(is_woken, || format!("{} ends at {limit:?}, and the engine wakes at {:?}", what(), self.wake))
    }

    /// A turn goes on as soon as it can, and at its limits at the latest.
    fn check_turn_goes_on(&mut self, id: Id) -> Verdict {
        let thing = &self.things[id];
        if thing.is_gone {
            let is_forgotten =
                thing.has_instance && thing.release == Release::None && thing.abort == Abort::None;
            return ensure(!is_forgotten, || format!("r{id} came too late, and was not aborted"));
        }
        if thing.turn.is_none() {
            return Ok(());
        }
        match thing.release {
            Release::None => {
                let is_idle = self.is_idle(id);
                ensure(!is_idle || !thing.has_instance, || format!("r{id} is drained, and not released"))?;
                let is_late = !is_idle && self.now >= self.drain_limit(id);
                let is_deaf = id == self.frame.main() && self.body_is_deaf();
                let is_overdue = (is_late || is_deaf) && thing.aborted.is_none();
                ensure(!is_overdue, || format!("what is in flight of r{id} is late, and is not aborted"))?;
                let is_stuck = !is_idle && self.is_past(self.join_limit(id));
                ensure(!is_stuck || !thing.has_instance, || format!("r{id} waits for what is stuck"))?;
                self.check_errors_are_let_go(id)?;
                let is_joining = thing.aborted.is_some();
                let limit = if is_joining { self.join_limit(id) } else { Some(self.drain_limit(id)) };
                let limit = limit.filter(|_| !is_idle && !is_stuck);
                self.check_wake(limit, || format!("the time for what is in flight of r{id}"))?;
            }
            Release::UnderWay => {
                let is_late = self.is_past(self.release_limit(id));
                ensure(!is_late, || format!("the release of r{id} is late, and goes on"))?;
                self.check_wake(self.release_limit(id), || format!("the release of r{id}"))?;
            }
            Release::CutOff { since } => {
                let is_late = self.is_past(self.answer_limit(id, since));
                ensure(!is_late, || format!("r{id} waits for a release that was cut off"))?;
                self.check_wake(self.answer_limit(id, since), || format!("the cut release of r{id}"))?;
            }
            Release::Failed => {
                ensure(thing.abort != Abort::None, || {
                    format!("the release of r{id} failed without an abort")
                })?;
                let cutoff = self.cutoff(id).filter(|_| thing.abort == Abort::Called && !self.is_over(id));
                self.check_wake(cutoff, || format!("the abort of r{id}"))?;
            }
            Release::Done => {}
        }
        self.ends_its_turn(id);
        Ok(())
    }

    /// A turn does not wait for nothing but guards in errors that are kept.
    fn check_errors_are_let_go(&self, id: Id) -> Verdict {
        let thing = &self.things[id];
        let holding = |task: &Task| matches!(task, Task::Left { holds: true, .. });
        let is_untold = |of: &Id| {
            let holds = self.frame.app.resources[*of].errors_hold == Some(id);
            holds && self.things[*of].tasks.iter().any(holding)
        };
        let waits_for_held = thing.held > 0
            && thing.held == self.counters.of(id).in_flight
            && !thing.acquisition.is_alive()
            && !self.has_untold_tasks(id)
            && !(0..self.frame.main()).any(|of| is_untold(&of));
        ensure(!waits_for_held, || format!("the turn of r{id} waits for errors that are kept"))
    }

    /// D5, E2.
    fn check_stopping(&self) -> Verdict {
        for (id, thing) in self.things.iter().enumerate() {
            let is_due =
                self.was_begun(id) && self.frame.before[id].iter().all(|&above| self.things[above].is_gone);
            ensure(!is_due || thing.turn.is_some(), || {
                format!("the turn of r{id} is due, and does not begin")
            })?;
            let is_foundation = self.frame.app.resources.get(id).is_some_and(|spec| spec.foundation);
            let must_be_reported = is_foundation && thing.turn.is_some() && !thing.is_early;
            ensure(self.book.is_reported || !must_be_reported, || {
                "the report is due, and is not told".into()
            })?;
        }
        ensure(!(0..self.things.len()).all(|id| self.is_over(id)), || {
            "all is over, and it does not end".into()
        })
    }

    /// D2, D3, D4, S4: what holds of the stop as a whole.
    fn check_stop(&mut self) -> Verdict {
        let Some(deadline) = self.book.deadline else {
            return ensure(!self.book.has_failed, || "it goes on after a failure".into());
        };
        ensure(self.book.reload.is_none(), || "a reload goes on during the stop".into())?;
        ensure(self.book.phase >= Phase::Draining, || "a reason to stop was ignored".into())?;
        ensure(self.book.told_deadline == Some(deadline), || {
            format!("the deadline is {deadline:?}, and {:?} was told", self.book.told_deadline)
        })?;
        ensure(self.book.is_draining_fired, || "the process-wide notice is missing".into())?;
        let goes_on =
            self.things.iter().any(|thing| matches!(thing.acquisition, Acquisition::UnderWay { .. }));
        ensure(!goes_on, || "an acquisition goes on during the stop".into())?;
        let latest = deadline.max(self.now) + MOMENT * self.things.len() as u32;
        self.check_wake(Some(latest), || "the stop".into())
    }
}
