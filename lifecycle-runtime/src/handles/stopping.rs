//! The notice that work should come to an end.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::time::Instant;

use crate::driver::{Seat, SeatToken, Waiter};

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
/// The notice in a request that becomes a WebSocket keeps the resource from being released, until its last clone is
/// dropped: see [`lifecycle::http`](crate::http). No other does.
///
/// It only reports a stop. To request one, use [`App::shutdown`](crate::App::shutdown).
///
/// # Cancel safety
///
/// Dropping it at any time loses nothing: the notice is a state, not an event.
pub struct Stopping {
    token: SeatToken,
    waiter: Waiter,
    /// What is in flight for as long as somebody has the notice. Many tasks have one, so this is thin.
    held: Option<Arc<Held>>,
}

type Held = Box<dyn Any + Send + Sync>;

impl Stopping {
    pub(crate) fn of_turn(seat: &Seat) -> Self {
        Self::new(seat.stopping(), None)
    }

    pub(crate) fn of_stop(seat: &Seat) -> Self {
        Self::new(seat.draining(), None)
    }

    fn new(token: SeatToken, held: Option<Arc<Held>>) -> Self {
        Self { token, waiter: Waiter::default(), held }
    }

    /// The same notice, which holds something until its last clone is dropped.
    #[cfg(feature = "http")]
    pub(crate) fn holding(&self, held: impl Any + Send + Sync) -> Self {
        Self::new(self.token.clone(), Some(Arc::new(Box::new(held))))
    }

    /// Whether it is the notice of the turn of this resource.
    #[cfg(feature = "http")]
    pub(crate) fn is_of(&self, seat: &Seat) -> bool {
        self.token.is_of_turn(seat)
    }

    /// Whether the notice has fired.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.token.as_ref().is_raised()
    }

    /// Until when work may go on, once the notice has fired; `None` before that.
    ///
    /// For the notice of a turn, this is when the tasks of the resource are aborted (rule D6): half of its reserve before
    /// its cut-off, or after its `drain_timeout` if that is earlier. For the notice that the stop has begun, it is the
    /// deadline of the application (rule D2). It becomes earlier when somebody insists (rule D8), and later only if the
    /// process was frozen (rule D13).
    ///
    /// Compare [`Release::deadline`](crate::Release::deadline), which is for the time after that. Outside of tokio,
    /// `into_std` converts it.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if !self.is_stopping() {
            return None;
        }
        self.token.limit()
    }

    /// The time left until the [`deadline`](Self::deadline): zero when that has passed, and `None` before the notice has
    /// fired.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use lifecycle::Stopping;
    /// # struct Job { length: Duration }
    /// # impl Job { async fn finish(self) {} async fn hand_back(self) {} }
    /// /// After the notice, finishes the job in hand if there is time for it.
    /// async fn wind_up(stopping: &Stopping, job: Job) {
    ///     if stopping.time_left().is_none_or(|left| left > job.length) {
    ///         job.finish().await;
    ///     } else {
    ///         job.hand_back().await;
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        Some(self.deadline()?.saturating_duration_since(Instant::now()))
    }

    /// Runs `future` until it completes or the notice fires.
    ///
    /// If the notice fires first, `future` is dropped, and the result is `None`. If it had fired before, `future` is not
    /// even polled. A `future` that completes in the very moment has completed: what it received is not lost.
    pub async fn run_until<F: Future>(&self, future: F) -> Option<F::Output> {
        self.token.run_until(future).await
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
        let Self { token, waiter, .. } = &mut *self;
        waiter.poll((*token).as_ref(), cx)
    }
}

impl Clone for Stopping {
    fn clone(&self) -> Self {
        Self::new(self.token.clone(), self.held.clone())
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        self.waiter.leave(self.token.as_ref());
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
}
