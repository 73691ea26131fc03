//! How many units of work of one resource are in flight: tasks and guards.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The turn has begun: who brings the count to zero closes the counter.
const DRAINING: usize = 1 << (usize::BITS - 1);
/// Nothing is in flight and nothing can come.
const CLOSED: usize = 1 << (usize::BITS - 2);
const COUNT: usize = CLOSED - 1;

/// Counts units until the turn, and through it until none is left. Then it is closed, for good, exactly once.
///
/// Count and state share one atomic, so that "the last one left" and "nobody can enter any more" are one step: a
/// unit either enters before the counter closes, and is waited for, or does not enter. Every operation is `AcqRel`,
/// so that whoever closes the counter sees all that was done in the units that left before.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicUsize);

impl Counter {
    /// Counts one unit more, unless the counter is closed.
    #[must_use]
    pub(crate) fn enter(&self) -> bool {
        let update = |state: usize| (state & CLOSED == 0).then_some(state + 1);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, update).is_ok()
    }

    /// Counts one unit less, and says whether that closed the counter.
    #[must_use]
    pub(crate) fn leave(&self) -> bool {
        let before = self.0.fetch_sub(1, Ordering::AcqRel);
        before == DRAINING | 1 && self.close()
    }

    /// Begins the turn. Returns how many units are in flight; if there are none, the counter is closed.
    #[must_use]
    pub(crate) fn begin_drain(&self) -> usize {
        let in_flight = self.0.fetch_or(DRAINING, Ordering::AcqRel) & COUNT;
        if in_flight == 0 && self.close() { 0 } else { in_flight.max(1) }
    }

    /// How many units are in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.0.load(Ordering::Acquire) & COUNT
    }

    /// Fails if somebody has entered in the meantime, or has closed it.
    fn close(&self) -> bool {
        self.0.compare_exchange(DRAINING, DRAINING | CLOSED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_counter_closes_when_the_turn_begins() {
        let counter = Counter::default();
        assert_eq!(counter.begin_drain(), 0);
        assert!(!counter.enter());
    }

    #[test]
    fn the_last_to_leave_closes_it() {
        let counter = Counter::default();
        assert!(counter.enter() && counter.enter());
        assert!(!counter.leave());
        assert_eq!(counter.begin_drain(), 1);
        assert!(counter.enter(), "work under way may bring more");
        assert!(!counter.leave());
        assert!(counter.leave());
        assert!(!counter.enter());
        assert_eq!(counter.in_flight(), 0);
    }

    #[test]
    fn it_is_closed_exactly_once_whoever_is_last() {
        for _ in 0..200 {
            let counter = Counter::default();
            assert!(counter.enter());
            let closed: usize = std::thread::scope(|scope| {
                let churn = || {
                    let mut closed = 0;
                    while counter.enter() {
                        closed += usize::from(counter.leave());
                        std::thread::yield_now();
                    }
                    closed
                };
                let threads = [scope.spawn(churn), scope.spawn(churn)];
                let mut closed = usize::from(counter.begin_drain() == 0);
                closed += usize::from(counter.leave());
                closed + threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
            });
            assert_eq!(closed, 1);
        }
    }
}
