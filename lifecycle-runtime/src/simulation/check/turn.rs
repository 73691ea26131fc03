//! D5 to D7: turns, in order, on time, and each of them whole.

use std::time::Duration;

use super::*;

/// How long an answer to `CutRelease` is waited for at the least.
const MOMENT: Duration = Duration::from_millis(1);

impl Book<'_> {
    pub(super) fn is_given_back_exactly_once(&self, id: Id) -> Verdict {
        let has_instance = self.seen(&Seen::Acquired(id)).is_some();
        let releases = self.count(&Command::Release(id));
        let aborts = self.count(&Command::Abort(id));
        let has_ended_well = self.release_was_answered(id, true);
        if releases > 1 || aborts > 1 {
            return Err(format!("r{id} was released {releases} times and aborted {aborts} times"));
        }
        if !has_instance && releases + aborts > 0 {
            return Err(format!("r{id} was given back, but was never there"));
        }
        if has_ended_well && aborts > 0 {
            return Err(format!("r{id} was aborted although it was released"));
        }
        let is_exited = self.exit.is_some();
        if has_instance && releases + aborts == 0 && !is_exited {
            return Err(format!("r{id} was never given back"));
        }
        if releases == 1 && !has_ended_well && aborts == 0 && !is_exited {
            return Err(format!("the release of r{id} did not complete, and abort was not called"));
        }
        Ok(())
    }

    /// D5: a turn begins once everything that comes after the resource has had its own.
    pub(super) fn has_its_turn_after_its_dependents(&self, id: Id) -> Verdict {
        let Some(turn) = self.place(|entry| *entry == Entry::Done(Command::Drain(id))) else { return Ok(()) };
        // A resource that the application does without has its turn at once: nobody has it.
        let is_early = self.log.entries[turn].0 < self.trigger.unwrap_or(Duration::MAX)
            || self
                .place(|entry| *entry == Entry::Done(Command::Enter(Phase::Draining)))
                .is_none_or(|t| t > turn);
        if is_early {
            let is_done_without = self.scenario.resources[id].necessity.may_fail()
                || self.seen(&Seen::AcquireSkipped(id)).is_some();
            return if is_done_without && self.count(&Command::Release(id)) == 0
                || self.seen(&Seen::Acquired(id)).is_some() && self.count(&Command::CancelAcquire(id)) == 1
            {
                Ok(())
            } else {
                Err(format!("the turn of r{id} came before there was a reason"))
            };
        }
        for above in (0..self.scenario.resources.len()).filter(|&above| self.after[above].contains(&id)) {
            if self.count(&Command::Acquire(above)) == 0 {
                continue;
            }
            self.is_over(above, turn)
                .map_err(|why| format!("the turn of r{id} came before r{above} was done: {why}"))?;
        }
        if !self.body_is_over(turn) {
            return Err(format!("the turn of r{id} came before the body of main was done"));
        }
        let turn = self.log.entries[turn].0;
        match self.turn_is_due(id) {
            Some(due) if due < turn => {
                Err(format!("the turn of r{id} came at {turn:?}, and could have come at {due:?}"))
            }
            _ => Ok(()),
        }
    }

    /// D6: whoever is beneath begins its turn with its whole reserve left, and its release with a part of it.
    pub(super) fn has_its_reserve(&self, id: Id) -> Verdict {
        let slack = self.slack();
        let Some(turn) = self.done(&Command::Drain(id)) else { return Ok(()) };
        if self.trigger.is_none_or(|trigger| turn < trigger) {
            return Ok(());
        }
        let latest = |at: Duration, share: Duration| self.deadline(at).saturating_sub(self.tails[id] + share);
        if turn > latest(turn, self.reserves[id]) + slack {
            return Err(format!("r{id} was starved: its turn began at {turn:?}, too late for its reserve"));
        }
        // R1: no turn goes on to its release while the end of a task is still to be told, unless it was cut off.
        let was_cut = self.count(&Command::AbortTasks(id)) == 1;
        if let Some(place) = self.place(|entry| *entry == Entry::Done(Command::Release(id))) {
            if has_tasks(&self.log.entries[..place], id) && !was_cut {
                return Err(format!("r{id} was released before the end of its tasks was told"));
            }
        }
        // An instance that came although its acquisition was cancelled may come with little time left.
        let is_late = self.count(&Command::CancelAcquire(id)) == 1;
        if let Some(release) = self.done(&Command::Release(id)).filter(|_| !is_late) {
            if release > latest(release, self.reserves[id] / 4) + slack {
                return Err(format!(
                    "r{id} was starved: its release began at {release:?}, too late for a quarter of its reserve"
                ));
            }
        }
        if let Some(place) = self.place(|entry| *entry == Entry::Done(Command::AbortTasks(id))) {
            let (abort, entries) = (self.log.entries[place].0, &self.log.entries[..place]);
            if acquisition_has_ended(entries, id) && !has_tasks(entries, id) {
                return Err(format!("the tasks of r{id} were aborted, and there were none"));
            }
            let spec = &self.scenario.resources[id];
            let own = spec.drain_timeout.map_or(Duration::MAX, |timeout| turn + timeout);
            let limit = match self.hurried {
                Some((hurried, _)) if hurried <= abort => hurried.max(turn),
                _ => latest(abort, self.reserves[id] / 2).min(own).max(turn),
            };
            if abort > limit + slack || abort + slack < limit {
                return Err(format!("the tasks of r{id} were aborted at {abort:?}, and not at {limit:?}"));
            }
        }
        Ok(())
    }

    /// D6, D7: a release is cut off when only the time for its `abort` is left, and the answer to that is waited for
    /// during half of what is left then.
    pub(super) fn is_cut_off_on_time(&self, id: Id) -> Verdict {
        let Some(release) = self.done(&Command::Release(id)) else { return Ok(()) };
        let share = Duration::from_millis(100).min(self.reserves[id] / 10);
        // A deadline that has become an earlier one may have cut off what it then finds.
        let limit = |at: Duration, share: Duration, earliest: Duration| {
            let hurried = self.hurried.map_or(Duration::ZERO, |(hurried, _)| hurried);
            let earliest = if hurried <= at { earliest.max(hurried) } else { earliest };
            self.deadline(at).saturating_sub(self.tails[id] + share).max(earliest)
        };
        let is_answer = |entry: &Entry| match entry {
            Entry::Seen(Seen::Released(of, _) | Seen::ReleaseDropped(of)) => *of == id,
            _ => false,
        };
        let answer = self.place(is_answer);
        let Some(cut) = self.place(|entry| *entry == Entry::Done(Command::CutRelease(id))) else {
            let answered = answer.map(|answer| self.log.entries[answer].0);
            return match answered.filter(|at| *at > limit(*at, share, release) + HAIR) {
                Some(at) => Err(format!("the release of r{id} ended at {at:?}, and was not cut off before")),
                None => Ok(()),
            };
        };
        let cut = self.log.entries[cut].0;
        let due = limit(cut, share, release);
        if cut.abs_diff(due) > HAIR {
            return Err(format!("the release of r{id} was cut off at {cut:?}, and not at {due:?}"));
        }
        let Some(abort) = self.place(|entry| *entry == Entry::Done(Command::Abort(id))) else {
            return Ok(());
        };
        let at = self.log.entries[abort].0;
        let due = match answer.filter(|answer| *answer < abort) {
            Some(answer) => self.log.entries[answer].0,
            None => limit(at, share / 2, cut + MOMENT),
        };
        if at.abs_diff(due) > HAIR {
            return Err(format!("r{id} was aborted at {at:?}, and not at {due:?}"));
        }
        Ok(())
    }

    /// When everything above a resource was done, if all of it was done by itself.
    fn turn_is_due(&self, id: Id) -> Option<Duration> {
        let mut due = self.done(&Command::Enter(Phase::Stopping))?;
        for above in (0..self.scenario.resources.len()).filter(|&above| self.after[above].contains(&id)) {
            if self.count(&Command::Acquire(above)) == 1 {
                due = due.max(self.turn_ended(above)?);
            }
        }
        let was_begun = self.count(&Command::RunMain) == 1;
        if was_begun && self.scenario.settings.body != BodyKind::Empty {
            due = due.max(self.when(|entry| matches!(entry, Entry::Seen(Seen::BodyEnded(_))))?);
        }
        Some(due)
    }

    /// When the turn of a resource whose acquisition was begun was over, if it came to its end by itself.
    fn turn_ended(&self, id: Id) -> Option<Duration> {
        let turn = self.done(&Command::Drain(id))?;
        if self.seen(&Seen::Acquired(id)).is_some() {
            return if self.count(&Command::Abort(id)) == 0 {
                self.seen(&Seen::Released(id, true))
            } else {
                self.when(|entry| matches!(entry, Entry::Seen(Seen::Aborted(of, _)) if *of == id))
            };
        }
        let ends = self.log.entries.iter().filter_map(|(at, entry)| match entry {
            Entry::Seen(
                Seen::AcquireFailed(of)
                | Seen::AcquireDropped(of)
                | Seen::AcquireSkipped(of)
                | Seen::TaskEnded(of, _),
            ) => (*of == id).then_some(*at),
            _ => None,
        });
        let is_left = !acquisition_has_ended(&self.log.entries, id) || has_tasks(&self.log.entries, id);
        if is_left { None } else { ends.chain([turn]).max() }
    }

    /// Whether the body of `main`, which comes after everything, was not there any more at a place in the log, or had
    /// its time.
    pub(super) fn body_is_over(&self, place: usize) -> bool {
        let now = self.log.entries[place].0;
        let entries = &self.log.entries[..place];
        let has = |matches: &dyn Fn(&Entry) -> bool| entries.iter().any(|(_, entry)| matches(entry));
        let main = self.scenario.resources.len();
        let was_begun = has(&|entry| *entry == Entry::Done(Command::RunMain));
        let has_ended = has(&|entry| matches!(entry, Entry::Seen(Seen::BodyEnded(_))));
        let is_cut_off = now + HAIR >= self.deadline(now).saturating_sub(self.tails[main]);
        !was_begun || has_ended || is_cut_off
    }

    /// Whether the turn of a resource whose acquisition was begun is over at a place in the log.
    pub(super) fn is_over(&self, id: Id, place: usize) -> Verdict {
        let now = self.log.entries[place].0;
        let entries = &self.log.entries[..place];
        let has = |matches: &dyn Fn(&Entry) -> bool| entries.iter().any(|(_, entry)| matches(entry));
        let is_cut_off = now >= self.deadline(now).saturating_sub(self.tails[id] + HAIR);
        let has_instance = has(&|entry| *entry == Entry::Seen(Seen::Acquired(id)));
        let is_acquiring = !acquisition_has_ended(entries, id);
        if is_acquiring && !is_cut_off {
            return Err("its acquisition was under way".to_owned());
        }
        if has_instance && !has(&|entry| *entry == Entry::Done(Command::Release(id))) && !is_acquiring {
            // An instance that came when the turn was over is aborted, in place of a release.
            return if has(&|entry| *entry == Entry::Done(Command::Abort(id))) {
                Ok(())
            } else {
                Err("it was there".to_owned())
            };
        }
        if !has_instance && has_tasks(entries, id) && !is_cut_off {
            return Err("its tasks were there".to_owned());
        }
        if has_instance {
            // What comes when `abort` was called already is no end of the turn: that is the return of `abort`.
            let mut answered =
                entries.iter().take_while(|(_, entry)| *entry != Entry::Done(Command::Abort(id)));
            let is_released = answered.any(|(_, entry)| *entry == Entry::Seen(Seen::Released(id, true)));
            let is_aborted = has(&|entry| matches!(entry, Entry::Seen(Seen::Aborted(of, _)) if *of == id));
            if !(is_released || is_aborted || is_cut_off) {
                return Err("its release was under way".to_owned());
            }
        }
        Ok(())
    }
}
