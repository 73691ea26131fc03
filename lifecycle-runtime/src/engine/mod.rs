//! The rules of DESIGN §5 as one state machine: events in, commands out. No tokio, no clock, no I/O.
//!
//! Time is a duration since the application began, handed in with each event. After every event the engine
//! moves on as far as the state and the time allow, and says when it wants to be woken next.
//!
//! Invariants, checked by the simulation in `tests.rs`:
//! * `Release(r)` is commanded once at most, and only after every `s` in `before(r)` is `Gone`;
//! * a resource with an instance is `Gone` only after its release ended or `Abort` was commanded for it;
//! * `End` comes once, by the deadline, and only when every slot is `Gone`.

pub(crate) mod command;
pub(crate) mod event;
mod slot;
mod start;
#[cfg(any(feature = "probe", all(feature = "systemd", target_os = "linux")))]
pub(crate) mod status;
mod stop;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use self::command::{Command, Notice};
use self::event::{BodyEnd, Event, Rest, TaskEnd, TaskId, TaskKind};
use self::slot::{Slot, State};
use self::stop::Shutdown;
pub(crate) use self::summary::LastWords;
use crate::budget::Budget;
use crate::error::{Cause, Failure, Operation};
use crate::phase::{Phase, Reason};
use crate::plan::{Id, Plan};
use crate::report::Outcome;

/// Progress is told this often (rules S3 and D11).
const PROGRESS: Duration = Duration::from_secs(5);

/// What the rules leave to the application.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) shutdown_timeout: Duration,
    pub(crate) startup_timeout: Option<Duration>,
    pub(crate) drain_delay: Delay,
    pub(crate) body: BodyKind,
    /// A person is at the other end: SIGINT is theirs.
    pub(crate) at_terminal: bool,
    /// What is to be said at the start about the circumstances (rule S7).
    pub(crate) warnings: Vec<Notice>,
}

/// How long an application goes on serving after it was asked to stop (rule D4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delay {
    /// Somebody said so.
    Given(Duration),
    /// The platform's default, if there is something that serves.
    IfServing(Duration),
}

/// What the body of `main` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// `#[lifecycle::main] async fn main() {}`: the resources are the application.
    Empty,
    /// Statements that the library runs, and can drop.
    Written,
    /// An application around us, which has not called `run` yet. It is waited for, but cannot be dropped.
    Host,
}

#[derive(Debug)]
struct Task {
    owner: Id,
    name: String,
    kind: TaskKind,
}

#[derive(Debug)]
pub(crate) struct Engine {
    plan: Plan,
    budget: Budget,
    settings: Settings,
    now: Duration,
    phase: Phase,
    phases: Vec<(Phase, Duration)>,
    slots: Vec<Slot>,
    tasks: BTreeMap<TaskId, Task>,
    /// A supervised task was spawned at some time.
    has_spawned: bool,
    body_is_alive: bool,
    body_listens: bool,
    body_code: Option<u8>,
    /// The body did not get to its end, or was never begun, for the signal of this number.
    interrupted_by: Option<u8>,
    /// Something serves requests.
    serves: bool,
    shutdown: Option<Shutdown>,
    /// When readiness was withdrawn, and the drain delay with it began.
    pre_stop: Option<Duration>,
    /// The deadline, or a resource's share of it, cut something off.
    was_cut: bool,
    failures: Vec<Failure>,
    next_progress: Duration,
    report_is_told: bool,
    is_over: bool,
    commands: Vec<Command>,
    /// What was said before there was anything to hear it.
    unheard: Vec<Command>,
}

