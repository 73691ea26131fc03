//! A flag that is raised once, and that any number of tasks can wait for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::sync::Notify;

/// A handle to such a flag. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Token(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Set before the waiters are notified. A waiter is counted as one before it looks: either it sees what was set, or
    /// it is among those that are notified. Release and acquire: what was done before the flag was raised is seen by
    /// those that find it so.
    is_raised: AtomicBool,
    waiters: Notify,
}

impl Token {
    /// Raises the flag. Twice is once.
    pub(crate) fn raise(&self) {
        self.0.is_raised.store(true, Ordering::Release);
        self.0.waiters.notify_waiters();
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.0.is_raised.load(Ordering::Acquire)
    }

    /// Waits for the flag.
    pub(crate) async fn raised(&self) {
        let notified = self.0.waiters.notified();
        if !self.is_raised() {
            notified.await;
        }
    }

    /// The same, for a future that outlives the handle.
    pub(crate) async fn raised_owned(self) {
        self.raised().await;
    }

    /// Runs `future` until it completes or the flag is raised: then there is no output. A future that completes in the
    /// very moment has completed; one that has not begun does not begin. Either way it is dropped before this is ready.
    pub(crate) fn run_until<F: Future>(&self, future: F) -> impl Future<Output = Option<F::Output>> {
        RunUntil { raised: self.raised(), future: Some(future), has_begun: false }
    }

    /// The same, for a future that outlives the handle.
    pub(crate) fn run_until_owned<F: Future>(
        self,
        future: F,
    ) -> impl Future<Output = Option<F::Output>> + use<F> {
        RunUntil { raised: self.raised_owned(), future: Some(future), has_begun: false }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&self.is_raised()).finish()
    }
}

pin_project! {
    struct RunUntil<R, F> {
        #[pin]
        raised: R,
        // Until it is over.
        #[pin]
        future: Option<F>,
        has_begun: bool,
    }
}

impl<R: Future<Output = ()>, F: Future> Future for RunUntil<R, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let has_begun = std::mem::replace(this.has_begun, true);
        if !has_begun && this.raised.as_mut().poll(cx).is_ready() {
            this.future.set(None);
            return Poll::Ready(None);
        }
        let polled = this.future.as_mut().as_pin_mut().map(|future| future.poll(cx));
        let output = match polled {
            Some(Poll::Ready(output)) => Some(output),
            _ if has_begun && this.raised.poll(cx).is_ready() => None,
            _ => return Poll::Pending,
        };
        this.future.set(None);
        Poll::Ready(output)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn those_that_wait_and_those_that_come_later_see_it() {
        let token = Token::default();
        let waiting = tokio::spawn(token.clone().raised_owned());
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished() && !token.is_raised());
        token.raise();
        token.raise();
        waiting.await.unwrap();
        token.raised().await;
        assert!(token.is_raised());
    }

    #[tokio::test]
    async fn a_future_runs_until_the_state_is_raised() {
        let token = Token::default();
        assert_eq!(token.run_until(ready(1)).await, Some(1));
        let waiting = tokio::spawn(token.clone().run_until_owned(pending::<()>()));
        token.raise();
        assert_eq!(waiting.await.unwrap(), None);
        assert_eq!(token.run_until(ready(1)).await, None, "it does not begin");
    }

    /// However the two meet, nobody waits for ever.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn none_that_waits_is_missed() {
        for _ in 0..10_000 {
            let token = Token::default();
            let waiting = tokio::spawn(token.clone().raised_owned());
            token.raise();
            waiting.await.unwrap();
        }
    }
}
