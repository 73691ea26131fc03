//! Named resources on top of the test kit, which do what a test says, and note what they do in the log of its
//! [`World`]. The notes are what a test asserts: what the library says that it did proves nothing about it.
//!
//! A test runs on one thread, so that what is local to the thread is local to the test.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lifecycle::testing::{Ended, World};
pub(crate) use lifecycle::testing::{Fault, NoteOnDrop, Notes};
use lifecycle::{Acquire, App, Builder, Report, Resources, Result, Stopping};

use crate::capture;

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn takes(millis: u64) -> Fault {
    Fault::Slow(ms(millis))
}

pub(crate) fn fails(why: &str) -> Fault {
    Fault::error(why)
}

pub(crate) fn panics(why: &str) -> Fault {
    Fault::panic(why)
}

pub(crate) fn skips() -> Fault {
    Fault::Skip
}

pub(crate) fn hangs() -> Fault {
    Fault::Hang
}

/// The failures of a report, without their causes.
pub(crate) fn failures(report: &Report) -> Vec<String> {
    report.failures.iter().map(ToString::to_string).collect()
}

/// The notes of the test that runs on this thread.
pub(crate) fn notes() -> Notes {
    CAST.with_borrow(|cast| cast.as_ref().expect("there is a stage").0.clone())
}

/// What happens first in the acquisition of `R`.
type Setup<R> = Rc<dyn Fn(&Acquire<R>)>;

/// An `abort` does not return before something comes here, or nothing can any more.
type Hold = Arc<Mutex<Receiver<()>>>;

/// What one resource does.
#[derive(Clone)]
struct Role {
    acquire: Fault,
    release: Fault,
    abort_panics: Option<&'static str>,
    abort_hold: Option<Hold>,
    tasks: Vec<(&'static str, Fault)>,
    /// A [`Setup`] of the resource.
    setup: Option<Rc<dyn Any>>,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            acquire: takes(0),
            release: takes(0),
            abort_panics: None,
            abort_hold: None,
            tasks: Vec::new(),
            setup: None,
        }
    }
}

thread_local! {
    static CAST: RefCell<Option<(Notes, HashMap<TypeId, Role>)>> = const { RefCell::new(None) };
}

/// The world of one test, and what the resources in it do. They are acquired and released at once unless it says
/// otherwise.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) log: Notes,
}

impl Stage {
    pub(crate) fn new() -> Self {
        capture::begin();
        let world = World::new();
        let log = world.notes();
        CAST.set(Some((log.clone(), HashMap::new())));
        Self { world, log }
    }

    fn role<R: 'static>(&self, change: impl FnOnce(&mut Role)) -> &Self {
        CAST.with_borrow_mut(|cast| {
            let (_, roles) = cast.as_mut().expect("the stage is there");
            change(roles.entry(TypeId::of::<R>()).or_default());
        });
        self
    }

    pub(crate) fn acquire<R: 'static>(&self, fault: Fault) -> &Self {
        self.role::<R>(|role| role.acquire = fault)
    }

    pub(crate) fn release<R: 'static>(&self, fault: Fault) -> &Self {
        self.role::<R>(|role| role.release = fault)
    }

    pub(crate) fn abort_panics<R: 'static>(&self, words: &'static str) -> &Self {
        self.role::<R>(|role| role.abort_panics = Some(words))
    }

    /// Makes the `abort` of `R` block until the sender is used or dropped. Its thread holds the virtual clock.
    pub(crate) fn hold_abort<R: 'static>(&self) -> Sender<()> {
        let (end, wait) = mpsc::channel();
        self.role::<R>(|role| role.abort_hold = Some(Arc::new(Mutex::new(wait))));
        end
    }

    /// A supervised task that waits for its notice, and ends with `fault`.
    pub(crate) fn task<R: 'static>(&self, name: &'static str, fault: Fault) -> &Self {
        self.role::<R>(|role| role.tasks.push((name, fault)))
    }

    /// Something to do first in the acquisition of `R`.
    pub(crate) fn setup<R: 'static>(&self, setup: impl Fn(&Acquire<R>) + 'static) -> &Self {
        let setup: Setup<R> = Rc::new(setup);
        self.role::<R>(|role| role.setup = Some(Rc::new(setup)))
    }

    /// Something to do so long after the start of the application: see [`World::at`].
    pub(crate) fn at(&self, millis: u64, action: impl FnOnce(&App) + Send + 'static) -> &Self {
        let _ = self.world.clone().at(ms(millis), action);
        self
    }

    /// An application of `R` and what it needs, in the world of this test.
    pub(crate) fn builder<R: Resources>(&self) -> Builder {
        self.world.around(App::builder().resources::<R>().shutdown_timeout(secs(25)))
    }

    #[track_caller]
    pub(crate) fn start<R: Resources>(&self) -> impl Future<Output = App> {
        let start = self.builder::<R>().start();
        async { start.await.unwrap_or_else(|report| panic!("it did not start:\n{report}")) }
    }

    /// The report of a start that fails.
    pub(crate) async fn failed_start<R: Resources>(&self) -> Report {
        self.builder::<R>().start().await.expect_err("it does not start")
    }

    /// Runs `R`, and a script beside it: see [`World::run`].
    pub(crate) async fn run<R: Resources>(&self, script: impl AsyncFnOnce(App)) -> Ended {
        self.world.clone().run(self.builder::<R>(), script).await
    }

    /// Starts `R`, and asks it to stop at once.
    pub(crate) async fn stop<R: Resources>(&self) -> Ended {
        self.run::<R>(async |app| {
            self.log.clear();
            app.shutdown("the test is over");
        })
        .await
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        CAST.set(None);
    }
}

