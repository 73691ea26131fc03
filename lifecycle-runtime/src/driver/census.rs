//! What the units in flight of one resource are, by kind.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::shard::{SHARDS, mine};
use crate::model::units::Units;

/// Counts the units that say what they are; all others are tasks. It is for people, and decides nothing: that is the
/// [`Counter`](super::counter::Counter)'s.
///
/// Each thread counts in a line of its own, so that requests do not wait for one another. What begins on one thread may
/// end on another; only the sum over all lines means anything. Made by the first that says what it is.
#[derive(Debug, Default)]
pub(crate) struct Census(OnceLock<Box<[Line; SHARDS]>>);

/// What one thread has counted: what began less what ended, which may be less than nothing and then wraps around.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line {
    units: AtomicUsize,
    often: AtomicU64,
    seldom: AtomicU64,
}

/// What one unit has said that it is, or what several are: two kinds in each number, so that a request begins or ends
/// with one addition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds {
    /// Requests and idle connections: an idle connection becomes a request, and the other way round.
    often: u64,
    /// Streams and upgraded connections.
    seldom: u64,
}

impl Kinds {
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only servers say what their units are"))]
    #[inline]
    pub(super) fn of(units: Units) -> Self {
        let Units { requests, streams, upgraded, tasks: _, idle } = units;
        Self { often: pair(requests, idle), seldom: pair(streams, upgraded) }
    }
}

#[inline]
fn pair(low: usize, high: usize) -> u64 {
    low as u64 | (high as u64) << 32
}

/// The two that were added up. One that is less than nothing ended while the lines were read, and its beginning was not.
fn of_pair(pair: u64) -> [usize; 2] {
    let low = pair as u32 as i32;
    let high = (pair.wrapping_sub(low as u64) >> 32) as i32;
    [usize::try_from(low).unwrap_or(0), usize::try_from(high).unwrap_or(0)]
}

impl Census {
    /// One unit more says what it is.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only servers say what their units are"))]
    pub(super) fn begin(&self, kinds: Kinds) {
        self.line().units.fetch_add(1, Ordering::Relaxed);
        self.change(Kinds::default(), kinds);
    }

    /// Such a unit has left.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only servers say what their units are"))]
    pub(super) fn end(&self, kinds: Kinds) {
        self.line().units.fetch_sub(1, Ordering::Relaxed);
        self.change(kinds, Kinds::default());
    }

    /// Such a unit is something else from now on.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only servers say what their units are"))]
    #[inline]
    pub(super) fn change(&self, before: Kinds, after: Kinds) {
        let line = self.line();
        let count = |counter: &AtomicU64, before: u64, after: u64| {
            if before != after {
                counter.fetch_add(after.wrapping_sub(before), Ordering::Relaxed);
            }
        };
        count(&line.often, before.often, after.often);
        count(&line.seldom, before.seldom, after.seldom);
    }

    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only servers say what their units are"))]
    #[inline]
    fn line(&self) -> &Line {
        &self.0.get_or_init(Box::default)[mine()]
    }

    /// Whether any unit ever said what it is.
    #[cfg(feature = "metrics")]
    pub(super) fn is_in_use(&self) -> bool {
        self.0.get().is_some()
    }

    /// What so many units in flight are.
    pub(super) fn units(&self, in_flight: usize) -> Units {
        let Some(lines) = self.0.get() else { return Units::of_tasks(in_flight) };
        let sum = |counter: fn(&Line) -> &AtomicU64| {
            of_pair(lines.iter().fold(0, |sum, line| sum.wrapping_add(counter(line).load(Ordering::Relaxed))))
        };
        let ([requests, idle], [streams, upgraded]) = (sum(|line| &line.often), sum(|line| &line.seldom));
        let known =
            lines.iter().fold(0_usize, |sum, line| sum.wrapping_add(line.units.load(Ordering::Relaxed)));
        // As for the kinds.
        let known = if isize::try_from(known).is_ok() { known } else { 0 };
        Units { requests, streams, upgraded, tasks: in_flight.saturating_sub(known), idle }
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
        let [idle, busy] = [idle, busy].map(Kinds::of);
        census.begin(idle);
        std::thread::scope(|scope| {
            scope.spawn(|| census.change(idle, busy));
        });
        assert_eq!(census.units(3), Units { requests: 2, streams: 1, tasks: 2, ..Units::default() });
        std::thread::scope(|scope| {
            scope.spawn(|| census.end(busy));
        });
        assert_eq!(census.units(2), Units::of_tasks(2));
    }

    #[test]
    fn each_of_a_pair_may_be_less_than_nothing_for_a_moment() {
        let pairs = [(pair(3, 2), [3, 2]), (pair(0, 2).wrapping_sub(1), [0, 2])];
        for (pair, expected) in pairs {
            assert_eq!(of_pair(pair), expected);
        }
        assert_eq!(of_pair(pair(3, 0).wrapping_sub(pair(0, 1))), [3, 0]);
        assert_eq!(of_pair(0_u64.wrapping_sub(pair(1, 1))), [0, 0]);
    }
}
