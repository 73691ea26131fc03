//! A world around the pure engine: does what it commands as the scenario says, and writes down everything.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::scenario::{Dying, End, Outside, Scenario};
use crate::engine::command::{Command, Output};
use crate::engine::event::{BodyEnd, Event, Rest, TaskEnd, TaskId, TaskKind};
use crate::engine::notice::Cut;
use crate::engine::settings::BodyKind;
use crate::engine::{Counts, Engine};
use crate::model::failure::{Cause, ErrorText};
use crate::model::graph::Id;
use crate::model::report::Report;
use crate::model::signal::Signal;

/// What happened, in order.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) entries: Vec<(Duration, Entry)>,
    pub(super) report: Report,
    /// Times at which two things happened that have nothing to do with one another.
    ties: usize,
    pub(super) is_stalled: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Entry {
    Seen(Seen),
    Done(Command),
    /// What was said, or the report, or the last word.
    Said(Output),
}

/// What is said is never looked for as a whole.
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Seen(this), Self::Seen(other)) => this == other,
            (Self::Done(this), Self::Done(other)) => this == other,
            (Self::Seen(_) | Self::Done(_) | Self::Said(_), _) => false,
        }
    }
}

/// An event as the engine was told it, in a form that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Acquired(Id),
    AcquireFailed(Id),
    AcquireSkipped(Id),
    AcquireDropped(Id),
    TaskStarted(Id),
    /// It has left the count of what is in flight; the engine is not told yet.
    TaskLeft(Id, How),
    TaskEnded(Id, How),
    Released(Id, bool),
    ReleaseDropped(Id),
    Aborted(Id, bool),
    BodyListens,
    BodyEnded(How),
    Signal(Signal),
    Shutdown,
    Insist,
    /// A reload was asked for, other than by a signal.
    Reload,
    ReloadStarted(Id),
    Reloaded(Id, bool),
    ReloadDropped(Id),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Done,
    Failed,
    Dropped,
}

impl Log {
    pub(super) fn has_ties(&self) -> bool {
        self.ties > 0
    }

    /// The commands, without what was said.
    pub(super) fn commands(&self) -> Vec<(Duration, Command)> {
        let commands = self.entries.iter().filter_map(|(at, entry)| match entry {
            Entry::Done(command) => Some((*at, command.clone())),
            Entry::Said(_) | Entry::Seen(_) => None,
        });
        commands.collect()
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, entry) in &self.entries {
            match entry {
                Entry::Seen(seen) => writeln!(f, "{at:>12?} > {seen:?}")?,
                Entry::Done(command) => writeln!(f, "{at:>12?}   {command:?}")?,
                Entry::Said(said) => writeln!(f, "{at:>12?}   {said:?}")?,
            }
        }
        write!(f, "{}", self.report)
    }
}

pub(super) fn lines(commands: &[(Duration, Command)]) -> String {
    commands.iter().map(|(at, command)| format!("{at:>12?}   {command:?}\n")).collect()
}

struct World<'a> {
    scenario: &'a Scenario,
    engine: Engine,
    clock: Clock,
    now: Duration,
    /// What will happen, the earliest first, and of several at the same time the one that was planned first.
    agenda: BinaryHeap<Reverse<(Duration, u64)>>,
    what: BTreeMap<u64, Planned>,
    next: u64,
    /// Commands are carried out one after the other, as the driver does it.
    commands: VecDeque<Command>,
    is_at_it: bool,
    tasks: BTreeMap<TaskId, (Id, usize)>,
    in_flight: InFlight,
    acquisition_is_alive: Vec<bool>,
    release_is_alive: Vec<bool>,
    /// The number of the reload whose future is there.
    reload_is_alive: Vec<Option<usize>>,
    /// How many times each was reloaded.
    reloads: Vec<usize>,
    body_is_alive: bool,
    entries: Vec<(Duration, Entry)>,
    is_over: bool,
    /// The engine asked to be woken for what it should have done already.
    is_stalled: bool,
    last_tick: Option<Duration>,
    /// When something happened last, and how much was planned before.
    last: Option<(Duration, u64)>,
    ties: usize,
}

