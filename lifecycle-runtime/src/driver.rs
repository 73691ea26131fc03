//! Carries out what the engine commands, on the application's runtime.
//!
//! Whoever brings an event runs the engine under a short lock and then carries out what it commanded, so that a
//! chain of resources costs no hop to another thread. Three things are kept apart:
//!
//! * the engine, behind a lock that is never held while anything else is done;
//! * commands, carried out one after the other in the engine's order. Whoever finds nobody at it carries out all
//!   there are; they only spawn, cancel and store, so that this does not block;
//! * what is to be said, likewise in order, but apart from the commands: a log that blocks must not keep a cut-off
//!   from happening. Only threads of the application speak (see `control`).

mod hooks;

use std::any::TypeId;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

#[cfg(feature = "probe")]
pub(crate) use self::hooks::CheckOutput;
use crate::budget::LONGEST;
use crate::catch::catch;
use crate::engine::command::{Command, Notice};
use crate::engine::event::{Event, TaskId};
#[cfg(any(feature = "probe", all(feature = "systemd", target_os = "linux")))]
use crate::engine::status::Status;
use crate::engine::{Engine, LastWords};
use crate::error::Panic;
use crate::inflight::Counter;
use crate::log;
use crate::node::{Instance, Node};
use crate::phase::{Phase, Reason, Signal};
use crate::plan::{Id, Plan};
use crate::report::Report;
use crate::stderr;
use crate::stopping::Stopping;
use crate::watchdog::{AFTER_DEADLINE, Watchdog};

/// Where a resource comes from.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) node: &'static Node,
    /// It was handed in by `supply`, and is taken from here in place of being acquired.
    pub(crate) supplied: Mutex<Option<Instance>>,
}

/// Who tells the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    /// A thread of ours, whatever the application's runtime does.
    Thread,
    /// The application's runtime, whose clock a test may pause.
    Runtime,
}

/// What the driver keeps of one resource, or of the body of `main`.
#[derive(Debug, Default)]
pub(crate) struct Cell {
    pub(crate) counter: Counter,
    /// The turn has begun.
    pub(crate) stopping: CancellationToken,
    /// Tasks are dropped.
    pub(crate) abort: CancellationToken,
    cancel_acquire: CancellationToken,
    cut_release: CancellationToken,
    instance: Mutex<Option<Instance>>,
    /// Somebody took a handle by way of `App`: who holds one is not ours to say.
    is_handed_out: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Driver {
    plan: Plan,
    sources: Vec<Source>,
    places: HashMap<TypeId, Id>,
    cells: Vec<Cell>,
    core: Mutex<Core>,
    runtime: Handle,
    timing: Timing,
    watchdog: Option<Watchdog>,
    origin: Instant,
    phase: watch::Sender<Phase>,
    /// When the engine wants to be woken; heard by `control`.
    wake: watch::Sender<Option<Duration>>,
    draining: CancellationToken,
    run_main: CancellationToken,
    /// The report has been said.
    reported: CancellationToken,
    /// Everything has had its turn.
    ended: CancellationToken,
    /// And everything was said that there was to say.
    spoken: CancellationToken,
    /// Or had its time for it.
    finished: CancellationToken,
    next_task: AtomicU64,
    body_listens: AtomicBool,
    control_thread: OnceLock<ThreadId>,
    #[cfg(test)]
    record: Mutex<Vec<(Duration, Command)>>,
    #[cfg(test)]
    exited: CancellationToken,
}

#[derive(Debug)]
struct Core {
    engine: Engine,
    commands: Queue<Command>,
    notices: Queue<Notice>,
}

/// Things to be done one after the other, by one thread at a time.
///
/// Invariant: while `is_being_emptied`, some thread is in [`Driver::empty`] and will look at the queue once more
/// before it leaves. So whoever adds something either becomes that thread or can rely on it.
#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<T>,
    is_being_emptied: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), is_being_emptied: false }
    }
}

impl Driver {
    pub(crate) fn new(
        engine: Engine,
        sources: Vec<Source>,
        runtime: Handle,
        timing: Timing,
        watchdog: Option<Watchdog>,
    ) -> Arc<Self> {
        let plan = engine.plan().clone();
        let places = sources.iter().enumerate().map(|(id, source)| ((source.node.type_id)(), id)).collect();
        Arc::new(Self {
            cells: plan.all().map(|_| Cell::default()).collect(),
            plan,
            sources,
            places,
            core: Mutex::new(Core { engine, commands: Queue::default(), notices: Queue::default() }),
            runtime,
            timing,
            watchdog,
            origin: Instant::now(),
            phase: watch::Sender::new(Phase::Starting),
            wake: watch::Sender::new(None),
            draining: CancellationToken::new(),
            run_main: CancellationToken::new(),
            reported: CancellationToken::new(),
            ended: CancellationToken::new(),
            spoken: CancellationToken::new(),
            finished: CancellationToken::new(),
            next_task: AtomicU64::new(0),
            body_listens: AtomicBool::new(false),
            control_thread: OnceLock::new(),
            #[cfg(test)]
            record: Mutex::default(),
            #[cfg(test)]
            exited: CancellationToken::new(),
        })
    }

