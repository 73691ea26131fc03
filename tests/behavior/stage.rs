//! The stage of a test: resources that do what their script says, and a record of what they did.
//!
//! A test runs on one thread, so that what is local to the thread is local to the test.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::pending;
use std::panic::Location;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifecycle::{Acquire, App, Release, Report, Resources, Result, Skip, Stopping};
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep};

use crate::capture;

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What was done, in order.
#[derive(Clone)]
pub(crate) struct Log(Arc<Record>);

struct Record {
    began: Instant,
    lines: Mutex<Vec<(Duration, String)>>,
}

impl Log {
    fn new() -> Self {
        Self(Arc::new(Record { began: Instant::now(), lines: Mutex::default() }))
    }

    /// The log of the test that runs on this thread.
    pub(crate) fn of_this_test() -> Self {
        CAST.with_borrow(|cast| cast.as_ref().expect("there is a stage").0.clone())
    }

    pub(crate) fn add(&self, line: impl Into<String>) {
        let Record { began, lines } = &*self.0;
        lines.lock().unwrap().push((began.elapsed(), line.into()));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lines.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    /// Each line behind the time at which it was added, in milliseconds of the virtual clock.
    pub(crate) fn timed(&self) -> Vec<String> {
        let lines = self.0.lines.lock().unwrap();
        lines.iter().map(|(at, line)| format!("{} {line}", at.as_millis())).collect()
    }

    /// Adds the line when what it returns is dropped.
    #[must_use]
    pub(crate) fn on_drop(&self, line: &str) -> Witness {
        Witness { log: self.clone(), line: Some(line.to_owned()) }
    }

    /// Forgets what was done so far, so that a test of the stop need not repeat the start.
    pub(crate) fn clear(&self) {
        self.0.lines.lock().unwrap().clear();
    }

    pub(crate) fn has(&self, line: &str) -> bool {
        self.lines().iter().any(|there| there == line)
    }

    #[track_caller]
    pub(crate) fn assert_order(&self, first: &str, second: &str) {
        let lines = self.lines();
        let place = |line: &str| lines.iter().position(|there| there == line);
        let (Some(before), Some(after)) = (place(first), place(second)) else {
            panic!("{first:?} or {second:?} is missing in {lines:?}");
        };
        assert!(before < after, "{first:?} comes behind {second:?} in {lines:?}");
    }
}

/// What a hook or a task does: it takes its time, and then comes to an end.
#[derive(Clone, Copy)]
pub(crate) struct Act {
    takes: Duration,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    Done,
    Fails(&'static str),
    Panics(&'static str),
    Skips,
    Never,
}

pub(crate) fn takes(millis: u64) -> Act {
    Act { takes: ms(millis), end: End::Done }
}

pub(crate) fn fails(why: &'static str) -> Act {
    Act { takes: Duration::ZERO, end: End::Fails(why) }
}

pub(crate) fn panics(why: &'static str) -> Act {
    Act { takes: Duration::ZERO, end: End::Panics(why) }
}

pub(crate) fn skips() -> Act {
    Act { takes: Duration::ZERO, end: End::Skips }
}

pub(crate) fn hangs() -> Act {
    Act { takes: Duration::ZERO, end: End::Never }
}

impl Act {
    /// The same, so much later.
    pub(crate) fn after(self, millis: u64) -> Self {
        Self { takes: ms(millis), ..self }
    }

    /// Without so much as a yield when it takes no time.
    async fn wait(self) {
        if !self.takes.is_zero() {
            sleep(self.takes).await;
        }
        if matches!(self.end, End::Never) {
            pending::<()>().await;
        }
    }

    fn end(self) -> Result {
        match self.end {
            End::Done => Ok(()),
            End::Fails(why) => Err(why.into()),
            End::Panics(why) => panic!("{why}"),
            End::Skips => Err(Skip.into()),
            End::Never => unreachable!("it never ends"),
        }
    }

    /// Logs how it went: done, or dropped before.
    async fn play(self, log: &Log, done: String, dropped: String) -> Result {
        let mut witness = Witness { log: log.clone(), line: Some(dropped) };
        self.wait().await;
        witness.line = None;
        self.end()?;
        log.add(done);
        Ok(())
    }
}

/// Logs its line when it is dropped.
pub(crate) struct Witness {
    log: Log,
    line: Option<String>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            self.log.add(line);
        }
    }
}

/// What happens first in the acquisition of `R`.
type Setup<R> = Rc<dyn Fn(&Acquire<R>)>;

/// An `abort` does not return before something comes here, or nothing can any more.
type Hold = Arc<Mutex<Receiver<()>>>;

/// What one resource does.
#[derive(Clone)]
struct Role {
    acquire: Act,
    release: Act,
    abort: Act,
    abort_hold: Option<Hold>,
    tasks: Vec<(&'static str, Act)>,
    /// A [`Setup`] of the resource.
    setup: Option<Rc<dyn Any>>,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            acquire: takes(0),
            release: takes(0),
            abort: takes(0),
            abort_hold: None,
            tasks: Vec::new(),
            setup: None,
        }
    }
}

