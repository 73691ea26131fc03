//! A flag that is raised once, and that any number of tasks can wait for.
//!
//! tokio's `Notify` would do, but each future that waits for it has to be pinned, which costs a box for each notice, and
//! more than the task itself. Here a waiter is a number: the place of its waker in one list.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use super::catch::catch;
use super::places::{Place, Places};
use crate::process::lock;

/// Such a flag.
#[derive(Default)]
pub(crate) struct Token {
    /// Set under the lock: a waiter either finds it set, or has left its waker by then. Release and acquire: what was
    /// done before the flag was raised is seen by those that find it so.
    is_raised: AtomicBool,
    /// The wakers of those that wait. None is cloned, dropped or woken under the lock: they are the user's.
    waiters: Mutex<Places<Waker>>,
}

/// One that waits for a token, which it does not hold. [`leave`](Self::leave) gives up its place.
#[derive(Default)]
pub(crate) struct Waiter(Option<Place>);

impl Token {
    /// Raises the flag. Twice is once. A waker that panics does not keep the others from being woken.
    pub(crate) fn raise(&self) {
        let waiters = {
            let mut waiters = lock(&self.waiters);
            self.is_raised.store(true, Ordering::Release);
            std::mem::take(&mut *waiters)
        };
        for waker in waiters.into_things() {
            let _ = catch(|| waker.wake());
        }
    }

    #[inline]
    pub(crate) fn is_raised(&self) -> bool {
        self.is_raised.load(Ordering::Acquire)
    }

    /// See [`RunUntil`].
    pub(crate) fn run_until<F: Future>(&self, future: F) -> RunUntil<&Self, F> {
        RunUntil::new(self, future)
    }

    /// Waits for the flag.
    pub(crate) fn raised(&self) -> Raised<&Self> {
        Raised::new(self)
    }
}

impl AsRef<Self> for Token {
    #[inline]
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&self.is_raised()).finish()
    }
}

impl Waiter {
    /// Ready once the flag is raised. Each time it is pending, the waker of `cx` is woken then.
    pub(crate) fn poll(&mut self, token: &Token, cx: &Context<'_>) -> Poll<()> {
        if token.is_raised() {
            return Poll::Ready(());
        }
        if self.will_wake(token, cx.waker()) {
            return Poll::Pending;
        }
        let waker = cx.waker().clone();
        let mut waiters = lock(&token.waiters);
        if token.is_raised() {
            drop(waiters);
            return Poll::Ready(());
        }
        let before = match self.0 {
            Some(place) => waiters.replace(place, waker),
            None => {
                self.0 = Some(waiters.add(waker));
                None
            }
        };
        drop(waiters);
        drop(before);
        Poll::Pending
    }

    fn will_wake(&self, token: &Token, waker: &Waker) -> bool {
        let Some(place) = self.0 else { return false };
        let waiters = lock(&token.waiters);
        !token.is_raised() && waiters.get(place).is_some_and(|known| known.will_wake(waker))
    }

    /// Whether it has a place, or had one when the flag was raised.
    #[inline]
    fn is_waiting(&self) -> bool {
        self.0.is_some()
    }

    /// Waits no longer.
    pub(crate) fn leave(&mut self, token: &Token) {
        let Some(place) = self.0.take() else { return };
        let mut waiters = lock(&token.waiters);
        let before = if token.is_raised() { None } else { waiters.remove(place) };
        drop(waiters);
        drop(before);
    }
}

/// Ready once the flag is raised.
pub(crate) struct Raised<T: AsRef<Token>> {
    token: T,
    waiter: Waiter,
}

impl<T: AsRef<Token>> Raised<T> {
    pub(crate) fn new(token: T) -> Self {
        Self { token, waiter: Waiter::default() }
    }
}

impl<T: AsRef<Token> + Unpin> Future for Raised<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { token, waiter } = &mut *self;
        waiter.poll((*token).as_ref(), cx)
    }
}

impl<T: AsRef<Token>> Drop for Raised<T> {
    fn drop(&mut self) {
        self.waiter.leave(self.token.as_ref());
    }
}

pin_project! {
    /// Runs a future until it completes or a flag is raised: then there is no output. A future that completes in the
    /// very moment has completed; one that has not begun does not begin. Either way it is dropped before this is ready.
    pub(crate) struct RunUntil<T: AsRef<Token>, F> {
        // Until it is over. Dropped before what holds the token.
        #[pin]
        future: Option<F>,
        token: T,
        waiter: Waiter,
        has_begun: bool,
        // It is polled with one and the same waker.
        is_task: bool,
    }

    impl<T: AsRef<Token>, F> PinnedDrop for RunUntil<T, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.waiter.leave((*this.token).as_ref());
        }
    }
}

