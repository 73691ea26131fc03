//! What a user implements, and what the hooks are handed.

use std::any::TypeId;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::Result;
use crate::app::App;
use crate::driver::Driver;
use crate::engine::event::TaskKind;
use crate::node::Instance;
use crate::phase::Reason;
use crate::plan::Id;
use crate::private::{Declared, DependsOn, Handle};
use crate::stopping::Stopping;
use crate::tasks::{self, TaskOutput, Tasks};

/// Something that is acquired when the application starts and released when it stops.
///
/// Declare it with [`#[resource]`](macro@crate::resource), which says what it comes after. Only
/// [`acquire`](Self::acquire) is required. The type is the identity: two databases are two types.
///
/// ```
/// use lifecycle::{Acquire, Release, Resource, Result, resource};
/// use tokio::net::TcpListener;
///
/// #[resource]
/// struct Listener(TcpListener);
///
/// impl Resource for Listener {
///     async fn acquire(_: &Acquire<Self>) -> Result<Self> {
///         Ok(Self(TcpListener::bind("127.0.0.1:0").await?))
///     }
///
///     async fn release(&self, cx: &Release) -> Result {
///         println!("{} left to say goodbye", cx.remaining().as_secs());
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is declared as a resource but does not implement `Resource`",
    label = "`impl lifecycle::Resource for {Self}` is missing",
    note = "only `async fn acquire(cx: &lifecycle::Acquire<Self>) -> lifecycle::Result<Self>` is required"
)]
pub trait Resource: Sized + Send + Sync + 'static {
    /// Makes the resource. It is called once, when everything in `after` is there (rule S2), and concurrently with
    /// the acquisition of resources that have nothing to do with it.
    ///
    /// # Errors
    ///
    /// An error, a panic or running into `acquire_timeout` ends the start: what was acquired is released in reverse,
    /// and the process exits with 1 (rule S4).
    ///
    /// # Cancel safety
    ///
    /// The future is dropped at an await when another resource fails, when a signal arrives or when its time is up;
    /// `release` is then not called, so that what it holds at that moment must clean up by being dropped. Tasks that
    /// it spawned by way of `cx` are stopped and waited for before anything beneath is released.
    fn acquire(cx: &Acquire<Self>) -> impl Future<Output = Result<Self>> + Send;

    /// Gives the resource back, gracefully. It is called once, at the resource's turn: after everything that comes
    /// after it is gone and its own tasks have ended (rule D5). The runtime's reference is dropped right after.
    ///
    /// # Errors
    ///
    /// An error or a panic is reported, makes [`abort`](Self::abort) be called, and the process exit with 1. The
    /// other resources have their turns all the same (rule D7).
    ///
    /// # Cancel safety
    ///
    /// It is polled at least once. At the cut-off ([`Release::deadline`]) the future is dropped and `abort` is called.
    fn release(&self, cx: &Release) -> impl Future<Output = Result> + Send {
        let _ = cx;
        async { Ok(()) }
    }

    /// The last resort when `release` did not complete: an error, a panic, or no time left (rule D7). It must be
    /// quick and must not block; it is not waited for beyond the resource's cut-off. It runs on a thread of its own,
    /// outside the runtime, and maybe beside a `release` that is stuck in blocking code.
    fn abort(&self) {}
}

/// What an acquisition is handed: the way to what the resource comes after, and to its tasks.
pub struct Acquire<R> {
    context: Context,
    resource: PhantomData<fn() -> R>,
}

/// An [`Acquire`] that does not know its type.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) driver: Arc<Driver>,
    pub(crate) id: Id,
    /// Held here from the beginning, so that `get` cannot fail, whatever happens meanwhile.
    pub(crate) dependencies: Vec<(TypeId, Option<Instance>)>,
}

impl Context {
    pub(crate) fn typed<R>(self) -> Acquire<R> {
        Acquire { context: self, resource: PhantomData }
    }
}

impl<R: Declared> Acquire<R> {
    /// The resource `D`: `Arc<D>`, or `Option<Arc<D>>` if `D` is declared `optional`.
    ///
    /// It compiles only when `D` stands in this resource's `after`, and cannot fail. Whoever still holds the handle
    /// when `D` has been released keeps it from being dropped.
    #[must_use]
    pub fn get<D: Declared>(&self) -> D::Handle
    where
        R: DependsOn<D>,
    {
        let entry = self.context.dependencies.iter().find(|(id, _)| *id == TypeId::of::<D>());
        let instance = entry.and_then(|(_, instance)| instance.clone());
        D::Handle::new(instance.map(|instance| {
            instance.downcast().unwrap_or_else(|_| unreachable!("an instance is stored under its own type"))
        }))
    }

