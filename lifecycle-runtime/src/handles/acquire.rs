//! The context of an acquisition.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use super::app::App;
use super::spawner::Spawner;
use super::stopping::Stopping;
use super::tasks::{TaskOutput, Tasks};
use crate::driver::Context;

/// The context passed to [`Resource::acquire`](crate::Resource::acquire): access to dependencies and tasks.
pub struct Acquire<R> {
    pub(crate) context: Context,
    resource: PhantomData<fn() -> R>,
}

impl<R> Acquire<R> {
    pub(crate) fn new(context: Context) -> Self {
        Self { context, resource: PhantomData }
    }

    /// Spawns a supervised task: one that the resource cannot do without, such as a server or a worker (rule R1).
    ///
    /// The task receives the notice of the resource's turn, and is waited for at that turn. The application runs for as
    /// long as a supervised task does. If the task returns an error or panics, the application stops and exits with 1,
    /// and the report names the resource, the task and the cause. `Ok` just ends the task.
    ///
    /// For one of many tasks that may fail on their own, use [`tasks`](Self::tasks). For a task that may simply be
    /// dropped, use [`background`](Self::background). For blocking code, use [`spawn_blocking`](Self::spawn_blocking).
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
    /// The task cannot use `cx` ("lifetime may not live long enough", "`cx` escapes the associated function body"): take from
    /// it what the task needs, before. A block
    /// with `?` must say what its error is ("type annotations needed").
    ///
    /// ```
    /// # use lifecycle::{Acquire, Resource, Result, resource};
    /// # #[resource]
    /// # struct Db;
    /// # impl Resource for Db {
    /// #     async fn acquire(_: &Acquire<Self>) -> Result<Self> { Ok(Db) }
    /// # }
    /// # impl Db { async fn vacuum(&self) -> Result { Ok(()) } }
    /// # #[resource(after = Db)]
    /// # struct Vacuum;
    /// impl Resource for Vacuum {
    ///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
    ///         let db = cx.get::<Db>();
    ///         cx.spawn("vacuum", |stopping| async move {
    ///             while !stopping.is_stopping() {
    ///                 db.vacuum().await?;
    ///             }
    ///             Result::<()>::Ok(())
    ///         });
    ///         Ok(Vacuum)
    ///     }
    /// }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// At the cut-off of the resource, or after its `drain_timeout`, the task is dropped at its next await.
    pub fn spawn<F, Fut>(&self, name: impl AsRef<str>, task: F)
    where
        F: FnOnce(Stopping) -> Fut,
        Fut: Future<Output: TaskOutput> + Send + 'static,
    {
        self.spawner().spawn(name, task);
    }

    /// Spawns a supervised task like [`spawn`](Self::spawn), on a thread for blocking code.
    ///
    /// A thread cannot be aborted, so the task must watch its notice, with [`is_stopping`](Stopping::is_stopping) or
    /// [`wait`](Stopping::wait). If it has not ended by the cut-off, it is reported as stuck.
    ///
    /// For blocking work that `acquire` itself waits for, use [`run_blocking`](Self::run_blocking).
    pub fn spawn_blocking<F, T>(&self, name: impl AsRef<str>, task: F)
    where
        F: FnOnce(Stopping) -> T + Send + 'static,
        T: TaskOutput,
    {
        self.spawner().spawn_blocking(name, task);
    }

