//! What may be commanded, and when.

use super::book::Why;
use super::rules::{MOMENT, ensure};
use super::state::{Abort, Acquisition, Release};
use super::world::{Verdict, World};
use crate::engine::command::Command;
use crate::engine::settings::BodyKind;
use crate::model::graph::Id;
use crate::model::phase::Phase;
use crate::model::report::Outcome;

impl World<'_> {
    pub(super) fn check_command(&mut self, command: &Command) -> Verdict {
        if self.book.exited.is_some() {
            return Err(format!("{command:?} came after the exit"));
        }
        let is_late = matches!(command, Command::Abort(_) | Command::Exit(_));
        ensure(!self.book.is_ended || is_late, || format!("{command:?} came after the end"))?;
        match *command {
            Command::Enter(phase) => self.check_phase(phase),
            Command::Acquire(id) => self.check_acquire(id),
            Command::CancelAcquire(id) => self.check_cancel(id),
            Command::RunMain => {
                let is_due = self.book.phase == Phase::Running && !self.body.may_run;
                ensure(is_due && self.frame.app.settings.body != BodyKind::Empty, || "no body is due".into())
            }
            Command::Deadline(deadline) => {
                let whole = self.now + self.frame.app.settings.shutdown_timeout;
                let is_first = self.book.told_deadline.is_none() && deadline == whole;
                ensure(is_first || self.book.deadline == Some(deadline), || {
                    format!("the deadline is {:?}, and not {deadline:?}", self.book.deadline)
                })
            }
            Command::FireDraining => {
                let is_due = self.book.phase == Phase::Draining && !self.book.is_draining_fired;
                ensure(is_due, || "the process-wide notice came when it was not due".into())
            }
            Command::Drain(id) => self.check_turn(id),
            Command::AbortTasks(id) => self.check_abort_tasks(id),
            Command::Release(id) => self.check_release(id),
            Command::CutRelease(id) => {
                let is_due =
                    self.things[id].release == Release::UnderWay && self.is_past(self.release_limit(id));
                ensure(is_due, || format!("the release of r{id} was cut off before its time was over"))
            }
            Command::Abort(id) => self.check_abort(id),
            Command::BeginReload | Command::Reload(_) | Command::CancelReload(_) | Command::EndReload => {
                self.check_reload(command)
            }
            Command::ForgetErrors => Ok(()),
            Command::End => {
                ensure(self.book.phase == Phase::Stopped, || "the end came before the phase".into())?;
                self.check_end()
            }
            Command::Exit(signal) => ensure(self.book.must_exit.take() == Some(signal), || {
                format!("the process was ended for {signal}, which does not insist a second time")
            }),
        }
    }

    fn check_phase(&mut self, phase: Phase) -> Verdict {
        let was = self.book.phase;
        let (is_due, why) = match phase {
            Phase::Starting => (false, "it does not start twice"),
            Phase::Running => {
                let is_due = was == Phase::Starting && self.book.is_started && self.book.trigger.is_none();
                let is_there = (0..self.frame.main()).all(|id| self.things[id].is_settled);
                (is_due && is_there, "something is not there yet")
            }
            Phase::Draining => {
                self.look_for_a_reason();
                let is_due = matches!(was, Phase::Starting | Phase::Running) && self.book.trigger.is_some();
                (is_due, "there is no reason to stop")
            }
            Phase::Stopping => {
                (was == Phase::Draining && self.now >= self.book.delay_ends, "it is too early")
            }
            Phase::Stopped => {
                let is_over = (0..self.things.len()).all(|id| self.ends_its_turn(id));
                (was == Phase::Stopping && is_over, "not every turn is over")
            }
        };
        ensure(is_due, || format!("{phase} came after {was}: {why}"))
    }

    /// A stop that nobody asked for has a reason in what was seen.
    pub(super) fn look_for_a_reason(&mut self) {
        if self.book.trigger.is_some() {
            return;
        }
        let is_late = |id: &Id| match self.things[*id].acquisition {
            Acquisition::UnderWay { since } => self.is_past(self.acquire_limit(*id, since)),
            _ => false,
        };
        if self.book.has_failed {
            for late in (0..self.frame.main()).filter(is_late).collect::<Vec<Id>>() {
                self.book.may_fail[late] = 1;
            }
            self.stop(Why::Failed);
        } else if self.book.phase == Phase::Running && self.has_nothing_to_live_for() {
            if self.frame.app.settings.body == BodyKind::Empty && !self.book.has_spawned {
                self.fails(self.frame.main());
                self.stop(Why::Failed);
            } else {
                self.stop(Why::Finished);
            }
        }
    }

    /// S2.
    fn check_acquire(&self, id: Id) -> Verdict {
        let is_due = self.book.is_started && self.book.phase == Phase::Starting;
        let is_first = self.things[id].acquisition == Acquisition::None;
        ensure(is_due && is_first, || format!("r{id} is not due to be acquired"))?;
        ensure(self.is_settled(id), || format!("r{id} was acquired before what it needs"))
    }

    /// S3, S4.
    fn check_cancel(&self, id: Id) -> Verdict {
        let Acquisition::UnderWay { since } = self.things[id].acquisition else {
            return Err(format!("the acquisition of r{id} was cancelled, and there is none"));
        };
        let is_due = self.book.trigger.is_some() || self.is_past(self.acquire_limit(id, since));
        ensure(is_due, || format!("the acquisition of r{id} was cancelled before its time was over"))
    }

    /// D5, S6.
    fn check_turn(&mut self, id: Id) -> Verdict {
        let thing = &self.things[id];
        ensure(thing.turn.is_none() && self.was_begun(id), || format!("no turn of r{id} is due"))?;
        let may_be_missing =
            self.frame.app.resources.get(id).is_some_and(|spec| spec.necessity.may_be_missing());
        if self.book.phase == Phase::Starting && may_be_missing {
            let has_given_up = thing.is_settled && !thing.has_instance;
            return ensure(has_given_up, || format!("the turn of r{id} came before there was a reason"));
        }
        ensure(self.book.phase == Phase::Stopping, || format!("the turn of r{id} came before the stop"))?;
        match self.frame.before[id].iter().find(|&&above| !self.ends_its_turn(above)) {
            Some(above) => Err(format!("the turn of r{id} came before that of r{above} was over")),
            None => Ok(()),
        }
    }

    /// D6, R5.
    fn check_abort_tasks(&self, id: Id) -> Verdict {
        let thing = &self.things[id];
        let is_due = thing.turn.is_some() && thing.aborted.is_none() && thing.release == Release::None;
        ensure(is_due && !thing.is_gone, || format!("no tasks of r{id} are due to be aborted"))?;
        ensure(!self.is_idle(id), || format!("the tasks of r{id} were aborted, and there were none"))?;
        let is_deaf_body = id == self.frame.main() && self.body_is_deaf();
        let is_late = self.now >= self.drain_limit(id);
        ensure(is_late || is_deaf_body, || {
            format!("the tasks of r{id} were aborted before their time was over")
        })
    }

    /// D5, D6, R1.
    fn check_release(&self, id: Id) -> Verdict {
        let thing = &self.things[id];
        let is_due = thing.turn.is_some() && thing.has_instance && thing.release == Release::None;
        ensure(is_due && thing.abort == Abort::None, || format!("no release of r{id} is due"))?;
        let was_cut_off = self.is_past(self.join_limit(id));
        ensure(self.is_idle(id) || was_cut_off, || format!("r{id} was released before it was drained"))?;
        let must_be_reported = self.frame.app.resources[id].foundation && !thing.is_early;
        ensure(self.book.is_reported || !must_be_reported, || {
            format!("the foundation r{id} was released before the report")
        })
    }

    /// D7.
    fn check_abort(&self, id: Id) -> Verdict {
        let thing = &self.things[id];
        ensure(thing.has_instance && thing.abort == Abort::None, || format!("no abort of r{id} is due"))?;
        let is_due = match thing.release {
            // It came when its turn was over.
            Release::None => thing.is_gone || self.book.is_ended,
            Release::UnderWay | Release::Done => false,
            Release::CutOff { since } => self.is_past(self.answer_limit(id, since)),
            Release::Failed => true,
        };
        ensure(is_due, || format!("r{id} was aborted, and its release was not over"))
    }

    /// E2.
    pub(super) fn check_report(&mut self) -> Verdict {
        ensure(!self.book.is_reported, || "the report came twice".into())?;
        self.book.is_reported = true;
        let is_due = |id: &Id| {
            let is_foundation = self.frame.app.resources.get(*id).is_some_and(|spec| spec.foundation);
            is_foundation || self.is_over(*id)
        };
        ensure((0..self.things.len()).all(|id| is_due(&id)), || {
            "the report came before everything but the foundations was released".into()
        })
    }

    pub(super) fn check_last_word(&mut self) -> Verdict {
        let is_first = !std::mem::replace(&mut self.book.is_last_word_said, true);
        ensure(is_first && self.book.is_reported, || "the last word came too early, or twice".into())
    }

    /// D2, E1, E2.
    fn check_end(&self) -> Verdict {
        ensure(self.book.is_last_word_said, || "it ended before its last word".into())?;
        let slack = MOMENT * self.things.len() as u32;
        let is_in_time = self.book.was_frozen || self.book.deadline.is_some_and(|at| self.now <= at + slack);
        ensure(is_in_time, || format!("it ended after its deadline {:?}", self.book.deadline))?;
        let (code, expected) = (self.engine.exit_code(), self.book.exit_code());
        ensure(code == expected, || format!("the exit code is {code}, and should be {expected}"))?;
        let report = self.engine.report();
        for (id, resource) in report.resources.iter().enumerate() {
            let was_reported_begun = resource.outcome != Outcome::NeverStarted;
            let is_right = was_reported_begun == self.was_begun(id)
                && resource.was_acquired == self.things[id].has_instance;
            ensure(is_right, || format!("r{id} is reported wrongly: {resource:?}"))?;
        }
        ensure(report.exit_code == code, || "the report has another exit code".into())
    }
}
