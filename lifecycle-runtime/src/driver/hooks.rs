//! Runs the user's hooks, and tells the engine how they end, however they do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

#[cfg(feature = "probe")]
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Driver, Source, Timing, lock};
use crate::catch::{CatchPanic, Witness, Witnessed, catch};
use crate::control::LAST_WORDS;
use crate::engine::event::Event;
use crate::error::{Cause, Panic};
use crate::log;
use crate::node::Instance;
use crate::plan::Id;
use crate::resource::{Context, Release};
#[cfg(feature = "probe")]
use crate::tasks::Unit;
use crate::{BoxError, Skip};

/// How a check ended, if it was not dropped.
#[cfg(feature = "probe")]
pub(crate) type CheckOutput = Option<Result<Result<(), String>, Panic>>;

impl Driver {
    pub(super) fn acquire(self: &Arc<Self>, id: Id) {
        let Source { node, supplied } = &self.sources[id];
        if let Some(instance) = lock(supplied).take() {
            self.cell(id).put(instance);
            return self.send(Event::Acquired(id));
        }
        let dependencies =
            self.plan.after(id).iter().map(|&id| ((self.sources[id].node.type_id)(), self.instance(id)));
        let context = Context { driver: Arc::clone(self), id, dependencies: dependencies.collect() };
        let acquisition = Acquisition { driver: Arc::clone(self), id, end: Event::AcquireDropped(id) };
        let cancel = self.cell(id).cancel_acquire.clone();
        let future = cancel.run_until_cancelled_owned(CatchPanic::new((node.acquire)(context)));
        self.runtime.spawn(Witnessed::new(future, acquisition));
    }

    pub(super) fn release(self: &Arc<Self>, id: Id) {
        let lost = Event::Released(id, Err(Cause::Lost));
        let witness = Releasing { driver: Arc::clone(self), id, end: lost };
        let Some(instance) = self.cell(id).instance() else { return drop(witness) };
        let driver = Arc::clone(self);
        let release = (self.sources[id].node.release)(instance, Release { driver: Arc::clone(self), id });
        let cut = self.cell(id).cut_release.clone();
        let cut_while_waiting = cut.clone();
        let future = async move {
            driver.let_the_report_be_said(&cut_while_waiting).await;
            release.await?;
            let instance = driver.cell(id).take();
            driver.look_for_handles(id, instance.as_ref());
            // A `Drop` of the resource is part of its release, and has the same time.
            drop(instance);
            Ok(())
        };
        let future = CatchPanic::new(future);
        self.runtime.spawn(Witnessed::new(poll_once_then_until(future, cut), witness));
    }

    /// The report has to reach the log, which may be what is released now (rule E2). Another thread may be about to say
    /// it; but a log that blocks must not keep anybody for long.
    async fn let_the_report_be_said(&self, cut: &CancellationToken) {
        if !self.core().engine.report_is_told() || self.reported.is_cancelled() {
            return;
        }
        tokio::select! {
            () = self.reported.cancelled() => {}
            () = cut.cancelled() => {}
            () = sleep(LAST_WORDS) => {}
        }
    }

    /// `abort` is the user's code and must not hold up whoever commands it, nor wait for a runtime whose threads
    /// may all be stuck. The instance is dropped there too.
    pub(super) fn abort(self: &Arc<Self>, id: Id) {
        let Some(instance) = self.cell(id).take() else { return self.send(Event::Aborted(id, Ok(()))) };
        let node = self.sources[id].node;
        let driver = Arc::clone(self);
        let abort = move || {
            let result = catch(|| {
                (node.abort)(&instance);
                drop(instance);
            });
            driver.send(Event::Aborted(id, result.map_err(Cause::Panic)));
        };
        if self.timing == Timing::Runtime {
            // Under virtual time, a thread that the runtime does not know of would not hold the clock.
            self.runtime.spawn_blocking(abort);
        } else if thread::Builder::new().name("lifecycle-abort".to_owned()).spawn(abort).is_err() {
            let cause = Cause::Error("no thread could be made to run it on".into());
            self.send(Event::Aborted(id, Err(cause)));
        }
    }

    /// Whoever holds a handle to a resource that has been released will find it closed (rule D12). That stuck tasks
    /// hold theirs is known already.
    fn look_for_handles(&self, id: Id, instance: Option<&Instance>) {
        let handles = instance.map_or(0, |instance| Arc::strong_count(instance) - 1);
        let is_explained =
            self.cell(id).is_handed_out.load(Ordering::Relaxed) || self.core().engine.is_stuck();
        if handles > 0 && !is_explained {
            log::handle_outlives(self.name(id), handles);
        }
    }

    /// Spawns the check of a resource, if there is anything to check. Its output is `None` if the application began
    /// to stop meanwhile. It counts as in flight: the resource is released only when it is gone.
    #[cfg(feature = "probe")]
    pub(crate) fn check(self: &Arc<Self>, id: Id) -> Option<JoinHandle<CheckOutput>> {
        let unit = Unit::enter(self, id)?;
        let check = CatchPanic::new((self.sources[id].node.check)(self.instance(id)?));
        let check = self.draining.clone().run_until_cancelled_owned(check);
        Some(self.runtime.spawn(async move {
            let output = check.await;
            drop(unit);
            output
        }))
    }
}

/// One acquisition: tells how it ended, also when its future was dropped.
struct Acquisition {
    driver: Arc<Driver>,
    id: Id,
    end: Event,
}

impl Witness<Option<Result<Result<Instance, BoxError>, Panic>>> for Acquisition {
    fn saw(&mut self, output: Option<Result<Result<Instance, BoxError>, Panic>>) {
        let id = self.id;
        self.end = match output {
            None => Event::AcquireDropped(id),
            Some(Ok(Ok(instance))) => {
                self.driver.cell(id).put(instance);
                Event::Acquired(id)
            }
            Some(Ok(Err(error))) if error.is::<Skip>() => Event::AcquireSkipped(id),
            Some(Ok(Err(error))) => Event::AcquireFailed(id, Cause::Error(error)),
            Some(Err(panic)) => Event::AcquireFailed(id, Cause::Panic(panic)),
        };
    }
}

impl Drop for Acquisition {
    fn drop(&mut self) {
        let end = std::mem::replace(&mut self.end, Event::Tick);
        self.driver.send(end);
    }
}

/// One release: tells how it ended, also when its future was dropped.
struct Releasing {
    driver: Arc<Driver>,
    id: Id,
    end: Event,
}

impl Witness<Option<Result<Result<(), BoxError>, Panic>>> for Releasing {
    fn saw(&mut self, output: Option<Result<Result<(), BoxError>, Panic>>) {
        let id = self.id;
        self.end = match output {
            None => Event::ReleaseDropped(id),
            Some(Ok(result)) => Event::Released(id, result.map_err(Cause::Error)),
            Some(Err(panic)) => Event::Released(id, Err(Cause::Panic(panic))),
        };
    }
}

impl Drop for Releasing {
    fn drop(&mut self) {
        let end = std::mem::replace(&mut self.end, Event::Tick);
        self.driver.send(end);
    }
}

/// Runs `future` until `cut`, but polls it once in any case: the token looks second.
async fn poll_once_then_until<F: Future>(future: F, cut: CancellationToken) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = cut.cancelled() => None,
    }
}
