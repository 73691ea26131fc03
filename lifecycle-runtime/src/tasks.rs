//! Rules R1 and R2: supervised tasks, background tasks, and tasks whose failure is their own.

use std::future::Future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::BoxError;
use crate::catch::{CatchPanic, Witness, Witnessed, catch};
use crate::driver::Driver;
use crate::engine::event::{Event, Rest, TaskEnd, TaskId, TaskKind};
use crate::error::{Cause, Panic};
use crate::inflight::{Counter, Standing};
use crate::never::Never;
use crate::plan::Id;
use crate::stopping::Stopping;

/// What a supervised task may return: `()`, or a `Result` whose error ends the application.
#[diagnostic::on_unimplemented(
    message = "a supervised task cannot return `{Self}`",
    label = "it returns `{Self}`",
    note = "it returns `()` or `Result<(), E>` with an error that converts to `lifecycle::BoxError`"
)]
pub trait TaskOutput: sealed::Sealed {
    #[doc(hidden)]
    fn into_result(self) -> Result<(), BoxError>;
}

impl TaskOutput for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// A task that never ends by itself: an endless loop.
impl TaskOutput for Never {
    fn into_result(self) -> Result<(), BoxError> {
        self
    }
}

impl<E: Into<BoxError>> TaskOutput for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for super::Never {}
    impl<E> Sealed for Result<(), E> {}
}

/// One unit in flight of a resource, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Unit {
    driver: Arc<Driver>,
    id: Id,
    has_left: bool,
    standing: Standing,
}

impl Unit {
    /// `None` once the resource's turn is so far that nothing is in flight any more.
    pub(crate) fn enter(driver: &Arc<Driver>, id: Id) -> Option<Self> {
        let unit = || Self { driver: Arc::clone(driver), id, has_left: false, standing: Standing::default() };
        driver.cell(id).counter.enter().then(unit)
    }
}

impl Unit {
    /// Leaves, and says what that leaves behind. Whoever has more to tell tells both in one event, so that there is
    /// no moment between the two.
    pub(crate) fn leave(&mut self) -> Rest {
        let is_last = !std::mem::replace(&mut self.has_left, true) && self.counter().leave(self.standing);
        if is_last { Rest::Drained } else { Rest::Unknown }
    }

    /// Says whether it counts when it is cut off (rule E1).
    #[cfg(feature = "http")]
    pub(crate) fn stand(&mut self, standing: Standing) {
        match (self.standing, standing) {
            (Standing::Counts, Standing::Excused) => self.counter().excuse(),
            (Standing::Excused, Standing::Counts) => self.counter().oblige(),
            (Standing::Counts, Standing::Counts) | (Standing::Excused, Standing::Excused) => {}
        }
        self.standing = standing;
    }

    fn counter(&self) -> &Counter {
        &self.driver.cell(self.id).counter
    }

    pub(crate) fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        if self.leave() == Rest::Drained {
            self.driver.send(Event::Drained(self.id));
        }
    }
}

/// One supervised or background task.
struct Task {
    task: TaskId,
    end: TaskEnd,
    unit: Unit,
}

impl Task {
    fn start(driver: &Arc<Driver>, id: Id, name: String, kind: TaskKind) -> Option<Self> {
        let unit = Unit::enter(driver, id)?;
        let task = driver.new_task();
        driver.send(Event::TaskStarted { task, owner: id, name, kind });
        Some(Self { task, end: TaskEnd::Dropped, unit })
    }
}

impl<T: TaskOutput> Witness<Result<T, Panic>> for Task {
    fn saw(&mut self, output: Result<T, Panic>) {
        self.end = match output.map(T::into_result) {
            Ok(Ok(())) => TaskEnd::Done,
            Ok(Err(error)) => TaskEnd::Failed(Cause::Error(error)),
            Err(panic) => TaskEnd::Failed(Cause::Panic(panic)),
        };
    }
}

