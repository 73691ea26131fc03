//! Carries out what the engine commands, on the application's runtime.
//!
//! The thread that brings an event runs the engine under a short lock and then carries out what it commanded, so that
//! a chain of resources costs no hop to another thread, unless dropping them runs code. Three things are kept apart:
//!
//! * the engine, behind a lock that is never held while anything else is done. Only plain data goes in and comes out:
//!   nothing of the user's (`Display`, `Drop`, a waker, a subscriber) is ever called under a lock of ours;
//! * commands, carried out one after the other in the engine's order. A thread that finds nobody at it carries out all
//!   there are; they only spawn, wake and store, so that this does not block;
//! * what is to be said, likewise in order, but after the commands and on a thread of its own: a
//!   log that blocks, even for ever, holds up its own lines and nothing else. So that a log that does not block can be
//!   read, a hook lets it finish what was to be said before: for a moment, and only if it is quick.

mod audience;
mod blocking;
mod catch;
mod cell;
mod census;
mod conclusion;
#[cfg(any(feature = "http", feature = "probe"))]
mod connections;
mod context;
pub(crate) mod counter;
mod doubt;
mod endpoints;
mod errors;
mod hooks;
#[cfg(feature = "testing")]
pub(crate) mod kit;
mod log;
#[cfg(feature = "metrics")]
mod meter;
#[cfg(feature = "metrics")]
mod metrics;
mod milestones;
#[cfg(feature = "probe")]
mod pages;
mod places;
mod queue;
mod recent;
mod reload;
mod said;
mod seat;
mod shard;
#[allow(clippy::needless_borrows_for_generic_args, reason = "older versions of tracing take references")]
mod spans;
mod speaker;
mod standby;
mod task;
#[cfg(test)]
mod tests;
mod token;
mod unit;
mod untold;

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::level_filters::LevelFilter;

use self::audience::Audience;
pub(crate) use self::catch::{CatchPanic, Panic, Witness, Witnessed, catch};
pub(crate) use self::cell::{Cell, Instance};
#[cfg(feature = "probe")]
pub(crate) use self::connections::Connected;
pub(crate) use self::context::{Context, Dependencies};
pub(crate) use self::doubt::Doubt;
use self::errors::Errors;
#[cfg(feature = "probe")]
pub(crate) use self::hooks::CheckEnd;
use self::log::Word;
#[cfg(feature = "metrics")]
use self::meter::Meter;
pub(crate) use self::milestones::Milestones;
#[cfg(feature = "probe")]
use self::pages::Pages;
#[cfg(feature = "probe")]
pub(crate) use self::pages::Rendered;
use self::queue::Queue;
use self::recent::Recent;
#[cfg(feature = "probe")]
pub(crate) use self::recent::{Line, Words};
use self::reload::Asking;
use self::said::Said;
pub(crate) use self::seat::{Seat, SeatToken};
use self::spans::{Mark, Spans};
use self::standby::Standby;
#[cfg(feature = "http")]
pub(crate) use self::token::Token;
pub(crate) use self::token::Waiter;
#[cfg(feature = "http")]
pub(crate) use self::unit::KnownUnit;
pub(crate) use self::unit::{Unit, UnitEntrance};
use self::untold::Untold;
use crate::engine::budget::LONGEST;
use crate::engine::command::{Command, Output};
use crate::engine::event::Event;
use crate::engine::notice::{Cut, Killing, Notice};
use crate::engine::reload::ReloadStatus;
use crate::engine::settings::{Ending, Settings};
use crate::engine::{Counts, Engine};
use crate::model::failure::{BoxError, Cause};
use crate::model::graph::{Graph, Id};
use crate::model::phase::{Phase, Reason};
use crate::model::report::{Exit, Report};
use crate::model::units::Units;
use crate::process::frozen::{PULSE, was_frozen};
pub(crate) use crate::process::lock;
use crate::process::thread::AtWork;
use crate::process::watchdog::Watchdog;

/// A future of the user's, without its type.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Reloads an instance.
pub(crate) type ReloadHook = fn(Instance, Context) -> BoxFuture<Result<(), BoxError>>;

