//! What the driver keeps of one resource, or of the body of `main`.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::census::Census;
#[cfg(any(feature = "http", feature = "probe"))]
use super::connections::Connections;
use super::counter::Counter;
use super::spans::WorkSpans;
use super::token::Token;
use super::unit::Home;
use crate::model::units::Units;
use crate::process::lock;

/// An acquired resource without its type.
pub(crate) type Instance = Arc<dyn Held>;

/// What is there once for every type of resource, so there is little of it.
pub(crate) trait Held: Send + Sync {
    fn as_any(&self) -> &dyn Any;

    /// Puts it into `handle`, an `Option<Arc<Self>>`.
    fn put_into(self: Arc<Self>, handle: &mut dyn Any);
}

impl<R: Send + Sync + 'static> Held for R {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn put_into(self: Arc<Self>, handle: &mut dyn Any) {
        if let Some(handle) = handle.downcast_mut() {
            *handle = Some(self);
        }
    }
}

impl fmt::Debug for dyn Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

#[derive(Default)]
pub(crate) struct Cell {
    pub(crate) counter: Counter<Home>,
    pub(super) census: Arc<Census>,
    #[cfg(any(feature = "http", feature = "probe"))]
    pub(super) connections: Connections,
    /// The turn has begun.
    pub(super) stopping: Token,
    /// Tasks are dropped.
    pub(super) abort: Token,
    /// Somebody has asked for the notice of the turn.
    is_awaited: AtomicBool,
    pub(super) acquisition: Recall,
    pub(super) release: Recall,
    pub(super) reload: Recall,
    pub(super) spans: WorkSpans,
    instance: Mutex<Option<Instance>>,
    /// Somebody took a handle by way of `App`, and may keep it for as long as they like.
    is_handed_out: AtomicBool,
}

impl Cell {
    /// What is in flight, by kind.
    pub(super) fn units(&self) -> Units {
        self.census.units(self.counter.in_flight())
    }

    /// Whether it has, or had, something in flight that is not a task.
    #[cfg(feature = "metrics")]
    pub(super) fn has_kinds(&self) -> bool {
        self.census.is_in_use()
    }

    pub(super) fn put(&self, instance: Instance) {
        *lock(&self.instance) = Some(instance);
    }

    pub(super) fn take(&self) -> Option<Instance> {
        lock(&self.instance).take()
    }

    pub(super) fn instance(&self) -> Option<Instance> {
        lock(&self.instance).clone()
    }

    pub(super) fn expect_stopping(&self) {
        // As below. Usually it is set already, and then it is not written by all that ask.
        if !self.is_awaited() {
            self.is_awaited.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_awaited(&self) -> bool {
        self.is_awaited.load(Ordering::Relaxed)
    }

    pub(super) fn hand_out(&self) {
        // It is only ever set, and read after the release, so any ordering is fine.
        self.is_handed_out.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_handed_out(&self) -> bool {
        self.is_handed_out.load(Ordering::Relaxed)
    }
}

/// The way to call one future back: polled once more, it ends without an output unless it is done then.
///
/// One lock for both, so that the future either sees that it is called back, or has left a waker before that. The
/// wakers are those of the runtime: what can be called back is polled by a task of its own.
#[derive(Default)]
pub(super) struct Recall(Mutex<RecallState>);

#[derive(Default)]
struct RecallState {
    is_called_back: bool,
    waker: Option<Waker>,
}

impl Recall {
    pub(super) fn call_back(&self) {
        let waker = {
            let mut state = lock(&self.0);
            state.is_called_back = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The way to call another future back: the one before is gone.
    pub(super) fn renew(&self) {
        *lock(&self.0) = RecallState::default();
    }

    pub(super) fn is_called_back(&self) -> bool {
        lock(&self.0).is_called_back
    }

    /// Ready when the future is called back.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.0);
        if state.is_called_back {
            return Poll::Ready(());
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            waker => *waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_is_called_back_before_or_after_it_waits() {
        let recall = Recall::default();
        let cx = Context::from_waker(Waker::noop());
        assert!(recall.poll(&cx).is_pending());
        recall.call_back();
        assert!(recall.poll(&cx).is_ready());
    }
}
