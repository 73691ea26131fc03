//! Rules R1 and R2: what a task may return, and the handle to tasks whose failure is their own.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::never::Never;
use crate::driver::{Seat, Unit, UnitEntrance};
use crate::model::failure::BoxError;
use crate::model::units::Units;

/// The return types of a supervised task: `()`, or a `Result` whose error stops the application.
#[diagnostic::on_unimplemented(
    message = "a supervised task cannot return `{Self}`",
    label = "a task returns `()` or `Result<(), E>`",
    note = "the error of a `Result` must convert to `lifecycle::BoxError`; `Box<dyn Error>` does not, as it is not \
            `Send + Sync`: return `lifecycle::Result`"
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

/// A task that never returns: an endless loop.
#[diagnostic::do_not_recommend]
impl TaskOutput for Never {
    fn into_result(self) -> Result<(), BoxError> {
        self
    }
}

// As for `Output`.
#[diagnostic::do_not_recommend]
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

pin_project! {
    /// A task whose output is a result. An `async` block would hold the task twice: before and after its first poll.
    pub(super) struct IntoResult<F> {
        // Dropped as soon as it has ended, where a panic of that is still caught.
        #[pin]
        task: Option<F>,
    }
}

impl<F> IntoResult<F> {
    pub(super) fn new(task: F) -> Self {
        Self { task: Some(task) }
    }
}

impl<F: Future<Output: TaskOutput>> Future for IntoResult<F> {
    type Output = Result<(), BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut task = self.project().task;
        let output = match task.as_mut().as_pin_mut() {
            Some(running) => ready!(running.poll(cx)),
            None => panic!("a task is not polled after it has ended"),
        };
        task.set(None);
        Poll::Ready(output.into_result())
    }
}

/// Spawns and counts the tasks of a resource that may fail on their own: connections, requests, jobs.
///
/// Such tasks are counted, waited for at the resource's turn, and aborted at its cut-off. They do not keep the
/// application alive, and a panic in one of them is only logged. For the one task that the resource cannot do without,
/// use [`Acquire::spawn`](crate::Acquire::spawn). For work that is not a task, take a [`guard`](Self::guard).
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
    pub(crate) seat: Seat,
    entrance: UnitEntrance,
}

impl Tasks {
    pub(crate) fn new(seat: &Seat) -> Self {
        Self { seat: seat.clone(), entrance: seat.entrance() }
    }

    /// Spawns `future`, and counts it until it is gone.
    ///
    /// Once a resource is draining and its last unit has finished, no new work starts: `future` is dropped without
    /// being polled, and a warning names the resource. Work in flight may always spawn more work. From anywhere else,
    /// take a [`guard`](Self::guard) first.
    pub fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        if self.seat.spawn_job(future).is_none() {
            self.seat.warn_of_late_task();
        }
    }

    /// Counts a unit of work that is not a task, until the guard is dropped.
    ///
    /// `None` once the resource is draining and its last unit has finished: then do not start the work.
    #[must_use = "the unit is counted for as long as the guard lives"]
    #[inline]
    pub fn guard(&self) -> Option<Guard> {
        self.entrance.enter().map(|unit| Guard { _unit: unit })
    }

    /// How many units are in flight: the tasks of this resource, including supervised ones, its guards, and its
    /// requests and streams (feature `http`). Idle connections are not in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.units().in_flight()
    }

    /// What is in flight, by kind, and how many connections are idle.
    #[must_use]
    pub fn units(&self) -> Units {
        self.seat.units()
    }
}

/// One unit of work in flight, for as long as the guard lives. Created by [`Tasks::guard`].
///
/// If the work is a future that can be spawned, [`Tasks::spawn`] is simpler.
#[derive(Debug)]
pub struct Guard {
    _unit: Unit,
}
