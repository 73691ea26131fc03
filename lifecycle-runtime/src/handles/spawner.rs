//! The handle to supervised tasks that are started after the acquisition (rule R1).

use std::future::Future;

use super::stopping::Stopping;
use super::tasks::{IntoResult, TaskOutput};
use crate::driver::Seat;

/// Spawns the supervised and background tasks of a resource after its `acquire`: workers whose number is decided at run
/// time, or a consumer for each new topic. Created by [`Acquire::spawner`](crate::Acquire::spawner).
///
/// The methods are those of [`Acquire`](crate::Acquire), and so are the tasks: the application runs for as long as a
/// supervised task does, and stops if one of them fails. For many tasks that may fail on their own, such as connections
/// or jobs, use [`Tasks`](crate::Tasks). If the number is known in `acquire`, spawn there.
///
/// A `Spawner` alone keeps no application alive. If nothing but its tasks is to do that, `acquire` has to spawn the
/// first of them.
///
/// ```
/// use lifecycle::{Acquire, Resource, Result, Spawner, Stopping, resource};
///
/// #[resource]
/// struct Workers { spawner: Spawner }
///
/// impl Resource for Workers {
///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
///         let workers = Workers { spawner: cx.spawner() };
///         workers.scale_up(1);
///         Ok(workers)
///     }
/// }
///
/// impl Workers {
///     fn scale_up(&self, count: usize) {
///         for _ in 0..count {
///             self.spawner.spawn("worker", work);
///         }
///     }
/// }
///
/// async fn work(stopping: Stopping) -> Result {
///     stopping.await;
///     Ok(())
/// }
/// ```
///
/// # During the turn
///
/// As long as something of the resource is in flight and its tasks have not been aborted, a task may still begin. Its
/// notice has fired by then, the turn waits for it, and a background task is dropped at once. After that, a task comes
/// too late: it is dropped without being begun, and a warning names the resource.
#[derive(Clone, Debug)]
pub struct Spawner {
    seat: Seat,
}

impl Spawner {
    pub(super) fn new(seat: &Seat) -> Self {
        Self { seat: seat.clone() }
    }

    /// Spawns a supervised task: see [`Acquire::spawn`](crate::Acquire::spawn).
    ///
    /// # Cancel safety
    ///
    /// At the cut-off of the resource, or after its `drain_timeout`, the task is dropped at its next await.
    pub fn spawn<F, Fut>(&self, name: impl AsRef<str>, task: F)
    where
        F: FnOnce(Stopping) -> Fut,
        Fut: Future<Output: TaskOutput> + Send + 'static,
    {
        let task = task(self.stopping());
        self.seat.spawn_supervised(name.as_ref(), IntoResult::new(task));
    }

    /// Spawns a supervised task on a thread for blocking code: see
    /// [`Acquire::spawn_blocking`](crate::Acquire::spawn_blocking).
    pub fn spawn_blocking<F, T>(&self, name: impl AsRef<str>, task: F)
    where
        F: FnOnce(Stopping) -> T + Send + 'static,
        T: TaskOutput,
    {
        let stopping = self.stopping();
        self.seat.spawn_blocking(name.as_ref(), move || task(stopping).into_result());
    }

    /// Spawns a background task: see [`Acquire::background`](crate::Acquire::background).
    pub fn background<F>(&self, name: impl AsRef<str>, task: F)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        self.seat.spawn_background(name.as_ref(), IntoResult::new(task));
    }

    /// The notice of the resource's turn (rule R3).
    #[must_use]
    pub fn stopping(&self) -> Stopping {
        Stopping::of_turn(&self.seat)
    }
}
