//! How many units of work of one resource are in flight: tasks, guards and connections.
//!
//! ```text
//!   units of one thread ──► Shard ──┐
//!   units of another ─────► Shard ──┼──► Whole      while the turn has not begun, `Open` holds each of them, too
//!   a unit on its own ────► Shard ──┘
//! ```
//!
//! A unit is a reference. Each thread that brings units has a shard, so that threads do not wait for one another, and to
//! enter and to leave is to take and to drop one `Arc` of that shard. A shard is a reference to the whole. When the turn
//! begins, the references that the counter itself holds are dropped: from then on, the last unit of a shard drops the
//! shard, and the last shard drops the whole. Whoever receives the whole out of its last `Arc` has closed the counter.
//!
//! So nothing here has to be proved that `Arc` and `Weak` do not guarantee already:
//!
//! * the counter is closed once: [`Arc::into_inner`] returns the value to exactly one of all holders;
//! * it is closed when nothing is in flight: every unit holds the whole;
//! * nobody enters it then: to enter is [`Weak::upgrade`], which fails for good once the last `Arc` is gone;
//! * who closes it sees all that was done by the units that left before: the drop of an `Arc` is a release, and that of
//!   the last one an acquire.
//!
//! `tests/loom` runs this file in every order of its threads.

#[cfg(not(loom))]
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
#[cfg(not(loom))]
use std::sync::{Arc, Mutex, OnceLock, Weak};

#[cfg(loom)]
use loom::sync::Mutex;
#[cfg(loom)]
use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::shard::{SHARDS, mine};
#[cfg(loom)]
use super::standard::{Arc, OnceLock, Weak};
use crate::engine::notice::Cut;
use crate::process::lock;

/// Counts units until the turn, and during the turn until none is left. Then it is closed, for good and exactly once.
///
/// Most resources have no units. Without one it is empty; when the turn begins before the first, it is closed: `None`.
/// `T` is handed to whoever closes it.
pub(crate) struct Counter<T>(OnceLock<Option<Arc<Shards<T>>>>);

/// The way into a counter, for those that enter often: it does without a look at the resource.
#[derive(Debug)]
pub(crate) struct Entrance<T>(Option<Arc<Shards<T>>>);

#[derive(Debug)]
struct Shards<T> {
    /// Set while the counter is open, and alive for as long as it is open or one of its units is there.
    shards: [OnceLock<Weak<Shard<T>>>; SHARDS],
    whole: Weak<Whole<T>>,
    apart: Arc<Apart>,
    /// `None` once the turn has begun. The lock is taken to make a shard, to begin the turn and to count, so that each
    /// shard has one reference of `Open` in its count, or none has.
    open: Mutex<Option<Open<T>>>,
}

/// What keeps an open counter from being closed by a unit that leaves.
#[derive(Debug)]
struct Open<T> {
    whole: Arc<Whole<T>>,
    shards: Vec<Arc<Shard<T>>>,
}

/// The units that one thread has brought. Its count of references is alone in its cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Shard<T> {
    whole: Arc<Whole<T>>,
    /// It is the shard of a single unit, which is counted apart.
    alone: Option<Alone>,
}

/// The standing of a unit that is counted apart: whether it is excused. Nobody but its place reads or changes it, hence
/// `Relaxed`; it is an atomic because an `Arc` gives nothing that can be changed without looking at its counts.
#[derive(Debug)]
struct Alone(AtomicBool);

#[derive(Debug)]
struct Whole<T> {
    apart: Arc<Apart>,
    home: T,
}

/// Units that are counted apart from the shards: those that may be excused, and those that come during the turn. How
/// many there are and how many of them are excused is one number, so that nobody sees one without the other.
///
/// Nothing but that number depends on it, hence `Relaxed`.
#[derive(Debug, Default)]
struct Apart(AtomicU64);

const UNIT: u64 = 1;
const EXCUSED: u64 = 1 << 32;

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

/// The place of one unit in a counter. It is left by [`leave`](Self::leave), never just dropped.
///
/// It is one pointer: the compiler would copy two fields in pieces, which costs more than to count.
#[derive(Debug)]
pub(crate) struct Place<T>(Arc<Shard<T>>);

impl<T> Default for Counter<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> Counter<T> {
    /// Counts one unit more, unless the counter is closed. `home` is what closing it hands out.
    #[inline]
    pub(crate) fn enter(&self, home: impl FnOnce() -> T) -> Option<Place<T>> {
        self.shards(home).as_ref()?.enter()
    }

    /// The way in. `home` is what closing the counter hands out.
    pub(crate) fn entrance(&self, home: impl FnOnce() -> T) -> Entrance<T> {
        Entrance(self.shards(home).clone())
    }

    #[inline]
    fn shards(&self, home: impl FnOnce() -> T) -> &Option<Arc<Shards<T>>> {
        self.0.get_or_init(|| Some(Arc::new(Shards::new(home()))))
    }