/// What the runtime can do with a resource, without its type. Filled in by the declaration.
pub(crate) struct Hooks {
    pub(crate) type_id: fn() -> TypeId,
    pub(crate) acquire: fn(Context) -> BoxFuture<Result<Instance, BoxError>>,
    pub(crate) release: fn(Instance, Context) -> BoxFuture<Result<(), BoxError>>,
    pub(crate) abort: fn(&Instance),
    /// Of a resource that is declared `reload`.
    pub(crate) reload: Option<ReloadHook>,
    /// Dropping an instance runs code.
    pub(crate) needs_drop: bool,
    #[cfg(feature = "probe")]
    pub(crate) check: fn(Instance) -> BoxFuture<Result<(), BoxError>>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// Which clock counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timing {
    /// A thread of ours, whatever the application's runtime does.
    Thread,
    /// The application's runtime, whose clock a test may pause.
    Runtime,
}

/// What an application is made of.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    /// In the order of the plan.
    pub(crate) hooks: Vec<&'static Hooks>,
    /// The instances that are there already.
    pub(crate) supplied: Vec<(Id, Instance)>,
    pub(crate) runtime: Handle,
    pub(crate) timing: Timing,
    pub(crate) watchdog: Option<Watchdog>,
    pub(crate) exit_of_main: Option<ExitOfMain>,
    /// Time alone controls it: whoever waits for its end concludes it.
    pub(crate) concludes_itself: bool,
    pub(crate) record: Option<Arc<dyn Record>>,
    pub(crate) keepers: Vec<Arc<dyn Keeper>>,
    #[cfg(feature = "testing")]
    pub(crate) kit: Option<Arc<dyn kit::Kit>>,
}

/// Keeps the report somewhere else than in the log.
pub(crate) trait Record: Send + Sync {
    /// It may block.
    fn keep(&self, report: &Report);
}

/// Keeps where the application stands, for after a death.
pub(crate) trait Keeper: Send + Sync {
    /// The process is ended now, from outside of the application. It does not block; `done` is dropped when that is
    /// kept.
    fn keep_last(&self, driver: &Arc<Driver>, why: Killing, exit_code: u8, done: AtWork);
}

/// Makes what is done when `main` returns the report.
pub(crate) type ExitOfMain = fn(Arc<Driver>) -> Arc<dyn Exit>;

pub(crate) struct Driver {
    plan: Arc<Graph>,
    hooks: Vec<&'static Hooks>,
    /// Where each resource is, once somebody looked for one by its type.
    places: OnceLock<HashMap<TypeId, Id>>,
    cells: Cells,
    core: Mutex<Core>,
    untold: Untold,
    errors: Errors,
    audience: Audience,
    runtime: Handle,
    timing: Timing,
    ending: Ending,
    watchdog: Option<Watchdog>,
    exit_of_main: Option<ExitOfMain>,
    record: Option<Arc<dyn Record>>,
    keepers: Vec<Arc<dyn Keeper>>,
    concludes_itself: bool,
    has_conclusion: AtomicBool,
    origin: Instant,
    phase: watch::Sender<Phase>,
    reloads: watch::Sender<ReloadStatus>,
    asking: Mutex<Asking>,
    /// While the application starts or stops, something has happened; heard by those who keep where it stands.
    changes: watch::Sender<()>,
    /// When the engine wants to be woken, or earlier; heard by `control`.
    wake: watch::Sender<Option<Duration>>,
    milestones: Milestones,
    said: Said,
    spans: Spans,
    #[cfg(feature = "probe")]
    pages: Pages,
    #[cfg(feature = "metrics")]
    meter: Meter,
    /// For threads that say something.
    standby: Standby,
    body_listens: AtomicBool,
    #[cfg(feature = "testing")]
    kit: Option<Arc<dyn kit::Kit>>,
    #[cfg(test)]
    commanded: Mutex<Vec<(Duration, Command)>>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

struct Core {
    engine: Engine,
    commands: Queue<Command>,
    words: Queue<Word>,
    /// If somebody may ask for the last lines.
    recent: Option<Recent>,
    /// There may be a log: what waits to be said is said.
    is_heard: bool,
    /// What control was told last of when to wake.
    told_wake: Option<Duration>,
    /// When the engine was told something last.
    looked: Duration,
    /// How much its audience hears, once the report has been said.
    report_heard: Option<LevelFilter>,
}

struct Cells(Vec<Cell>);

impl Counts for Cells {
    fn begin_drain(&self, id: Id) -> usize {
        self.0[id].counter.begin_drain()
    }

    fn in_flight(&self, id: Id) -> Cut {
        self.0[id].counter.cut()
    }

