//! The queues of commands and notices: one thread at a time empties them, in order, and leaves nothing.

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::queue::Queue;

#[derive(Default)]
struct Work {
    queue: Mutex<Queue<usize>>,
    done: Mutex<Vec<usize>>,
    is_somebody_at_it: AtomicBool,
}

impl Work {
    /// As the driver does it: adds something under the lock, and does outside it what there is, if nobody is at it.
    fn bring(&self, thing: usize) {
        let is_mine = {
            let mut queue = self.queue.lock().unwrap();
            queue.push(thing);
            queue.claim()
        };
        if !is_mine {
            return;
        }
        let mut batch = Vec::new();
        loop {
            self.queue.lock().unwrap().next(&mut batch);
            if batch.is_empty() {
                return;
            }
            assert!(!self.is_somebody_at_it.swap(true, Ordering::Relaxed), "one thread at a time");
            self.done.lock().unwrap().extend(batch.drain(..));
            self.is_somebody_at_it.store(false, Ordering::Relaxed);
        }
    }
}

#[test]
fn what_two_threads_bring_is_done_once_and_in_order() {
    loom::model(|| {
        let work = Arc::new(Work::default());
        let other = {
            let work = Arc::clone(&work);
            thread::spawn(move || {
                work.bring(10);
                work.bring(11);
            })
        };
        work.bring(20);
        other.join().unwrap();
        // Each thread does its own, or another does it before that one is through.
        let done = work.done.lock().unwrap();
        let mut sorted = done.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [10, 11, 20], "each is done once: {done:?}");
        let place = |thing| done.iter().position(|done| *done == thing);
        assert!(place(10) < place(11), "in order: {done:?}");
        let mut queue = work.queue.lock().unwrap();
        assert!(!queue.claim() && queue.pushed() == 3, "nothing is left");
    });
}
