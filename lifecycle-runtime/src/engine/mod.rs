//! The rules of DESIGN §5 as one state machine: events in, commands and notices out. No tokio, no clock, no I/O.
//!
//! ```text
//!             hooks, tasks, signals, requests, time
//!                            │ Event, stamped with the time
//!                            ▼
//!   driver ── lock ──► Engine::handle
//!     ▲                      │ take: the event changes what it concerns, and marks whom that concerns
//!     │                      │ advance: until nothing moves any more
//!     │                      │   what is due    ◄── Timers (their minimum is the next wake-up)
//!     │                      │   who is marked  ◄── to_look
//!     │                      │   the phase      ◄── counts of what is left
//!     │                      ▼ Output
//!     ├──────────── Do(Command)  in order, at once
//!     └── later ─── Say(Notice), Report, LastWord  in order, by whoever has time for a log
//! ```
//!
//! Time is a duration since the application began, handed in with each event. How much is in flight is asked of
//! [`Counts`] at the moment in which it matters; everything else comes with events.
//!
//! An event costs time in proportion to what it concerns: nothing here looks through all resources, but for what
//! happens once in a life (the trigger, a hurry, the report) or rarely (a line about the progress, at the rate of
//! one in five seconds, and a failure).
//!
//! Invariants, checked by the simulation:
//! * `Release(r)` is commanded once at most, and only after every `s` in `before(r)` is `Gone`;
//! * a resource with an instance is `Gone` only after its release ended or `Abort` was commanded for it;
//! * a turn is not over while the end of one of its tasks is still to be told, unless the task is stuck;
//! * `End` comes once, by the deadline, and only when every slot is `Gone`.

pub(crate) mod activity;
pub(crate) mod budget;
pub(crate) mod command;
pub(crate) mod event;
#[cfg(test)]
mod fingerprint;
pub(crate) mod notice;
mod progress;
pub(crate) mod reload;
pub(crate) mod settings;
pub(crate) mod shutdown;
mod slot;
pub(crate) mod standing;
mod start;
pub(crate) mod status;
mod summary;
mod tasks;
#[cfg(test)]
mod tests;
mod timers;
mod turn;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use self::budget::Budget;
use self::command::{Command, Output};
use self::event::{BodyEnd, Event, Rest, TaskEnd, TaskId, TaskKind};
use self::notice::{Cut, Notice};
use self::reload::ReloadState;
use self::settings::{BodyKind, Ending, Settings};
use self::shutdown::Shutdown;
use self::slot::{Slot, State};
use self::tasks::Task;
use self::timers::{Timer, Timers};
use crate::model::failure::{Cause, Failure, Operation};
use crate::model::graph::{Graph, Id};
use crate::model::phase::{Phase, Reason};
use crate::model::report::Outcome;
use crate::model::signal::Signal;
use crate::model::units::Units;
use crate::model::{Name, TaskName};

/// Progress is told this often (rules S3 and D11).
const PROGRESS: Duration = Duration::from_secs(5);

/// How much is in flight of each resource: counted elsewhere, at once and by many threads.
pub(crate) trait Counts {
    /// Begins the turn, and says how many units are in flight. If there are none, none can come any more; otherwise
    /// the last to leave tells it: see [`Event::Drained`].
    fn begin_drain(&self, id: Id) -> usize;

    /// How many units are in flight now.
    fn in_flight(&self, id: Id) -> Cut;

