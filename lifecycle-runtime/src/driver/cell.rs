//! What the driver keeps of one resource, or of the body of `main`.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::counter::Counter;
use super::token::Token;
use super::unit::Home;
use crate::process::lock;

/// An acquired resource without its type.
pub(crate) type Instance = Arc<dyn Any + Send + Sync>;

#[derive(Debug, Default)]
pub(crate) struct Cell {
    pub(crate) counter: Counter<Home>,
    /// The turn has begun.
    pub(super) stopping: Flag,
    /// Tasks are dropped.
    pub(super) abort: Flag,
    pub(super) acquisition: Recall,
    pub(super) release: Recall,
    instance: Mutex<Option<Instance>>,
    /// Somebody took a handle by way of `App`, and may keep it for as long as they like.
    is_handed_out: AtomicBool,
}

impl Cell {
    pub(super) fn put(&self, instance: Instance) {
        *lock(&self.instance) = Some(instance);
    }

    pub(super) fn take(&self) -> Option<Instance> {
        lock(&self.instance).take()
    }

    pub(super) fn instance(&self) -> Option<Instance> {
        lock(&self.instance).clone()
    }

    pub(super) fn hand_out(&self) {
        // It is only ever set, and read after the release, so any ordering is fine.
        self.is_handed_out.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_handed_out(&self) -> bool {
        self.is_handed_out.load(Ordering::Relaxed)
    }
}

/// Something that becomes true once. The token for those that wait is made when the first of them asks: most
/// resources have no tasks.
///
/// One lock for both, so that a flag is either up when a token is made, or the token is there when it goes up.
#[derive(Debug, Default)]
pub(super) struct Flag(Mutex<FlagState>);

#[derive(Debug, Default)]
enum FlagState {
    #[default]
    Down,
    AwaitedBy(Token),
    Up,
}

impl Flag {
    /// Raises the flag. What waits is woken outside the lock: it is not ours.
    pub(super) fn raise(&self) {
        let before = std::mem::replace(&mut *lock(&self.0), FlagState::Up);
        if let FlagState::AwaitedBy(token) = before {
            token.raise();
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(*lock(&self.0), FlagState::Up)
    }

    /// Whether somebody has asked for the token.
    pub(super) fn is_awaited(&self) -> bool {
        matches!(*lock(&self.0), FlagState::AwaitedBy(_))
    }

    pub(super) fn token(&self) -> Token {
        let mut state = lock(&self.0);
        match &*state {
            FlagState::AwaitedBy(token) => token.clone(),
            FlagState::Down => {
                let token = Token::default();
                *state = FlagState::AwaitedBy(token.clone());
                token
            }
            FlagState::Up => {
                let token = Token::default();
                token.raise();
                token
            }
        }
    }
}

/// The way to call one future back: polled once more, it ends without an output unless it is done then.
///
/// One lock for both, so that the future either sees that it is called back, or has left a waker before that. The
/// wakers are those of the runtime: what can be called back is polled by a task of its own.
#[derive(Debug, Default)]
pub(super) struct Recall(Mutex<RecallState>);

#[derive(Debug, Default)]
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
    fn a_token_knows_of_the_flag_whenever_it_is_made() {
        let flag = Flag::default();
        let early = flag.token();
        assert!(!early.is_raised());
        flag.raise();
        assert!(early.is_raised());
        assert!(flag.token().is_raised());
    }

    #[test]
    fn a_future_is_called_back_before_or_after_it_waits() {
        let recall = Recall::default();
        let cx = Context::from_waker(Waker::noop());
        assert!(recall.poll(&cx).is_pending());
        recall.call_back();
        assert!(recall.poll(&cx).is_ready());
    }
}