    /// Tells the engine, does what it commands and says what it wants said.
    pub(crate) fn send(self: &Arc<Self>, event: Event) {
        {
            let mut core = self.core();
            let now = self.origin.elapsed();
            for command in core.engine.handle(now, event) {
                match command {
                    Command::Tell(notice) => core.notices.waiting.push_back(notice),
                    command => core.commands.waiting.push_back(command),
                }
            }
            let wake = core.engine.next_wake();
            self.wake.send_if_modified(|current| std::mem::replace(current, wake) != wake);
        }
        if self.control_thread.get() == Some(&thread::current().id()) {
            // Control must not wait for a log: the application's runtime speaks.
            let driver = Arc::clone(self);
            self.runtime.spawn(async move { driver.speak() });
        } else {
            self.speak();
        }
        self.empty(|core| &mut core.commands, |command| self.carry_out(&command));
    }

    /// Says what waits to be said.
    pub(crate) fn speak(&self) {
        let tell = |notice| match notice {
            Notice::LastWord => self.spoken.cancel(),
            notice => {
                log::tell(&self.plan, &notice, &|id| self.cell(id).counter.in_flight(), || self.report());
                if let Notice::Report = notice {
                    self.reported.cancel();
                }
            }
        };
        self.empty(|core| &mut core.notices, tell);
    }

    /// Does everything in a queue, in order, unless another thread is at it.
    fn empty<T>(&self, queue: impl Fn(&mut Core) -> &mut Queue<T>, mut act: impl FnMut(T)) {
        let mut is_mine = false;
        loop {
            let next = {
                let mut core = self.core();
                let queue = queue(&mut core);
                if queue.is_being_emptied && !is_mine {
                    return;
                }
                let next = queue.waiting.pop_front();
                is_mine = next.is_some();
                queue.is_being_emptied = is_mine;
                next
            };
            let Some(next) = next else { return };
            // A subscriber or a waker that panics must not leave the queue without anybody to empty it.
            let _ = catch(|| act(next));
        }
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        lock(&self.core)
    }

    fn carry_out(self: &Arc<Self>, command: &Command) {
        #[cfg(test)]
        self.record.lock().unwrap().push((self.origin.elapsed(), command.clone()));
        match *command {
            Command::Enter(phase) => {
                self.phase.send_replace(phase);
            }
            Command::Acquire(id) => self.acquire(id),
            Command::CancelAcquire(id) => self.cell(id).cancel_acquire.cancel(),
            Command::RunMain => self.run_main.cancel(),
            Command::Deadline(deadline) => {
                if let Some(watchdog) = &self.watchdog {
                    let at = self.origin + deadline + AFTER_DEADLINE;
                    watchdog.arm(at.into_std(), Arc::downgrade(self));
                }
            }
            Command::FireDraining => self.draining.cancel(),
            Command::Drain(id) => {
                let cell = self.cell(id);
                cell.stopping.cancel();
                self.send(Event::DrainBegan(id, cell.counter.begin_drain()));
            }
            Command::AbortTasks(id) => {
                let cell = self.cell(id);
                self.send(Event::Cut(id, cell.counter.cut()));
                cell.abort.cancel();
            }
            Command::Release(id) => self.release(id),
            Command::CutRelease(id) => self.cell(id).cut_release.cancel(),
            Command::Abort(id) => self.abort(id),
            Command::End => self.ended.cancel(),
            #[cfg(test)]
            Command::Exit(_) => self.exited.cancel(),
            #[cfg(not(test))]
            Command::Exit(signal) => self.exit(signal),
            Command::Tell(_) => unreachable!("notices have a queue of their own"),
        }
    }

    #[cfg(any(feature = "probe", all(feature = "systemd", target_os = "linux")))]
    pub(crate) fn status(&self) -> Status {
        self.core().engine.status(self.origin.elapsed())
    }

    #[cfg(feature = "probe")]
    pub(crate) fn is_ready(&self) -> bool {
        self.core().engine.is_ready()
    }

