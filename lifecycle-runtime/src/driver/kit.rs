//! What a test kit (feature `testing`) hears of an application, and changes in it.

use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::{BoxFuture, Driver, Seat};
use crate::engine::command::Command;
use crate::engine::event::Event;
use crate::model::failure::BoxError;
use crate::model::graph::Id;

/// A test kit. It is called while no lock of ours is held, and may use the application.
pub(crate) trait Kit: fmt::Debug + Send + Sync {
    /// An event, before the engine hears it.
    fn heard(&self, driver: &Arc<Driver>, event: &Event);

    /// The engine has heard an event: time for what the kit does because of it.
    fn act(&self, driver: &Arc<Driver>);

    /// A command, before it is carried out.
    fn commanded(&self, driver: &Arc<Driver>, command: &Command);

    /// Asked once for each hook and each task, before it begins.
    fn gate(&self, seat: &Seat, work: Work<'_>) -> Gate;
}

/// What a gate stands before.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work<'a> {
    Acquire,
    Release,
    Reload,
    /// A supervised or background task.
    Task(&'a str),
    /// A task whose failure is its own.
    Job,
}

/// What a test kit does to one hook or task.
pub(crate) struct Gate {
    /// Comes before the work, which does not begin if this fails.
    pub(crate) before: Option<BoxFuture<Result<(), BoxError>>>,
    /// Asked each time the work has come to an await that is not ready.
    pub(crate) at_await: Box<dyn FnMut() -> Act + Send>,
}

/// What becomes of work at an await.
pub(crate) enum Act {
    GoOn,
    /// The await fails, and so does the work.
    Fail(BoxError),
    /// The await panics, and so does the work.
    Panic(String),
    /// The await is never ready.
    Hang,
    /// The work is dropped there. It does not end: what waits for it has to cut it off.
    Drop,
}

impl Driver {
    /// The work behind the gate of the test kit, if there is one.
    pub(super) fn gated<T: 'static>(
        self: &Arc<Self>,
        id: Id,
        work: Work<'_>,
        future: BoxFuture<Result<T, BoxError>>,
    ) -> BoxFuture<Result<T, BoxError>> {
        match &self.kit {
            Some(kit) => {
                let gate = kit.gate(&self.seat(id), work);
                Box::pin(Gated { gate, work: Some(future), is_hung: false })
            }
            None => future,
        }
    }

    /// Whether a test kit looks on.
    pub(super) fn has_kit(&self) -> bool {
        self.kit.is_some()
    }
}

struct Gated<T> {
    gate: Gate,
    /// `None` once it is dropped.
    work: Option<BoxFuture<Result<T, BoxError>>>,
    is_hung: bool,
}

impl<T> Future for Gated<T> {
    type Output = Result<T, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(before) = &mut this.gate.before {
            let result = ready!(before.as_mut().poll(cx));
            this.gate.before = None;
            result?;
        }
        let Some(work) = this.work.as_mut().filter(|_| !this.is_hung) else { return Poll::Pending };
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(output);
        }
        match (this.gate.at_await)() {
            Act::GoOn => {}
            Act::Fail(error) => {
                this.work = None;
                return Poll::Ready(Err(error));
            }
            Act::Panic(words) => {
                // Dropped while the panic passes, as what an async block holds is. The hook that prints panics is for
                // those that nobody asked for.
                let _work = this.work.take();
                resume_unwind(Box::new(words));
            }
            Act::Hang => this.is_hung = true,
            Act::Drop => this.work = None,
        }
        Poll::Pending
    }
}
