//! S3, D11, E1 and E2: what is told meanwhile and in the end.

use std::time::Duration;

use super::*;

impl Book<'_> {
    /// S3, D11: every five seconds of the start and of each phase of the stop, and at no other time.
    pub(super) fn progress_is_told(&self) -> Verdict {
        const EVERY: Duration = Duration::from_secs(5);
        let is_start =
            |entry: &Entry| matches!(entry, Entry::Said(Output::Say(Notice::StartProgress { .. })));
        let started = self.done(&Command::Enter(Phase::Running)).or(self.trigger).unwrap_or_default();
        let (started_nanos, every) = (started.as_nanos(), EVERY.as_nanos());
        // Where the start ends with the last of the five seconds, either order is right.
        let due = started_nanos.div_ceil(every).saturating_sub(1)..=started_nanos / every;
        let told = self.log.entries.iter().filter(|(_, entry)| is_start(entry)).count();
        if !due.contains(&(told as u128)) {
            return Err(format!("the progress of a start of {started:?} was told {told} times"));
        }
        let mut last = None;
        for (at, entry) in &self.log.entries {
            let is_told = match entry {
                Entry::Said(Output::Say(Notice::StopProgress { .. })) => true,
                Entry::Done(Command::Enter(Phase::Draining | Phase::Stopping | Phase::Stopped)) => false,
                _ => continue,
            };
            let gap = *at - last.unwrap_or(*at);
            if gap > EVERY || is_told && gap < EVERY {
                return Err(format!("{gap:?} of the stop went by, and its progress was told: {is_told}"));
            }
            last = Some(*at);
        }
        Ok(())
    }

    /// E2: once, when everything but the foundations is released.
    pub(super) fn report_is_told(&self) -> Verdict {
        let is_report = |entry: &Entry| matches!(entry, Entry::Said(Output::Report(_)));
        let told = self.log.entries.iter().filter(|(_, entry)| is_report(entry)).count();
        if self.exit.is_some() && told == 0 {
            return Ok(());
        }
        if told != 1 {
            return Err(format!("the report was told {told} times"));
        }
        let report = self.place(is_report);
        let draining = self.place(|entry| *entry == Entry::Done(Command::Enter(Phase::Draining)));
        for (id, spec) in self.scenario.resources.iter().enumerate() {
            let turn = self.place(|entry| *entry == Entry::Done(Command::Drain(id)));
            let release = self.place(|entry| *entry == Entry::Done(Command::Release(id)));
            // An optional foundation that was not there had its turn before, and may have come after all.
            let is_in_its_place = turn > draining;
            if is_in_its_place && release.is_some() && spec.foundation != (report < release) {
                return Err(format!("the report was told at the wrong time for r{id}"));
            }
        }
        Ok(())
    }

    pub(super) fn is_reported_as_it_was(&self, id: Id) -> Verdict {
        let report = &self.log.report.resources[id];
        let outcome = report.outcome;
        let was_begun = self.count(&Command::Acquire(id)) == 1;
        if was_begun == (outcome == Outcome::NeverStarted) {
            return Err(format!("r{id} is reported {outcome}, but was begun: {was_begun}"));
        }
        let was_skipped = self.seen(&Seen::AcquireSkipped(id)).is_some();
        if outcome == Outcome::Skipped && !was_skipped {
            return Err(format!("r{id} is reported skipped, but was not"));
        }
        let is_trouble = |entry: &Entry| match entry {
            Entry::Seen(
                Seen::AcquireFailed(of) | Seen::TaskEnded(of, How::Failed) | Seen::Released(of, false),
            ) => *of == id,
            Entry::Done(Command::AbortTasks(of) | Command::CancelAcquire(of) | Command::CutRelease(of)) => {
                *of == id
            }
            Entry::Seen(Seen::AcquireSkipped(of)) => *of == id,
            _ => false,
        };
        let first = self.place(is_trouble).map(|place| &self.log.entries[place].1);
        if first == Some(&Entry::Seen(Seen::AcquireSkipped(id))) && outcome != Outcome::Skipped {
            return Err(format!("r{id} was skipped, but is reported {outcome}"));
        }
        let has_failed_first = matches!(first, Some(Entry::Seen(seen)) if *seen != Seen::AcquireSkipped(id));
        if has_failed_first && !matches!(outcome, Outcome::Failed | Outcome::Panicked) {
            return Err(format!("r{id} failed first of all, but is reported {outcome}"));
        }
        let has_failed =
            [Seen::AcquireFailed(id), Seen::TaskEnded(id, How::Failed), Seen::Released(id, false)]
                .iter()
                .any(|seen| self.seen(seen).is_some());
        let is_clean = was_begun
            && !has_failed
            && !was_skipped
            && self.seen(&Seen::AcquireDropped(id)).is_none()
            && self.count(&Command::CancelAcquire(id)) == 0
            && !self.release_was_cut(id)
            && !self.tasks_were_cut(id)
            && self.seen(&Seen::Aborted(id, false)).is_none();
        if is_clean != (outcome == Outcome::Clean)
            && self.exit.is_none()
            && !self.tasks_were_late_to_tell(id)
            && self.count(&Command::CancelAcquire(id)) == 0
        {
            return Err(format!("r{id} is reported {outcome}, but was clean: {is_clean}"));
        }
        let failures =
            self.log.report.failures.iter().filter(|failure| failure.resource() == format!("r{id}")).count();
        let seen = self.log.entries.iter().filter(|(_, entry)| match entry {
            Entry::Seen(Seen::AcquireFailed(of) | Seen::Released(of, false) | Seen::Aborted(of, false)) => {
                *of == id
            }
            Entry::Seen(Seen::TaskEnded(of, How::Failed)) => *of == id,
            _ => false,
        });
        // Errors that came when they could not matter any more are the only ones that may be missing: of a release
        // that was cut off.
        let late = self.count(&Command::CutRelease(id));
        let seen = seen.count();
        if failures < seen.saturating_sub(late) {
            return Err(format!("{seen} failures of r{id} were seen, {failures} reported"));
        }
        Ok(())
    }

    pub(super) fn exit_code_follows_the_rule(&self) -> Verdict {
        if self.exit.is_some() {
            return Ok(());
        }
        let settings = &self.scenario.settings;
        let main = self.scenario.resources.len();
        let body = self.scenario.body;
        let has_run = self.count(&Command::RunMain) == 1;
        let first_signal = self.log.entries.iter().find_map(|(at, entry)| match entry {
            Entry::Seen(Seen::Signal(signal)) if Some(*at) == self.trigger => Some(*signal),
            _ => None,
        });
        let first_outside = self.scenario.outside.iter().find(|(at, _)| Some(*at) == self.trigger);
        let signal = first_signal.filter(|_| matches!(first_outside, Some((_, Outside::Signal(_)))));
        let signal = signal.filter(|_| matches!(self.log.report.reason, Reason::Signal(_)));
        let body_ended = self.when(|entry| matches!(entry, Entry::Seen(Seen::BodyEnded(_))));
        let was_interrupted = settings.body != BodyKind::Empty
            && (!has_run
                || (settings.body == BodyKind::Written
                    && !body.listens
                    && self.seen(&Seen::BodyEnded(How::Dropped)).is_some()));
        let hurried_by = self.hurried.and_then(|(_, by)| by);
        let host_was_left = settings.body == BodyKind::Host && has_run && body_ended.is_none();
        let body_was_cut = settings.body != BodyKind::Empty
            && has_run
            && self.count(&Command::AbortTasks(main)) == 1
            && (settings.body == BodyKind::Host || body.listens);
        let acquisition_was_left = |id: Id| {
            self.count(&Command::CancelAcquire(id)) == 1
                && self.scenario.resources[id].cancel != Dying::AtOnce
        };
        let ids = 0..main;
        let was_cut = host_was_left
            || body_was_cut
            || ids.clone().any(|id| self.tasks_were_cut_by_the_deadline(id) || self.release_was_cut(id))
            || ids.clone().any(|id| self.was_left_behind(id));
        // Whether an acquisition that was slow to go was gone in time is in the log, but not in one line of it.
        // So it is with a task of an optional resource that was aborted before the shutdown, and may not have gone.
        let may_be_left =
            |id: Id| acquisition_was_left(id) || self.tasks_were_cut(id) || self.tasks_were_late_to_tell(id);
        let may_be_cut = was_cut || ids.clone().any(may_be_left);
        let has_failed = self.log.report.failures.iter().any(|failure| !failure.is_tolerated());
        let should_have_failed = ids.clone().any(|id| {
            let spec = &self.scenario.resources[id];
            !spec.necessity.may_fail()
                && (self.seen(&Seen::AcquireFailed(id)).is_some()
                    || self.seen(&Seen::TaskEnded(id, How::Failed)).is_some()
                    || self.has_failed_before_its_cut(id))
        });
        if should_have_failed && !has_failed {
            return Err("a failure is missing from the report".to_owned());
        }
        let is_misconfigured = ids.clone().any(|id| {
            let spec = &self.scenario.resources[id];
            let is_mistake = spec.acquire.1 == End::Misconfigured && !spec.necessity.may_fail();
            is_mistake && self.seen(&Seen::AcquireFailed(id)).is_some()
        });
        let code = self.log.report.exit_code;
        let expected = match (hurried_by, signal.filter(|_| was_interrupted)) {
            _ if is_misconfigured => 78,
            (Some(signal), _) | (None, Some(signal)) => 128 + signal.number(),
            (None, None) if was_cut => 124,
            (None, None) if may_be_cut && code == 124 => 124,
            (None, None) if has_failed => 1,
            (None, None) => 0,
        };
        if code == expected {
            Ok(())
        } else {
            Err(format!("the exit code is {code}, and should be {expected}"))
        }
    }

    /// Whether something of a resource was still there at the very end.
    fn was_left_behind(&self, id: Id) -> bool {
        let entries = &self.log.entries;
        self.count(&Command::Acquire(id)) == 1
            && (!acquisition_has_ended(entries, id) || has_tasks(entries, id))
    }

    fn tasks_were_cut(&self, id: Id) -> bool {
        self.at_its_cut(id).is_some_and(|entries| has_tasks_in_flight(entries, id))
    }

    /// Whether its tasks had left the count when they would have been cut off, and had not told it.
    fn tasks_were_late_to_tell(&self, id: Id) -> bool {
        self.at_its_cut(id).is_some_and(|entries| has_tasks(entries, id) && !has_tasks_in_flight(entries, id))
    }

    /// R1: a failure counts in every interleaving, from the moment in which the task leaves.
    fn has_failed_before_its_cut(&self, id: Id) -> bool {
        let entries = self.at_its_cut(id).unwrap_or(&self.log.entries);
        entries.iter().any(|(_, entry)| *entry == Entry::Seen(Seen::TaskLeft(id, How::Failed)))
    }

    /// The log up to where the tasks of a resource were aborted, if they were.
    fn at_its_cut(&self, id: Id) -> Option<&[(Duration, Entry)]> {
        let cut = self.place(|entry| *entry == Entry::Done(Command::AbortTasks(id)))?;
        Some(&self.log.entries[..cut])
    }

    fn tasks_were_cut_by_the_deadline(&self, id: Id) -> bool {
        let trigger = self.place(|entry| *entry == Entry::Done(Command::Enter(Phase::Draining)));
        let abort = self.place(|entry| *entry == Entry::Done(Command::AbortTasks(id)));
        abort > trigger && self.tasks_were_cut(id)
    }
}
