//! What can happen next.

use super::application::{Outside, Spawning};
use super::state::{Abort, Acquisition, Fault, How, Move, Release, Reload, Step, Task};
use super::world::{Verdict, World};
use crate::engine::settings::{BodyKind, Ending};
use crate::model::graph::Id;
use crate::model::phase::Phase;

impl World<'_> {
    /// Whether nothing can happen any more that matters.
    pub(super) fn is_final(&self) -> bool {
        let is_over = self.book.is_ended && self.frame.app.settings.ending == Ending::Application;
        self.book.exited.is_some() || is_over && !self.things.iter().any(|thing| thing.acquisition.is_alive())
    }

    /// Everything that can happen next. It is an error if nothing can, and nobody waits for something from outside.
    pub(super) fn moves(&mut self, steps: &mut Steps) -> Verdict {
        steps.0.clear();
        if self.book.is_ended {
            self.moves_after_the_end(steps);
            return Ok(());
        }
        if !self.book.is_started {
            steps.add(Move::Start);
        }
        for id in 0..self.frame.main() {
            self.moves_of(id, steps);
        }
        self.moves_of_the_body(steps);
        let wake = self.wake;
        let can_go_on = !steps.0.is_empty() || wake.is_some();
        let waits_for_outside = self.book.phase == Phase::Running;
        if !can_go_on && !waits_for_outside {
            return Err("it is stuck: nothing can happen, and no limit is set".to_owned());
        }
        self.moves_from_outside(steps);
        let bounds = &self.frame.app.bounds;
        if bounds.at_limits && wake.is_some() {
            let at_limit = |step: &Step| Step { is_at_limit: true, ..*step };
            let again: Vec<Step> = steps.0.iter().filter(|step| step.what.is_told()).map(at_limit).collect();
            steps.0.extend(again);
        }
        if let Some(wake) = wake {
            if wake <= self.now {
                return Err(format!("it asks to be woken at {wake:?}, which is over"));
            }
            if self.left.limits != Some(0) {
                steps.add(Move::Wake);
            }
        }
        if self.left.pauses > 0 && wake.is_none_or(|wake| wake > self.now + super::world::PAUSE) {
            steps.add(Move::Pause);
        }
        if self.left.freezes > 0 && self.book.deadline.is_some() {
            steps.add(Move::Freeze);
        }
        Ok(())
    }

    fn moves_of(&self, id: Id, steps: &mut Steps) {
        let (thing, spec) = (&self.things[id], &self.frame.app.resources[id]);
        let is_spawning = thing.tasks.contains(&Task::Entered);
        if thing.is_gone && !self.frame.app.bounds.leftovers {
            // All that the engine has to answer.
            if thing.acquisition.is_alive() && !is_spawning {
                steps.add(Move::Acquired(id));
            }
            return;
        }
        let every_fault = self.frame.app.bounds.every_fault;
        let may_fail = self.left.faults > 0;
        if thing.acquisition.is_alive() && !is_spawning {
            steps.add(Move::Acquired(id));
            if spec.necessity.may_be_missing() || every_fault && may_fail {
                steps.add(Move::Skips(id));
            }
            if thing.acquisition == Acquisition::CalledBack {
                steps.add(Move::AcquisitionIsDropped(id));
            }
            if may_fail {
                steps.add(Move::AcquireFails(id, Fault::Error));
                if every_fault {
                    steps.add(Move::AcquireFails(id, Fault::Panic));
                }
                if every_fault && thing.acquisition != Acquisition::CalledBack {
                    steps.add(Move::AcquireFails(id, Fault::Lost));
                }
            }
        }
        self.moves_of_tasks(id, steps);
        let was_begun = thing.acquisition != Acquisition::None;
        if was_begun && thing.guards_left > 0 && !self.counters.of(id).is_closed {
            steps.add(Move::GuardEnters(id));
        }
        if thing.guards > 0 {
            steps.add(Move::GuardLeaves(id));
        }
        if thing.is_drained_untold {
            steps.add(Move::GuardTells(id));
        }
        if thing.release_is_alive {
            steps.add(Move::Released(id));
            if let Release::CutOff { .. } | Release::Failed = thing.release {
                steps.add(Move::ReleaseIsDropped(id));
            }
            if may_fail {
                steps.add(Move::ReleaseFails(id, Fault::Error));
                if every_fault {
                    steps.add(Move::ReleaseFails(id, Fault::Panic));
                    steps.add(Move::ReleaseFails(id, Fault::Lost));
                }
            }
        }
        if thing.reload != Reload::None {
            steps.add(Move::Reloaded(id));
            if matches!(thing.reload, Reload::CalledBack { .. }) {
                steps.add(Move::ReloadIsDropped(id));
            }
            if may_fail {
                steps.add(Move::ReloadFails(id, Fault::Error));
                if every_fault {
                    steps.add(Move::ReloadFails(id, Fault::Panic));
                    steps.add(Move::ReloadFails(id, Fault::Lost));
                }
            }
        }
        if thing.abort == Abort::Called {
            steps.add(Move::Aborted(id));
            if may_fail {
                steps.add(Move::AbortPanics(id));
            }
        }
    }

    fn moves_of_tasks(&self, id: Id, steps: &mut Steps) {
        let (thing, spec) = (&self.things[id], &self.frame.app.resources[id]);
        let every_fault = self.frame.app.bounds.every_fault;
        let may_fail = self.left.faults > 0;
        let was_begun = thing.acquisition != Acquisition::None;
        for number in 0..spec.tasks.len() {
            match thing.tasks[number] {
                // One after the other.
                Task::None if number > 0 && thing.tasks[number - 1] == Task::None => {}
                Task::None => {
                    let is_free = spec.spawning == Spawning::AnyTime;
                    if is_free && was_begun && !self.counters.of(id).is_closed {
                        steps.add(Move::TaskEnters(id, number));
                    }
                }
                Task::Entered => steps.add(Move::TaskTellsStart(id, number)),
                Task::Alive => {
                    steps.add(Move::TaskLeaves(id, number));
                    if may_fail && spec.errors_hold.is_some_and(|of| !self.counters.of(of).is_closed) {
                        steps.add(Move::TaskLeavesHolding(id, number));
                    }
                }
                Task::Left { holds, may_be_dropped, .. } => {
                    if !holds {
                        steps.add(Move::TaskTellsEnd(id, number, How::Done));
                        if may_be_dropped || every_fault && may_fail {
                            steps.add(Move::TaskTellsEnd(id, number, How::Dropped));
                        }
                        if every_fault && may_fail {
                            steps.add(Move::TaskTellsEnd(id, number, How::Panicked));
                        }
                    }
                    if may_fail || holds {
                        steps.add(Move::TaskTellsEnd(id, number, How::Failed));
                    }
                }
                Task::Gone => {}
            }
        }
    }

    fn moves_of_the_body(&self, steps: &mut Steps) {
        let (body, kind) = (self.body, self.frame.app.settings.body);
        if !body.exists {
            return;
        }
        let every_fault = self.frame.app.bounds.every_fault;
        let was_aborted = self.things[self.frame.main()].aborted.is_some();
        match kind {
            BodyKind::Empty => {}
            BodyKind::Written => {
                if body.may_run && !body.listens {
                    steps.add(Move::BodyListens);
                }
                if body.may_run {
                    steps.add(Move::BodyEnds(How::Done));
                    if every_fault {
                        steps.add(Move::BodyEnds(How::WithCode));
                    }
                }
                if body.may_run && self.left.faults > 0 {
                    steps.add(Move::BodyEnds(How::Failed));
                    if every_fault {
                        steps.add(Move::BodyEnds(How::Panicked));
                    }
                }
                if was_aborted || self.book.was_owner_dropped {
                    steps.add(Move::BodyEnds(How::Dropped));
                }
            }
            // It cannot be dropped, and calls `run` in the end.
            BodyKind::Host if self.book.was_owner_dropped => steps.add(Move::BodyEnds(How::Dropped)),
            BodyKind::Host if body.may_run => steps.add(Move::BodyEnds(How::Done)),
            BodyKind::Host => {}
        }
    }

    fn moves_from_outside(&self, steps: &mut Steps) {
        if self.left.outside == 0 {
            return;
        }
        let settings = &self.frame.app.settings;
        for &outside in &self.frame.app.bounds.from_outside {
            let can_come = match outside {
                Outside::OwnerDropped => {
                    settings.ending == Ending::Application
                        && self.book.is_started
                        && !self.book.was_owner_dropped
                }
                Outside::Serves => !self.book.serves,
                Outside::Shutdown | Outside::Reload => self.book.trigger.is_none(),
                Outside::Signal(_) | Outside::Insist | Outside::PreStop | Outside::Fail => true,
            };
            if can_come {
                steps.add(Move::FromOutside(outside));
            }
        }
    }

    /// What the engine still has to answer: an instance that comes too late, and a signal when the process goes on.
    fn moves_after_the_end(&self, steps: &mut Steps) {
        for (id, thing) in self.things.iter().enumerate() {
            if thing.acquisition.is_alive() && !thing.tasks.contains(&Task::Entered) {
                steps.add(Move::Acquired(id));
            }
        }
        if self.frame.app.settings.ending == Ending::Process && self.left.outside > 0 {
            for &outside in &self.frame.app.bounds.from_outside {
                if let Outside::Signal(_) = outside {
                    steps.add(Move::FromOutside(outside));
                }
            }
            if self.left.pauses > 0 {
                steps.add(Move::Pause);
            }
        }
    }
}

/// Steps that can be taken.
#[derive(Debug, Default)]
pub(super) struct Steps(pub(super) Vec<Step>);

impl Steps {
    fn add(&mut self, what: Move) {
        self.0.push(Step { what, is_at_limit: false });
    }
}

impl Move {
    /// Whether the engine hears of it.
    fn is_told(self) -> bool {
        !matches!(
            self,
            Self::TaskEnters(..) | Self::TaskLeaves(..) | Self::GuardEnters(_) | Self::GuardLeaves(_)
        )
    }
}