    /// Begins the turn. Returns how many units are in flight; if there are none, the counter is closed.
    #[must_use]
    pub(crate) fn begin_drain(&self) -> usize {
        let Some(shards) = self.0.get_or_init(|| None) else { return 0 };
        let mut open = lock(&shards.open);
        let in_flight = shards.cut(open.as_ref()).in_flight;
        let closed = open.take().and_then(Open::give_up);
        // What it hands out is dropped outside the lock.
        drop(open);
        if closed.is_some() { 0 } else { in_flight.max(1) }
    }

    /// How many units are in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.cut().in_flight
    }

    /// How many units are in flight, and how many of these are excused. A unit that counts is never taken for one that
    /// is excused, nor the other way round, whatever it does meanwhile. One that becomes excused at this moment may be
    /// seen twice, or not at all: that is a number for people, and what counts is exact.
    pub(crate) fn cut(&self) -> Cut {
        let Some(Some(shards)) = self.0.get() else { return Cut { in_flight: 0, excused: 0 } };
        let open = lock(&shards.open);
        shards.cut(open.as_ref())
    }
}

impl<T> Entrance<T> {
    /// See [`Counter::enter`].
    #[inline]
    pub(crate) fn enter(&self) -> Option<Place<T>> {
        self.0.as_ref()?.enter()
    }
}

impl<T> Clone for Entrance<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Shards<T> {
    fn new(home: T) -> Self {
        let apart = Arc::new(Apart::default());
        let whole = Arc::new(Whole { apart: Arc::clone(&apart), home });
        Self {
            shards: std::array::from_fn(|_| OnceLock::new()),
            whole: Arc::downgrade(&whole),
            apart,
            open: Mutex::new(Some(Open { whole, shards: Vec::new() })),
        }
    }

    #[inline]
    fn enter(&self) -> Option<Place<T>> {
        let mine = mine();
        match self.shards[mine].get().and_then(Weak::upgrade) {
            Some(shard) => Some(Place(shard)),
            None => self.enter_otherwise(mine),
        }
    }

    /// Enters for a thread that has no shard, or whose shard is gone. During the turn no shard is made: whatever is
    /// still in flight holds the whole.
    #[cold]
    fn enter_otherwise(&self, mine: usize) -> Option<Place<T>> {
        let mut open = lock(&self.open);
        if let Some(open) = &mut *open {
            return self.shards[mine].get_or_init(|| open.add_shard()).upgrade().map(Place);
        }
        drop(open);
        self.whole.upgrade().map(|whole| Place::alone(whole, Standing::Counts))
    }

    fn cut(&self, open: Option<&Open<T>>) -> Cut {
        let own = usize::from(open.is_some());
        let shards = self.shards.iter().filter_map(OnceLock::get);
        let in_shards: usize = shards.map(|shard| shard.strong_count().saturating_sub(own)).sum();
        let Cut { in_flight, excused } = self.apart.cut();
        Cut { in_flight: in_shards + in_flight, excused }
    }
}

impl<T> Open<T> {
    fn add_shard(&mut self) -> Weak<Shard<T>> {
        let shard = Arc::new(Shard { whole: Arc::clone(&self.whole), alone: None });
        let weak = Arc::downgrade(&shard);
        self.shards.push(shard);
        weak
    }

    /// Returns something if that closed the counter.
    fn give_up(self) -> Option<T> {
        let Self { whole, shards } = self;
        for shard in shards {
            // The whole is held here, so no shard is the last that holds it.
            drop(Arc::into_inner(shard));
        }
        Arc::into_inner(whole).map(|whole| whole.home)
    }
}

impl<T> Place<T> {
    fn alone(whole: Arc<Whole<T>>, standing: Standing) -> Self {
        whole.apart.add(standing);
        Self(Arc::new(Shard { whole, alone: Some(Alone::new(standing)) }))
    }

    /// What closing the counter hands out.
    #[cfg(all(feature = "http", not(loom)))]
    pub(crate) fn home(&self) -> &T {
        &self.0.whole.home
    }

    /// Counts one unit less. Returns something if that closed the counter.
    #[inline]
    #[must_use]
    pub(crate) fn leave(self) -> Option<T> {
        Arc::into_inner(self.0)?.end()
    }

    /// The same unit with another standing. It is counted apart before it leaves its shard, and so at any time.
    #[cfg(feature = "http")]
    pub(crate) fn stand(self, standing: Standing) -> Self {
        let Shard { whole, alone } = &*self.0;
        match (alone, standing) {
            (Some(alone), _) => {
                whole.apart.change(alone.standing(), standing);
                alone.stand(standing);
                self
            }
            (None, Standing::Counts) => self,
            (None, Standing::Excused) => {
                let place = Self::alone(Arc::clone(whole), standing);
                // The whole is held in the new place, so nothing is closed here.
                drop(self.leave());
                place
            }
        }
    }
}