    fn units(&self, id: Id) -> Units {
        self.0[id].units()
    }
}

impl Driver {
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        let Parts {
            engine,
            hooks,
            supplied,
            runtime,
            timing,
            watchdog,
            exit_of_main,
            record,
            keepers,
            concludes_itself,
            #[cfg(feature = "testing")]
            kit,
        } = parts;
        let plan = Arc::clone(engine.plan());
        let ending = engine.ending();
        let cells: Vec<Cell> = plan.all().map(|_| Cell::default()).collect();
        for (id, instance) in supplied {
            cells[id].put(instance);
        }
        let core = Core {
            engine,
            commands: Queue::default(),
            words: Queue::default(),
            recent: None,
            is_heard: false,
            told_wake: None,
            looked: Duration::ZERO,
            report_heard: None,
        };
        let has_stderr = timing == Timing::Thread && watchdog.is_some();
        Arc::new(Self {
            plan,
            hooks,
            places: OnceLock::new(),
            cells: Cells(cells),
            core: Mutex::new(core),
            untold: Untold::default(),
            errors: Errors::default(),
            audience: Audience::of_this_thread(has_stderr),
            runtime,
            timing,
            ending,
            watchdog,
            exit_of_main,
            record,
            keepers,
            concludes_itself,
            has_conclusion: AtomicBool::new(false),
            origin: Instant::now(),
            phase: watch::Sender::new(Phase::Starting),
            reloads: watch::Sender::default(),
            asking: Mutex::default(),
            changes: watch::Sender::new(()),
            wake: watch::Sender::new(None),
            milestones: Milestones::default(),
            said: Said::default(),
            spans: Spans::default(),
            #[cfg(feature = "probe")]
            pages: Pages::default(),
            #[cfg(feature = "metrics")]
            meter: Meter::default(),
            standby: Standby::default(),
            body_listens: AtomicBool::new(false),
            #[cfg(feature = "testing")]
            kit,
            #[cfg(test)]
            commanded: Mutex::default(),
        })
    }

    /// Tells the engine, and does what it commands. For the end of a future of ours, whose thread has nothing else to
    /// do after that; in the code of a user, use [`call`](Self::call).
    pub(crate) fn send(self: &Arc<Self>, event: Event) {
        #[cfg(feature = "testing")]
        if let Some(kit) = &self.kit {
            kit.heard(self, &event);
        }
        let (has_commands, has_words) = self.ask(event);
        #[cfg(feature = "testing")]
        if let Some(kit) = &self.kit {
            kit.act(self);
        }
        // To hand over what is to be said takes no time; to say it does.
        let is_handed_over = has_words && self.timing == Timing::Thread;
        if is_handed_over {
            self.speak();
        }
        if has_commands {
            self.carry_out_all();
        }
        if has_words && !is_handed_over {
            self.speak();
        }
        #[cfg(feature = "metrics")]
        self.measure();
    }

    /// The same for a call of the user's, who may go on with blocking work on this worker of the runtime. What was
    /// woken last waits in a slot of this worker from which no other can steal it; one empty task pushes it out.
    pub(crate) fn call(self: &Arc<Self>, event: Event) {
        self.send(event);
        if self.timing == Timing::Thread {
            self.spawn(async {});
        }
    }

