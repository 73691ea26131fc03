//! The context of an acquisition.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;

use super::app::App;
use super::stopping::Stopping;
use super::tasks::{TaskOutput, Tasks};
use crate::driver::{Dependencies, Seat};

/// The context passed to [`Resource::acquire`](crate::Resource::acquire): access to dependencies and tasks.
pub struct Acquire<R> {
    pub(crate) seat: Seat,
    /// Held here from the beginning, so that `get` cannot fail, whatever happens meanwhile.
    pub(crate) dependencies: Dependencies,
    resource: PhantomData<fn() -> R>,
}

impl<R> Acquire<R> {
    pub(crate) fn new(seat: Seat, dependencies: Dependencies) -> Self {
        Self { seat, dependencies, resource: PhantomData }
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
        let task = task(self.stopping());
        self.seat.spawn_supervised(name.into().into(), async { task.await.into_result() });
    }

    /// The same as [`spawn`](Self::spawn) on a thread for blocking work. It should look at
    /// [`is_stopping`](Stopping::is_stopping) or [`wait`](Stopping::wait) for it: a thread cannot be aborted, and
    /// what does not end by the cut-off is reported stuck.
    pub fn spawn_blocking<F, T>(&self, name: impl Into<String>, task: F)
    where
        F: FnOnce(Stopping) -> T + Send + 'static,
        T: TaskOutput,
    {
        let stopping = self.stopping();
        self.seat.spawn_blocking(name.into().into(), move || task(stopping).into_result());
    }

    /// Spawns a task that needs no notice: it is dropped at the resource's turn, and keeps nothing alive. If it
    /// returns an error or panics before, the application shuts down and exits with 1.
    pub fn background<F>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        self.seat.spawn_background(name.into().into(), async { task.await.into_result() });
    }

    /// The handle to tasks whose failure is their own, and to units of work that are no tasks (rule R2).
    #[must_use]
    pub fn tasks(&self) -> Tasks {
        Tasks::new(&self.seat)
    }

    /// The notice of this resource's turn (rule R3): everything that comes after it is gone.
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        Stopping::new(self.seat.stopping())
    }

    /// The earlier, process-wide notice: shutdown has begun, and this resource's turn will come.
    #[must_use]
    pub fn draining(&self) -> Stopping {
        Stopping::new(self.seat.draining().clone())
    }

    /// Asks the application to shut down, and says why (rule R4). To ask later, keep [`app`](Self::app).
    pub fn shutdown(&self, reason: impl Into<String>) {
        self.app().shutdown(reason);
    }

    /// A handle to the application, to be kept as long as one likes. It does not keep the application alive.
    #[must_use]
    pub fn app(&self) -> App {
        App::visitor(&self.seat.driver)
    }
}

impl<R> fmt::Debug for Acquire<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire").field("resource", &self.seat.name()).finish()
    }
}