thread_local! {
    static CAST: RefCell<Option<(Log, HashMap<TypeId, Role>)>> = const { RefCell::new(None) };
}

/// The stage of one test. Whoever is not told otherwise is acquired and released at once.
pub(crate) struct Stage {
    pub(crate) log: Log,
}

impl Stage {
    pub(crate) fn new() -> Self {
        capture::begin();
        let log = Log::new();
        CAST.set(Some((log.clone(), HashMap::new())));
        Self { log }
    }

    fn role<R: 'static>(&self, change: impl FnOnce(&mut Role)) -> &Self {
        CAST.with_borrow_mut(|cast| {
            let (_, roles) = cast.as_mut().expect("the stage is there");
            change(roles.entry(TypeId::of::<R>()).or_default());
        });
        self
    }

    pub(crate) fn acquire<R: 'static>(&self, act: Act) -> &Self {
        self.role::<R>(|role| role.acquire = act)
    }

    pub(crate) fn release<R: 'static>(&self, act: Act) -> &Self {
        self.role::<R>(|role| role.release = act)
    }

    pub(crate) fn abort<R: 'static>(&self, act: Act) -> &Self {
        self.role::<R>(|role| role.abort = act)
    }

    /// Makes the `abort` of `R` block until the sender is used or dropped. Its thread holds the virtual clock.
    pub(crate) fn hold_abort<R: 'static>(&self) -> Sender<()> {
        let (end, wait) = mpsc::channel();
        self.role::<R>(|role| role.abort_hold = Some(Arc::new(Mutex::new(wait))));
        end
    }

    /// A supervised task that waits for its notice, and then does `act`.
    pub(crate) fn task<R: 'static>(&self, name: &'static str, act: Act) -> &Self {
        self.role::<R>(|role| role.tasks.push((name, act)))
    }

    /// Something to do first in the acquisition of `R`.
    pub(crate) fn setup<R: 'static>(&self, setup: impl Fn(&Acquire<R>) + 'static) -> &Self {
        let setup: Setup<R> = Rc::new(setup);
        self.role::<R>(|role| role.setup = Some(Rc::new(setup)))
    }

    /// An application of `R` and what it needs. Nothing in it depends on the machine that the test runs on.
    pub(crate) fn builder<R: Resources>(&self) -> lifecycle::Builder {
        App::builder().resources::<R>().virtual_time().shutdown_timeout(secs(25)).drain_delay(Duration::ZERO)
    }

    #[track_caller]
    pub(crate) fn start<R: Resources>(&self) -> impl Future<Output = App> {
        let start = self.builder::<R>().start();
        async { start.await.unwrap_or_else(|report| panic!("it did not start:\n{report}")) }
    }

    /// The report of a start that fails.
    pub(crate) async fn failed_start<R: Resources>(&self) -> Report {
        match self.builder::<R>().start().await {
            Ok(_) => panic!("it started"),
            Err(report) => report,
        }
    }

    /// Starts `R`, and asks it to stop at once.
    pub(crate) async fn stop<R: Resources>(&self) -> Report {
        let app = self.start::<R>().await;
        self.log.clear();
        app.shutdown("the test is over");
        app.run().await
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        CAST.set(None);
    }
}

/// Runs `script` beside an application until its end.
pub(crate) async fn live(app: App, script: impl AsyncFnOnce(&App)) -> Report {
    let end = tokio::spawn(app.clone().run());
    script(&app).await;
    end.await.unwrap()
}

/// Waits for an end while a blocking thread holds the virtual clock, which therefore has to be moved by hand.
pub(crate) async fn live_by_hand(app: App) -> Report {
    let end = tokio::spawn(app.run());
    while !end.is_finished() {
        advance_by_hand(10).await;
    }
    end.await.unwrap()
}

