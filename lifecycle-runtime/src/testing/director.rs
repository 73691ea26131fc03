//! Sees to it that in an application happens what a test wants, and records what does.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::event::{Event, Kind};
use super::fault::{Fault, Hook};
use super::point::{Crash, Place, Point, WORDS};
use crate::driver::kit::{Act, Gate, Kit, Work};
use crate::driver::{BoxFuture, Driver, Seat, lock};
use crate::engine::command::Command;
use crate::engine::event::{Event as Input, TaskEnd, TaskId};
use crate::handles::app::App;
use crate::model::Name;
use crate::model::duration::Human;
use crate::model::graph::Id;
use crate::model::signal::Signal;

/// What a test does to the application.
pub(super) type Action = Box<dyn FnOnce(&App) + Send>;

/// What happened, and when that was, measured from the start of the application.
pub(super) type Log = Vec<(Duration, Event)>;

/// Every hook and task that has begun, and how many awaits it came to that were not ready.
pub(super) type Waits = Vec<(Place, usize)>;

#[derive(Clone, Debug, Default)]
pub(super) struct Director {
    state: Arc<Mutex<State>>,
    /// The crash point is reached.
    reached: Arc<Notify>,
}

#[derive(Default)]
struct State {
    log: Log,
    faults: Vec<Planned>,
    moments: Vec<Moment>,
    events: Vec<(Event, Option<Action>)>,
    /// What is to be done now.
    due: Vec<Action>,
    tasks: HashMap<TaskId, String>,
    stop: Stop,
    /// The application, once it has started, and when that was.
    started: Option<(Weak<Driver>, Instant)>,
    /// The resources of the application, once it has started.
    resources: Vec<Name>,
    /// From where on in the log notes are read.
    notes_from: usize,
}

/// A fault that is to happen.
struct Planned {
    resource: Name,
    hook: Hook,
    fault: Fault,
    has_happened: bool,
}

/// Something to be done at a time.
struct Moment {
    at: Duration,
    action: Option<Action>,
    has_come: bool,
}

/// The crash points of one run.
#[derive(Default)]
struct Stop {
    places: Waits,
    at: Option<Point>,
    is_reached: bool,
}

impl Director {
    pub(super) fn add_fault(&self, resource: Name, hook: Hook, fault: Fault) {
        self.state().faults.push(Planned { resource, hook, fault, has_happened: false });
    }

    pub(super) fn add_moment(&self, at: Duration, action: Action) {
        self.state().moments.push(Moment { at, action: Some(action), has_come: false });
    }

    pub(super) fn add_event(&self, event: Event, action: Action) {
        self.state().events.push((event, Some(action)));
    }

    pub(super) fn stop_at(&self, point: Point) {
        self.state().stop.at = Some(point);
    }

    /// Whether an application has started.
    pub(super) fn has_begun(&self) -> bool {
        self.state().started.is_some()
    }

    pub(super) fn log(&self) -> Log {
        self.state().log.clone()
    }

    /// Adds a line of the test's own to the log. Before the start, it is that of the first moment.
    pub(super) fn note(&self, line: String) {
        let started = self.state().started.clone();
        let at = started.as_ref().map_or(Duration::ZERO, |(_, origin)| origin.elapsed());
        self.add_to_log(at, Event(Kind::Noted(line)));
        if let Some(driver) = started.and_then(|(driver, _)| driver.upgrade()) {
            self.do_what_is_due(&driver);
        }
    }

    pub(super) fn notes(&self) -> Vec<(Duration, String)> {
        let state = self.state();
        let notes = state.log[state.notes_from..].iter();
        notes
            .filter_map(|(at, Event(kind))| match kind {
                Kind::Noted(line) => Some((*at, line.clone())),
                _ => None,
            })
            .collect()
    }

    pub(super) fn clear_notes(&self) {
        let mut state = self.state();
        state.notes_from = state.log.len();
    }

    /// Every hook and task that has begun, and how many awaits it came to that were not ready.
    pub(super) fn places(&self) -> Waits {
        self.state().stop.places.clone()
    }

