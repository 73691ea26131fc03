//! How many units of work of one resource are in flight: tasks, guards and connections.

// `tests/loom` runs this file in every order of its threads.
#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::notice::Cut;

/// The turn has begun: the unit that brings the count to zero closes the counter.
const DRAINING: u64 = 1 << 63;
/// Nothing is in flight and nothing can come.
const CLOSED: u64 = 1 << 62;
/// One unit that may be cut off without that being a failure. Such units are counted in the upper half, and in the
/// lower one with all the others.
const EXCUSED: u64 = 1 << 31;
const UNIT: u64 = 1;
const COUNT: u64 = EXCUSED - 1;

/// Counts units until the turn, and during the turn until none is left. Then it is closed, for good and exactly once.
///
/// Count and state share one atomic, so that "the last unit left" and "no unit can enter any more" are one step: a unit
/// either enters before the counter closes, and is waited for, or does not enter. Every operation is `AcqRel`, so the
/// thread that closes the counter sees everything that was done in the units that left before.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

/// Whether a unit that was cut off counts (rule E1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    #[default]
    Counts,
    #[cfg_attr(
        not(feature = "http"),
        allow(dead_code, reason = "all that is excused stands behind features")
    )]
    Excused,
}

impl Standing {
    fn units(self) -> u64 {
        match self {
            Self::Counts => UNIT,
            Self::Excused => UNIT | EXCUSED,
        }
    }
}

impl Counter {
    /// Counts one unit more, unless the counter is closed.
    #[must_use]
    pub(crate) fn enter(&self) -> bool {
        let update = |state: u64| (state & CLOSED == 0).then_some(state + UNIT);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, update).is_ok()
    }

    /// Counts one unit less, and says whether that closed the counter.
    #[must_use]
    pub(crate) fn leave(&self, standing: Standing) -> bool {
        let before = self.0.fetch_sub(standing.units(), Ordering::AcqRel);
        before == DRAINING | standing.units() && self.close()
    }

    /// One unit that counted is excused from now on.
    #[cfg(feature = "http")]
    pub(crate) fn excuse(&self) {
        self.0.fetch_add(EXCUSED, Ordering::AcqRel);
    }

    /// One unit that was excused counts from now on.
    #[cfg(feature = "http")]
    pub(crate) fn oblige(&self) {
        self.0.fetch_sub(EXCUSED, Ordering::AcqRel);
    }

    /// Begins the turn. Returns how many units are in flight; if there are none, the counter is closed.
    #[must_use]
    pub(crate) fn begin_drain(&self) -> usize {
        let in_flight = (self.0.fetch_or(DRAINING, Ordering::AcqRel) & COUNT) as usize;
        if in_flight == 0 && self.close() { 0 } else { in_flight.max(1) }
    }

    /// How many units are in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.cut().in_flight
    }

    /// How many units are in flight, and how many of these are excused.
    pub(crate) fn cut(&self) -> Cut {
        let state = self.0.load(Ordering::Acquire);
        Cut { in_flight: (state & COUNT) as usize, excused: ((state / EXCUSED) & COUNT) as usize }
    }

    /// Fails if somebody has entered in the meantime, or has closed it.
    fn close(&self) -> bool {
        self.0.compare_exchange(DRAINING, DRAINING | CLOSED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

#[cfg(all(test, not(loom)))]
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
        assert!(!counter.leave(Standing::Counts));
        assert_eq!(counter.begin_drain(), 1);
        assert!(counter.enter(), "work under way may bring more");
        assert!(!counter.leave(Standing::Counts));
        assert!(counter.leave(Standing::Counts));
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
                        closed += usize::from(counter.leave(Standing::Counts));
                        std::thread::yield_now();
                    }
                    closed
                };
                let threads = [scope.spawn(churn), scope.spawn(churn)];
                let mut closed = usize::from(counter.begin_drain() == 0);
                closed += usize::from(counter.leave(Standing::Counts));
                closed + threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
            });
            assert_eq!(closed, 1);
        }
    }

    #[cfg(feature = "http")]
    #[test]
    fn the_excused_are_counted_among_the_others_until_they_leave() {
        let counter = Counter::default();
        assert!(counter.enter() && counter.enter() && counter.enter());
        counter.excuse();
        counter.excuse();
        counter.oblige();
        assert_eq!(counter.begin_drain(), 3);
        assert_eq!(counter.cut(), Cut { in_flight: 3, excused: 1 });
        assert!(!counter.leave(Standing::Counts) && !counter.leave(Standing::Counts));
        assert_eq!(counter.cut(), Cut { in_flight: 1, excused: 1 });
        assert!(counter.leave(Standing::Excused));
        assert!(!counter.enter());
    }
}
