//! Blocking work: a thread cannot be aborted, so the turn of its resource waits for it.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use tokio::sync::oneshot::{Receiver, Sender, channel};

use super::Seat;
use super::catch::{Witness, catch};
use super::task::TaskWitness;
use crate::engine::event::TaskKind;
use crate::model::failure::BoxError;

impl Seat {
    /// Runs `f` on a blocking thread, as a supervised task. It cannot be aborted.
    pub(crate) fn spawn_blocking<F>(&self, name: &str, f: F)
    where
        F: FnOnce() -> Result<(), BoxError> + Send + 'static,
    {
        let Some(task) = TaskWitness::start(self, name, TaskKind::Supervised) else { return };
        // One tuple with the function in front of the task: a function that is never called is dropped first.
        let mut job = (Some(f), task);
        self.driver.runtime().spawn_blocking(move || {
            let (f, task) = &mut job;
            if let Some(f) = f.take() {
                task.saw(catch(f));
            }
        });
    }

    /// Runs `f` on a blocking thread, and waits for its output. If the future is dropped before that, `f` goes on as a
    /// task of the resource.
    ///
    /// The future never ends if `f` comes too late to begin: then its caller is being dropped, too.
    pub(crate) async fn run_blocking<F, T>(&self, name: String, f: F) -> T
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let Some(task) = TaskWitness::start(self, &name, TaskKind::Background) else {
            return pending().await;
        };
        let (sender, receiver) = channel();
        let job = Job { f, sender, task };
        self.driver.runtime().spawn_blocking(move || job.run());
        Awaited { seat: self, receiver }.output().await
    }
}

/// Blocking work that somebody waits for. A function that is never called is dropped before its task.
struct Job<F, T> {
    f: F,
    sender: Sender<Finished<T>>,
    task: TaskWitness,
}

impl<F: FnOnce() -> T, T> Job<F, T> {
    fn run(self) {
        let Self { f, sender, mut task } = self;
        if sender.is_closed() {
            task.saw(catch(move || drop(f)).map(Ok));
            return;
        }
        // A panic is passed on, or recorded as a failure. What panicked is not used again.
        let output = catch_unwind(AssertUnwindSafe(f));
        if let Err(finished) = sender.send(Finished { output, task }) {
            finished.discard();
        }
    }
}

/// The output of blocking work, with its task: the resource's turn is not over while the output exists. The order of
/// the fields is the order in which they are dropped.
struct Finished<T> {
    output: thread::Result<T>,
    task: TaskWitness,
}

impl<T> Finished<T> {
    /// Hands the output to the caller that waits for it. A panic is theirs, too.
    fn hand_over(self) -> T {
        let Self { output, mut task } = self;
        task.saw(Ok(Ok(())));
        drop(task);
        output.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Nobody waits for the output. A panic of the work, or of the drop of its output, is the failure of the task.
    fn discard(self) {
        let Self { output, mut task } = self;
        let end = catch(move || drop(output.unwrap_or_else(|panic| resume_unwind(panic))));
        task.saw(end.map(Ok));
    }
}

/// Waits for an output. When it is dropped before that, what has arrived is discarded where blocking is allowed.
struct Awaited<'a, T: Send + 'static> {
    seat: &'a Seat,
    receiver: Receiver<Finished<T>>,
}

impl<T: Send + 'static> Awaited<'_, T> {
    async fn output(mut self) -> T {
        match (&mut self.receiver).await {
            Ok(finished) => finished.hand_over(),
            // The work was dropped by a runtime that is shutting down, and this will be.
            Err(_) => pending().await,
        }
    }
}

impl<T: Send + 'static> Drop for Awaited<'_, T> {
    fn drop(&mut self) {
        self.receiver.close();
        if let Ok(finished) = self.receiver.try_recv() {
            self.seat.driver.runtime().spawn_blocking(move || finished.discard());
        }
    }
}