impl<T: AsRef<Token>, F: Future> RunUntil<T, F> {
    pub(crate) fn new(token: T, future: F) -> Self {
        Self::polled_by(token, future, false)
    }

    /// The same, for a future that a task of its own polls: a runtime has one waker for a task.
    pub(super) fn task(token: T, future: F) -> Self {
        Self::polled_by(token, future, true)
    }

    fn polled_by(token: T, future: F, is_task: bool) -> Self {
        Self { future: Some(future), token, waiter: Waiter::default(), has_begun: false, is_task }
    }

    pub(super) fn token(self: Pin<&mut Self>) -> &mut T {
        self.project().token
    }
}

impl<T: AsRef<Token>, F: Future> Future for RunUntil<T, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let token = (*this.token).as_ref();
        let has_begun = std::mem::replace(this.has_begun, true);
        if !has_begun && token.is_raised() {
            this.future.set(None);
            return Poll::Ready(None);
        }
        let polled = this.future.as_mut().as_pin_mut().map(|future| future.poll(cx));
        let output = match polled {
            Some(Poll::Ready(output)) => Some(output),
            _ if *this.is_task && this.waiter.is_waiting() && !token.is_raised() => return Poll::Pending,
            _ if this.waiter.poll(token, cx).is_ready() => None,
            _ => return Poll::Pending,
        };
        this.future.set(None);
        Poll::Ready(output)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    /// As for the tokens of a seat.
    fn run_until<F: Future>(token: &Arc<Token>, future: F) -> RunUntil<Arc<Token>, F> {
        RunUntil::new(Arc::clone(token), future)
    }

    #[tokio::test]
    async fn those_that_wait_and_those_that_come_later_see_it() {
        let token = Arc::new(Token::default());
        let waiting = tokio::spawn(Raised::new(Arc::clone(&token)));
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
        let token = Arc::new(Token::default());
        assert_eq!(run_until(&token, ready(1)).await, Some(1));
        let waiting = tokio::spawn(run_until(&token, pending::<()>()));
        let task = tokio::spawn(RunUntil::task(Arc::clone(&token), pending::<()>()));
        tokio::task::yield_now().await;
        token.raise();
        assert_eq!((waiting.await.unwrap(), task.await.unwrap()), (None, None));
        assert_eq!(run_until(&token, ready(1)).await, None, "it does not begin");
    }

    /// However the two meet, nobody waits for ever.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn none_that_waits_is_missed() {
        for _ in 0..10_000 {
            let token = Arc::new(Token::default());
            let waiting = tokio::spawn(Raised::new(Arc::clone(&token)));
            token.raise();
            waiting.await.unwrap();
        }
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            assert!(!self.0.swap(true, Ordering::Relaxed), "it is woken once");
        }
    }

    #[test]
    fn the_last_waker_is_woken_and_those_that_left_are_not() {
        let token = Token::default();
        let wakers: [Arc<Woken>; 4] = Default::default();
        let mut waiting = [(); 3].map(|()| token.raised());
        let poll = |waiting: &mut Raised<&Token>, waker: usize| {
            let waker = Waker::from(Arc::clone(&wakers[waker]));
            assert!(Pin::new(waiting).poll(&mut Context::from_waker(&waker)).is_pending());
        };
        poll(&mut waiting[0], 0);
        poll(&mut waiting[1], 1);
        // It leaves, and another takes its place. The first comes again, with another waker.
        waiting[1] = token.raised();
        poll(&mut waiting[2], 2);
        poll(&mut waiting[0], 3);
        poll(&mut waiting[0], 3);
        assert_eq!(lock(&token.waiters).len(), 2, "places are used again");
        token.raise();
        let woken = wakers.map(|woken| woken.0.load(Ordering::Relaxed));
        assert_eq!(woken, [false, false, true, true]);
        drop(waiting);
    }

    struct Panicking;

    impl Wake for Panicking {
        fn wake(self: Arc<Self>) {
            panic!("a waker of the user's");
        }
    }

    #[test]
    fn a_waker_that_panics_keeps_no_other_from_being_woken() {
        let token = Token::default();
        let woken: [Arc<Woken>; 2] = Default::default();
        let wakers: [Waker; 3] =
            [Arc::clone(&woken[0]).into(), Arc::new(Panicking).into(), Arc::clone(&woken[1]).into()];
        let mut waiting = [(); 3].map(|()| token.raised());
        for (waiting, waker) in waiting.iter_mut().zip(&wakers) {
            assert!(Pin::new(waiting).poll(&mut Context::from_waker(waker)).is_pending());
        }
        token.raise();
        assert_eq!(woken.map(|woken| woken.0.load(Ordering::Relaxed)), [true, true]);
    }

    #[test]
    fn a_waiter_is_a_number() {
        assert_eq!(size_of::<Waiter>(), 4);
    }
}
