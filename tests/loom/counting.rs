//! The counter of what is in flight: it is closed once, nobody enters it then, and whoever closes it sees what was done.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::counter::{Counter, Standing};

/// One resource: what is in flight, what that did, and whether it was released. All but the counter is `Relaxed`, so
/// that one thread sees what another did through the counter alone.
#[derive(Debug, Default)]
struct Resource {
    counter: Counter,
    /// What each unit has done.
    done: [AtomicUsize; 3],
    released: AtomicUsize,
    closings: AtomicUsize,
}

impl Resource {
    /// A unit that is in flight does its work, and leaves.
    fn work_and_leave(&self, unit: usize, standing: Standing) {
        assert_eq!(self.released.load(Ordering::Relaxed), 0, "nothing is in flight of what is released");
        self.done[unit].store(1, Ordering::Relaxed);
        if self.counter.leave(standing) {
            self.release();
        }
    }

    /// A unit enters if it can. Says whether it did.
    fn enter_and_leave(&self, unit: usize) -> bool {
        let has_entered = self.counter.enter();
        if has_entered {
            self.work_and_leave(unit, Standing::Counts);
        }
        has_entered
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
        assert!(!self.counter.enter(), "nobody enters it then");
        assert_eq!(self.counter.in_flight(), 0);
    }
}

fn spawn<T: 'static>(
    resource: &Arc<Resource>,
    f: impl FnOnce(&Resource) -> T + 'static,
) -> thread::JoinHandle<T> {
    let resource = Arc::clone(resource);
    thread::spawn(move || f(&resource))
}

#[test]
fn the_last_unit_and_the_turn_close_it_once() {
    loom::model(|| {
        let resource = Arc::new(Resource::default());
        assert!(resource.counter.enter() && resource.counter.enter());
        let first = spawn(&resource, |resource| resource.work_and_leave(0, Standing::Counts));
        let second = spawn(&resource, |resource| resource.work_and_leave(1, Standing::Counts));
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
        let units = spawn(&resource, |resource| {
            usize::from(resource.enter_and_leave(0)) + usize::from(resource.enter_and_leave(1))
        });
        resource.begin_turn();
        resource.check(units.join().unwrap());
    });
}

/// In every order with up to three preemptions: all orders of three threads that may each try again take minutes.
#[test]
fn two_that_enter_while_it_closes_are_waited_for_or_do_not_enter() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let resource = Arc::new(Resource::default());
        let first = spawn(&resource, |resource| resource.enter_and_leave(0));
        let second = spawn(&resource, |resource| resource.enter_and_leave(1));
        resource.begin_turn();
        let entered = usize::from(first.join().unwrap()) + usize::from(second.join().unwrap());
        resource.check(entered);
    });
}

/// Work under way may bring more, also during the turn.
#[test]
fn one_that_enters_while_the_last_leaves_is_waited_for_or_does_not_enter() {
    loom::model(|| {
        let resource = Arc::new(Resource::default());
        assert!(resource.counter.enter());
        let turn = spawn(&resource, Resource::begin_turn);
        let late = spawn(&resource, |resource| resource.enter_and_leave(1));
        resource.work_and_leave(0, Standing::Counts);
        turn.join().unwrap();
        let entered = 1 + usize::from(late.join().unwrap());
        resource.check(entered);
    });
}

#[test]
fn an_excused_unit_closes_it_like_any_other() {
    loom::model(|| {
        let resource = Arc::new(Resource::default());
        assert!(resource.counter.enter() && resource.counter.enter());
        let excused = spawn(&resource, |resource| {
            resource.counter.excuse();
            resource.work_and_leave(0, Standing::Excused);
        });
        let obliged = spawn(&resource, |resource| {
            resource.counter.excuse();
            resource.counter.oblige();
            resource.work_and_leave(1, Standing::Counts);
        });
        resource.begin_turn();
        let cut = resource.counter.cut();
        assert!(cut.excused <= cut.in_flight, "{cut:?}");
        excused.join().unwrap();
        obliged.join().unwrap();
        resource.check(2);
    });
}