    /// Withdraws readiness, since the stop is near. Returns for how long it is well to wait with the stop.
    #[cfg(feature = "probe")]
    pub(crate) fn pre_stop(self: &Arc<Self>) -> Duration {
        self.send(Event::PreStop);
        self.core().engine.pre_stop_left()
    }

    #[cfg(feature = "probe")]
    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn cell(&self, id: Id) -> &Cell {
        &self.cells[id]
    }

    pub(crate) fn main_cell(&self) -> &Cell {
        self.cell(self.main())
    }

    pub(crate) fn main(&self) -> Id {
        self.plan.main()
    }

    pub(crate) fn name(&self, id: Id) -> &str {
        self.plan.name(id)
    }

    pub(crate) fn place(&self, type_id: TypeId) -> Option<Id> {
        self.places.get(&type_id).copied()
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub(crate) fn new_task(&self) -> TaskId {
        // Only uniqueness matters, so that any ordering does.
        self.next_task.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(crate) fn draining(&self) -> Stopping {
        Stopping::new(&self.draining)
    }

    /// The body of `main` asked for a notice: from now on it is waited for at its turn (rule R5).
    pub(crate) fn body_listens(self: &Arc<Self>) {
        if !self.body_listens.swap(true, Ordering::Relaxed) {
            self.send(Event::BodyListens);
        }
    }

    pub(crate) fn run_main(&self) -> &CancellationToken {
        &self.run_main
    }

    pub(crate) fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    pub(crate) fn spoken(&self) -> &CancellationToken {
        &self.spoken
    }

    /// Lets go of whoever waits for the end.
    pub(crate) fn finish(&self) {
        self.finished.cancel();
    }

    pub(crate) fn finished(&self) -> &CancellationToken {
        &self.finished
    }

    pub(crate) fn wake(&self) -> watch::Receiver<Option<Duration>> {
        self.wake.subscribe()
    }

    pub(crate) fn origin(&self) -> Instant {
        self.origin
    }

    /// Declares the calling thread to be the control thread: it never speaks.
    pub(crate) fn is_controlled_here(&self) {
        let _ = self.control_thread.set(thread::current().id());
    }

    pub(crate) fn report(&self) -> Report {
        self.core().engine.report()
    }

    /// What is said when the watchdog ends the process, and with which exit code it does.
    pub(crate) fn last_words(&self) -> (String, u8) {
        self.core().engine.last_words(self.origin.elapsed(), LastWords::TimeIsUp)
    }

    /// Ends the process at once, since somebody insisted.
    pub(crate) fn exit(&self, signal: Signal) -> ! {
        let (text, code) = self.core().engine.last_words(self.origin.elapsed(), LastWords::Insisted(signal));
        stderr::write(text);
        signal_hook::low_level::exit(code.into())
    }

    pub(crate) fn disarm(&self) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.disarm();
        }
    }

    pub(crate) fn reason(&self) -> Reason {
        self.core().engine.report().reason
    }

    /// Until when a resource may be releasing itself.
    pub(crate) fn release_limit(&self, id: Id) -> Instant {
        let limit = self.core().engine.release_limit(id);
        // A release before the shutdown (of an optional resource that came too late) has no limit.
        self.origin + limit.unwrap_or(LONGEST)
    }

    /// The instance of a resource, for somebody who may keep it for as long as he likes.
    pub(crate) fn hand_out(&self, id: Id) -> Option<Instance> {
        // It is only ever set, and read when the resource has been released: any ordering does.
        self.cell(id).is_handed_out.store(true, Ordering::Relaxed);
        self.instance(id)
    }

    /// The instance of a resource, if it is there for others: one that came after it was given up is not.
    fn instance(&self, id: Id) -> Option<Instance> {
        let cell = self.cell(id);
        if cell.cancel_acquire.is_cancelled() { None } else { cell.instance() }
    }

    #[cfg(test)]
    pub(crate) fn record(&self) -> Vec<(Duration, Command)> {
        self.record.lock().unwrap().clone()
    }

    #[cfg(test)]
    pub(crate) fn exited(&self) -> &CancellationToken {
        &self.exited
    }

    pub(crate) fn warn_of_late_task(&self, id: Id) {
        log::late_task(self.name(id));
    }

    pub(crate) fn warn_of_panic(&self, id: Id, panic: &Panic) {
        log::task_panicked(self.name(id), panic);
    }
}

impl Cell {
    fn put(&self, instance: Instance) {
        *self.lock() = Some(instance);
    }

    fn take(&self) -> Option<Instance> {
        self.lock().take()
    }

    fn instance(&self) -> Option<Instance> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instance>> {
        lock(&self.instance)
    }
}

/// A panic elsewhere is no reason to end badly here: what is behind these locks is whole between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
