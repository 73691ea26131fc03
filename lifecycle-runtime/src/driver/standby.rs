//! Threads that have done their work and stand by for a moment: to start another for each line would cost far more than
//! the line.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::process::lock;

/// How long a thread stands by.
pub(super) const MOMENT: Duration = Duration::from_millis(100);

/// Where threads stand by.
///
/// Invariant: as many threads are in [`wait`](Self::wait) as are free and called together. So each call has a thread that
/// will hear it.
#[derive(Default)]
pub(super) struct Standby {
    state: Mutex<State>,
    called: Condvar,
}

#[derive(Default)]
struct State {
    free: usize,
    called: usize,
}

impl Standby {
    /// Calls a thread that stands by. Returns whether there is one.
    pub(super) fn call(&self) -> bool {
        let mut state = lock(&self.state);
        if state.free == 0 {
            return false;
        }
        state.free -= 1;
        state.called += 1;
        drop(state);
        self.called.notify_one();
        true
    }

    /// Stands by. Returns whether this thread was called.
    pub(super) fn wait(&self, at_most: Duration) -> bool {
        let mut state = lock(&self.state);
        state.free += 1;
        let is_not_called = |state: &mut State| state.called == 0;
        let waited = self.called.wait_timeout_while(state, at_most, is_not_called);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let is_called = state.called > 0;
        if is_called {
            state.called -= 1;
        } else {
            state.free -= 1;
        }
        is_called
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn nobody_hears_a_call_unless_somebody_stands_by() {
        let standby = Standby::default();
        assert!(!standby.call());
        assert!(!standby.wait(Duration::ZERO));
        assert!(!standby.call());
    }

    #[test]
    fn every_call_has_a_thread_that_hears_it() {
        let standby = Standby::default();
        let (called, heard) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        heard.fetch_add(
                            usize::from(standby.wait(Duration::from_micros(20))),
                            Ordering::SeqCst,
                        );
                    }
                });
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        called.fetch_add(usize::from(standby.call()), Ordering::SeqCst);
                        thread::yield_now();
                    }
                });
            }
        });
        assert_eq!(called.into_inner(), heard.into_inner());
    }
}