    /// The same by kind. Where nothing else is known, everything is a task.
    fn units(&self, id: Id) -> Units {
        Units::of_tasks(self.in_flight(id).in_flight)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Engine {
    plan: Arc<Graph>,
    budget: Budget,
    settings: Settings,
    now: Duration,
    has_begun: bool,
    /// What came before the application began.
    early: Vec<Event>,
    phase: Phase,
    phases: Vec<(Phase, Duration)>,
    slots: Vec<Slot>,
    timers: Timers,
    /// Whom something has happened to: they may be able to move on.
    to_look: VecDeque<Id>,
    left: Left,
    /// A supervised task was spawned at some time.
    has_spawned: bool,
    body_is_alive: bool,
    body_listens: bool,
    body_code: Option<u8>,
    /// The body did not get to its end, or was never begun, for this signal.
    interrupted_by: Option<Signal>,
    /// The signals so far, for the report.
    signals: Vec<(Signal, Duration)>,
    /// Something serves requests.
    serves: bool,
    shutdown: Option<Shutdown>,
    /// When readiness was withdrawn, and the drain delay with it began.
    pre_stop: Option<Duration>,
    /// The deadline, or a resource's share of it, cut something off.
    was_cut: bool,
    failures: Vec<Failure>,
    reloading: ReloadState,
    /// How many failures there were when the report was given to be said.
    reported: Option<usize>,
    is_over: bool,
    /// Somebody hears what is said, or may later.
    has_audience: bool,
    outputs: VecDeque<Output>,
}

/// How many there are of what the phases wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Left {
    /// Resources that their dependents wait for.
    unsettled: usize,
    /// Foundations among them.
    unsettled_foundations: usize,
    /// Slots whose turn is not over, `main` included.
    turns: usize,
    /// Foundations among them.
    turns_of_foundations: usize,
    /// Turns under way that waited, or wait, for nothing but units in flight.
    turns_with_units: usize,
    /// Turns that left something behind that does not end.
    stuck: usize,
    /// Supervised tasks.
    supervised: usize,
}

impl Engine {
    pub(crate) fn new(plan: Arc<Graph>, settings: Settings) -> Self {
        let budget = Budget::new(&plan, settings.shutdown_timeout);
        let is_there = |id: Id| plan.step(id).is_supplied;
        let slot = |id: Id| {
            let above = plan.before(id).len();
            if is_there(id) {
                return Slot::supplied(above);
            }
            // What `main` comes after is counted by the phase.
            let after: &[Id] = if id == plan.main() { &[] } else { plan.after(id) };
            Slot::new(after.iter().filter(|&&beneath| !is_there(beneath)).count(), above)
        };
        let mut left = Left { turns: plan.all().len(), ..Left::default() };
        for id in plan.resources() {
            let (is_unsettled, is_foundation) = (!is_there(id), plan.step(id).foundation);
            left.unsettled += usize::from(is_unsettled);
            left.unsettled_foundations += usize::from(is_unsettled && is_foundation);
            left.turns_of_foundations += usize::from(is_foundation);
        }
        Self {
            slots: plan.all().map(slot).collect(),
            timers: Timers::new(plan.all().len()),
            serves: settings.serves,
            reloading: ReloadState::new(&plan),
            plan,
            budget,
            settings,
            now: Duration::ZERO,
            has_begun: false,
            early: Vec::new(),
            phase: Phase::Starting,
            phases: vec![(Phase::Starting, Duration::ZERO)],
            to_look: VecDeque::new(),
            left,
            has_spawned: false,
            body_is_alive: false,
            body_listens: false,
            body_code: None,
            interrupted_by: None,
            signals: Vec::new(),
            shutdown: None,
            pre_stop: None,
            was_cut: false,
            failures: Vec::new(),
            reported: None,
            is_over: false,
            has_audience: true,
            outputs: VecDeque::new(),
        }
    }

    pub(crate) fn plan(&self) -> &Arc<Graph> {
        &self.plan
    }

    pub(crate) fn ending(&self) -> Ending {
        self.settings.ending
    }

    /// The effective configuration, and whether something serves requests by now.
    pub(crate) fn settings(&self) -> (&Settings, bool) {
        (&self.settings, self.serves)
    }

    /// Says whether anybody hears what is said, or may later. Without an audience no [`Output::Say`] is put out, and
    /// there is nothing in [`Output::Report`].
    pub(crate) fn set_audience(&mut self, has_audience: bool) {
        self.has_audience = has_audience;
    }