    /// What happened at which time, what happened at the same time in any order; and how often each hook and task waited.
    pub(super) fn what_and_when(&self) -> (Vec<(Duration, String)>, Waits) {
        let mut log: Vec<_> = self.log().into_iter().map(|(at, event)| (at, event.to_string())).collect();
        log.sort();
        let mut places = self.places();
        places.sort();
        (log, places)
    }

    pub(super) fn point(&self) -> Option<Point> {
        self.state().stop.at.clone()
    }

    pub(super) fn is_point_reached(&self) -> bool {
        self.state().stop.is_reached
    }

    /// Waits until the crash point is reached.
    pub(super) async fn reach(&self) {
        self.reached.notified().await;
    }

    /// What the test planned, and did not happen.
    pub(super) fn unmet(&self) -> Vec<String> {
        let state = self.state();
        let fault = |it: &Planned| {
            let why = state.is_missing(it.resource).or_else(|| state.has_no_such_task(it));
            let why = why.unwrap_or_else(|| "it was not called".to_owned());
            format!("a fault in {} of {}: {why}", it.hook, it.resource)
        };
        let faults = state.faults.iter().filter(|it| !it.has_happened).map(fault);
        let moments = state
            .moments
            .iter()
            .filter(|it| !it.has_come)
            .map(|it| format!("something after {}: the application had ended before", Human(it.at)));
        let events = state.events.iter().filter(|(_, action)| action.is_some());
        let events = events.map(|(event, _)| {
            let why = event.resource().and_then(|resource| state.is_missing(resource));
            let why = why.unwrap_or_else(|| "that did not happen".to_owned());
            format!("something at {:?}: {why}", event.to_string())
        });
        faults.chain(moments).chain(events).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn begin(&self, driver: &Arc<Driver>) {
        let mut state = self.state();
        state.started.get_or_insert_with(|| (Arc::downgrade(driver), driver.origin()));
        state.resources = driver.plan().resources().map(|id| driver.plan().name(id)).collect();
        for (number, moment) in state.moments.iter_mut().enumerate() {
            let Some(action) = moment.action.take() else { continue };
            let (director, driver, at) = (self.clone(), Arc::clone(driver), driver.origin() + moment.at);
            driver.clone().runtime().spawn(async move {
                sleep_until(at).await;
                director.state().moments[number].has_come = true;
                action(&App::visitor(&driver));
            });
        }
    }

    fn happened(&self, driver: &Arc<Driver>, kind: Kind) {
        self.add_to_log(driver.origin().elapsed(), Event(kind));
    }

    fn add_to_log(&self, at: Duration, event: Event) {
        let mut state = self.state();
        let State { log, events, due, .. } = &mut *state;
        let planned = events.iter_mut().filter(|(planned, _)| *planned == event);
        due.extend(planned.filter_map(|(_, action)| action.take()));
        log.push((at, event));
    }

    fn do_what_is_due(&self, driver: &Arc<Driver>) {
        let due = std::mem::take(&mut self.state().due);
        for action in due {
            action(&App::visitor(driver));
        }
    }

    fn task_ended(&self, owner: Name, task: TaskId, end: &TaskEnd) -> Option<Kind> {
        let task = self.state().tasks.remove(&task)?;
        Some(match end {
            TaskEnd::Done => Kind::TaskEnded(owner, task),
            TaskEnd::Failed(_) => Kind::TaskFailed(owner, task),
            TaskEnd::Dropped => Kind::TaskDropped(owner, task),
        })
    }

    fn at_await(&self, seat: &Seat, place: usize) -> Act {
        let mut state = self.state();
        let Stop { places, at, is_reached } = &mut state.stop;
        let (place, awaits) = &mut places[place];
        *awaits += 1;
        let is_there = |point: &&Point| !*is_reached && point.place == *place && point.at == *awaits;
        let Some(point) = at.as_ref().filter(is_there).cloned() else { return Act::GoOn };
        *is_reached = true;
        drop(state);
        self.reached.notify_one();
        self.happened(&seat.driver, Kind::Stopped(point.to_string()));
        match point.by {
            Crash::Signal => {
                seat.send(Input::Signal(Signal::Terminate));
                Act::GoOn
            }
            Crash::Error => Act::Fail(WORDS.into()),
            Crash::Panic => Act::Panic(WORDS.to_owned()),
            Crash::Hang => Act::Hang,
            Crash::Drop => {
                seat.send(Input::Signal(Signal::Terminate));
                Act::Drop
            }
        }
    }
}

impl State {
    fn is_missing(&self, resource: Name) -> Option<String> {
        let is_missing = !self.resources.is_empty() && !self.resources.contains(&resource);
        is_missing.then(|| {
            format!("{resource} is not part of the application, which has {}", self.resources.join(", "))
        })
    }

