//! Runs the hooks of resources, and tells the engine how they end, however they do.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll, ready};
use std::time::Duration;

#[cfg(feature = "probe")]
use tokio::task::JoinHandle;

#[cfg(feature = "probe")]
use super::catch::CatchPanic;
use super::catch::{Panic, catch};
use super::cell::{Cell, Instance, Recall};
use super::errors::words;
#[cfg(feature = "testing")]
use super::kit;
#[cfg(feature = "probe")]
use super::pages::{self, Page};
use super::said::QUICK;
use super::spans::{Work, within};
use super::{BoxFuture, Context, Driver, Seat, Timing, Unit};
use crate::engine::event::Event;
use crate::engine::notice::Notice;
use crate::model::failure::{BoxError, Cause, Skip};
use crate::model::first_of::first_of;
use crate::model::graph::Id;
use crate::process::stderr::PATIENCE;
use crate::process::thread;

/// How a check ended.
#[cfg(feature = "probe")]
pub(crate) enum CheckEnd {
    Passed,
    Failed(String),
    Panicked(String),
    /// The application began to stop meanwhile.
    Stopped,
}

impl Driver {
    pub(super) fn acquire(self: &Arc<Self>, id: Id) {
        let dependencies =
            self.plan.after(id).iter().map(|&id| ((self.hooks[id].type_id)(), self.instance(id)));
        let acquire = (self.hooks[id].acquire)(Context::new(self.seat(id), dependencies.collect()));
        #[cfg(feature = "testing")]
        let acquire = self.gated(id, kit::Work::Acquire, acquire);
        self.run::<Acquisition>(id, QUICK, acquire, None);
    }

    pub(super) fn release(self: &Arc<Self>, id: Id) {
        let Some(instance) = self.cell(id).instance() else {
            return self.send(Event::Released(id, Err(Cause::Lost)));
        };
        // The report has to reach the log, which may be the foundation that is released now (rule E2).
        let is_after_the_report = self.plan.step(id).foundation && self.core().engine.is_reported();
        let patience = if is_after_the_report { PATIENCE } else { QUICK };
        let release = (self.hooks[id].release)(instance, Context::new(self.seat(id), Vec::new()));
        #[cfg(feature = "testing")]
        let release = self.gated(id, kit::Work::Release, release);
        // So have the metrics, for a foundation that sends them somewhere.
        #[cfg(feature = "metrics")]
        let release: BoxFuture<_> = if is_after_the_report {
            let driver = Arc::clone(self);
            Box::pin(async move {
                unless_called_back(&driver.cell(id).release, driver.catch_up(PATIENCE)).await;
                release.await
            })
        } else {
            release
        };
        self.run::<Releasing>(id, patience, release, None);
    }

    /// A reload counts as in flight: the resource is released only when it is gone.
    pub(super) fn reload(self: &Arc<Self>, id: Id) {
        let (Some(reload), Some(instance), Some(unit)) =
            (self.hooks[id].reload, self.instance(id), self.seat(id).enter())
        else {
            // Its turn has begun meanwhile.
            return self.send(Event::Reloaded(id, Err(Cause::Lost)));
        };
        self.cell(id).reload.renew();
        let reload = reload(instance, Context::new(self.seat(id), Vec::new()));
        #[cfg(feature = "testing")]
        let reload = self.gated(id, kit::Work::Reload, reload);
        self.run::<Reloading>(id, QUICK, reload, Some(unit));
    }

    /// Runs a hook as a task. The log may first finish what was to be said before, within `patience`.
    fn run<H: Hook>(
        self: &Arc<Self>,
        id: Id,
        patience: Duration,
        hook: BoxFuture<Result<H::Output, BoxError>>,
        unit: Option<Unit>,
    ) {
        let up_to = self.core().heard();
        let future: BoxFuture<_> = if up_to > 0 && self.audience.is_there() {
            let driver = Arc::clone(self);
            Box::pin(async move {
                unless_called_back(H::recall(driver.cell(id)), driver.said.up_to(up_to, patience)).await;
                hook.await
            })
        } else {
            hook
        };
        self.spawn(Running::<H> { future: Some(future), seat: self.seat(id), unit });
    }

    /// `abort` is the user's code and must not hold up the thread that commands it, nor wait for a runtime whose
    /// threads may all be stuck. The instance is dropped there too. Both may use the runtime: they run in its context.
    pub(super) fn abort(self: &Arc<Self>, id: Id) {
        let Some(instance) = self.cell(id).take() else { return self.send(Event::Aborted(id, Ok(()))) };
        let seat = self.seat(id);
        let abort = Box::new(move || {
            let Seat { driver, id } = &seat;
            #[cfg(feature = "probe")]
            pages::drop_all(driver.take_pages(*id));
            let span = driver.cell(*id).spans.of(Work::Turn);
            let result = within(span, || {
                let aborted = catch(|| (driver.hooks[*id].abort)(&instance));
                aborted.and(catch(|| drop(instance)))
            });
            seat.send(Event::Aborted(*id, result.map_err(|Panic(words)| Cause::Panic(words))));
        });
        if self.run_elsewhere("lifecycle-abort", abort).is_err() {
            let cause = Cause::Error("no thread could be started for it".into());
            self.send(Event::Aborted(id, Err(cause)));
        }
    }