    /// Takes in what happened at `now`. What is to be done and said then waits in [`next_output`](Self::next_output).
    /// Time never runs backwards: an event that was stamped before its predecessor counts as simultaneous.
    pub(crate) fn handle(&mut self, now: Duration, event: Event, counts: &dyn Counts) {
        self.now = self.now.max(now);
        match event {
            event if self.is_over => self.take_late(&event),
            Event::Start => {
                self.begin();
                for event in std::mem::take(&mut self.early) {
                    self.take(event);
                }
            }
            event if !self.has_begun => self.early.push(event),
            event => self.take(event),
        }
        while self.has_begun && !self.is_over && self.advance(counts) {}
    }

    /// The next thing that is to be done or said.
    pub(crate) fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to send [`Event::Tick`]; `None` when only an event can change anything.
    pub(crate) fn next_wake(&mut self) -> Option<Duration> {
        if self.is_over { None } else { self.timers.next() }
    }

    /// Whether a stop is under way: then a deadline runs, whatever keeps the process from running.
    pub(crate) fn is_stopping(&self) -> bool {
        self.shutdown.is_some() && !self.is_over
    }

    fn take(&mut self, event: Event) {
        match event {
            // The start is taken before all others.
            Event::Start | Event::Tick => {}
            Event::Acquired(id) => self.acquired(id),
            Event::AcquireFailed(id, cause) => self.acquire_failed(id, cause),
            Event::AcquireSkipped(id) => self.acquire_skipped(id),
            Event::AcquireDropped(id) => self.acquire_dropped(id),
            Event::TaskStarted { owner, task, name, kind } => self.task_started(owner, task, name, kind),
            Event::TaskEnded { owner, task, end, rest } => self.task_ended(owner, task, end, rest),
            Event::Drained(id) => self.drained(id),
            Event::Serves => self.serves = true,
            Event::Released(id, result) => self.released(id, result),
            Event::ReleaseDropped(id) => self.release_dropped(id),
            Event::Aborted(id, result) => self.aborted(id, result),
            Event::BodyListens => self.body_listens(),
            Event::BodyEnded(end, rest) => self.body_ended(end, rest),
            Event::Signal(signal) => self.signal(signal),
            Event::Failed(cause) => self.fail(self.plan.main(), Operation::Main, cause),
            Event::Shutdown(words) => self.trigger(Reason::Requested(words)),
            Event::Reload(ticket) => self.reload_requested(ticket),
            Event::Reloaded(id, result) => self.reloaded(id, result),
            Event::Insist => self.insist(),
            Event::OwnerDropped => self.owner_dropped(),
            Event::PreStop => self.pre_stop(),
            Event::Thawed(frozen) => self.thawed(frozen),
        }
    }

    /// What still matters when the application has ended, and the process has not.
    fn take_late(&mut self, event: &Event) {
        match *event {
            Event::Signal(signal) => self.late_signal(signal),
            // It was in blocking code all the time. Nobody will release it properly any more.
            Event::Acquired(id) => self.outputs.push_back(Output::Do(Command::Abort(id))),
            Event::Start
            | Event::Tick
            | Event::AcquireFailed(..)
            | Event::AcquireSkipped(_)
            | Event::AcquireDropped(_)
            | Event::TaskStarted { .. }
            | Event::TaskEnded { .. }
            | Event::Drained(_)
            | Event::Serves
            | Event::Released(..)
            | Event::ReleaseDropped(_)
            | Event::Aborted(..)
            | Event::BodyListens
            | Event::BodyEnded(..)
            | Event::Failed(_)
            | Event::Shutdown(_)
            | Event::Reload(_)
            | Event::Reloaded(..)
            | Event::Insist
            | Event::OwnerDropped
            | Event::PreStop
            | Event::Thawed(_) => {}
        }
    }

    /// One step, if the state and the time allow one. What is late goes first, so that it does not begin anything.
    fn advance(&mut self, counts: &dyn Counts) -> bool {
        if let Some(timer) = self.timers.pop_due(self.now) {
            self.time_is_up(timer, counts);
            return true;
        }
        if let Some(id) = self.to_look.pop_front() {
            self.look(id, counts);
            return true;
        }
        match self.phase {
            Phase::Starting => self.advance_start(),
            Phase::Running => self.advance_running(),
            Phase::Draining => self.advance_delay(),
            Phase::Stopping => self.advance_end(),
            Phase::Stopped => false,
        }
    }