    fn has_no_such_task(&self, planned: &Planned) -> Option<String> {
        if !matches!(planned.hook, Hook::Task(_)) {
            return None;
        }
        let places = self.stop.places.iter();
        let mut names: Vec<&str> = places.filter_map(|(place, _)| place.task_of(planned.resource)).collect();
        names.dedup();
        Some(match names.is_empty() {
            true => "it has started no task".to_owned(),
            false => format!("it has started no task of that name, but {}", names.join(", ")),
        })
    }
}

impl Kit for Director {
    fn heard(&self, driver: &Arc<Driver>, event: &Input) {
        let main = driver.main_seat().id;
        let name = |id: Id| driver.seat(id).name();
        let kind = match event {
            Input::Start => {
                self.begin(driver);
                return;
            }
            Input::TaskStarted { task, name, .. } => {
                self.state().tasks.insert(*task, name.to_string());
                return;
            }
            Input::Acquired(id) => Kind::Acquired(name(*id)),
            Input::AcquireFailed(id, _) => Kind::AcquireFailed(name(*id)),
            Input::AcquireSkipped(id) => Kind::Skipped(name(*id)),
            Input::AcquireDropped(id) => Kind::AcquireCancelled(name(*id)),
            Input::TaskEnded { owner, task, end, .. } => match self.task_ended(name(*owner), *task, end) {
                Some(kind) => kind,
                None => return,
            },
            Input::Released(id, result) if *id != main => match result {
                Ok(()) => Kind::Released(name(*id)),
                Err(_) => Kind::ReleaseFailed(name(*id)),
            },
            Input::Reloaded(id, Ok(())) => Kind::Reloaded(name(*id)),
            Input::Reloaded(id, Err(_)) => Kind::ReloadFailed(name(*id)),
            Input::ReleaseDropped(id) => Kind::ReleaseCut(name(*id)),
            Input::Aborted(id, _) => Kind::Aborted(name(*id)),
            Input::Signal(signal) => Kind::Signal(*signal),
            Input::Shutdown(reason) => Kind::Shutdown(reason.clone()),
            _ => return,
        };
        self.happened(driver, kind);
    }

    fn act(&self, driver: &Arc<Driver>) {
        self.do_what_is_due(driver);
    }

    fn commanded(&self, driver: &Arc<Driver>, command: &Command) {
        let main = driver.main_seat().id;
        let name = |id: Id| driver.seat(id).name();
        let kind = match command {
            Command::Enter(phase) => Kind::Phase(*phase),
            Command::Acquire(id) => Kind::Acquiring(name(*id)),
            Command::Reload(id) => Kind::Reloading(name(*id)),
            Command::Drain(id) if *id != main => Kind::Turn(name(*id)),
            Command::AbortTasks(id) if *id != main => Kind::AbortingTasks(name(*id)),
            Command::Release(id) if *id != main => Kind::Releasing(name(*id)),
            Command::Abort(id) if *id != main => Kind::Aborting(name(*id)),
            _ => return,
        };
        self.happened(driver, kind);
        self.do_what_is_due(driver);
    }

    fn gate(&self, seat: &Seat, work: Work<'_>) -> Gate {
        let mut state = self.state();
        let resource = seat.name();
        let planned = state.faults.iter_mut().find(|it| it.resource == resource && it.hook.is(work));
        let before = planned.map(|planned| {
            planned.has_happened = true;
            Box::pin(planned.fault.clone().happen()) as BoxFuture<_>
        });
        let places = &mut state.stop.places;
        let place = Place::next(resource, work, places);
        places.push((place, 0));
        let number = places.len() - 1;
        drop(state);
        let (director, seat) = (self.clone(), seat.clone());
        Gate { before, at_await: Box::new(move || director.at_await(&seat, number)) }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("log", &self.log).finish_non_exhaustive()
    }
}
