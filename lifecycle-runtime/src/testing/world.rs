//! What surrounds an application in a test.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::clock;
use super::director::Director;
use super::ended::{Ended, text};
use super::event::{Event, name};
use super::fault::{Fault, Hook};
use super::notes::Notes;
use super::rules;
use crate::declare::declared::Declared;
use crate::handles::app::App;
use crate::launch::builder::Builder;
use crate::model::report::Report;

/// How much virtual time a script has, once its application has ended.
const LAST_CHANCE: Duration = Duration::from_secs(60);

/// How much virtual time a script has, once its application was stopped at a crash point.
const IN_VAIN: Duration = Duration::from_secs(10);

/// What surrounds an application in a test, under virtual time: faults, signals and requests, at moments or at events.
///
/// [`run`](Self::run) runs an application in it. Its clock is that of a test under `#[tokio::test(start_paused = true)]`,
/// or of [`block_on`](super::block_on); one that is not paused is paused then. Nothing is taken from the environment, so that a test does not depend on the
/// machine that it runs on: neither variables nor a platform's grace period.
///
/// ```
/// use std::time::Duration;
///
/// use lifecycle::testing::{Event, Fault, Hook, World};
/// use lifecycle::{Acquire, App, Release, Resource, Result, Signal, resource};
///
/// #[resource]
/// struct Db;
///
/// impl Resource for Db {
///     async fn acquire(_: &Acquire<Self>) -> Result<Self> {
///         Ok(Db)
///     }
/// }
///
/// #[resource(after = Db)]
/// struct Jobs;
///
/// impl Resource for Jobs {
///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
///         cx.spawn("worker", |stopping| stopping);
///         Ok(Jobs)
///     }
/// }
///
/// # lifecycle::testing::block_on(a_second_sigterm_changes_nothing());
/// // #[tokio::test(start_paused = true)]
/// async fn a_second_sigterm_changes_nothing() {
///     let ended = World::new()
///         .fault::<Db>(Hook::Release, Fault::Slow(Duration::from_secs(2)))
///         .at(Duration::from_secs(60), |app| app.deliver(Signal::Terminate))
///         .when(Event::releasing::<Db>(), |app| app.deliver(Signal::Terminate))
///         .run(App::builder().resources::<Jobs>(), async |app| app.stopping().await)
///         .await;
///     ended.assert_clean();
///     ended.assert_released_before::<Jobs, Db>();
/// }
/// ```
///
/// A clone is a handle of the same world. One application runs in a world.
#[derive(Clone, Debug, Default)]
#[must_use = "a world does nothing until an application runs in it"]
pub struct World {
    director: Director,
    /// One of many runs: see [`for_every_point`](super::for_every_point).
    is_for_points: bool,
}

impl World {
    /// A world in which nothing goes wrong, and nobody asks the application to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// The world of one run of many.
    pub(super) fn of(director: Director) -> Self {
        Self { director, is_for_points: true }
    }

    /// Something goes wrong in a hook of `R`, or in a task of it.
    pub fn fault<R: Declared>(self, hook: Hook, fault: Fault) -> Self {
        self.director.add_fault(name::<R>(), hook, fault);
        self
    }

    /// Does something so long after the start of the application: [`App::deliver`] simulates a signal, and the other
    /// methods of [`App`] are those of the program itself.
    pub fn at(self, moment: Duration, action: impl FnOnce(&App) + Send + 'static) -> Self {
        self.director.add_moment(moment, Box::new(action));
        self
    }

    /// Does something when `event` happens for the first time.
    pub fn when(self, event: Event, action: impl FnOnce(&App) + Send + 'static) -> Self {
        self.director.add_event(event, Box::new(action));
        self
    }

    /// What the code of the test notes in the log of the application, between the lines of the library.
    pub fn notes(&self) -> Notes {
        Notes(self.director.clone())
    }