/// How much is in flight of each resource, and whether its turn has begun.
struct InFlight(Vec<Cell<(usize, bool)>>);

impl InFlight {
    fn enter(&self, id: Id) {
        let (alive, is_draining) = self.0[id].get();
        self.0[id].set((alive + 1, is_draining));
    }

    fn leave(&self, id: Id) -> Rest {
        let (alive, is_draining) = self.0[id].get();
        self.0[id].set((alive - 1, is_draining));
        if alive == 1 && is_draining { Rest::Drained } else { Rest::Unknown }
    }

    fn of(&self, id: Id) -> usize {
        self.0[id].get().0
    }
}

impl Counts for InFlight {
    fn begin_drain(&self, id: Id) -> usize {
        let (alive, was_draining) = self.0[id].get();
        assert!(!was_draining, "r{id} has one turn");
        self.0[id].set((alive, true));
        alive
    }

    fn in_flight(&self, id: Id) -> Cut {
        Cut { in_flight: self.of(id), excused: 0 }
    }
}

/// Something that will happen, unless its subject is gone by then.
#[derive(Clone, Copy, Debug)]
enum Planned {
    AcquisitionEnds(Id, End),
    AcquisitionDies(Id),
    TaskEnds(TaskId, How),
    /// The end of a task is told.
    TaskTells(Id, TaskId, How, Rest),
    BodyEnds(How),
    Released(Id, End),
    ReleaseDies(Id),
    ReloadEnds(Id, usize, End),
    ReloadDies(Id, usize),
    Aborted(Id),
    Outside(Outside),
}

/// How exactly the engine is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    Exact,
    /// As tokio's timers do it: at the next whole millisecond.
    Millis,
}

impl Clock {
    fn wake(self, at: Duration) -> Duration {
        match self {
            Self::Exact => at,
            Self::Millis => Duration::from_millis(at.as_nanos().div_ceil(1_000_000) as u64),
        }
    }
}

/// Runs a scenario to its end.
pub(super) fn run(scenario: &Scenario, clock: Clock) -> Log {
    let plan = scenario.plan();
    let count = plan.all().len();
    let mut world = World {
        engine: Engine::new(Arc::new(plan), scenario.settings.clone()),
        scenario,
        clock,
        now: Duration::ZERO,
        agenda: BinaryHeap::new(),
        what: BTreeMap::new(),
        next: 0,
        commands: VecDeque::new(),
        is_at_it: false,
        tasks: BTreeMap::new(),
        in_flight: InFlight(vec![Cell::default(); count]),
        acquisition_is_alive: vec![false; count],
        release_is_alive: vec![false; count],
        reload_is_alive: vec![None; count],
        reloads: vec![0; count],
        body_is_alive: scenario.settings.body != BodyKind::Empty,
        entries: Vec::new(),
        is_over: false,
        is_stalled: false,
        last_tick: None,
        last: None,
        ties: 0,
    };
    world.run();
    Log {
        report: world.engine.report(),
        entries: world.entries,
        ties: world.ties,
        is_stalled: world.is_stalled,
    }
}