    fn time_is_up(&mut self, timer: Timer, counts: &dyn Counts) {
        match timer {
            Timer::Slot(id) => self.slot_time_is_up(id, counts),
            Timer::Startup => self.time_out_start(),
            Timer::Reload => self.time_out_reload(),
            // The phase looks at the time by itself.
            Timer::Delay => {}
            Timer::Progress => self.tell_progress(counts),
        }
    }

    /// Moves one slot on, if it can.
    fn look(&mut self, id: Id, counts: &dyn Counts) {
        match self.slots[id].state {
            State::Waiting if self.phase == Phase::Starting => self.acquire_if_ready(id),
            State::Waiting | State::Acquiring | State::Ready => self.begin_turn_if_due(id, counts),
            State::Draining | State::Joining { .. } => self.end_drain_if_done(id),
            State::Releasing | State::Cutting { .. } | State::Aborting | State::Gone => {}
        }
    }

    /// What is done in the very moment in which its time is up is in time.
    fn slot_time_is_up(&mut self, id: Id, counts: &dyn Counts) {
        match self.slots[id].state {
            State::Draining | State::Joining { .. } if self.can_leave_drain(id) => self.end_drain(id),
            State::Acquiring => self.time_out_acquisition(id),
            State::Draining => self.cut_drain(id, counts),
            State::Joining { .. } => self.leave_stuck(id),
            State::Releasing => self.cut_release(id),
            State::Cutting { .. } => self.give_up_release(id),
            State::Aborting => self.end_turn(id),
            State::Waiting | State::Ready | State::Gone => {}
        }
    }

    /// Puts a slot into a state, and sets the time at which that has to be over.
    fn enter_state(&mut self, id: Id, state: State) {
        self.slots[id].state = state;
        self.set_limit(id);
    }

    fn set_limit(&mut self, id: Id) {
        let limit = match self.slots[id].state {
            State::Acquiring => self.acquire_limit(id),
            State::Draining => self.drain_limit(id),
            State::Joining { since } => self.join_limit(id, since),
            State::Releasing => self.limits(id).map(|limits| limits.release),
            State::Cutting { since } => self.drop_limit(id, since),
            State::Aborting => self.limits(id).map(|limits| limits.cutoff),
            State::Waiting | State::Ready | State::Gone => None,
        };
        self.timers.set(Timer::Slot(id), limit);
    }

    /// Whether something keeps the application running. A task that begins now, and ends well before the next event,
    /// changes nothing.
    pub(crate) fn lives_on(&self) -> bool {
        self.phase == Phase::Running && self.has_spawned && self.has_something_to_live_for()
    }

    fn has_something_to_live_for(&self) -> bool {
        self.body_is_alive || self.left.supervised > 0
    }

    /// The application ends when nothing is left to do.
    fn advance_running(&mut self) -> bool {
        if self.has_something_to_live_for() {
            return false;
        }
        match self.settings.body {
            BodyKind::Empty if !self.has_spawned => {
                self.fail(self.plan.main(), Operation::Main, Cause::Error(self.nothing_to_live_for().into()));
            }
            // Only the host knows what it lives for, until it spawns a supervised task.
            BodyKind::Host if !self.has_spawned => return false,
            BodyKind::Empty | BodyKind::Written | BodyKind::Host => self.trigger(Reason::Finished),
        }
        true
    }

    /// As an event does, but without a look at anything else. It may come before an event at any time while the
    /// application [lives on](Self::lives_on).
    pub(crate) fn task_started(&mut self, owner: Id, task: TaskId, name: TaskName, kind: TaskKind) {
        if kind == TaskKind::Supervised {
            self.has_spawned = true;
            self.left.supervised += 1;
        }
        self.slots[owner].tasks.insert(task, name, kind);
    }