    /// Runs code of the user's where it may block, in the context of the runtime, but without waiting for one of its
    /// threads.
    fn run_elsewhere(&self, name: &str, f: Box<dyn FnOnce() + Send>) -> io::Result<()> {
        let runtime = self.runtime.clone();
        let f = Box::new(move || {
            let _context = runtime.enter();
            f();
        });
        match self.timing {
            Timing::Thread => thread::start(name, f),
            // Under virtual time, the clock would not wait for a thread that the runtime does not know.
            Timing::Runtime => {
                self.runtime.spawn_blocking(f);
                Ok(())
            }
        }
    }

    /// Drops the instance of a resource that has been released, and warns if something still holds a handle to it
    /// (rule D12). It does not warn about stuck tasks, which were reported already.
    ///
    /// What the instance holds may block when it is dropped: a runtime panics where it must not. The engine is told when
    /// it is gone.
    fn let_go(self: &Arc<Self>, id: Id) {
        #[cfg(feature = "probe")]
        let pages = self.take_pages(id);
        #[cfg(feature = "probe")]
        let has_pages = !pages.is_empty();
        #[cfg(not(feature = "probe"))]
        let has_pages = false;
        let instance = self.cell(id).take();
        let handles = instance.as_ref().map_or(0, |instance| Arc::strong_count(instance) - 1);
        if handles > 0 && !self.cell(id).is_handed_out() && !self.core().engine.is_stuck() {
            self.say(Notice::HandlesOutlive { name: self.plan.name(id), handles });
        }
        let dropped = Dropped {
            instance,
            #[cfg(feature = "probe")]
            pages,
            seat: self.seat(id),
        };
        if self.hooks[id].needs_drop || has_pages {
            let (at_work, is_done) = thread::work();
            // Without a thread, it is dropped here.
            let _ = self.run_elsewhere("lifecycle-drop", Box::new(move || drop((dropped, at_work))));
            if self.timing == Timing::Runtime {
                // A test may move the clock meanwhile. A drop that is quick takes no virtual time.
                is_done.wait(PATIENCE);
            }
        }
    }

    /// Spawns the check of a resource, if there is anything to check. It counts as in flight: the resource is released
    /// only when it is gone.
    #[cfg(feature = "probe")]
    pub(crate) fn check(self: &Arc<Self>, id: Id) -> Option<JoinHandle<CheckEnd>> {
        let unit = self.seat(id).enter()?;
        let check = CatchPanic::new((self.hooks[id].check)(self.instance(id)?));
        let check = self.seat(id).draining().run_until_owned(check);
        Some(self.runtime.spawn(async move {
            let end = match check.await {
                Some(Ok(Ok(()))) => CheckEnd::Passed,
                // The error is put into words where it came up: they are the user's code, too.
                Some(Ok(Err(error))) => CheckEnd::Failed(words(&*error)),
                Some(Err(Panic(words))) => CheckEnd::Panicked(words),
                None => CheckEnd::Stopped,
            };
            drop(unit);
            end
        }))
    }
}

/// What comes before a hook ends when the hook is called back: the hook is polled once in any case.
async fn unless_called_back(recall: &Recall, before: impl Future<Output = ()> + Send) {
    first_of(&mut [pin!(before), pin!(poll_fn(|cx| recall.poll(cx)))]).await;
}

/// What differs between the hooks that are futures.
trait Hook: Send + Unpin + 'static {
    type Output: Send + 'static;

    /// Whose span it runs in.
    const WORK: Work;

    /// The way to call the hook back.
    fn recall(cell: &Cell) -> &Recall;

    /// Tells the engine of its end.
    fn tell(seat: &Seat, end: HookEnd<Self::Output>);
}

/// How a hook ended.
enum HookEnd<T> {
    Returned(Result<T, BoxError>),
    Panicked(Panic),
    /// It was called back, and was not done by then.
    CalledBack,
    /// Its task was dropped by somebody else.
    Lost,
}

/// A hook as a task of the runtime. It ends when the hook does, or when it is called back: the hook is polled once in
/// any case, and once more then. The engine is told of the end however that comes about, after the future is gone.
struct Running<H: Hook> {
    future: Option<BoxFuture<Result<H::Output, BoxError>>>,
    seat: Seat,
    /// Counts as in flight until the future is gone.
    unit: Option<Unit>,
}

