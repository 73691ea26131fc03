//! When something is due: one table, whose minimum is the next wake-up. What is due and when to wake cannot differ.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::model::graph::Id;

/// What a time is set for. Of several that are due together, the first in this order goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Timer {
    /// The limit of what a resource is at.
    Slot(Id),
    /// `startup_timeout`.
    Startup,
    /// The limit of the reload under way.
    Reload,
    /// The end of the drain delay.
    Delay,
    /// A line about the progress (rules S3 and D11).
    Progress,
}

/// The times that are set, at most one for each timer.
///
/// Invariant: every time that is set has an entry in the heap. An entry that says otherwise than what is set is void;
/// it is taken out when it comes to the top.
#[derive(Clone, Debug)]
pub(super) struct Timers {
    slots: Vec<Option<Duration>>,
    startup: Option<Duration>,
    reload: Option<Duration>,
    delay: Option<Duration>,
    progress: Option<Duration>,
    heap: BinaryHeap<Reverse<(Duration, Timer)>>,
}

impl Timers {
    pub(super) fn new(slots: usize) -> Self {
        Self {
            slots: vec![None; slots],
            startup: None,
            reload: None,
            delay: None,
            progress: None,
            heap: BinaryHeap::new(),
        }
    }

    /// Sets the time of a timer, or takes it back.
    pub(super) fn set(&mut self, timer: Timer, due: Option<Duration>) {
        let set = self.time_of(timer);
        if *set != due {
            *set = due;
            self.heap.extend(due.map(|due| Reverse((due, timer))));
        }
    }

    /// The next time that is set.
    ///
    /// Void entries at the top are taken out here, so that the answer costs nothing a second time.
    pub(super) fn next(&mut self) -> Option<Duration> {
        while let Some(&Reverse((due, timer))) = self.heap.peek() {
            if *self.time_of(timer) == Some(due) {
                return Some(due);
            }
            self.heap.pop();
        }
        None
    }

    /// Takes back the first time that is not after `now`, and says whose it was.
    pub(super) fn pop_due(&mut self, now: Duration) -> Option<Timer> {
        self.next().filter(|&due| due <= now)?;
        let Reverse((_, timer)) = self.heap.pop()?;
        *self.time_of(timer) = None;
        Some(timer)
    }

    /// Every time, whether it is set or not. The order of the heap and its void entries make no difference.
    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = Option<Duration>> + '_ {
        let Self { slots, startup, reload, delay, progress, heap: _ } = self;
        slots.iter().chain([startup, reload, delay, progress]).copied()
    }

    fn time_of(&mut self, timer: Timer) -> &mut Option<Duration> {
        match timer {
            Timer::Slot(id) => &mut self.slots[id],
            Timer::Startup => &mut self.startup,
            Timer::Reload => &mut self.reload,
            Timer::Delay => &mut self.delay,
            Timer::Progress => &mut self.progress,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    #[test]
    fn the_next_is_the_earliest_that_is_still_set() {
        let mut timers = Timers::new(2);
        assert_eq!(timers.next(), None);
        timers.set(Timer::Slot(0), at(5));
        timers.set(Timer::Slot(1), at(7));
        timers.set(Timer::Delay, at(6));
        assert_eq!(timers.next(), at(5));
        timers.set(Timer::Slot(0), at(9));
        timers.set(Timer::Delay, None);
        assert_eq!(timers.next(), at(7));
    }

    #[test]
    fn what_is_due_is_taken_once_and_in_order() {
        let mut timers = Timers::new(2);
        timers.set(Timer::Progress, at(5));
        timers.set(Timer::Slot(1), at(5));
        timers.set(Timer::Slot(0), at(8));
        // Set twice to the same time, with another between: still one.
        timers.set(Timer::Slot(1), at(6));
        timers.set(Timer::Slot(1), at(5));
        let now = Duration::from_millis(7);
        assert_eq!(timers.pop_due(now), Some(Timer::Slot(1)));
        assert_eq!(timers.pop_due(now), Some(Timer::Progress));
        assert_eq!(timers.pop_due(now), None);
        assert_eq!(timers.next(), at(8));
    }
}
