//! Everything around the engine: what exists at a moment, and what can happen next.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::application::{Application, Outside, Spawning, TASKS, ms};
use super::book::{Book, Current};
use super::state::{
    Abort, Acquisition, Body, Counters, Fault, How, Left, Move, Release, Reload, Step, Task, Thing, cause,
};
use crate::engine::Engine;
use crate::engine::command::{Command, Output};
use crate::engine::event::{BodyEnd, Event, Rest, TaskEnd, TaskKind};
use crate::engine::settings::BodyKind;
use crate::model::failure::Cause;
use crate::model::graph::{Graph, Id};
use crate::model::phase::Phase;

/// An error in words, if a rule is broken.
pub(super) type Verdict = Result<(), String>;

/// More than what makes two signals one (rule D8).
pub(super) const PAUSE: Duration = ms(600);

/// What does not change while an application is explored.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) app: &'a Application,
    pub(super) plan: Arc<Graph>,
    pub(super) after: Vec<Vec<Id>>,
    pub(super) before: Vec<Vec<Id>>,
    pub(super) reserves: Vec<Duration>,
    /// Time set aside for everything beneath (rule D6).
    pub(super) tails: Vec<Duration>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(app: &'a Application) -> Self {
        let (after, reserves) = (app.edges(), app.reserves());
        let above = |id: Id| (0..after.len()).filter(|&other| after[other].contains(&id)).collect();
        let before = (0..after.len()).map(above).collect();
        let mut tails: Vec<Duration> = Vec::new();
        for beneath in &after {
            tails.push(beneath.iter().map(|&id| reserves[id] + tails[id]).max().unwrap_or_default());
        }
        let longest = reserves.iter().zip(&tails).map(|(reserve, tail)| *reserve + *tail).max();
        assert!(longest.unwrap_or_default() <= app.settings.shutdown_timeout / 2, "no reserve is scaled");
        Self { app, plan: app.plan(), after, before, reserves, tails }
    }

    pub(super) fn main(&self) -> Id {
        self.app.main()
    }
}

/// One state of everything.
#[derive(Clone, Debug)]
pub(super) struct World<'a> {
    pub(super) frame: &'a Frame<'a>,
    pub(super) engine: Engine,
    pub(super) now: Duration,
    /// The resources, and the body of `main` behind them.
    pub(super) things: Vec<Thing>,
    pub(super) counters: Counters,
    pub(super) body: Body,
    pub(super) left: Left,
    pub(super) book: Book,
    /// What came before the start: it counts from the start on.
    pub(super) early: Vec<Outside>,
    /// When the engine wants to be woken.
    pub(super) wake: Option<Duration>,
    /// What the engine is told next, by whoever has just been started.
    pub(super) next: VecDeque<Event>,
}

impl<'a> World<'a> {
    pub(super) fn new(frame: &'a Frame<'a>) -> Self {
        let app = frame.app;
        let mut engine = Engine::new(Arc::clone(&frame.plan), app.settings.clone());
        engine.set_audience(false);
        let has_body = app.settings.body != BodyKind::Empty;
        let things = (0..=app.main()).map(|id| {
            let spec = app.resources.get(id);
            let is_supplied = spec.is_some_and(|spec| spec.is_supplied);
            Thing {
                acquisition: if is_supplied { Acquisition::Over } else { Acquisition::None },
                was_called_back: false,
                has_instance: is_supplied,
                is_settled: is_supplied,
                tasks: [Task::None; TASKS],
                guards: 0,
                guards_left: spec.map_or(0, |spec| spec.guards),
                held: 0,
                is_drained_untold: false,
                turn: None,
                is_early: false,
                aborted: None,
                counted: false,
                release: Release::None,
                release_is_alive: false,
                abort: Abort::None,
                reload: Reload::None,
                is_gone: false,
            }
        });
        let counters = Counters(vec![Cell::default(); app.main() + 1]);
        if has_body {
            counters.enter(app.main(), false);
        }
        let bounds = &app.bounds;
        Self {
            frame,
            engine,
            now: Duration::ZERO,
            things: things.collect(),
            counters,
            body: Body { exists: has_body, may_run: false, listens: false },
            left: Left {
                outside: bounds.outside,
                faults: bounds.faults,
                limits: bounds.limits,
                pauses: bounds.pauses,
                freezes: bounds.freezes,
            },
            book: Book::new(app.settings.serves),
            early: Vec::new(),
            wake: None,
            next: VecDeque::new(),
        }
    }