impl<T> Witness<Option<T>> for Task
where
    Self: Witness<T>,
{
    fn saw(&mut self, output: Option<T>) {
        if let Some(output) = output {
            Witness::<T>::saw(self, output);
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let end = std::mem::replace(&mut self.end, TaskEnd::Dropped);
        let rest = self.unit.leave();
        self.unit.driver.send(Event::TaskEnded(self.task, end, rest));
    }
}

/// Spawns a task that is dropped when `abort` says so.
pub(crate) fn spawn<F>(
    driver: &Arc<Driver>,
    id: Id,
    name: String,
    kind: TaskKind,
    abort: CancellationToken,
    future: F,
) where
    F: Future<Output: TaskOutput> + Send + 'static,
{
    let Some(task) = Task::start(driver, id, name, kind) else { return };
    let future = abort.run_until_cancelled_owned(CatchPanic::new(future));
    driver.runtime().spawn(Witnessed::new(future, task));
}

/// Spawns the task of a server, which ends with its notice, at once. It need not be dropped, and when somebody insists
/// it is not work that was cut off.
#[cfg(feature = "http")]
pub(crate) fn spawn_server<F>(driver: &Arc<Driver>, id: Id, name: String, future: F)
where
    F: Future<Output: TaskOutput> + Send + 'static,
{
    let Some(mut task) = Task::start(driver, id, name, TaskKind::Supervised) else { return };
    task.unit.stand(Standing::Excused);
    driver.runtime().spawn(Witnessed::new(CatchPanic::new(future), task));
}

/// Runs `f` on a blocking thread. It cannot be aborted.
pub(crate) fn spawn_blocking<F, T>(driver: &Arc<Driver>, id: Id, name: String, f: F)
where
    F: FnOnce(Stopping) -> T + Send + 'static,
    T: TaskOutput,
{
    let Some(task) = Task::start(driver, id, name, TaskKind::Supervised) else { return };
    let stopping = Stopping::new(&driver.cell(id).stopping);
    // One value with the function before the task, so that a function that is never called is dropped first.
    let mut job = (Some(f), task);
    driver.runtime().spawn_blocking(move || {
        let (f, task) = &mut job;
        if let Some(f) = f.take() {
            task.saw(catch(|| f(stopping)));
        }
    });
}

/// The handle of a resource to tasks whose failure is their own, and to units of work that are no tasks.
///
/// They are counted, waited for at the resource's turn and aborted at its cut-off; they keep nothing alive, and a
/// panic in one is logged, no more. Use it for a connection, a request, a job. For the one task without which the
/// resource is not what it should be, use [`Acquire::spawn`](crate::Acquire::spawn).
///
/// ```
/// use lifecycle::{Acquire, Resource, Result, resource};
///
/// #[resource]
/// struct Mailer { tasks: lifecycle::Tasks }
///
/// impl Resource for Mailer {
///     async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
///         Ok(Mailer { tasks: cx.tasks() })
///     }
/// }
///
/// impl Mailer {
///     fn send(&self, mail: String) {
///         self.tasks.spawn(async move { println!("sending {mail}") });
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Tasks {
    pub(crate) driver: Arc<Driver>,
    pub(crate) id: Id,
}

impl Tasks {
    pub(crate) fn new(driver: &Arc<Driver>, id: Id) -> Self {
        Self { driver: Arc::clone(driver), id }
    }

    /// Spawns `future`, counted until it is gone.
    ///
    /// Once the turn of the resource is so far that nothing is in flight any more, nothing new begins: `future` is
    /// dropped unpolled, and a warning names the resource. Work that brings more work is on the safe side, since it
    /// is itself in flight; from elsewhere, take a [`guard`](Self::guard) first.
    pub fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(guard) = self.guard() else {
            return self.driver.warn_of_late_task(self.id);
        };
        let abort = self.driver.cell(self.id).abort.clone();
        let future = abort.run_until_cancelled_owned(CatchPanic::new(future));
        self.driver.runtime().spawn(Witnessed::new(future, guard));
    }

    /// Counts one unit of work that is no task, until the guard is dropped. `None` once the turn of the resource is
    /// so far that nothing is in flight any more: do not begin.
    #[must_use = "the unit is counted for as long as the guard lives"]
    pub fn guard(&self) -> Option<Guard> {
        Unit::enter(&self.driver, self.id).map(|unit| Guard { unit })
    }

    /// How many units are in flight: the tasks of this resource, supervised ones included, and its guards.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.driver.cell(self.id).counter.in_flight()
    }
}

/// One unit of work in flight, for as long as it lives. See [`Tasks::guard`].
#[derive(Debug)]
pub struct Guard {
    unit: Unit,
}

impl Witness<Option<Result<(), Panic>>> for Guard {
    fn saw(&mut self, output: Option<Result<(), Panic>>) {
        if let Some(Err(panic)) = output {
            self.unit.driver.warn_of_panic(self.unit.id, &panic);
        }
    }
}
