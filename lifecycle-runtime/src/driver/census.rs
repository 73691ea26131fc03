//! What the units in flight of one resource are, by kind.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::model::units::Units;

/// Enough that two threads seldom count in the same line.
const LINES: usize = 16;

/// Counts the units that say what they are; all others are tasks. It is for people, and decides nothing: that is the
/// [`Counter`](super::counter::Counter)'s.
///
/// Each thread counts in a line of its own, so that requests do not wait for one another. What begins on one thread may
/// end on another; only the sum over all lines means anything. Made by the first that says what it is.
#[derive(Debug, Default)]
pub(crate) struct Census(OnceLock<Box<[Line; LINES]>>);

/// What one thread has counted: what began less what ended, which may be less than nothing and then wraps around.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line {
    units: AtomicUsize,
    requests: AtomicUsize,
    streams: AtomicUsize,
    upgraded: AtomicUsize,
    idle: AtomicUsize,
}

/// Where the next thread counts.
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % LINES;
}

impl Census {
    /// One unit says what it is from now on; `None` before it did, and once it has left.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only servers say what their units are"))]
    pub(super) fn change(&self, before: Option<Units>, after: Option<Units>) {
        let line = &self.0.get_or_init(Box::default)[LINE.try_with(|line| *line).unwrap_or(0)];
        let count = |counter: &AtomicUsize, before: usize, after: usize| {
            if before != after {
                counter.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
            }
        };
        count(&line.units, usize::from(before.is_some()), usize::from(after.is_some()));
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        count(&line.requests, before.requests, after.requests);
        count(&line.streams, before.streams, after.streams);
        count(&line.upgraded, before.upgraded, after.upgraded);
        count(&line.idle, before.idle, after.idle);
    }

    /// Whether any unit ever said what it is.
    #[cfg(feature = "metrics")]
    pub(super) fn is_in_use(&self) -> bool {
        self.0.get().is_some()
    }

    /// What so many units in flight are.
    pub(super) fn units(&self, in_flight: usize) -> Units {
        let Some(lines) = self.0.get() else { return Units::of_tasks(in_flight) };
        let sum = |counter: fn(&Line) -> &AtomicUsize| {
            let add = |sum: usize, line| sum.wrapping_add(counter(line).load(Ordering::Relaxed));
            let sum = lines.iter().fold(0, add);
            // Less than nothing: one ended while the lines were read, and its beginning was not.
            if isize::try_from(sum).is_ok() { sum } else { 0 }
        };
        Units {
            requests: sum(|line| &line.requests),
            streams: sum(|line| &line.streams),
            upgraded: sum(|line| &line.upgraded),
            tasks: in_flight.saturating_sub(sum(|line| &line.units)),
            idle: sum(|line| &line.idle),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_on_one_thread_may_end_on_another() {
        let census = Census::default();
        assert_eq!(census.units(3), Units::of_tasks(3));
        let (idle, busy) =
            (Units { idle: 1, ..Units::default() }, Units { requests: 2, streams: 1, ..Units::default() });
        census.change(None, Some(idle));
        std::thread::scope(|scope| {
            scope.spawn(|| census.change(Some(idle), Some(busy)));
        });
        assert_eq!(census.units(3), Units { requests: 2, streams: 1, tasks: 2, ..Units::default() });
        std::thread::scope(|scope| {
            scope.spawn(|| census.change(Some(busy), None));
        });
        assert_eq!(census.units(2), Units::of_tasks(2));
    }
}