impl World<'_> {
    fn run(&mut self) {
        if self.body_is_alive {
            self.in_flight.enter(self.main());
        }
        for &(at, what) in &self.scenario.outside {
            self.plan_at(at, Planned::Outside(what));
        }
        self.tell(Event::Start, None);
        let mut steps = 0;
        while !self.is_over {
            steps += 1;
            assert!(steps < 100_000, "it goes on and on");
            let planned = self.agenda.peek().map(|Reverse((at, _))| *at);
            let wake = self.engine.next_wake().map(|at| self.clock.wake(at));
            match (planned, wake) {
                (None, None) => break,
                (Some(at), wake) if wake.is_none_or(|wake| at <= wake) => {
                    let Some(Reverse((_, key))) = self.agenda.pop() else { break };
                    let Some(planned) = self.what.remove(&key) else { continue };
                    self.now = self.now.max(at);
                    let planned_next = self.next;
                    if self.happens(planned) {
                        // What was planned before the other happened is independent of it.
                        let is_tie = self.last.is_some_and(|(last, next)| last == at && key < next)
                            || wake == Some(at);
                        self.ties += usize::from(is_tie);
                        self.last = Some((at, planned_next));
                    }
                }
                (_, wake) => {
                    let at = wake.expect("one of the two is there");
                    self.ties += usize::from(self.last.is_some_and(|(last, _)| last == at));
                    if at < self.now || self.last_tick == Some(at) {
                        self.is_stalled = true;
                        return;
                    }
                    self.last_tick = Some(at);
                    self.now = self.now.max(at);
                    self.tell(Event::Tick, None);
                    self.last = Some((at, self.next));
                }
            }
        }
    }

    fn main(&self) -> Id {
        self.scenario.resources.len()
    }

    fn plan_at(&mut self, at: Duration, planned: Planned) {
        self.agenda.push(Reverse((at, self.next)));
        self.what.insert(self.next, planned);
        self.next += 1;
    }

    fn plan_in(&mut self, after: Duration, planned: Planned) {
        self.plan_at(self.now + after, planned);
    }

    /// Whether it made a difference.
    fn happens(&mut self, planned: Planned) -> bool {
        match planned {
            Planned::AcquisitionEnds(id, end) => {
                if !std::mem::take(&mut self.acquisition_is_alive[id]) {
                    return false;
                }
                let (event, seen) = match end {
                    End::Ok => (Event::Acquired(id), Seen::Acquired(id)),
                    End::Error => (Event::AcquireFailed(id, error()), Seen::AcquireFailed(id)),
                    End::Misconfigured => (Event::AcquireFailed(id, mistake()), Seen::AcquireFailed(id)),
                    End::Panic => (Event::AcquireFailed(id, panic()), Seen::AcquireFailed(id)),
                    End::Skip if self.scenario.resources[id].necessity.may_be_missing() => {
                        (Event::AcquireSkipped(id), Seen::AcquireSkipped(id))
                    }
                    // Others count on it.
                    End::Skip => (Event::AcquireSkipped(id), Seen::AcquireFailed(id)),
                    End::Hang => unreachable!("it is not planned"),
                };
                self.tell(event, Some(seen));
            }
            Planned::AcquisitionDies(id) => {
                if !std::mem::take(&mut self.acquisition_is_alive[id]) {
                    return false;
                }
                self.tell(Event::AcquireDropped(id), Some(Seen::AcquireDropped(id)));
            }
            Planned::TaskEnds(task, how) => {
                let Some((id, index)) = self.tasks.remove(&task) else { return false };
                let rest = self.in_flight.leave(id);
                self.entries.push((self.now, Entry::Seen(Seen::TaskLeft(id, how))));
                let tells = self.scenario.resources[id].tasks[index].tells;
                if tells.is_zero() {
                    self.task_tells(id, task, how, rest);
                } else {
                    self.plan_in(tells, Planned::TaskTells(id, task, how, rest));
                }
            }
            Planned::TaskTells(id, task, how, rest) => self.task_tells(id, task, how, rest),
            Planned::BodyEnds(how) => {
                if !std::mem::take(&mut self.body_is_alive) {
                    return false;
                }
                let end = match how {
                    How::Done => BodyEnd::Done,
                    How::Failed => BodyEnd::Failed(error()),
                    How::Dropped => BodyEnd::Dropped,
                };
                let rest = self.in_flight.leave(self.main());
                self.tell(Event::BodyEnded(end, rest), Some(Seen::BodyEnded(how)));
            }
            Planned::ReleaseDies(id) => {
                if !std::mem::take(&mut self.release_is_alive[id]) {
                    return false;
                }
                self.tell(Event::ReleaseDropped(id), Some(Seen::ReleaseDropped(id)));
            }
            Planned::Released(id, end) => {
                if !std::mem::take(&mut self.release_is_alive[id]) {
                    return false;
                }
                let result = match end {
                    End::Error | End::Misconfigured => Err(error()),
                    End::Panic => Err(panic()),
                    End::Ok | End::Skip | End::Hang => Ok(()),
                };
                let seen = Seen::Released(id, result.is_ok());
                self.tell(Event::Released(id, result), Some(seen));
            }
            Planned::ReloadEnds(id, call, end) => {
                let result = match end {
                    End::Error | End::Misconfigured => Err(error()),
                    End::Panic => Err(panic()),
                    End::Ok | End::Skip | End::Hang => Ok(()),
                };
                let seen = Seen::Reloaded(id, result.is_ok());
                return self.reload_ends(id, call, result, seen);
            }
            Planned::ReloadDies(id, call) => {
                return self.reload_ends(id, call, Err(Cause::Lost), Seen::ReloadDropped(id));
            }
            Planned::Aborted(id) => {
                let panics = self.scenario.resources[id].abort_panics;
                let result = if panics { Err(panic()) } else { Ok(()) };
                self.tell(Event::Aborted(id, result), Some(Seen::Aborted(id, !panics)));
            }
            Planned::Outside(Outside::Signal(signal)) => {
                self.tell(Event::Signal(signal), Some(Seen::Signal(signal)));
            }
            Planned::Outside(Outside::Shutdown) => {
                self.tell(Event::Shutdown("test".to_owned()), Some(Seen::Shutdown));
            }
            Planned::Outside(Outside::Reload) => self.tell(Event::Reload(0), Some(Seen::Reload)),
            Planned::Outside(Outside::Insist) => self.tell(Event::Insist, Some(Seen::Insist)),
        }
        true
    }

    fn reload_ends(&mut self, id: Id, call: usize, result: Result<(), Cause>, seen: Seen) -> bool {
        if self.reload_is_alive[id] != Some(call) {
            return false;
        }
        self.reload_is_alive[id] = None;
        self.tell(Event::Reloaded(id, result), Some(seen));
        if self.in_flight.leave(id) == Rest::Drained {
            self.tell(Event::Drained(id), None);
        }
        true
    }

    fn reload(&mut self, id: Id) {
        let (alive, is_draining) = self.in_flight.0[id].get();
        if alive == 0 && is_draining {
            return self.tell(Event::Reloaded(id, Err(Cause::Lost)), None);
        }
        self.in_flight.enter(id);
        self.entries.push((self.now, Entry::Seen(Seen::ReloadStarted(id))));
        let call = self.reloads[id];
        self.reloads[id] += 1;
        assert!(self.reload_is_alive[id].replace(call).is_none(), "one reload at a time");
        let ends = &self.scenario.resources[id].reloads;
        let (takes, end) = ends[call % ends.len()];
        if end != End::Hang {
            self.plan_in(takes, Planned::ReloadEnds(id, call, end));
        }
    }

    fn task_tells(&mut self, id: Id, task: TaskId, how: How, rest: Rest) {
        let end = match how {
            How::Done => TaskEnd::Done,
            How::Failed => TaskEnd::Failed(error()),
            How::Dropped => TaskEnd::Dropped,
        };
        let event = Event::TaskEnded { owner: id, task, end, rest };
        self.tell(event, Some(Seen::TaskEnded(id, how)));
    }

    fn tell(&mut self, event: Event, seen: Option<Seen>) {
        if let Some(seen) = seen {
            self.entries.push((self.now, Entry::Seen(seen)));
        }
        self.engine.handle(self.now, event, &self.in_flight);
        while let Some(output) = self.engine.next_output() {
            let entry = match output {
                Output::Do(command) => {
                    self.commands.push_back(command.clone());
                    Entry::Done(command)
                }
                Output::Gone(..) => continue,
                said @ (Output::Say(_) | Output::Report(_) | Output::LastWord) => Entry::Said(said),
            };
            self.entries.push((self.now, entry));
        }
        if !std::mem::replace(&mut self.is_at_it, true) {
            while let Some(command) = self.commands.pop_front() {
                self.carry_out(&command);
            }
            self.is_at_it = false;
        }
    }

    fn carry_out(&mut self, command: &Command) {
        let scenario = self.scenario;
        match *command {
            Command::Enter(_)
            | Command::Deadline(_)
            | Command::FireDraining
            | Command::ForgetErrors
            | Command::BeginReload
            | Command::EndReload => {}
            Command::Reload(id) => self.reload(id),
            Command::CancelReload(id) => {
                if let Some(call) = self.reload_is_alive[id] {
                    self.dies(scenario.resources[id].recall, Planned::ReloadDies(id, call));
                }
            }
            Command::End | Command::Exit(_) => self.is_over = true,
            Command::Acquire(id) => {
                self.acquisition_is_alive[id] = true;
                for index in 0..scenario.resources[id].tasks.len() {
                    self.start_task(id, index);
                }
                let (takes, end) = scenario.resources[id].acquire;
                if end != End::Hang {
                    self.plan_in(takes, Planned::AcquisitionEnds(id, end));
                }
            }
            Command::CancelAcquire(id) => {
                self.dies(scenario.resources[id].cancel, Planned::AcquisitionDies(id));
            }
            Command::RunMain => {
                if scenario.body.listens {
                    self.tell(Event::BodyListens, Some(Seen::BodyListens));
                }
                if let Some((takes, end)) = scenario.body.life {
                    self.plan_in(takes, Planned::BodyEnds(how(end)));
                }
            }
            Command::Drain(id) => self.drain(id),
            Command::AbortTasks(id) if id == self.main() => {
                // A host cannot be dropped.
                if scenario.settings.body == BodyKind::Written {
                    self.plan_in(Duration::ZERO, Planned::BodyEnds(How::Dropped));
                }
            }
            Command::AbortTasks(id) => {
                let tasks: Vec<_> =
                    self.tasks.iter().filter(|(_, (owner, _))| *owner == id).map(|(t, i)| (*t, *i)).collect();
                for (task, (_, index)) in tasks {
                    let dying = scenario.resources[id].tasks[index].abort;
                    self.dies(dying, Planned::TaskEnds(task, How::Dropped));
                }
            }
            Command::CutRelease(id) => self.dies(scenario.resources[id].cut, Planned::ReleaseDies(id)),
            Command::Release(id) => {
                self.release_is_alive[id] = true;
                let (takes, end) = scenario.resources[id].release;
                if end != End::Hang {
                    self.plan_in(takes, Planned::Released(id, end));
                }
            }
            Command::Abort(id) => self.dies(scenario.resources[id].abort, Planned::Aborted(id)),
        }
    }

    fn start_task(&mut self, id: Id, index: usize) {
        let task = self.next;
        self.next += 1;
        self.in_flight.enter(id);
        self.tasks.insert(task, (id, index));
        let name = format!("t{index}");
        self.tell(
            Event::TaskStarted { owner: id, task, name: name.into(), kind: TaskKind::Supervised },
            Some(Seen::TaskStarted(id)),
        );
        if let Some((takes, end)) = self.scenario.resources[id].tasks[index].life {
            self.plan_in(takes, Planned::TaskEnds(task, how(end)));
        }
    }

    fn drain(&mut self, id: Id) {
        let alive = self.in_flight.of(id);
        if id == self.main() {
            let Scenario { body, settings, .. } = self.scenario;
            if let (true, true, Some((takes, end))) =
                (alive > 0, settings.body == BodyKind::Host || body.listens, body.drain)
            {
                self.plan_in(takes, Planned::BodyEnds(how(end)));
            }
        } else {
            let tasks: Vec<_> =
                self.tasks.iter().filter(|(_, (owner, _))| *owner == id).map(|(t, i)| (*t, *i)).collect();
            for (task, (_, index)) in tasks {
                if let Some((takes, end)) = self.scenario.resources[id].tasks[index].drain {
                    self.plan_in(takes, Planned::TaskEnds(task, how(end)));
                }
            }
        }
    }

    fn dies(&mut self, dying: Dying, death: Planned) {
        match dying {
            Dying::AtOnce => self.plan_in(Duration::ZERO, death),
            Dying::After(takes) => self.plan_in(takes, death),
            Dying::Never => {}
        }
    }
}

fn how(end: End) -> How {
    match end {
        End::Ok | End::Skip | End::Hang => How::Done,
        End::Error | End::Misconfigured | End::Panic => How::Failed,
    }
}

fn error() -> Cause {
    Cause::Error("it broke".into())
}

fn mistake() -> Cause {
    let text = "it is wrong".to_owned();
    Cause::Error(ErrorText { text, kept_as: None, is_misconfiguration: true })
}

fn panic() -> Cause {
    Cause::Panic("it broke".to_owned())
}