/// Moves the virtual clock while a blocking thread holds it, and lets everybody see it.
pub(crate) async fn advance_by_hand(millis: u64) {
    advance(ms(millis)).await;
    // Time reaches the engine, its commands reach the tasks, and these reach the engine.
    for _ in 0..20 {
        yield_now().await;
    }
}

/// Waits for another thread while the virtual clock stands still, but not for ever.
#[track_caller]
pub(crate) fn until(is_so: impl Fn() -> bool) -> impl Future<Output = ()> {
    let caller = Location::caller();
    let began = std::time::Instant::now();
    async move {
        while !is_so() {
            assert!(began.elapsed() < secs(10), "what is waited for at {caller} does not come");
            yield_now().await;
        }
    }
}

/// Does `what` after `millis`, whatever happens meanwhile.
pub(crate) fn later(millis: u64, what: impl FnOnce() + Send + 'static) {
    tokio::spawn(async move {
        sleep(ms(millis)).await;
        what();
    });
}

/// The failures of a report as the text that an operator sees.
pub(crate) fn failures(report: &Report) -> Vec<String> {
    report.failures.iter().map(ToString::to_string).collect()
}

/// A resource on the stage.
pub(crate) struct Actor {
    name: &'static str,
    log: Log,
    role: (Act, Act, Act),
    abort_hold: Option<Hold>,
}

impl Actor {
    pub(crate) fn enter<R: 'static>(
        cx: &Acquire<R>,
        name: &'static str,
        spawn: impl Fn(&'static str, Task),
    ) -> Self {
        let (log, role) = CAST.with_borrow(|cast| {
            let (log, roles) = cast.as_ref().expect("a scripted resource needs a stage");
            (log.clone(), roles.get(&TypeId::of::<R>()).cloned().unwrap_or_default())
        });
        log.add(format!("acquiring {name}"));
        let Role { acquire, release, abort, abort_hold, tasks, setup } = role;
        if let Some(setup) = setup.as_ref().and_then(|setup| setup.downcast_ref::<Setup<R>>()) {
            setup(cx);
        }
        for (name, act) in tasks {
            spawn(name, Task { name, act, log: log.clone() });
        }
        Self { name, log, role: (acquire, release, abort), abort_hold }
    }

    pub(crate) fn log(&self) -> Log {
        self.log.clone()
    }

    pub(crate) async fn acquire(&self) -> Result {
        let Self { name, log, role: (act, ..), .. } = self;
        act.play(log, format!("acquired {name}"), format!("cancelled {name}")).await
    }

    pub(crate) async fn release(&self, _: &Release) -> Result {
        let Self { name, log, role: (_, act, _), .. } = self;
        log.add(format!("releasing {name}"));
        act.play(log, format!("released {name}"), format!("cut {name}")).await
    }

    pub(crate) fn abort(&self) {
        self.log.add(format!("aborted {}", self.name));
        if let Some(hold) = &self.abort_hold {
            let _ = hold.lock().unwrap().recv();
            self.log.add(format!("abort of {} has returned", self.name));
        }
        let (.., act) = self.role;
        let _ = act.end();
    }
}

/// A supervised task on the stage.
pub(crate) struct Task {
    name: &'static str,
    act: Act,
    log: Log,
}

impl Task {
    pub(crate) async fn play(self, stopping: Stopping) -> Result {
        let Self { name, act, log } = self;
        stopping.await;
        log.add(format!("stopping {name}"));
        act.play(&log, format!("ended {name}"), format!("dropped {name}")).await
    }
}

/// Declares resources that do what the stage says.
macro_rules! scripted {
    ($($(#[$($attribute:tt)*])* struct $name:ident;)*) => {$(
        $(#[$($attribute)*])*
        struct $name($crate::stage::Actor);

        impl lifecycle::Resource for $name {
            async fn acquire(cx: &lifecycle::Acquire<Self>) -> lifecycle::Result<Self> {
                let spawn = |name, task: $crate::stage::Task| cx.spawn(name, |stopping| task.play(stopping));
                let actor = $crate::stage::Actor::enter(cx, stringify!($name), spawn);
                actor.acquire().await?;
                Ok(Self(actor))
            }

            async fn release(&self, cx: &lifecycle::Release) -> lifecycle::Result {
                self.0.release(cx).await
            }

            fn abort(&self) {
                self.0.abort();
            }
        }
    )*};
}
pub(crate) use scripted;
