//! Rules E1 and E2: the exit code and the report.

use std::time::Duration;

use super::Engine;
use super::command::Waiting;
use super::stop::Shutdown;
use crate::phase::{Phase, Reason, Signal};
use crate::plan::Id;
use crate::report::{Human, Report, ResourceReport};

/// Why the process is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastWords {
    /// By the watchdog, one second after the deadline.
    TimeIsUp,
    /// By one insisting signal more.
    Insisted(Signal),
}

impl Engine {
    /// Of several codes, the later in the list of rule E1 wins; a body's own code stands if nothing went wrong.
    pub(crate) fn exit_code(&self) -> u8 {
        let insisted =
            self.shutdown.as_ref().and_then(|shutdown| shutdown.hurried).and_then(|hurry| hurry.by);
        if let Some(number) = insisted.map(Signal::number).or(self.interrupted_by) {
            128 + number
        } else if self.was_cut {
            124
        } else if self.failures.iter().any(|failure| !failure.is_tolerated()) {
            1
        } else {
            self.body_code.unwrap_or(0)
        }
    }

    /// What there is to say when the process is ended from outside (rules D8 and D9), and the exit code then.
    pub(crate) fn last_words(&mut self, now: Duration, why: LastWords) -> (String, u8) {
        self.now = self.now.max(now);
        let has_stopped = self.phase == Phase::Stopped;
        self.was_cut |= !has_stopped;
        let code = match why {
            LastWords::Insisted(signal) => 128 + signal.number(),
            LastWords::TimeIsUp => self.exit_code(),
        };
        let why = match why {
            LastWords::Insisted(signal) => format!("{signal} again"),
            LastWords::TimeIsUp if has_stopped => {
                "the application has stopped, but the process did not end by itself".to_owned()
            }
            LastWords::TimeIsUp => "the deadline has passed, and the process is still here".to_owned(),
        };
        let mut text = format!("lifecycle: {why}: ending it now\n");
        for Waiting { id, doing, since, tasks } in self.turns_under_way() {
            let tasks = if tasks.is_empty() { String::new() } else { format!(": {}", tasks.join(", ")) };
            text +=
                &format!("  stuck:          {}, {doing} for {}{tasks}\n", self.plan.name(id), Human(since));
        }
        for (name, stuck) in self.plan.resources().map(|id| (self.plan.name(id), &self.slots[id].stuck_tasks))
        {
            if !stuck.is_empty() {
                text += &format!("  left behind:    {name}: {}\n", stuck.join(", "));
            }
        }
        let is_untouched = |id: &Id| {
            let slot = &self.slots[*id];
            slot.has_instance && slot.times.releasing.is_none()
        };
        let untouched = self.plan.names(self.plan.resources().filter(is_untouched));
        let untouched = if untouched.is_empty() { "nothing" } else { &untouched };
        text += &format!("  never released: {untouched}\n  exit code:      {code}\n");
        (text, code)
    }

    /// What happened so far.
    pub(crate) fn report(&self) -> Report {
        let (reason, stop_took) = match &self.shutdown {
            Some(Shutdown { reason, began, .. }) => (reason.clone(), Some(self.now - *began)),
            None => (Reason::Finished, None),
        };
        Report {
            reason,
            phases: self.phases.clone(),
            resources: self.plan.resources().map(|id| self.resource_report(id)).collect(),
            failures: self.failures.clone(),
            start_path: self.names(self.start_path()),
            stop_path: self.names(self.stop_path()),
            shutdown_timeout: self.budget.timeout(),
            stop_took,
            exit_code: self.exit_code(),
        }
    }

    fn resource_report(&self, id: Id) -> ResourceReport {
        let slot = &self.slots[id];
        let times = slot.times;
        let lasted = |from: Option<Duration>, to: Option<Duration>| Some(to.unwrap_or(self.now) - from?);
        ResourceReport {
            name: self.plan.name(id).to_owned(),
            foundation: self.plan.step(id).foundation,
            outcome: slot.outcome(),
            after: self.names(self.plan.after(id).to_vec()),
            was_acquired: slot.has_instance,
            acquire: lasted(times.acquiring, times.acquired.or(times.turn)),
            drain: lasted(times.turn, times.drained),
            release: lasted(times.releasing, times.released.or(times.gone)),
            in_flight: slot.in_flight,
            cut: slot.cut.in_flight,
            excused: slot.cut.excused,
            aborted_tasks: slot.aborted_tasks.clone(),
            stuck_tasks: slot.stuck_tasks.clone(),
        }
    }

    /// From the resource that was acquired last, back along what each waited for.
    fn start_path(&self) -> Vec<Id> {
        let acquired = |id: &Id| self.slots[*id].times.acquired;
        let mut path: Vec<Id> = Vec::new();
        let mut next = self.plan.resources().filter(|id| acquired(id).is_some()).max_by_key(acquired);
        while let Some(id) = next {
            path.insert(0, id);
            let beneath = self.plan.after(id).iter().copied();
            next = beneath.filter(|id| acquired(id).is_some()).max_by_key(acquired);
        }
        path
    }

    /// From the resource whose turn ended last, back along what each waited for.
    fn stop_path(&self) -> Vec<Id> {
        let began = self.shutdown.as_ref().map(|shutdown| shutdown.began);
        // Nobody waits for what was gone before the stop began, such as an optional resource that was not acquired.
        let had_a_turn = |id: &Id| {
            let times = self.slots[*id].times;
            let was_gone = times.gone.is_some_and(|gone| Some(gone) < began);
            *id != self.plan.main() && times.turn.is_some() && !was_gone
        };
        let gone = |id: &Id| self.slots[*id].times.gone;
        let mut path: Vec<Id> = Vec::new();
        // Of several that ended at the same time, the one that is beneath the others was waited for last.
        let mut next = self.plan.resources().rev().filter(had_a_turn).max_by_key(gone);
        while let Some(id) = next {
            path.insert(0, id);
            next = self.plan.before(id).iter().rev().copied().filter(had_a_turn).max_by_key(gone);
        }
        path
    }

    fn names(&self, ids: Vec<Id>) -> Vec<String> {
        ids.into_iter().map(|id| self.plan.name(id).to_owned()).collect()
    }
}
