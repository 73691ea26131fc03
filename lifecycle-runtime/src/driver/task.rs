//! Supervised and background tasks (rule R1): their end is told, however they end.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::Seat;
#[cfg(feature = "http")]
use super::catch::Witnessed;
use super::catch::{CatchPanic, Panic, Witness};
#[cfg(feature = "http")]
use super::counter::Standing;
#[cfg(feature = "testing")]
use super::kit::Work;
use super::token::{RunUntil, Token};
use super::unit::Unit;
use super::untold::{Begun, Number};
use crate::engine::Engine;
use crate::engine::event::{Event, Rest, TaskEnd, TaskKind};
use crate::model::failure::{BoxError, Cause};

/// One supervised or background task.
pub(super) struct TaskWitness {
    seat: Seat,
    number: Number,
    kind: TaskKind,
    /// `None` until it has ended by itself. Most end well, and many wait for their end: the cause is in a box.
    end: Option<Result<(), Box<Cause>>>,
    unit: Unit,
}

impl TaskWitness {
    /// `None` if the task comes too late, which is warned of: it must not begin.
    pub(super) fn start(seat: &Seat, name: &str, kind: TaskKind) -> Option<Self> {
        let Some(unit) = seat.enter_in_time() else {
            seat.warn_of_late_task();
            return None;
        };
        let driver = &seat.driver;
        let (number, begun) = driver.untold.begin(seat.id, name, kind, driver.audience.may_hear_of_tasks());
        if let Some(Begun { owner, task, name, kind }) = begun {
            seat.send(Event::TaskStarted { owner, task, name, kind });
        }
        Some(Self { seat: seat.clone(), number, kind, end: None, unit })
    }
}

impl Witness<Result<Result<(), BoxError>, Panic>> for TaskWitness {
    fn saw(&mut self, output: Result<Result<(), BoxError>, Panic>) {
        self.end = Some(match output {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Box::new(self.seat.driver.cause(error))),
            Err(Panic(words)) => Err(Box::new(Cause::Panic(words))),
        });
    }
}

impl AsRef<Token> for TaskWitness {
    fn as_ref(&self) -> &Token {
        match self.kind {
            TaskKind::Supervised => &self.seat.cell().abort,
            TaskKind::Background => &self.seat.cell().stopping,
        }
    }
}

impl Drop for TaskWitness {
    fn drop(&mut self) {
        let end = match self.end.take() {
            None => TaskEnd::Dropped,
            Some(Ok(())) => TaskEnd::Done,
            Some(Err(cause)) => TaskEnd::Failed(*cause),
        };
        let rest = self.unit.leave();
        let Self { seat, number, .. } = self;
        let driver = &seat.driver;
        let changes_nothing = matches!((&end, rest), (TaskEnd::Done, Rest::Unknown));
        if changes_nothing && !driver.audience.may_hear_of_tasks() && driver.untold.forget(number) {
            return;
        }
        seat.send(Event::TaskEnded { owner: seat.id, task: number.task, end, rest });
    }
}

impl Begun {
    /// Tells the engine on the way to something else.
    pub(super) fn tell(self, engine: &mut Engine) {
        let Self { owner, task, name, kind } = self;
        engine.task_started(owner, task, name, kind);
    }
}

/// One task whose failure is its own.
struct JobWitness {
    seat: Seat,
    _unit: Unit,
}

impl Witness<Result<(), Panic>> for JobWitness {
    fn saw(&mut self, output: Result<(), Panic>) {
        if let Err(panic) = output {
            self.seat.warn_of_panic(panic);
        }
    }
}

impl AsRef<Token> for JobWitness {
    fn as_ref(&self) -> &Token {
        &self.seat.cell().abort
    }
}

pin_project! {
    /// The future of a task: runs until its token is raised, and is witnessed. Its witness knows the token, and is
    /// dropped after the future.
    struct Task<F, W: AsRef<Token>> {
        #[pin]
        run: RunUntil<W, CatchPanic<F>>,
    }
}

impl<F: Future, W: AsRef<Token>> Task<F, W> {
    fn new(future: F, witness: W) -> Self {
        Self { run: RunUntil::task(witness, CatchPanic::new(future)) }
    }
}

impl<F: Future, W: AsRef<Token> + Witness<Result<F::Output, Panic>>> Future for Task<F, W> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut run = self.project().run;
        if let Some(output) = ready!(run.as_mut().poll(cx)) {
            run.token().saw(output);
        }
        Poll::Ready(())
    }
}

impl Seat {
    /// Spawns a supervised task, which is dropped at the resource's cut-off.
    pub(crate) fn spawn_supervised<F>(&self, name: &str, future: F)
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.spawn_task(name, TaskKind::Supervised, future);
    }

    /// Spawns a background task, which is dropped at the resource's turn.
    pub(crate) fn spawn_background<F>(&self, name: &str, future: F)
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.cell().expect_stopping();
        self.spawn_task(name, TaskKind::Background, future);
    }

    fn spawn_task<F>(&self, name: &str, kind: TaskKind, future: F)
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        #[cfg(feature = "testing")]
        if self.driver.has_kit() {
            let Some(witness) = TaskWitness::start(self, name, kind) else { return };
            let future = self.driver.gated(self.id, Work::Task(name), Box::pin(future));
            self.driver.runtime().spawn(Task::new(future, witness));
            return;
        }
        let Some(witness) = TaskWitness::start(self, name, kind) else { return };
        self.driver.runtime().spawn(Task::new(future, witness));
    }

    /// Spawns a task whose failure is its own (rule R2). `None` if it comes too late: it does not begin.
    pub(crate) fn spawn_job<F>(&self, future: F) -> Option<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let witness = JobWitness { seat: self.clone(), _unit: self.enter()? };
        #[cfg(feature = "testing")]
        if self.driver.has_kit() {
            let future = Box::pin(async {
                future.await;
                Ok(())
            });
            let gated = self.driver.gated(self.id, Work::Job, future);
            self.driver.runtime().spawn(Task::new(async { drop(gated.await) }, witness));
            return Some(());
        }
        self.driver.runtime().spawn(Task::new(future, witness));
        Some(())
    }

    /// Spawns the task of a server, which ends with its notice, at once. It need not be dropped, and when somebody
    /// insists it is not work that was cut off.
    #[cfg(feature = "http")]
    pub(crate) fn spawn_server<F>(&self, name: &str, future: F)
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let Some(mut task) = TaskWitness::start(self, name, TaskKind::Supervised) else { return };
        task.unit.stand(Standing::Excused);
        self.driver.spawn(Witnessed::new(CatchPanic::new(future), task));
    }
}
