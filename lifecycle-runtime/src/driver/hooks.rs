//! Runs the hooks of resources, and tells the engine how they end, however they do.

use std::any::TypeId;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use pin_project_lite::pin_project;
#[cfg(feature = "probe")]
use tokio::task::JoinHandle;

use super::catch::{CatchPanic, Panic, Witness, Witnessed, catch};
use super::cell::{Cell, Instance, Recall};
use super::said::QUICK;
use super::{Driver, Seat, Timing};
use crate::engine::event::Event;
use crate::engine::notice::Notice;
use crate::model::failure::{BoxError, Cause, Skip};
use crate::model::plan::Id;
use crate::process::stderr::PATIENCE;

/// What was to be said before a hook.
struct ToBeSaid {
    /// How much of everything that is ever to be said.
    up_to: u64,
    patience: Duration,
}

/// What a resource comes after, held from before its acquisition begins, so that it cannot fail to be there.
pub(crate) type Dependencies = Vec<(TypeId, Option<Instance>)>;

/// How a check ended, if it was not dropped.
#[cfg(feature = "probe")]
pub(crate) type CheckOutput = Option<Result<Result<(), String>, Panic>>;

impl Driver {
    pub(super) fn acquire(self: &Arc<Self>, id: Id) {
        let dependencies =
            self.plan.after(id).iter().map(|&id| ((self.hooks[id].type_id)(), self.instance(id)));
        let acquire = (self.hooks[id].acquire)(self.seat(id), dependencies.collect());
        let (driver, log) = (Arc::clone(self), self.to_be_said(QUICK));
        let future = async move {
            driver.let_the_log_speak(log).await;
            acquire.await
        };
        let future = Recallable::new(CatchPanic::new(future), self.seat(id), |cell| &cell.acquisition);
        let acquisition = Acquisition { seat: self.seat(id), end: Event::AcquireDropped(id) };
        self.runtime.spawn(Witnessed::new(future, acquisition));
    }

    pub(super) fn release(self: &Arc<Self>, id: Id) {
        let releasing = Releasing { seat: self.seat(id), end: Event::Released(id, Err(Cause::Lost)) };
        let Some(instance) = self.cell(id).instance() else { return drop(releasing) };
        let seat = self.seat(id);
        // The report has to reach the log, which may be the foundation that is released now (rule E2).
        let is_after_the_report = self.plan.step(id).foundation && self.core().engine.is_reported();
        let log = self.to_be_said(if is_after_the_report { PATIENCE } else { QUICK });
        let future = async move {
            let Seat { driver, .. } = &seat;
            driver.let_the_log_speak(log).await;
            (driver.hooks[id].release)(instance, seat.clone()).await?;
            let instance = driver.cell(id).take();
            driver.look_for_handles(id, instance.as_ref());
            // A `Drop` of the resource is part of its release, and has the same time.
            drop(instance);
            Ok(())
        };
        let future = Recallable::new(CatchPanic::new(future), self.seat(id), |cell| &cell.release);
        self.runtime.spawn(Witnessed::new(future, releasing));
    }

    /// What a hook lets the log finish, and for how long; nothing if nobody listens.
    fn to_be_said(&self, patience: Duration) -> Option<ToBeSaid> {
        self.listener.is_there().then(|| ToBeSaid { up_to: self.core().words.pushed(), patience })
    }

    async fn let_the_log_speak(&self, what: Option<ToBeSaid>) {
        if let Some(ToBeSaid { up_to, patience }) = what {
            self.said.up_to(up_to, patience).await;
        }
    }

    /// `abort` is the user's code and must not hold up the thread that commands it, nor wait for a runtime whose
    /// threads may all be stuck. The instance is dropped there too. Both may use the runtime: they run in its context.
    pub(super) fn abort(self: &Arc<Self>, id: Id) {
        let Some(instance) = self.cell(id).take() else { return self.send(Event::Aborted(id, Ok(()))) };
        let seat = self.seat(id);
        let abort = move || {
            let Seat { driver, id } = &seat;
            let _context = driver.runtime.enter();
            let aborted = catch(|| (driver.hooks[*id].abort)(&instance));
            let result = aborted.and(catch(|| drop(instance)));
            seat.send(Event::Aborted(*id, result.map_err(|Panic(words)| Cause::Panic(words))));
        };
        if self.timing == Timing::Runtime {
            // Under virtual time, the clock would not wait for a thread that the runtime does not know.
            self.runtime.spawn_blocking(abort);
        } else if thread::Builder::new().name("lifecycle-abort".to_owned()).spawn(abort).is_err() {
            let cause = Cause::Error("no thread could be started for it".into());
            self.send(Event::Aborted(id, Err(cause)));
        }
    }

