//! S2, S3: what is acquired, and when.

use std::time::Duration;

use super::*;

impl Book<'_> {
    /// S2: a resource is acquired once, after everything that it needs, and as soon as that is there.
    pub(super) fn is_acquired_after_what_it_needs(&self, id: Id) -> Verdict {
        let acquire = self.place(|entry| *entry == Entry::Done(Command::Acquire(id)));
        if self.count(&Command::Acquire(id)) > 1 {
            return Err(format!("r{id} was acquired twice"));
        }
        let settled = self.after[id].iter().map(|&beneath| (beneath, self.settled(beneath)));
        let settled: Vec<(Id, Option<usize>)> = settled.collect();
        for (beneath, settled) in &settled {
            if acquire.is_some_and(|acquire| settled.is_none_or(|settled| settled > acquire)) {
                return Err(format!("r{id} was acquired before r{beneath}"));
            }
        }
        let places: Option<Vec<usize>> = settled.into_iter().map(|(_, settled)| settled).collect();
        let Some(places) = places else { return Ok(()) };
        let due = places.into_iter().max().map_or(Duration::ZERO, |last| self.log.entries[last].0);
        let is_on_time = acquire.is_some_and(|acquire| self.log.entries[acquire].0 == due);
        let is_stopping = self.trigger.is_some_and(|trigger| trigger <= due);
        if is_on_time || is_stopping {
            Ok(())
        } else {
            Err(format!("r{id} was not acquired at {due:?}, when all that it needs was there"))
        }
    }

    /// S3: an acquisition that is under way is cancelled when its time is up, and not before.
    pub(super) fn is_acquired_in_time(&self, id: Id) -> Verdict {
        let Some(began) = self.done(&Command::Acquire(id)) else { return Ok(()) };
        let own = self.scenario.resources[id].acquire_timeout.map(|timeout| began + timeout);
        let whole = self.scenario.settings.startup_timeout;
        let limit = own.into_iter().chain(whole).min().unwrap_or(Duration::MAX).max(began);
        let draining = self.place(|entry| *entry == Entry::Done(Command::Enter(Phase::Draining)));
        let cancel = self.place(|entry| *entry == Entry::Done(Command::CancelAcquire(id)));
        if let Some(cancel) = cancel.filter(|cancel| draining.is_none_or(|draining| *cancel < draining)) {
            let at = self.log.entries[cancel].0;
            let is_on_time = at == limit;
            return if is_on_time {
                Ok(())
            } else {
                Err(format!("r{id} was timed out at {at:?}, not at {limit:?}"))
            };
        }
        let in_time = self.log.entries.iter().take_while(|(at, _)| *at <= limit).count();
        let has_ended = acquisition_has_ended(&self.log.entries[..in_time], id);
        let is_stopping = self.trigger.is_some_and(|trigger| trigger <= limit);
        if has_ended || is_stopping { Ok(()) } else { Err(format!("r{id} was not timed out at {limit:?}")) }
    }

    /// From where in the log on the dependents of a resource may begin.
    pub(super) fn settled(&self, id: Id) -> Option<usize> {
        let may_fail = self.scenario.resources[id].necessity.may_fail();
        self.place(|entry| match entry {
            Entry::Seen(Seen::Acquired(of) | Seen::AcquireSkipped(of)) => *of == id,
            Entry::Seen(Seen::AcquireFailed(of)) => may_fail && *of == id,
            Entry::Done(Command::CancelAcquire(of)) => may_fail && *of == id,
            _ => false,
        })
    }
}