    /// Spawns a supervised task of this resource: without it, the resource is not what it should be (rule R1).
    ///
    /// It is handed its notice, which is given at the resource's turn, and is waited for then. While it is alive, so
    /// is the application. `Ok` is the end of the task, no more; if it returns an error or panics, the application
    /// shuts down and exits with 1, naming the resource, the task and the cause.
    ///
    /// ```
    /// # use lifecycle::{Acquire, Resource, Result, resource};
    /// # #[resource]
    /// # struct Ticker;
    /// # async fn tick() -> Result { Ok(()) }
    /// impl Resource for Ticker {
    ///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
    ///         cx.spawn("ticks", ticks);
    ///         Ok(Ticker)
    ///     }
    /// }
    ///
    /// async fn ticks(stopping: lifecycle::Stopping) -> Result {
    ///     while !stopping.is_stopping() {
    ///         tick().await?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// At the cut-off of the resource, or after its `drain_timeout`, the task is dropped at its next await.
    pub fn spawn<F, Fut>(&self, name: impl Into<String>, task: F)
    where
        F: FnOnce(Stopping) -> Fut,
        Fut: Future<Output: TaskOutput> + Send + 'static,
    {
        let Context { driver, id, .. } = &self.context;
        let abort = driver.cell(*id).abort.clone();
        tasks::spawn(driver, *id, name.into(), TaskKind::Supervised, abort, task(self.stopping()));
    }

    /// The same as [`spawn`](Self::spawn) on a thread for blocking work. It should look at
    /// [`is_stopping`](Stopping::is_stopping) or [`wait`](Stopping::wait) for it: a thread cannot be aborted, and
    /// what does not end by the cut-off is reported stuck.
    pub fn spawn_blocking<F, T>(&self, name: impl Into<String>, task: F)
    where
        F: FnOnce(Stopping) -> T + Send + 'static,
        T: TaskOutput,
    {
        tasks::spawn_blocking(&self.context.driver, self.context.id, name.into(), task);
    }

    /// Spawns a task that needs no notice: it is dropped at the resource's turn, and keeps nothing alive. If it
    /// returns an error or panics before, the application shuts down and exits with 1.
    pub fn background<F>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        let Context { driver, id, .. } = &self.context;
        let stopping = driver.cell(*id).stopping.clone();
        tasks::spawn(driver, *id, name.into(), TaskKind::Background, stopping, task);
    }

    /// The handle to tasks whose failure is their own, and to units of work that are no tasks (rule R2).
    #[must_use]
    pub fn tasks(&self) -> Tasks {
        Tasks::new(&self.context.driver, self.context.id)
    }

    /// The notice of this resource's turn (rule R3): everything that comes after it is gone.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        Stopping::new(&self.context.driver.cell(self.context.id).stopping)
    }

    /// The earlier, process-wide notice: shutdown has begun, and this resource's turn will come.
    #[must_use]
    pub fn draining(&self) -> Stopping {
        self.context.driver.draining()
    }

    /// Asks the application to shut down, and says why (rule R4). To ask later, keep [`app`](Self::app).
    pub fn shutdown(&self, reason: impl Into<String>) {
        self.app().shutdown(reason);
    }

    /// A handle to the application, to be kept as long as one likes. It does not keep the application alive.
    #[must_use]
    pub fn app(&self) -> App {
        App::visitor(&self.context.driver)
    }
}

impl<R> fmt::Debug for Acquire<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").field("resource", &self.context.driver.name(self.context.id)).finish()
    }
}

/// What a release is handed: how much time there is, and why it happens.
#[derive(Debug)]
pub struct Release {
    pub(crate) driver: Arc<Driver>,
    pub(crate) id: Id,
}

impl Release {
    /// When this release is cut off. It is earlier than the application's deadline by what is set aside for `abort`
    /// (100 ms, or a tenth of the reserve if that is less) and for the resources beneath (rule D6), and becomes earlier still when somebody
    /// insists (rule D8).
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.driver.release_limit(self.id)
    }

    /// The time until the [`deadline`](Self::deadline).
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }

    /// What ended the application.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.driver.reason()
    }
}