    /// Warns if something still holds a handle to a released resource (rule D12). It does not warn about stuck tasks,
    /// which were reported already.
    fn look_for_handles(self: &Arc<Self>, id: Id, instance: Option<&Instance>) {
        let handles = instance.map_or(0, |instance| Arc::strong_count(instance) - 1);
        if handles > 0 && !self.cell(id).is_handed_out() && !self.core().engine.is_stuck() {
            self.say(Notice::HandlesOutlive { name: self.plan.shared_name(id).clone(), handles });
        }
    }

    /// Spawns the check of a resource, if there is something to check. Its output is `None` if the application began to
    /// stop in the meantime. It counts as in flight, so the resource is released only when it is gone.
    #[cfg(feature = "probe")]
    pub(crate) fn check(self: &Arc<Self>, id: Id) -> Option<JoinHandle<CheckOutput>> {
        let unit = self.seat(id).enter()?;
        let check = (self.hooks[id].check)(self.instance(id)?);
        // The error is put into words where it came up: they are the user's code, too.
        let check = async move { check.await.map_err(|error| super::errors::words(&*error)) };
        let check = self.milestones.draining.clone().run_until_cancelled_owned(CatchPanic::new(check));
        Some(self.runtime.spawn(async move {
            let output = check.await;
            drop(unit);
            output
        }))
    }
}

pin_project! {
    /// A future that ends without an output when it is called back. It is polled once in any case, and once more then:
    /// if it is done by that, it is done.
    struct Recallable<F> {
        #[pin]
        future: F,
        seat: Seat,
        recall: fn(&Cell) -> &Recall,
    }
}

impl<F> Recallable<F> {
    fn new(future: F, seat: Seat, recall: fn(&Cell) -> &Recall) -> Self {
        Self { future, seat, recall }
    }
}

impl<F: Future> Future for Recallable<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.future.poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => (this.recall)(this.seat.cell()).poll(cx).map(|()| None),
        }
    }
}

/// One acquisition. Its drop reports how the acquisition ended, also if the future was dropped.
struct Acquisition {
    seat: Seat,
    end: Event,
}

impl Witness<Option<Result<Result<Instance, BoxError>, Panic>>> for Acquisition {
    fn saw(&mut self, output: Option<Result<Result<Instance, BoxError>, Panic>>) {
        let Seat { driver, id } = &self.seat;
        self.end = match output {
            None => Event::AcquireDropped(*id),
            Some(Ok(Ok(instance))) => {
                driver.cell(*id).put(instance);
                Event::Acquired(*id)
            }
            Some(Ok(Err(error))) if error.is::<Skip>() => Event::AcquireSkipped(*id),
            Some(Ok(Err(error))) => Event::AcquireFailed(*id, driver.cause(error)),
            Some(Err(Panic(words))) => Event::AcquireFailed(*id, Cause::Panic(words)),
        };
    }
}

impl Drop for Acquisition {
    fn drop(&mut self) {
        self.seat.send(std::mem::replace(&mut self.end, Event::Tick));
    }
}

/// One release. Its drop reports how the release ended, also if the future was dropped.
struct Releasing {
    seat: Seat,
    end: Event,
}

impl Witness<Option<Result<Result<(), BoxError>, Panic>>> for Releasing {
    fn saw(&mut self, output: Option<Result<Result<(), BoxError>, Panic>>) {
        let Seat { driver, id } = &self.seat;
        self.end = match output {
            None => Event::ReleaseDropped(*id),
            Some(Ok(result)) => Event::Released(*id, result.map_err(|error| driver.cause(error))),
            Some(Err(Panic(words))) => Event::Released(*id, Err(Cause::Panic(words))),
        };
    }
}

impl Drop for Releasing {
    fn drop(&mut self) {
        self.seat.send(std::mem::replace(&mut self.end, Event::Tick));
    }
}
