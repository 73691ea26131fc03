//! Rules E1 and E2: the exit code and the report.

use std::time::Duration;

use super::notice::{Blame, Killing, LastWords};
use super::shutdown::Shutdown;
use super::{Counts, Engine};
use crate::model::TaskName;
use crate::model::exit_code::Ending;
use crate::model::failure::Failure;
use crate::model::graph::Id;
use crate::model::phase::{Phase, Reason};
use crate::model::report::{Report, ResourceReport};
use crate::model::signal::Signal;

impl Engine {
    pub(crate) fn exit_code(&self) -> u8 {
        let ending = Ending {
            is_misconfigured: self.failures.iter().any(Failure::blames_configuration),
            interrupted_by: self.hurried_by().or(self.interrupted_by),
            was_cut: self.was_cut,
            has_failed: self.has_failed(),
            body: self.body_code,
        };
        ending.exit_code()
    }

    /// What the exit code is for; nothing if all went well, or the body chose the code.
    pub(crate) fn blame(&self) -> Option<Blame> {
        let hurried = self.hurried_by().map(Blame::Hurried);
        let interrupted = self.interrupted_by.map(Blame::Interrupted);
        let cut_off = self.was_cut.then_some(Blame::CutOff);
        hurried.or(interrupted).or(cut_off).or(self.has_failed().then_some(Blame::Failed))
    }

    fn hurried_by(&self) -> Option<Signal> {
        self.shutdown.as_ref()?.hurried?.by
    }

    fn has_failed(&self) -> bool {
        self.failures.iter().any(|failure| !failure.is_tolerated())
    }

    /// What ended the application, or `Finished` if nothing has yet.
    pub(crate) fn reason(&self) -> Reason {
        self.shutdown.as_ref().map_or(Reason::Finished, |shutdown| shutdown.reason.clone())
    }

    /// The text and the exit code when the process is ended early (rules D8 and D9).
    pub(crate) fn last_words(&mut self, now: Duration, why: Killing, counts: &dyn Counts) -> LastWords {
        self.now = self.now.max(now);
        let has_stopped = self.phase == Phase::Stopped;
        self.was_cut |= !has_stopped;
        let left_behind = self.plan.resources().filter(|&id| !self.slots[id].stuck_tasks.is_empty());
        let is_untouched = |id: &Id| {
            let slot = &self.slots[*id];
            slot.has_instance && slot.times.releasing.is_none()
        };
        LastWords {
            why,
            has_stopped,
            stuck: self.turns_under_way(counts),
            left_behind: left_behind.map(|id| (self.name(id), self.slots[id].stuck_tasks.clone())).collect(),
            never_released: self.names(self.plan.resources().filter(is_untouched).collect()),
            exit_code: match why {
                Killing::Insisted(signal) => signal.exit_code(),
                Killing::TimeIsUp => self.exit_code(),
            },
        }
    }

    /// The failures that came when the report had been given to be said.
    pub(crate) fn unreported(&self) -> &[Failure] {
        self.reported.map_or(&[], |reported| &self.failures[reported..])
    }

    /// Whether the report was passed to the log.
    pub(crate) fn is_reported(&self) -> bool {
        self.reported.is_some()
    }

    /// What happened so far.
    pub(crate) fn report(&self) -> Report {
        self.report_at(self.now)
    }

    /// The same, with what is under way measured until `now`.
    pub(crate) fn report_at(&self, now: Duration) -> Report {
        let now = if self.is_over { self.now } else { self.now.max(now) };
        let stop_took = self.shutdown.as_ref().map(|Shutdown { began, .. }| now - *began);
        Report {
            reason: self.reason(),
            phases: self.phases.clone(),
            signals: self.signals.clone(),
            resources: self.plan.resources().map(|id| self.resource_report(id, now)).collect(),
            failures: self.failures.clone(),
            reloads: self.reloads(),
            start_path: self.names(self.start_path()),
            stop_path: self.names(self.stop_path()),
            shutdown_timeout: self.budget.timeout(),
            stop_took,
            exit_code: self.exit_code(),
            exit: None,
        }
    }

    fn resource_report(&self, id: Id, now: Duration) -> ResourceReport {
        let slot = &self.slots[id];
        let times = slot.times;
        let lasted = |from: Option<Duration>, to: Option<Duration>| Some(to.unwrap_or(now) - from?);
        ResourceReport {
            name: self.plan.name(id),
            foundation: self.plan.step(id).foundation,
            outcome: slot.outcome(),
            after: self.plan.names(self.plan.after(id).iter().copied()),
            was_acquired: slot.has_instance,
            acquire_began: times.acquiring,
            drain_began: times.turn,
            release_began: times.releasing,
            ended: times.gone,
            acquire: lasted(times.acquiring, times.acquired.or(times.turn)),
            drain: lasted(times.turn, times.drained),
            release: lasted(times.releasing, times.released.or(times.gone)),
            in_flight: slot.units.in_flight(),
            in_flight_by_kind: slot.units,
            cut: slot.cut_units.all(),
            cut_by_kind: slot.cut_units,
            excused: slot.excused(),
            aborted_tasks: owned(&slot.aborted_tasks),
            stuck_tasks: owned(&slot.stuck_tasks),
        }
    }

    /// From the resource that was acquired last, back along what each waited for.
    fn start_path(&self) -> Vec<Id> {
        let acquired = |id: &Id| self.slots[*id].times.acquired;
        let mut path: Vec<Id> = Vec::new();
        let mut next = self.plan.resources().filter(|id| acquired(id).is_some()).max_by_key(acquired);
        while let Some(id) = next {
            path.push(id);
            let beneath = self.plan.after(id).iter().copied();
            next = beneath.filter(|id| acquired(id).is_some()).max_by_key(acquired);
        }
        path.reverse();
        path
    }

    /// From the resource whose turn ended last, back along what each waited for.
    fn stop_path(&self) -> Vec<Id> {
        let began = self.shutdown.as_ref().map(|shutdown| shutdown.began);
        // Nothing waited for a resource that was gone before the stop, such as an optional one that failed.
        let had_a_turn = |id: &Id| {
            let times = self.slots[*id].times;
            let was_gone = times.gone.is_some_and(|gone| Some(gone) < began);
            *id != self.plan.main() && times.turn.is_some() && !was_gone
        };
        let gone = |id: &Id| self.slots[*id].times.gone;
        let mut path: Vec<Id> = Vec::new();
        // Of several that ended at the same time, the lowest in the graph was waited for last.
        let mut next = self.plan.resources().rev().filter(had_a_turn).max_by_key(gone);
        while let Some(id) = next {
            path.push(id);
            next = self.plan.before(id).iter().rev().copied().filter(had_a_turn).max_by_key(gone);
        }
        path.reverse();
        path
    }
}

fn owned(names: &[TaskName]) -> Vec<String> {
    names.iter().map(|name| name.as_ref().to_owned()).collect()
}