    /// Spawns a background task: one that needs no notice, such as a timer that renews a lease.
    ///
    /// It is dropped at the resource's turn, and the application does not stay alive for it. If it returns an error or
    /// panics before that, the application stops and exits with 1.
    pub fn background<F>(&self, name: impl AsRef<str>, task: F)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        self.spawner().background(name, task);
    }

    /// A handle for supervised tasks that are started after `acquire`, such as workers whose number is decided at run
    /// time. Keep it in the resource.
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        Spawner::new(&self.context.seat)
    }

    /// Runs blocking work that this acquisition needs, such as a migration, on a thread for blocking code, and returns
    /// what `f` returns (rule S4).
    ///
    /// A thread cannot be cancelled. If the acquisition is dropped meanwhile (by a signal, a failure elsewhere or a
    /// timeout), `f` goes on: the turn of the resource waits for it under this `name`, and what the resource comes after
    /// is released only when `f` has returned. If it has not returned by the cut-off, it is reported as stuck.
    ///
    /// A plain `spawn_blocking` of tokio is not waited for: the process ends in the middle of the work. For work that
    /// goes on after `acquire`, use [`spawn_blocking`](Self::spawn_blocking).
    ///
    /// ```
    /// # use lifecycle::{Acquire, Resource, Result, resource};
    /// # fn migrate(_: &str) -> std::io::Result<usize> { Ok(0) }
    /// #[resource]
    /// struct Schema { migrations: usize }
    ///
    /// impl Resource for Schema {
    ///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
    ///         let url = "sqlite:shop.db".to_owned();
    ///         let migrations = cx.run_blocking("migrate", move || migrate(&url)).await?;
    ///         Ok(Schema { migrations })
    ///     }
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// If `f` panics, the panic goes on in the acquisition, which fails with it. If nothing waits for `f` any more, the
    /// panic is reported as a failure of the task `name`, like that of a [background](Self::background) task.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before its first poll means that `f` never begins. Dropping it later, in a `select!` too,
    /// means that `f` goes on if it has begun, and its turn waits for it as described above. What it returns is then
    /// dropped, an error included, on a thread for blocking code, before the turn ends.
    pub async fn run_blocking<F, T>(&self, name: impl AsRef<str>, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.context.seat.run_blocking(name.as_ref().to_owned(), f).await
    }

    /// A handle for tasks that may fail on their own, and for units of work that are not tasks (rule R2).
    #[must_use]
    pub fn tasks(&self) -> Tasks {
        Tasks::new(&self.context.seat)
    }

    /// The notice of this resource's turn (rule R3): everything that comes after the resource is gone.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        Stopping::of_turn(&self.context.seat)
    }

    /// The notice that the stop has begun. It comes earlier than [`stopping`](Self::stopping), and for all resources at
    /// once.
    #[must_use]
    pub fn draining(&self) -> Stopping {
        Stopping::of_stop(&self.context.seat)
    }

    /// Requests a graceful stop, and gives a reason for the log and the report (rule R4). To request it later, keep the
    /// [`app`](Self::app).
    pub fn shutdown(&self, reason: impl Into<String>) {
        self.app().shutdown(reason);
    }

    /// A handle to the application, which you may keep. It does not keep the application alive.
    #[must_use]
    pub fn app(&self) -> App {
        App::visitor(&self.context.seat.driver)
    }
}

impl<R> fmt::Debug for Acquire<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").field("resource", &self.context.seat.name()).finish()
    }
}

/// What the feature `http` adds: in a program without it, a call does not compile, and the error says so.
#[cfg(not(feature = "http"))]
impl<R> Acquire<R> {
    /// Serves HTTP: needs the feature `http`.
    pub fn serve_http<L, S>(&self, listener: L, service: S)
    where
        R: NeedsFeatureHttp,
    {
        let _ = (listener, service);
    }

    /// An HTTP server with options: needs the feature `http`.
    pub fn http(&self)
    where
        R: NeedsFeatureHttp,
    {
    }

    /// A layer that counts requests: needs the feature `http`.
    pub fn in_flight(&self)
    where
        R: NeedsFeatureHttp,
    {
    }
}

/// Nothing implements it.
#[cfg(not(feature = "http"))]
#[diagnostic::on_unimplemented(
    message = "the feature `http` of `lifecycle-runtime` is not enabled",
    label = "this needs the feature `http`",
    note = "enable it in Cargo.toml: `lifecycle-runtime = {{ version = \"…\", features = [\"http\"] }}`"
)]
pub trait NeedsFeatureHttp {}