impl Engine {
    pub(crate) fn new(plan: Plan, settings: Settings) -> Self {
        let budget = Budget::new(&plan, settings.shutdown_timeout);
        Self {
            slots: plan.all().map(|_| Slot::new()).collect(),
            plan,
            budget,
            settings,
            now: Duration::ZERO,
            phase: Phase::Starting,
            phases: vec![(Phase::Starting, Duration::ZERO)],
            tasks: BTreeMap::new(),
            has_spawned: false,
            body_is_alive: false,
            body_listens: false,
            body_code: None,
            interrupted_by: None,
            serves: false,
            shutdown: None,
            pre_stop: None,
            was_cut: false,
            failures: Vec::new(),
            next_progress: PROGRESS,
            report_is_told: false,
            is_over: false,
            commands: Vec::new(),
            unheard: Vec::new(),
        }
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes in what happened at `now`, and says what is to be done. Time never runs backwards: an event that
    /// was stamped before its predecessor counts as simultaneous.
    pub(crate) fn handle(&mut self, now: Duration, event: Event) -> Vec<Command> {
        self.now = self.now.max(now);
        if !self.is_over {
            self.take(event);
            while !self.is_over && self.advance() {}
            self.tell_progress();
            if self.is_heard() {
                self.commands.splice(0..0, self.unheard.drain(..));
            }
        }
        std::mem::take(&mut self.commands)
    }

    /// When to send [`Event::Tick`]; `None` when only an event can change anything.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        if self.is_over {
            return None;
        }
        let limit = match self.phase {
            Phase::Starting => self.start_limit(),
            Phase::Running => self.early_turn_limit(),
            Phase::Draining | Phase::Stopping => self.stop_limit(),
            Phase::Stopped => None,
        };
        let progress = (self.phase != Phase::Running).then_some(self.next_progress);
        limit.into_iter().chain(progress).min()
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Start => self.begin(),
            Event::Tick => {}
            Event::Acquired(id) => self.acquired(id),
            Event::AcquireFailed(id, cause) => self.acquire_failed(id, cause),
            Event::AcquireSkipped(id) => self.acquire_skipped(id),
            Event::AcquireDropped(id) => self.acquire_dropped(id),
            Event::TaskStarted { task, owner, name, kind } => {
                self.has_spawned |= kind == TaskKind::Supervised;
                self.tasks.insert(task, Task { owner, name, kind });
            }
            Event::TaskEnded(task, end, rest) => self.task_ended(task, end, rest),
            Event::DrainBegan(id, count) => self.drain_began(id, count),
            Event::Drained(id) => self.slots[id].is_drained = true,
            Event::Cut(id, cut) => self.cut(id, cut),
            Event::Serves => self.serves = true,
            Event::Released(id, result) => self.released(id, result),
            Event::ReleaseDropped(id) => self.release_dropped(id),
            Event::Aborted(id, result) => self.aborted(id, result),
            Event::BodyListens => self.body_listens = true,
            Event::BodyEnded(end, rest) => self.body_ended(end, rest),
            Event::Signal(signal) => self.signal(signal),
            Event::Failed(cause) => self.fail(self.plan.main(), Operation::Main, cause),
            Event::Shutdown(words) => self.trigger(Reason::Requested(words)),
            Event::Insist => self.insist(),
            Event::OwnerDropped => self.owner_dropped(),
            #[cfg(feature = "probe")]
            Event::PreStop => self.pre_stop(),
        }
    }

    /// One step, if the state and the time allow one.
    fn advance(&mut self) -> bool {
        let has_moved = self.advance_turns();
        match self.phase {
            Phase::Starting => self.advance_start() || has_moved,
            Phase::Running => self.advance_running() || has_moved,
            Phase::Draining => self.advance_delay() || has_moved,
            Phase::Stopping => self.advance_end() || has_moved,
            Phase::Stopped => false,
        }
    }

    /// The application is over when nothing is left to live for.
    fn advance_running(&mut self) -> bool {
        let is_alive =
            self.body_is_alive || self.tasks.values().any(|task| task.kind == TaskKind::Supervised);
        if is_alive {
            return false;
        }
        match self.settings.body {
            BodyKind::Empty if !self.has_spawned => {
                let hint = "it has no body, and no resource spawned a task that keeps the application alive: \
                            spawn servers and workers with `cx.spawn` in `acquire`, not with a bare `tokio::spawn`";
                self.fail(self.plan.main(), Operation::Main, Cause::Error(hint.into()));
            }
            // The host alone knows what it lives for, until it spawns something that tells.
            BodyKind::Host if !self.has_spawned => return false,
            BodyKind::Empty | BodyKind::Written | BodyKind::Host => self.trigger(Reason::Finished),
        }
        true
    }

    fn task_ended(&mut self, task: TaskId, end: TaskEnd, rest: Rest) {
        let Some(Task { owner, name, .. }) = self.tasks.remove(&task) else { return };
        self.slots[owner].is_drained |= rest == Rest::Drained;
        let was_told_to_go = self.slots[owner].has_had_its_turn_begun() || self.is_being_rolled_back(owner);
        match end {
            TaskEnd::Done => {}
            TaskEnd::Dropped if was_told_to_go => {}
            TaskEnd::Dropped => self.fail(owner, Operation::Task(name), Cause::Lost),
            TaskEnd::Failed(cause) => self.fail(owner, Operation::Task(name), cause),
        }
    }

    fn body_ended(&mut self, end: BodyEnd, rest: Rest) {
        let main = self.plan.main();
        self.slots[main].is_drained |= rest == Rest::Drained;
        if !std::mem::take(&mut self.body_is_alive) {
            return;
        }
        match end {
            BodyEnd::Done => {}
            BodyEnd::Code(code) => self.body_code = Some(code),
            BodyEnd::Failed(cause) => self.fail(main, Operation::Main, cause),
            BodyEnd::Dropped if self.slots[main].has_had_its_turn_begun() => self.body_was_interrupted(),
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
        let chain = self.plan.chain(id).into_iter().map(|id| self.plan.name(id).to_owned()).collect();
        let failure = Failure::new(self.plan.name(id), operation, cause).with_chain(chain);
        let failure = if self.plan.step(id).optional { failure.tolerated() } else { failure };
        let is_tolerated = failure.is_tolerated();
        self.tell(Notice::Failed { what: failure.to_string(), cause: failure.cause(), is_tolerated });
        self.failures.push(failure);
        if is_tolerated {
            return;
        }
        // The delay is for what still works; a second failure says that little does (rule D4).
        self.end_delay();
        self.trigger(Reason::Failed);
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.phases.push((phase, self.now));
        self.next_progress = self.now + PROGRESS;
        self.commands.push(Command::Enter(phase));
    }

    fn tell(&mut self, notice: Notice) {
        let speech = if self.is_heard() { &mut self.commands } else { &mut self.unheard };
        speech.push(Command::Tell(notice));
    }

    /// The log may be a foundation: until the foundations are there, what is said is kept for later.
    fn is_heard(&self) -> bool {
        let is_missing = |id: Id| self.plan.step(id).foundation && !self.slots[id].is_settled;
        self.phase != Phase::Starting || !self.plan.resources().any(is_missing)
    }

    fn tell_progress(&mut self) {
        if self.now < self.next_progress {
            return;
        }
        match self.phase {
            Phase::Starting => self.tell_start_progress(),
            Phase::Draining | Phase::Stopping => self.tell_stop_progress(),
            Phase::Running | Phase::Stopped => return,
        }
        self.next_progress = self.now + PROGRESS;
    }

    /// The names of the tasks of a resource that exist.
    fn tasks_of(&self, id: Id) -> Vec<String> {
        self.tasks.values().filter(|task| task.owner == id).map(|task| task.name.clone()).collect()
    }

    /// Whether the report was given to be said.
    pub(crate) fn report_is_told(&self) -> bool {
        self.report_is_told
    }

    /// Whether a turn left something behind that does not end.
    pub(crate) fn is_stuck(&self) -> bool {
        self.slots.iter().any(|slot| !slot.stuck_tasks.is_empty())
    }

    fn is_gone(&self, id: Id) -> bool {
        self.slots[id].state == State::Gone
    }
}
