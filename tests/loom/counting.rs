//! The counter of what is in flight: it is closed once, nobody enters it then, and whoever closes it sees what was done.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::counter::{Counter, Place, Standing};
use crate::engine::notice::Cut;
use crate::shard::set_mine;

type Unit = Place<u8>;

/// What the resource gives to each unit, and to whoever closes the counter.
const HOME: u8 = 7;

/// One resource: what is in flight, what that did, and whether it was released. All but the counter is `Relaxed`, so
/// that one thread sees what another did through the counter alone.
#[derive(Default)]
struct Resource {
    counter: Counter<u8>,
    /// What each unit has done.
    done: [AtomicUsize; 3],
    released: AtomicUsize,
    closings: AtomicUsize,
}

impl Resource {
    fn enter(&self) -> Option<Unit> {
        self.counter.enter(|| HOME)
    }

    /// A unit that is in flight does its work, and leaves.
    fn work_and_leave(&self, unit: Unit, number: usize) {
        assert_eq!(self.released.load(Ordering::Relaxed), 0, "nothing is in flight of what is released");
        self.done[number].store(1, Ordering::Relaxed);
        if unit.leave() == Some(HOME) {
            self.release();
        }
    }

    /// A unit enters by the way of a handle, if it can. Says whether it did.
    fn enter_and_leave(&self, number: usize) -> bool {
        let Some(unit) = self.counter.entrance(|| HOME).clone().enter() else { return false };
        self.work_and_leave(unit, number);
        true
    }

    /// The turn begins.
    fn begin_turn(&self) {
        if self.counter.begin_drain() == 0 {
            self.release();
        }
    }

    fn release(&self) {
        self.closings.fetch_add(1, Ordering::Relaxed);
        self.released.store(1 + self.work_done(), Ordering::Relaxed);
    }

    fn work_done(&self) -> usize {
        self.done.iter().map(|done| done.load(Ordering::Relaxed)).sum()
    }

    /// What has to be so once all threads have ended, when so many units had entered.
    fn check(&self, entered: usize) {
        assert_eq!(self.closings.load(Ordering::Relaxed), 1, "it is closed once");
        assert_eq!(
            self.released.load(Ordering::Relaxed),
            1 + entered,
            "who closes it sees all that was done"
        );
        assert!(self.enter().is_none(), "nobody enters it then");
        assert_eq!(self.counter.in_flight(), 0);
    }
}

/// Runs `f` on a thread that uses this shard. The thread of the model uses the first.
fn spawn<T: 'static>(
    resource: &Arc<Resource>,
    shard: usize,
    f: impl FnOnce(&Resource) -> T + 'static,
) -> thread::JoinHandle<T> {
    let resource = Arc::clone(resource);
    thread::spawn(move || {
        set_mine(shard);
        f(&resource)
    })
}

/// In every order with so many preemptions: all orders of three threads take hours.
fn model(preemptions: usize, f: impl Fn() + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(f);
}

#[test]
fn the_last_unit_and_the_turn_close_it_once() {
    model(3, || {
        let resource = Arc::new(Resource::default());
        let [first, second] = [resource.enter().unwrap(), resource.enter().unwrap()];
        let first = spawn(&resource, 0, |resource| resource.work_and_leave(first, 0));
        let second = spawn(&resource, 1, |resource| resource.work_and_leave(second, 1));
        resource.begin_turn();
        first.join().unwrap();
        second.join().unwrap();
        resource.check(2);
    });
}

#[test]
fn the_last_units_of_two_shards_and_the_turn_close_it_once() {
    model(3, || {
        let resource = Arc::new(Resource::default());
        let first = resource.enter().unwrap();
        set_mine(1);
        let second = resource.enter().unwrap();
        let first = spawn(&resource, 0, |resource| resource.work_and_leave(first, 0));
        let second = spawn(&resource, 0, |resource| resource.work_and_leave(second, 1));
        resource.begin_turn();
        first.join().unwrap();
        second.join().unwrap();
        resource.check(2);
    });
}

#[test]
fn who_enters_while_it_closes_is_waited_for_or_does_not_enter() {
    loom::model(|| {
        let resource = Arc::new(Resource::default());
        let units = spawn(&resource, 1, |resource| {
            usize::from(resource.enter_and_leave(0)) + usize::from(resource.enter_and_leave(1))
        });
        resource.begin_turn();
        resource.check(units.join().unwrap());
    });
}

#[test]
fn two_that_enter_while_it_closes_are_waited_for_or_do_not_enter() {
    for shard in [0, 1] {
        model(2, move || {
            let resource = Arc::new(Resource::default());
            let first = spawn(&resource, 0, |resource| resource.enter_and_leave(0));
            let second = spawn(&resource, shard, |resource| resource.enter_and_leave(1));
            resource.begin_turn();
            let entered = usize::from(first.join().unwrap()) + usize::from(second.join().unwrap());
            resource.check(entered);
        });
    }
}

/// Work under way may bring more, also during the turn, and from a thread whose shard is gone, or was never there.
#[test]
fn one_that_enters_while_the_last_leaves_is_waited_for_or_does_not_enter() {
    for shard in [0, 1] {
        model(3, move || {
            let resource = Arc::new(Resource::default());
            let unit = resource.enter().unwrap();
            let turn = spawn(&resource, 0, Resource::begin_turn);
            let late = spawn(&resource, shard, |resource| resource.enter_and_leave(1));
            resource.work_and_leave(unit, 0);
            turn.join().unwrap();
            let entered = 1 + usize::from(late.join().unwrap());
            resource.check(entered);
        });
    }
}

#[test]
fn an_excused_unit_closes_it_like_any_other() {
    model(2, || {
        let resource = Arc::new(Resource::default());
        let [excused, obliged] = [resource.enter().unwrap(), resource.enter().unwrap()];
        let excused = spawn(&resource, 0, |resource| {
            resource.work_and_leave(excused.stand(Standing::Excused), 0);
        });
        let obliged = spawn(&resource, 1, |resource| {
            let obliged = obliged.stand(Standing::Excused).stand(Standing::Counts);
            resource.work_and_leave(obliged, 1);
        });
        resource.begin_turn();
        let cut = resource.counter.cut();
        assert!(cut.excused <= cut.in_flight, "{cut:?}");
        excused.join().unwrap();
        obliged.join().unwrap();
        resource.check(2);
    });
}

/// What is cut off decides over the exit code (rule E1).
#[test]
fn who_counts_is_seen_while_others_come_and_go() {
    model(3, || {
        let resource = Arc::new(Resource::default());
        let [counts, excused] = [resource.enter().unwrap(), resource.enter().unwrap()];
        let excused = excused.stand(Standing::Excused);
        resource.begin_turn();
        let leaves = spawn(&resource, 1, |resource| resource.work_and_leave(excused, 0));
        let Cut { in_flight, excused } = resource.counter.cut();
        assert_eq!(in_flight - excused, 1, "one counts all the time");
        leaves.join().unwrap();
        resource.work_and_leave(counts, 1);
        resource.check(2);
    });
}