impl<T> Shard<T> {
    /// Its last unit has left, and so has the counter itself.
    #[cold]
    fn end(self) -> Option<T> {
        let Self { whole, alone } = self;
        if let Some(alone) = alone {
            whole.apart.remove(alone.standing());
        }
        Arc::into_inner(whole).map(|whole| whole.home)
    }
}

impl Alone {
    fn new(standing: Standing) -> Self {
        Self(AtomicBool::new(standing == Standing::Excused))
    }

    fn standing(&self) -> Standing {
        if self.0.load(Ordering::Relaxed) { Standing::Excused } else { Standing::Counts }
    }

    #[cfg(feature = "http")]
    fn stand(&self, standing: Standing) {
        self.0.store(standing == Standing::Excused, Ordering::Relaxed);
    }
}

impl Apart {
    fn add(&self, standing: Standing) {
        self.0.fetch_add(standing.units(), Ordering::Relaxed);
    }

    fn remove(&self, standing: Standing) {
        self.0.fetch_sub(standing.units(), Ordering::Relaxed);
    }

    #[cfg(feature = "http")]
    fn change(&self, before: Standing, after: Standing) {
        self.0.fetch_add(after.units().wrapping_sub(before.units()), Ordering::Relaxed);
    }

    fn cut(&self) -> Cut {
        let units = self.0.load(Ordering::Relaxed);
        Cut { in_flight: (units % EXCUSED) as usize, excused: (units / EXCUSED) as usize }
    }
}

impl Standing {
    fn units(self) -> u64 {
        match self {
            Self::Counts => UNIT,
            Self::Excused => UNIT | EXCUSED,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    type Unit = Place<()>;

    fn enter(counter: &Counter<()>) -> Option<Unit> {
        counter.enter(|| ())
    }

    #[test]
    fn an_idle_counter_closes_when_the_turn_begins() {
        for has_been_used in [false, true] {
            let counter = Counter::default();
            if has_been_used {
                assert_eq!(enter(&counter).unwrap().leave(), None);
            }
            assert_eq!(counter.begin_drain(), 0);
            assert!(enter(&counter).is_none());
        }
    }

    #[test]
    fn the_last_to_leave_closes_it() {
        let counter = Counter::default();
        let [first, second] = [enter(&counter).unwrap(), enter(&counter).unwrap()];
        assert_eq!(first.leave(), None);
        assert_eq!((counter.in_flight(), counter.begin_drain()), (1, 1));
        let third = enter(&counter).expect("work under way may bring more");
        assert_eq!(counter.in_flight(), 2);
        assert_eq!(second.leave(), None);
        let fourth = enter(&counter).expect("from whatever thread");
        assert_eq!((third.leave(), counter.in_flight()), (None, 1));
        assert_eq!(fourth.leave(), Some(()));
        assert!(enter(&counter).is_none());
        assert_eq!(counter.in_flight(), 0);
    }

    #[test]
    fn a_unit_may_leave_on_another_thread() {
        let counter = Counter::default();
        let units: Vec<Unit> = std::thread::scope(|scope| {
            let bring = || (0..10).map(|_| enter(&counter).unwrap()).collect::<Vec<_>>();
            let threads: Vec<_> = (0..2 * SHARDS).map(|_| scope.spawn(bring)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(counter.in_flight(), 20 * SHARDS);
        assert_eq!(counter.begin_drain(), 20 * SHARDS);
        assert_eq!(units.into_iter().filter_map(Place::leave).count(), 1);
    }

    #[test]
    fn it_is_closed_exactly_once_whoever_is_last() {
        for _ in 0..200 {
            let counter = Counter::default();
            let unit = enter(&counter).unwrap();
            let closed: usize = std::thread::scope(|scope| {
                let churn = || {
                    let mut closed = 0;
                    while let Some(unit) = enter(&counter) {
                        closed += usize::from(unit.leave().is_some());
                        std::thread::yield_now();
                    }
                    closed
                };
                let threads = [scope.spawn(churn), scope.spawn(churn)];
                let mut closed = usize::from(counter.begin_drain() == 0);
                closed += usize::from(unit.leave().is_some());
                closed + threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
            });
            assert_eq!(closed, 1);
        }
    }

    #[cfg(feature = "http")]
    #[test]
    fn the_excused_are_counted_among_the_others_until_they_leave() {
        let counter = Counter::default();
        let [first, second, third] = [(); 3].map(|()| enter(&counter).unwrap());
        let first = first.stand(Standing::Excused);
        let second = second.stand(Standing::Excused).stand(Standing::Counts);
        assert_eq!(counter.begin_drain(), 3);
        assert_eq!(counter.cut(), Cut { in_flight: 3, excused: 1 });
        assert_eq!((second.leave(), third.leave()), (None, None));
        assert_eq!(counter.cut(), Cut { in_flight: 1, excused: 1 });
        assert_eq!(first.stand(Standing::Counts).stand(Standing::Excused).leave(), Some(()));
        assert!(enter(&counter).is_none());
    }
}
