//! §9: reloads, one at a time, in order, while the application runs.

use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::engine::reload::TO_LEAVE;

/// What is known at a place in the log.
#[derive(Debug, Default)]
struct Known {
    is_running: bool,
    is_stopping: bool,
    /// Acquired, and not called back or in its turn.
    there: HashSet<Id>,
    called_back: HashSet<Id>,
    /// Futures of reloads that are there.
    alive: HashSet<Id>,
    /// One more reload is due, at once or when this one has ended.
    is_asked: bool,
    current: Option<Current>,
    ended: u64,
    failed: u64,
}

/// The reload under way.
#[derive(Debug, Default)]
struct Current {
    /// The last that had its turn.
    last: Option<Id>,
    hook: Option<(Id, Duration)>,
    /// It was cut off, then, and is waited for.
    leaves: Option<(Id, Duration)>,
    has_failed: bool,
}

impl Book<'_> {
    pub(super) fn reloads_follow_the_rules(&self) -> Verdict {
        let mut known = Known::default();
        for (at, entry) in &self.log.entries {
            self.read_reload(&mut known, *at, entry).map_err(|why| format!("at {at:?}: {why}"))?;
        }
        if known.current.is_some() && self.exit.is_none() {
            return Err("a reload has no end".to_owned());
        }
        let reloads = &self.log.report.reloads;
        if (reloads.count, reloads.failed) != (known.ended, known.failed) {
            return Err(format!(
                "{reloads:?} is reported, and there were {} and {}",
                known.ended, known.failed
            ));
        }
        Ok(())
    }

    fn read_reload(&self, known: &mut Known, at: Duration, entry: &Entry) -> Verdict {
        if let Some((id, began)) = known.current.as_ref().and_then(|current| current.hook) {
            let limit = self.reload_limit(id).map(|limit| began + limit);
            if limit.is_some_and(|limit| at > limit) {
                return Err(format!("the reload of r{id} is late, and goes on"));
            }
        }
        if let Some((id, cut_off)) = known.current.as_ref().and_then(|current| current.leaves) {
            if at > cut_off + TO_LEAVE && !known.is_stopping {
                return Err(format!("the reload of r{id} was cut off, and is waited for too long"));
            }
        }
        match entry {
            Entry::Seen(seen) => {
                let is_due = known.is_asked && known.is_running && !known.is_stopping;
                if is_due && known.current.is_none() {
                    return Err("a reload is due, and does not begin".to_owned());
                }
                self.see_reload(known, seen);
                Ok(())
            }
            Entry::Done(command) => self.check_reload(known, at, command),
            Entry::Said(_) => Ok(()),
        }
    }

    fn see_reload(&self, known: &mut Known, seen: &Seen) {
        match *seen {
            Seen::Acquired(id) if !known.called_back.contains(&id) => {
                known.there.insert(id);
            }
            Seen::Reload => known.is_asked |= !known.is_stopping,
            Seen::Signal(Signal::Hangup) => {
                known.is_asked |= !known.is_stopping && self.scenario.settings.hangup == Hangup::Reload;
            }
            Seen::ReloadStarted(id) => {
                known.alive.insert(id);
            }
            Seen::Reloaded(id, is_ok) => {
                known.alive.remove(&id);
                known.hook_ends(id, !is_ok);
            }
            Seen::ReloadDropped(id) => {
                known.alive.remove(&id);
                known.hook_ends(id, true);
            }
            _ => {}
        }
    }

    fn check_reload(&self, known: &mut Known, at: Duration, command: &Command) -> Verdict {
        match *command {
            Command::Enter(Phase::Running) => known.is_running = true,
            Command::Enter(Phase::Draining) => known.is_stopping = true,
            Command::CancelAcquire(id) | Command::Drain(id) => {
                known.there.remove(&id);
                known.called_back.insert(id);
            }
            Command::BeginReload => {
                let is_due = known.is_asked && known.is_running && !known.is_stopping;
                if !is_due || known.current.is_some() {
                    return Err("a reload begins, and none is due".to_owned());
                }
                (known.is_asked, known.current) = (false, Some(Current::default()));
            }
            Command::Reload(id) => {
                let Some(current) = &mut known.current else {
                    return Err(format!("r{id} is reloaded outside of a reload"));
                };
                let is_waited_for = current.hook.is_some() || current.waits_at(at);
                if known.is_stopping || is_waited_for || known.alive.contains(&id) {
                    return Err(format!("r{id} is reloaded when it must not be"));
                }
                let is_declared =
                    !self.scenario.resources[id].reloads.is_empty() && known.there.contains(&id);
                if !is_declared || current.last.is_some_and(|last| last >= id) {
                    return Err(format!("r{id} is reloaded out of its order, or cannot be"));
                }
                // One whose last reload is still there fails without another.
                let passed = self.passed(current.last, id, &known.there);
                if passed.iter().any(|passed| !known.alive.contains(passed)) {
                    return Err(format!("r{id} is reloaded before {passed:?}"));
                }
                current.has_failed |= !passed.is_empty();
                (current.last, current.hook, current.leaves) = (Some(id), Some((id, at)), None);
            }
            Command::CancelReload(id) => {
                let hook = known.current.as_mut().and_then(|current| current.hook.take());
                let Some((_, began)) = hook.filter(|(of, _)| *of == id) else {
                    return Err(format!("the reload of r{id} is cancelled, and there is none"));
                };
                let is_late = self.reload_limit(id).is_some_and(|limit| at >= began + limit);
                if !is_late && !known.is_stopping {
                    return Err(format!("the reload of r{id} is cancelled before its time is over"));
                }
                if let (Some(current), false) = (&mut known.current, known.is_stopping) {
                    current.has_failed = true;
                    current.leaves = known.alive.contains(&id).then_some((id, at));
                }
            }
            Command::EndReload => {
                let Some(current) = known.current.take() else { return Err("no reload ends".to_owned()) };
                if known.is_stopping {
                    return Ok(());
                }
                let left = self.passed(current.last, self.scenario.resources.len(), &known.there);
                let is_left = left.iter().any(|left| !known.alive.contains(left));
                if current.hook.is_some() || current.waits_at(at) || is_left {
                    return Err(format!("the reload ends, and leaves {left:?}"));
                }
                known.ended += 1;
                known.failed += u64::from(current.has_failed || !left.is_empty());
            }
            _ => {}
        }
        Ok(())
    }

    /// Those that are declared `reload` and are there, behind one and before another.
    fn passed(&self, last: Option<Id>, before: Id, there: &HashSet<Id>) -> Vec<Id> {
        let first = last.map_or(0, |last| last + 1);
        let is_declared = |id: &Id| !self.scenario.resources[*id].reloads.is_empty() && there.contains(id);
        (first..before).filter(is_declared).collect()
    }

    /// A reload has the time that an acquisition has.
    fn reload_limit(&self, id: Id) -> Option<Duration> {
        self.scenario.resources[id].acquire_timeout.or(self.scenario.settings.startup_timeout)
    }
}

impl Current {
    fn waits_at(&self, at: Duration) -> bool {
        self.leaves.is_some_and(|(_, cut_off)| at < cut_off + TO_LEAVE)
    }
}

impl Known {
    fn hook_ends(&mut self, id: Id, has_failed: bool) {
        let Some(current) = &mut self.current else { return };
        current.leaves.take_if(|(of, _)| *of == id);
        if current.hook.take_if(|(of, _)| *of == id).is_some() {
            current.has_failed |= has_failed;
        }
    }
}