    /// Spawns work of the library's own on the application's runtime. In a box: a task of tokio is made once, not for
    /// each kind of work.
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.spawn_boxed(Box::pin(work));
    }

    fn spawn_boxed(&self, work: BoxFuture<()>) {
        self.runtime.spawn(work);
    }

    /// Has something said that the engine does not know of.
    pub(crate) fn say(self: &Arc<Self>, notice: Notice) {
        let is_mine = {
            let mut core = self.core();
            if let Some(recent) = &mut core.recent {
                recent.keep(self.origin.elapsed(), &notice);
            }
            core.words.push(Word::Notice(notice));
            core.claim_words()
        };
        if is_mine {
            self.speak();
        }
    }

    /// Runs the engine. Returns whether this thread is to carry out commands, and to say what waits to be said.
    fn ask(&self, event: Event) -> (bool, bool) {
        let is_tick = matches!(event, Event::Tick);
        let mut core = lock(&self.core);
        let Core { engine, commands, words, recent, is_heard, told_wake, looked, .. } = &mut *core;
        let mut untold = self.untold.hand_over(|begun| begun.tell(engine));
        // What nobody will ever hear is not even put out.
        engine.set_audience(!*is_heard || recent.is_some() || self.audience.is_there());
        let now = self.origin.elapsed();
        let since_last_look = now.saturating_sub(std::mem::replace(looked, now));
        // Virtual time is never frozen.
        let can_be_frozen = self.timing == Timing::Thread;
        if can_be_frozen && engine.is_stopping() && was_frozen(since_last_look) {
            engine.handle(now, Event::Thawed(since_last_look), &self.cells);
        }
        let is_traced = self.audience.has_subscriber();
        let mark = |mark: Option<Mark>, words: &mut Queue<Word>| {
            if let Some(mark) = mark.filter(|_| is_traced) {
                words.push(Word::Mark(mark));
            }
        };
        let ends = Mark::of_event(&event);
        #[cfg(feature = "metrics")]
        if ends.is_some() {
            self.meter.note();
        }
        mark(ends, words);
        engine.handle(now, event, &self.cells);
        // Who keeps lines keeps that of the end of a task, too, and a kit hears of every event.
        let is_overheard = recent.is_some();
        #[cfg(feature = "testing")]
        let is_overheard = is_overheard || self.has_kit();
        untold.set_quiet(engine.lives_on() && !is_overheard);
        drop(untold);
        while let Some(output) = engine.next_output() {
            #[cfg(feature = "metrics")]
            self.meter.note();
            mark(Mark::of_output(&output), words);
            match output {
                Output::Gone(..) => {}
                Output::Do(command) => commands.push(command),
                Output::Say(notice) => {
                    if let Some(recent) = recent {
                        recent.keep(now, &notice);
                    }
                    words.push(Word::Notice(notice));
                }
                Output::Report(report) => words.push(Word::Report(report)),
                Output::LastWord => words.push(Word::Last),
            }
        }
        if !self.keepers.is_empty() && engine.phase() != Phase::Running {
            self.changes.send_replace(());
        }
        let mut wake = engine.next_wake();
        if can_be_frozen && engine.is_stopping() {
            let pulse = now + PULSE;
            wake = Some(wake.map_or(pulse, |wake| wake.min(pulse)));
        }
        // Control sleeps until the time that it was told last. One that is too early costs a tick; so it is woken only
        // for an earlier one. What waits on the other side is a task of ours.
        let is_news = is_tick || wake.is_some_and(|wake| told_wake.is_none_or(|told| wake < told));
        if is_news && std::mem::replace(told_wake, wake) != wake {
            self.wake.send_replace(wake);
        }
        (core.commands.claim(), core.claim_words())
    }

    /// The engine, which knows of every task that has begun.
    fn core(&self) -> MutexGuard<'_, Core> {
        let mut core = lock(&self.core);
        drop(self.untold.hand_over(|begun| begun.tell(&mut core.engine)));
        core
    }

    /// Carries out commands until there are none. The caller has claimed that.
    fn carry_out_all(self: &Arc<Self>) {
        let mut batch = Vec::new();
        loop {
            self.core().commands.next(&mut batch);
            if batch.is_empty() {
                return;
            }
            for command in batch.drain(..) {
                // A waker that panics must not leave the queue without anybody to empty it.
                let _ = catch(|| self.carry_out(&command));
            }
        }
    }

    fn carry_out(self: &Arc<Self>, command: &Command) {
        #[cfg(feature = "testing")]
        if let Some(kit) = &self.kit {
            kit.commanded(self, command);
        }
        #[cfg(test)]
        self.commanded.lock().unwrap().push((self.origin.elapsed(), command.clone()));
        match *command {
            Command::Enter(phase) => {
                self.phase.send_replace(phase);
            }
            Command::Acquire(id) => self.acquire(id),
            Command::CancelAcquire(id) => self.cell(id).acquisition.call_back(),
            Command::RunMain => self.milestones.run_main.raise(),
            Command::Deadline(deadline) => {
                if let Some(watchdog) = &self.watchdog {
                    self.arm(watchdog, deadline);
                }
            }
            Command::FireDraining => {
                self.milestones.draining.raise();
                self.milestones.leaving.raise();
            }
            Command::Drain(id) => self.fire_stopping(id),
            Command::AbortTasks(id) => self.cell(id).abort.raise(),
            Command::Release(id) => self.release(id),
            Command::CutRelease(id) => self.cell(id).release.call_back(),
            Command::Abort(id) => self.abort(id),
            Command::BeginReload | Command::EndReload => self.tell_reloads(),
            Command::Reload(id) => self.reload(id),
            Command::CancelReload(id) => self.cell(id).reload.call_back(),
            Command::ForgetErrors => self.forget_errors(),
            Command::End => self.milestones.ended.raise(),
            Command::Exit(signal) => self.exit(signal),
        }
    }

    /// Gives the notice of a turn. If somebody waits for it, the log may finish what was to be said before.
    fn fire_stopping(&self, id: Id) {
        let cell = self.cell(id);
        if cell.is_awaited() && self.timing == Timing::Thread && self.audience.is_there() {
            let up_to = self.core().heard();
            self.said.wait_up_to(up_to);
        }
        cell.stopping.raise();
    }

    /// Lets go of the errors that were kept. They are dropped on the runtime: that is the user's code.
    fn forget_errors(&self) {
        let errors = self.errors.take();
        self.spawn(async move { drop(errors) });
    }

    /// The report is handed over, or nobody waits for it: what an error holds is let go of.
    pub(crate) fn close_errors(&self) {
        drop(self.errors.close());
    }

    /// An error of the user's as plain data.
    pub(crate) fn cause(&self, error: BoxError) -> Cause {
        self.errors.keep(error)
    }

    pub(crate) fn plan(&self) -> &Graph {
        &self.plan
    }

    /// The effective configuration, and whether something serves requests by now.
    pub(crate) fn settings(&self) -> (Settings, bool) {
        let core = self.core();
        let (settings, serves) = core.engine.settings();
        (settings.clone(), serves)
    }

    pub(crate) fn milestones(&self) -> &Milestones {
        &self.milestones
    }

    pub(crate) fn ending(&self) -> Ending {
        self.ending
    }

    pub(crate) fn seat(self: &Arc<Self>, id: Id) -> Seat {
        Seat { driver: Arc::clone(self), id }
    }

    /// The seat of the body of `main`.
    pub(crate) fn main_seat(self: &Arc<Self>) -> Seat {
        self.seat(self.plan.main())
    }

    pub(crate) fn place(&self, type_id: TypeId) -> Option<Id> {
        let places = || self.hooks.iter().enumerate().map(|(id, hooks)| ((hooks.type_id)(), id)).collect();
        self.places.get_or_init(places).get(&type_id).copied()
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// The body of `main` asked for a notice: from now on it is waited for at its turn (rule R5).
    pub(crate) fn body_listens(self: &Arc<Self>) {
        if !self.body_listens.swap(true, Ordering::Relaxed) {
            self.send(Event::BodyListens);
        }
    }

    pub(crate) fn wake(&self) -> watch::Receiver<Option<Duration>> {
        self.wake.subscribe()
    }

    pub(crate) fn origin(&self) -> Instant {
        self.origin
    }

    pub(crate) fn reason(&self) -> Reason {
        self.core().engine.reason()
    }

    /// When the release of a resource is cut off.
    pub(crate) fn release_limit(&self, id: Id) -> Instant {
        let limit = self.core().engine.release_limit(id);
        // A release before the stop (of an optional resource that was acquired too late) has no limit.
        self.origin + limit.unwrap_or(LONGEST)
    }

    /// When the tasks of a resource are aborted, once its turn has begun.
    fn drain_limit(&self, id: Id) -> Option<Instant> {
        let limit = self.core().engine.drain_limit(id);
        limit.map(|limit| self.origin + limit)
    }

    /// When everything is over, once the stop has begun.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadline = self.core().engine.stop_limit();
        deadline.map(|deadline| self.origin + deadline)
    }

    /// The instance of a resource, for somebody who may keep it for as long as they like.
    pub(crate) fn hand_out(&self, id: Id) -> Option<Instance> {
        self.cell(id).hand_out();
        self.instance(id)
    }

    /// The instance of a resource, unless its acquisition was cancelled: then others must not see it.
    fn instance(&self, id: Id) -> Option<Instance> {
        let cell = self.cell(id);
        if cell.acquisition.is_called_back() { None } else { cell.instance() }
    }

    #[inline]
    fn cell(&self, id: Id) -> &Cell {
        &self.cells.0[id]
    }

    #[cfg(test)]
    pub(crate) fn record(&self) -> Vec<(Duration, Command)> {
        self.commanded.lock().unwrap().clone()
    }
}

impl Core {
    /// How much there was ever to be said that the log may be waited for: nothing until it is there.
    fn heard(&self) -> u64 {
        if self.is_heard { self.words.pushed() } else { 0 }
    }

    /// Whether the caller is to say what waits. Until a log is there to hear it, nobody is.
    fn claim_words(&mut self) -> bool {
        self.is_heard |= self.engine.foundations_are_settled() || audience::has_subscriber();
        self.is_heard && self.words.claim()
    }
}
