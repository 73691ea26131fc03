//! The notice that work should come to an end.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A notice that work should come to an end: a future that becomes ready once, and stays ready.
///
/// A supervised task receives the notice of its resource's turn. [`Acquire::draining`](crate::Acquire::draining) and
/// [`App::draining`](crate::App::draining) give the earlier one, for the beginning of the stop. Clone it, await it
/// (even after it was ready), select on it, or pass it to anything that takes a shutdown future:
///
/// ```
/// # use lifecycle::Stopping;
/// # async fn next_job() {}
/// async fn work(stopping: Stopping) {
///     while stopping.run_until(next_job()).await.is_some() {}
/// }
/// ```
///
/// It only reports a stop. To request one, use [`App::shutdown`](crate::App::shutdown).
///
/// # Cancel safety
///
/// Dropping it at any time loses nothing: the notice is a state, not an event.
pub struct Stopping {
    token: CancellationToken,
    notice: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Stopping {
    pub(crate) fn new(token: CancellationToken) -> Self {
        Self { notice: Box::pin(token.clone().cancelled_owned()), token }
    }

    /// Whether the notice has fired.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Runs `future` until it completes or the notice fires.
    ///
    /// If the notice fires first, `future` is dropped and the result is `None`. If both are ready, the notice wins.
    pub async fn run_until<F: Future>(&self, future: F) -> Option<F::Output> {
        self.token.run_until_cancelled(future).await
    }

    /// Blocks the thread until the notice fires.
    ///
    /// It is meant for [`spawn_blocking`](crate::Acquire::spawn_blocking) and for your own threads. On a thread of the
    /// runtime it would block other tasks; await the notice there.
    pub fn wait(&self) {
        let mut notice = self.clone();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        while Pin::new(&mut notice).poll(&mut Context::from_waker(&waker)).is_pending() {
            thread::park();
        }
    }
}

impl Future for Stopping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.notice.as_mut().poll(cx)
    }
}

impl Clone for Stopping {
    fn clone(&self) -> Self {
        Self::new(self.token.clone())
    }
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopping").field("is_stopping", &self.is_stopping()).finish()
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_go_anywhere() {
        fn check<T: Future<Output = ()> + Clone + Send + Sync + Unpin + 'static>() {}
        check::<Stopping>();
    }

    #[tokio::test]
    async fn it_stays_ready() {
        let token = CancellationToken::new();
        let mut stopping = Stopping::new(token.clone());
        token.cancel();
        (&mut stopping).await;
        (&mut stopping).await;
        assert!(stopping.is_stopping());
        assert_eq!(stopping.run_until(std::future::pending::<()>()).await, None);
    }

    #[test]
    fn a_thread_can_wait_for_it() {
        let token = CancellationToken::new();
        let stopping = Stopping::new(token.clone());
        let thread = thread::spawn(move || stopping.wait());
        token.cancel();
        thread.join().unwrap();
    }
}