    fn task_ended(&mut self, owner: Id, task: TaskId, end: TaskEnd, rest: Rest) {
        let slot = &mut self.slots[owner];
        let Some(Task { name, kind }) = slot.tasks.remove(task) else { return };
        if kind == TaskKind::Supervised {
            self.left.supervised -= 1;
        }
        slot.is_drained |= rest == Rest::Drained;
        let was_told_to_go = slot.turn_has_begun() || slot.is_rolled_back();
        self.to_look.push_back(owner);
        let operation = || Operation::Task(name.as_ref().to_owned());
        match end {
            TaskEnd::Done if kind == TaskKind::Supervised && !was_told_to_go => {
                self.say(Notice::TaskEnded { name: self.name(owner), task: name });
            }
            TaskEnd::Done => {}
            TaskEnd::Dropped if was_told_to_go => {}
            TaskEnd::Dropped => self.fail(owner, operation(), Cause::Lost),
            TaskEnd::Failed(cause) => self.fail(owner, operation(), cause),
        }
    }

    fn drained(&mut self, id: Id) {
        self.slots[id].is_drained = true;
        self.to_look.push_back(id);
    }

    /// Once its turn has begun, a body that never asked is being dropped, and it is too late to ask (rule R5).
    fn body_listens(&mut self) {
        self.body_listens |= !self.slots[self.plan.main()].turn_has_begun();
    }

    fn body_ended(&mut self, end: BodyEnd, rest: Rest) {
        let main = self.plan.main();
        self.slots[main].is_drained |= rest == Rest::Drained;
        self.to_look.push_back(main);
        if !std::mem::take(&mut self.body_is_alive) {
            return;
        }
        match end {
            BodyEnd::Done => {}
            BodyEnd::Code(code) => self.body_code = Some(code),
            BodyEnd::Interrupted => self.body_gave_up(),
            BodyEnd::Failed(cause) => self.fail(main, Operation::Main, cause),
            BodyEnd::Dropped if self.slots[main].turn_has_begun() => self.body_was_interrupted(),
            BodyEnd::Dropped => self.fail(main, Operation::Main, Cause::Lost),
        }
    }

    /// Records a failure and, unless the resource is optional, ends the application for it.
    fn fail(&mut self, id: Id, operation: Operation, cause: Cause) {
        self.slots[id].trouble(match cause {
            Cause::Panic(_) => Outcome::Panicked,
            Cause::TimedOut(_) => Outcome::TimedOut,
            Cause::Error(_) | Cause::Lost => Outcome::Failed,
        });
        let failure = Failure::of(&self.plan, id, operation, cause);
        let is_tolerated = failure.is_tolerated();
        self.say(Notice::Failed(failure.clone()));
        self.failures.push(failure);
        // The error that was kept may hold what a turn waits for.
        if self.left.turns_with_units > 0 {
            self.command(Command::ForgetErrors);
        }
        if is_tolerated {
            return;
        }
        // The delay only makes sense while things work. A second failure says that they do not (rule D4).
        self.end_delay();
        self.trigger(Reason::Failed);
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.phases.push((phase, self.now));
        self.command(Command::Enter(phase));
        let progress = match phase {
            Phase::Starting | Phase::Draining | Phase::Stopping => Some(self.now + PROGRESS),
            Phase::Running | Phase::Stopped => None,
        };
        self.timers.set(Timer::Progress, progress);
    }

    fn command(&mut self, command: Command) {
        self.outputs.push_back(Output::Do(command));
    }

    fn say(&mut self, notice: Notice) {
        self.say_with(|_| notice);
    }

    /// The same, for a notice that costs something to make.
    fn say_with(&mut self, notice: impl FnOnce(&Self) -> Notice) {
        if self.has_audience {
            let notice = notice(self);
            self.outputs.push_back(Output::Say(notice));
        }
    }

    fn name(&self, id: Id) -> Name {
        self.plan.name(id)
    }

    /// Whether every foundation is there, or will not be: the log is one, if it is a resource at all.
    pub(crate) fn foundations_are_settled(&self) -> bool {
        self.left.unsettled_foundations == 0 || self.phase != Phase::Starting
    }

    /// Whether a turn left something behind that does not end.
    pub(crate) fn is_stuck(&self) -> bool {
        self.left.stuck > 0
    }
}