    /// Puts an application into this world, for a test that starts it and waits for its end by itself, as a program does
    /// that [embeds](crate::adoption) it. Where the script of a test is all that there is, use [`run`](Self::run).
    ///
    /// ```
    /// use lifecycle::testing::{Fault, Hook, World};
    /// use lifecycle::{Acquire, App, Resource, Result, resource};
    ///
    /// #[resource]
    /// struct Db;
    ///
    /// impl Resource for Db {
    ///     async fn acquire(_: &Acquire<Self>) -> Result<Self> {
    ///         Ok(Db)
    ///     }
    /// }
    ///
    /// # lifecycle::testing::block_on(the_program_says_why_it_does_not_start());
    /// // #[tokio::test(start_paused = true)]
    /// async fn the_program_says_why_it_does_not_start() {
    ///     let world = World::new().fault::<Db>(Hook::Acquire, Fault::error("no route"));
    ///     let report = world.around(App::builder().resources::<Db>()).start().await.unwrap_err();
    ///     let ended = world.ended(report);
    ///     ended.assert_failures(["`Db` could not be acquired: no route"]);
    ///     assert!(ended.log().contains(&"acquire of Db failed".to_owned()));
    /// }
    /// ```
    pub fn around(&self, builder: Builder) -> Builder {
        builder.watched_by(Arc::new(self.director.clone()))
    }

    /// What became of the application that was put into this world with [`around`](Self::around).
    ///
    /// # Panics
    ///
    /// If a fault, a moment or an event of this world did not come about: the test would not test what it says.
    #[track_caller]
    pub fn ended(&self, report: Report) -> Ended {
        let log = self.director.log();
        let unmet = self.director.unmet();
        assert!(
            unmet.is_empty(),
            "planned, and did not come about:\n  {}\n{}",
            unmet.join("\n  "),
            text(&log)
        );
        Ended { report, log }
    }

    /// Runs an application, and a script beside it, until the application has ended.
    ///
    /// The script begins when everything is acquired. When it ends, the application is asked to stop. If the
    /// application ends first, the script has a minute more of virtual time. If the start fails, there is no script.
    ///
    /// The script takes the place of the body of `main`, and is no part of the application: a signal interrupts neither
    /// it nor anything else than the application.
    ///
    /// # Panics
    ///
    /// * If a fault, a moment or an event of this world did not come about: the test would not test what it says.
    /// * If the script still waits for something a minute after the end.
    /// * If the script panics.
    /// * If the clock cannot be paused: outside a runtime, on one without timers, or on one with several threads.
    pub async fn run(self, builder: Builder, script: impl AsyncFnOnce(App)) -> Ended {
        clock::pause();
        let (ready, is_ready) = oneshot::channel();
        let life = self.around(builder).run(async move |app: App| {
            let _ = ready.send(app.clone());
            app.stopping().await;
        });
        let script = async {
            let Ok(app) = is_ready.await else { return };
            tokio::select! {
                biased;
                () = script(app.clone()) => app.shutdown("the script of the test has ended"),
                // It may wait in vain for what was stopped.
                () = waits_in_vain(&self.director) => app.shutdown("the script of the test waits in vain"),
            }
        };
        let (mut life, mut script) = (pin!(life), pin!(script));
        let (report, has_ended) = tokio::select! {
            biased;
            () = &mut script => (life.await, true),
            report = &mut life => (report, timeout(LAST_CHANCE, script).await.is_ok()),
        };
        if self.is_for_points {
            let (log, director) = (self.director.log(), &self.director);
            let point = director.point().filter(|_| director.is_point_reached());
            let broken = rules::broken(&report, &log, point.as_ref());
            assert!(broken.is_empty(), "rules of the library are broken:\n  {}", broken.join("\n  "));
            return Ended { report, log };
        }
        let ended = self.ended(report);
        assert!(
            has_ended,
            "the application has ended, and the script still waits for something\n{}",
            text(&ended.log)
        );
        ended
    }
}

/// The application was stopped at its crash point, and that was long ago.
async fn waits_in_vain(director: &Director) {
    director.reach().await;
    sleep(IN_VAIN).await;
}