impl<H: Hook> Future for Running<H> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<()> {
        let span = self.seat.cell().spans.of(H::WORK);
        let Some(future) = &mut self.future else { return Poll::Ready(()) };
        let end = match within(span, || catch(|| future.as_mut().poll(cx))) {
            Ok(Poll::Ready(output)) => HookEnd::Returned(output),
            Ok(Poll::Pending) => {
                ready!(H::recall(self.seat.cell()).poll(cx));
                HookEnd::CalledBack
            }
            Err(panic) => HookEnd::Panicked(panic),
        };
        self.ends(end);
        Poll::Ready(())
    }
}

impl<H: Hook> Running<H> {
    fn ends(&mut self, end: HookEnd<H::Output>) {
        let Some(future) = self.future.take() else { return };
        let span = self.seat.cell().spans.of(H::WORK);
        // What is left of it is the user's, and may panic when it is dropped.
        let _ = within(span, || catch(|| drop(future)));
        H::tell(&self.seat, end);
        drop(self.unit.take());
    }
}

impl<H: Hook> Drop for Running<H> {
    fn drop(&mut self) {
        self.ends(HookEnd::Lost);
    }
}

struct Acquisition;

impl Hook for Acquisition {
    type Output = Instance;

    const WORK: Work = Work::Acquire;

    fn recall(cell: &Cell) -> &Recall {
        &cell.acquisition
    }

    fn tell(Seat { driver, id }: &Seat, end: HookEnd<Instance>) {
        #[cfg(feature = "probe")]
        let pages = match end {
            HookEnd::Returned(Ok(_)) => Vec::new(),
            _ => driver.take_pages(*id),
        };
        driver.send(match end {
            HookEnd::Returned(Ok(instance)) => {
                driver.cell(*id).put(instance);
                Event::Acquired(*id)
            }
            HookEnd::Returned(Err(error)) if error.is::<Skip>() => Event::AcquireSkipped(*id),
            HookEnd::Returned(Err(error)) => Event::AcquireFailed(*id, driver.cause(error)),
            HookEnd::Panicked(Panic(words)) => Event::AcquireFailed(*id, Cause::Panic(words)),
            HookEnd::CalledBack | HookEnd::Lost => Event::AcquireDropped(*id),
        });
        // What they hold is the user's, and may block when it is dropped. Without a thread, it is dropped here.
        #[cfg(feature = "probe")]
        if !pages.is_empty() {
            let _ =
                catch(|| driver.run_elsewhere("lifecycle-drop", Box::new(move || pages::drop_all(pages))));
        }
    }
}

struct Releasing;

impl Hook for Releasing {
    type Output = ();

    const WORK: Work = Work::Release;

    fn recall(cell: &Cell) -> &Recall {
        &cell.release
    }

    fn tell(Seat { driver, id }: &Seat, end: HookEnd<()>) {
        driver.send(match end {
            HookEnd::Returned(Ok(())) => return driver.let_go(*id),
            HookEnd::Returned(Err(error)) => Event::Released(*id, Err(driver.cause(error))),
            HookEnd::Panicked(Panic(words)) => Event::Released(*id, Err(Cause::Panic(words))),
            HookEnd::CalledBack => Event::ReleaseDropped(*id),
            HookEnd::Lost => Event::Released(*id, Err(Cause::Lost)),
        });
    }
}

struct Reloading;

impl Hook for Reloading {
    type Output = ();

    const WORK: Work = Work::Reload;

    fn recall(cell: &Cell) -> &Recall {
        &cell.reload
    }

    fn tell(Seat { driver, id }: &Seat, end: HookEnd<()>) {
        let result = match end {
            HookEnd::Returned(Ok(())) => Ok(()),
            HookEnd::Returned(Err(error)) => Err(in_words(error)),
            HookEnd::Panicked(Panic(words)) => Err(Cause::Panic(words)),
            HookEnd::CalledBack | HookEnd::Lost => Err(Cause::Lost),
        };
        driver.send(Event::Reloaded(*id, result));
    }
}

/// An error that is not kept as a value: there may be any number of reloads.
fn in_words(error: BoxError) -> Cause {
    let words = words(&*error);
    // To drop it may panic.
    let _ = catch(|| drop(error));
    Cause::Error(words.into())
}

/// The instance of a resource whose release has returned. Its `Drop` is part of the release, whose end is told after it.
struct Dropped {
    instance: Option<Instance>,
    #[cfg(feature = "probe")]
    pages: Vec<Arc<Page>>,
    seat: Seat,
}

impl Drop for Dropped {
    fn drop(&mut self) {
        let instance = self.instance.take();
        let span = self.seat.cell().spans.of(Work::Release);
        #[cfg(feature = "probe")]
        pages::drop_all(std::mem::take(&mut self.pages));
        let dropped = within(span, || catch(|| drop(instance)));
        let result = dropped.map_err(|Panic(words)| Cause::Panic(words));
        self.seat.send(Event::Released(self.seat.id, result));
    }
}