/// The end of an application that was started without a body, and a script beside it.
pub(crate) async fn live(app: App, script: impl AsyncFnOnce(&App)) -> Report {
    tokio::join!(app.clone().run(), script(&app)).0
}

/// Does what it is told to. Notes how it went: done, or dropped before.
async fn play(fault: Fault, notes: &Notes, done: String, dropped: String) -> Result {
    let dropped = notes.on_drop(dropped);
    let result = fault.happen().await;
    dropped.dismiss();
    result?;
    notes.add(done);
    Ok(())
}

/// A resource on the stage.
pub(crate) struct Actor {
    name: &'static str,
    notes: Notes,
    acquire: Fault,
    release: Fault,
    abort_panics: Option<&'static str>,
    abort_hold: Option<Hold>,
}

impl Actor {
    pub(crate) fn enter<R: 'static>(
        cx: &Acquire<R>,
        name: &'static str,
        spawn: impl Fn(&'static str, Task),
    ) -> Self {
        let (notes, role) = CAST.with_borrow(|cast| {
            let (notes, roles) = cast.as_ref().expect("a scripted resource needs a stage");
            (notes.clone(), roles.get(&TypeId::of::<R>()).cloned().unwrap_or_default())
        });
        notes.add(format!("acquiring {name}"));
        let Role { acquire, release, abort_panics, abort_hold, tasks, setup } = role;
        if let Some(setup) = setup.as_ref().and_then(|setup| setup.downcast_ref::<Setup<R>>()) {
            setup(cx);
        }
        for (name, fault) in tasks {
            spawn(name, Task { name, fault, notes: notes.clone() });
        }
        Self { name, notes, acquire, release, abort_panics, abort_hold }
    }

    pub(crate) fn log(&self) -> Notes {
        self.notes.clone()
    }

    pub(crate) async fn acquire(&self) -> Result {
        let Self { name, notes, acquire, .. } = self;
        play(acquire.clone(), notes, format!("acquired {name}"), format!("cancelled {name}")).await
    }

    pub(crate) async fn release(&self) -> Result {
        let Self { name, notes, release, .. } = self;
        notes.add(format!("releasing {name}"));
        play(release.clone(), notes, format!("released {name}"), format!("cut {name}")).await
    }

    pub(crate) fn abort(&self) {
        self.notes.add(format!("aborted {}", self.name));
        if let Some(hold) = &self.abort_hold {
            let _ = hold.lock().unwrap().recv();
            self.notes.add(format!("abort of {} has returned", self.name));
        }
        if let Some(words) = self.abort_panics {
            panic!("{words}");
        }
    }
}

/// A supervised task on the stage.
pub(crate) struct Task {
    name: &'static str,
    fault: Fault,
    notes: Notes,
}

impl Task {
    pub(crate) async fn play(self, stopping: Stopping) -> Result {
        let Self { name, fault, notes } = self;
        stopping.await;
        notes.add(format!("stopping {name}"));
        play(fault, &notes, format!("ended {name}"), format!("dropped {name}")).await
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

            async fn release(&self, _: &lifecycle::Release) -> lifecycle::Result {
                self.0.release().await
            }

            fn abort(&self) {
                self.0.abort();
            }
        }
    )*};
}
pub(crate) use scripted;
