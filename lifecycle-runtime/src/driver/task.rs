//! Supervised and background tasks (rule R1): their end is told, however they end.

use std::future::Future;

use super::Seat;
use super::catch::{CatchPanic, Panic, Witness, Witnessed};
#[cfg(feature = "http")]
use super::counter::Standing;
use super::token::Token;
use super::unit::Unit;
use crate::engine::event::{Event, TaskEnd, TaskId, TaskKind};
use crate::model::TaskName;
use crate::model::failure::{BoxError, Cause};

/// One supervised or background task.
pub(super) struct TaskWitness {
    seat: Seat,
    task: TaskId,
    end: TaskEnd,
    unit: Unit,
}

impl TaskWitness {
    /// `None` if the task comes too late, which is warned of: it must not begin.
    pub(super) fn start(seat: &Seat, name: TaskName, kind: TaskKind) -> Option<Self> {
        let Some(unit) = seat.enter_in_time() else {
            seat.warn_of_late_task();
            return None;
        };
        let task = seat.driver.new_task();
        seat.send(Event::TaskStarted { owner: seat.id, task, name, kind });
        Some(Self { seat: seat.clone(), task, end: TaskEnd::Dropped, unit })
    }
}

impl Witness<Result<Result<(), BoxError>, Panic>> for TaskWitness {
    fn saw(&mut self, output: Result<Result<(), BoxError>, Panic>) {
        self.end = match output {
            Ok(Ok(())) => TaskEnd::Done,
            Ok(Err(error)) => TaskEnd::Failed(self.seat.driver.cause(error)),
            Err(Panic(words)) => TaskEnd::Failed(Cause::Panic(words)),
        };
    }
}

impl<T> Witness<Option<T>> for TaskWitness
where
    Self: Witness<T>,
{
    fn saw(&mut self, output: Option<T>) {
        if let Some(output) = output {
            Witness::<T>::saw(self, output);
        }
    }
}

impl Drop for TaskWitness {
    fn drop(&mut self) {
        let end = std::mem::replace(&mut self.end, TaskEnd::Dropped);
        let rest = self.unit.leave();
        self.seat.send(Event::TaskEnded { owner: self.seat.id, task: self.task, end, rest });
    }
}

impl Seat {
    /// Spawns a supervised task, which is dropped at the resource's cut-off.
    pub(crate) fn spawn_supervised<F>(&self, name: TaskName, future: F)
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.spawn_task(name, TaskKind::Supervised, self.abort(), future);
    }

    /// Spawns a background task, which is dropped at the resource's turn.
    pub(crate) fn spawn_background<F>(&self, name: TaskName, future: F)
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.spawn_task(name, TaskKind::Background, self.stopping(), future);
    }

    fn spawn_task<F>(&self, name: TaskName, kind: TaskKind, abort: Token, future: F)
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let Some(task) = TaskWitness::start(self, name, kind) else { return };
        let future = abort.run_until_owned(CatchPanic::new(future));
        self.driver.runtime().spawn(Witnessed::new(future, task));
    }

    /// Spawns the task of a server, which ends with its notice, at once. It need not be dropped, and when somebody
    /// insists it is not work that was cut off.
    #[cfg(feature = "http")]
    pub(crate) fn spawn_server<F>(&self, name: TaskName, future: F)
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        let Some(mut task) = TaskWitness::start(self, name, TaskKind::Supervised) else { return };
        task.unit.stand(Standing::Excused);
        self.driver.runtime().spawn(Witnessed::new(CatchPanic::new(future), task));
    }
}
