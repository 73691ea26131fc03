//! Futures that turn panics into values, and whose end cannot be missed.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

/// The message of a panic.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Panic(pub(crate) String);

impl Panic {
    /// The payload is the user's, too: to drop it may panic. What comes out of that is not looked at.
    fn new(payload: Box<dyn Any + Send>) -> Self {
        let words = payload.downcast_ref::<&str>().map(ToString::to_string);
        let words = words.or_else(|| payload.downcast_ref::<String>().cloned());
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(payload);
        }
        Self(words.unwrap_or_else(|| "a value that is not text".to_owned()))
    }
}

/// Calls `f`; a panic is an error. What panicked is not used again, so that what it may have left half-done is never
/// looked at.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(f)).map_err(Panic::new)
}

pin_project! {
    /// A future whose panic is its output.
    pub(crate) struct CatchPanic<F> {
        #[pin]
        future: F,
    }
}

impl<F> CatchPanic<F> {
    pub(crate) fn new(future: F) -> Self {
        Self { future }
    }
}

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, Panic>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        match catch(|| future.poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

/// Observes how a future ended. It is dropped after the future, and the drop is the message, so it arrives even if the
/// future was dropped before its end: by an abort, by a panic, or by a runtime that shuts down.
pub(crate) trait Witness<T> {
    fn saw(&mut self, output: T);
}

pin_project! {
    /// A future and its witness. The order of the fields is the order in which they are dropped.
    pub(crate) struct Witnessed<F, W> {
        #[pin]
        future: F,
        witness: W,
    }
}

impl<F, W> Witnessed<F, W> {
    pub(crate) fn new(future: F, witness: W) -> Self {
        Self { future, witness }
    }
}

impl<F: Future, W: Witness<F::Output>> Future for Witnessed<F, W> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let output = ready!(this.future.poll(cx));
        this.witness.saw(output);
        Poll::Ready(())
    }
}