    /// One step further. `hear` gets what the engine says to it.
    pub(super) fn step(&mut self, step: Step, hear: &mut dyn FnMut(&Output)) -> Verdict {
        if step.is_at_limit {
            self.now = self.wake.expect("there is a limit");
        }
        let event = self.happens(step.what);
        self.next.extend(event);
        while let Some(event) = self.next.pop_front() {
            self.tell(event, hear)?;
            if self.next.is_empty() {
                self.check_state()?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, event: Event, hear: &mut dyn FnMut(&Output)) -> Verdict {
        let known = self.engine.failures().len();
        self.engine.handle(self.now, event, &self.counters);
        while let Some(output) = self.engine.next_output() {
            hear(&output);
            match output {
                Output::Do(command) => {
                    self.check_command(&command)?;
                    self.carry_out(&command);
                }
                Output::Say(_) | Output::Gone(..) => {}
                Output::Report(_) => self.check_report()?,
                Output::LastWord => self.check_last_word()?,
            }
        }
        self.check_failures(known)
    }

    /// What the driver does.
    fn carry_out(&mut self, command: &Command) {
        let now = self.now;
        match *command {
            Command::Enter(phase) => {
                self.book.phase = phase;
                self.book.has_run |= phase == Phase::Running;
            }
            Command::Acquire(id) => {
                self.things[id].acquisition = Acquisition::UnderWay { since: now };
                let spec = &self.frame.app.resources[id];
                // It may be its turn already, and over: then none is spawned.
                if spec.spawning == Spawning::AtOnce && !self.counters.of(id).is_closed {
                    for number in 0..spec.tasks.len() {
                        self.counters.enter(id, false);
                        let start = self.start_of(id, number);
                        self.next.push_back(start);
                    }
                }
            }
            Command::CancelAcquire(id) => {
                let thing = &mut self.things[id];
                (thing.acquisition, thing.was_called_back) = (Acquisition::CalledBack, true);
                // It was not in time (rule S3).
                if self.book.trigger.is_none() {
                    self.gives_up(id);
                }
            }
            Command::RunMain => (self.body.may_run, self.book.body_is_alive) = (true, true),
            Command::Deadline(deadline) => self.book.told_deadline = Some(deadline),
            Command::FireDraining => self.book.is_draining_fired = true,
            Command::Drain(id) => {
                self.things[id].turn = Some(now);
                self.things[id].is_early = self.book.trigger.is_none();
            }
            Command::AbortTasks(id) => self.abort_tasks(id),
            Command::Release(id) => {
                if !self.is_idle(id) {
                    self.leave_behind(id);
                }
                (self.things[id].release, self.things[id].release_is_alive) = (Release::UnderWay, true);
            }
            Command::CutRelease(id) => self.things[id].release = Release::CutOff { since: now },
            Command::Abort(id) => {
                if let Release::UnderWay | Release::CutOff { .. } = self.things[id].release {
                    self.cut_release_off(id);
                }
                self.things[id].abort = Abort::Called;
            }
            Command::BeginReload => self.book.reload = Some(Current::default()),
            Command::Reload(id) => {
                self.book.reload = Some(Current { last: Some(id), hook: Some(id) });
                if self.counters.of(id).is_closed {
                    // Its turn has begun meanwhile.
                    self.next.push_back(Event::Reloaded(id, Err(Cause::Lost)));
                } else {
                    self.counters.enter(id, false);
                    self.things[id].reload = Reload::UnderWay { since: now };
                }
            }
            Command::CancelReload(id) => {
                if let Reload::UnderWay { .. } = self.things[id].reload {
                    self.things[id].reload = Reload::CalledBack { since: now };
                }
            }
            Command::EndReload => self.book.reload = None,
            Command::ForgetErrors => self.forget_errors(),
            Command::End => self.book.is_ended = true,
            Command::Exit(signal) => self.book.exited = Some(signal),
        }
    }

    /// The next one has its turn.
    fn reload_ends(&mut self, id: Id) {
        if let Some(current) = &mut self.book.reload {
            current.hook.take_if(|hook| *hook == id);
        }
    }

    fn reload_leaves(&mut self, id: Id, result: Result<(), Cause>) -> Option<Event> {
        self.reload_ends(id);
        self.things[id].reload = Reload::None;
        self.things[id].is_drained_untold |= self.counters.leave(id, false) == Rest::Drained;
        Some(Event::Reloaded(id, result))
    }

    fn forget_errors(&mut self) {
        for id in 0..self.things.len() {
            for _ in 0..std::mem::take(&mut self.things[id].held) {
                self.things[id].is_drained_untold |= self.counters.leave(id, false) == Rest::Drained;
            }
        }
    }

    fn start_of(&mut self, id: Id, number: usize) -> Event {
        self.things[id].tasks[number] = Task::Alive;
        let kind = self.frame.app.resources[id].tasks[number];
        self.book.task_starts(kind);
        Event::TaskStarted { owner: id, task: task_id(id, number), name: "t".into(), kind }
    }

    fn is_fault(&self, what: Move) -> bool {
        match what {
            Move::AcquireFails(..)
            | Move::TaskLeavesHolding(..)
            | Move::ReleaseFails(..)
            | Move::ReloadFails(..)
            | Move::AbortPanics(_)
            | Move::BodyEnds(How::Failed | How::Panicked) => true,
            // What holds a guard has been counted.
            Move::TaskTellsEnd(id, number, How::Failed | How::Panicked) => {
                !matches!(self.things[id].tasks[number], Task::Left { holds: true, .. })
            }
            // A task that nobody told to go is lost with its runtime.
            Move::TaskTellsEnd(id, number, How::Dropped) => {
                !matches!(self.things[id].tasks[number], Task::Left { may_be_dropped: true, .. })
            }
            Move::Skips(id) => !self.frame.app.resources[id].necessity.may_be_missing(),
            _ => false,
        }
    }

    fn task_leaves(&mut self, id: Id, number: usize, holds: bool) {
        let thing = &mut self.things[id];
        let may_be_dropped = match self.frame.app.resources[id].tasks[number] {
            TaskKind::Supervised => thing.aborted.is_some(),
            TaskKind::Background => thing.turn.is_some(),
        };
        thing.tasks[number] = Task::Left { rest: self.counters.leave(id, false), holds, may_be_dropped };
    }

    fn is_excused(&self, id: Id) -> bool {
        self.frame.app.resources[id].is_excused
    }

    /// Makes it happen. Returns what the engine is told.
    fn happens(&mut self, what: Move) -> Option<Event> {
        self.left.faults -= u8::from(self.is_fault(what));
        match what {
            Move::Start => {
                self.book.is_started = true;
                for outside in std::mem::take(&mut self.early) {
                    self.comes(outside);
                }
                Some(Event::Start)
            }
            Move::Acquired(id) => {
                let thing = &mut self.things[id];
                thing.acquisition = Acquisition::Over;
                (thing.has_instance, thing.is_settled) = (true, true);
                Some(Event::Acquired(id))
            }
            Move::AcquireFails(id, fault) => {
                self.things[id].acquisition = Acquisition::Over;
                self.gives_up(id);
                Some(match fault {
                    Fault::Lost => Event::AcquireDropped(id),
                    Fault::Error | Fault::Panic => Event::AcquireFailed(id, cause(fault)),
                })
            }
            Move::Skips(id) => {
                self.things[id].acquisition = Acquisition::Over;
                if self.frame.app.resources[id].necessity.may_be_missing() {
                    self.things[id].is_settled = true;
                } else {
                    // Others count on it.
                    self.gives_up(id);
                }
                Some(Event::AcquireSkipped(id))
            }
            Move::AcquisitionIsDropped(id) => {
                self.things[id].acquisition = Acquisition::Over;
                Some(Event::AcquireDropped(id))
            }
            Move::TaskEnters(id, number) => {
                self.counters.enter(id, false);
                self.things[id].tasks[number] = Task::Entered;
                None
            }
            Move::TaskTellsStart(id, number) => Some(self.start_of(id, number)),
            Move::TaskLeaves(id, number) => {
                self.task_leaves(id, number, false);
                None
            }
            Move::TaskLeavesHolding(id, number) => {
                let of = self.frame.app.resources[id].errors_hold.expect("it can be held");
                self.counters.enter(of, false);
                self.things[of].held += 1;
                self.task_leaves(id, number, true);
                None
            }
            Move::TaskTellsEnd(id, number, how) => {
                let Task::Left { rest, .. } = self.things[id].tasks[number] else { unreachable!() };
                self.things[id].tasks[number] = Task::Gone;
                self.task_ends(id, number, how);
                let end = match how {
                    How::Done | How::WithCode => TaskEnd::Done,
                    How::Failed => TaskEnd::Failed(cause(Fault::Error)),
                    How::Panicked => TaskEnd::Failed(cause(Fault::Panic)),
                    How::Dropped => TaskEnd::Dropped,
                };
                Some(Event::TaskEnded { owner: id, task: task_id(id, number), end, rest })
            }
            Move::GuardEnters(id) => {
                self.counters.enter(id, self.is_excused(id));
                self.things[id].guards += 1;
                self.things[id].guards_left -= 1;
                None
            }
            Move::GuardLeaves(id) => {
                self.things[id].guards -= 1;
                let rest = self.counters.leave(id, self.is_excused(id));
                self.things[id].is_drained_untold |= rest == Rest::Drained;
                None
            }
            Move::GuardTells(id) => {
                self.things[id].is_drained_untold = false;
                Some(Event::Drained(id))
            }
            Move::Released(id) => {
                self.things[id].release_is_alive = false;
                self.release_ends(id, Release::Done);
                Some(Event::Released(id, Ok(())))
            }
            Move::ReleaseFails(id, fault) => {
                self.things[id].release_is_alive = false;
                self.release_ends(id, Release::Failed);
                Some(Event::Released(id, Err(cause(fault))))
            }
            Move::ReleaseIsDropped(id) => {
                self.things[id].release_is_alive = false;
                if let Release::CutOff { .. } = self.things[id].release {
                    self.cut_release_off(id);
                }
                Some(Event::ReleaseDropped(id))
            }
            Move::Reloaded(id) => self.reload_leaves(id, Ok(())),
            Move::ReloadFails(id, fault) => self.reload_leaves(id, Err(cause(fault))),
            Move::ReloadIsDropped(id) => self.reload_leaves(id, Err(Cause::Lost)),
            Move::Aborted(id) => {
                self.things[id].abort = Abort::Returned;
                Some(Event::Aborted(id, Ok(())))
            }
            Move::AbortPanics(id) => {
                self.things[id].abort = Abort::Returned;
                self.fails(id);
                Some(Event::Aborted(id, Err(cause(Fault::Panic))))
            }
            Move::BodyListens => {
                // Once its turn has begun, and it is dropped, it is too late to ask.
                self.body.listens |= self.things[self.frame.main()].turn.is_none();
                Some(Event::BodyListens)
            }
            Move::BodyEnds(how) => {
                self.body.exists = false;
                let rest = self.counters.leave(self.frame.main(), false);
                self.body_ends(how);
                let end = match how {
                    How::Done => BodyEnd::Done,
                    How::WithCode => BodyEnd::Code(CODE),
                    How::Failed => BodyEnd::Failed(cause(Fault::Error)),
                    How::Panicked => BodyEnd::Failed(cause(Fault::Panic)),
                    How::Dropped => BodyEnd::Dropped,
                };
                Some(Event::BodyEnded(end, rest))
            }
            Move::FromOutside(outside) => {
                self.left.outside -= 1;
                if self.book.is_started {
                    self.comes(outside);
                } else {
                    self.early.push(outside);
                }
                Some(outside.event())
            }
            Move::Wake => {
                self.left.limits = self.left.limits.map(|left| left - 1);
                self.now = self.wake.expect("there is a limit");
                Some(Event::Tick)
            }
            Move::Pause => {
                self.left.pauses -= 1;
                self.now += PAUSE;
                None
            }
            Move::Freeze => {
                self.left.freezes -= 1;
                self.book.was_frozen = true;
                self.now = self.book.deadline.expect("it is stopping") + Duration::from_secs(1);
                Some(Event::Tick)
            }
        }
    }
}

/// What the body returns in place of zero.
pub(super) const CODE: u8 = 3;

fn task_id(id: Id, number: usize) -> u64 {
    (id * TASKS + number) as u64
}
