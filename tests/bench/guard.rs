//! A unit of work that is taken and dropped again: what a request costs that is counted as in flight. Threads that do
//! so at the same time must not wait for one another.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use lifecycle::Tasks;
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

use crate::application::{self, Shop};
use crate::options::Options;
use crate::peers::compare;
use crate::rounds::{Taken, time};
use crate::table::Table;

#[derive(Clone, Copy)]
enum Peer {
    /// A counter for each of sixteen threads, so that none writes where another reads. It cannot be waited for.
    Shards,
    /// One counter.
    Shared,
    TaskTracker,
    Framework,
}

const SHARDS: usize = 16;

#[derive(Default)]
#[repr(align(128))]
struct Padded(AtomicUsize);

#[derive(Default)]
struct Shards([Padded; SHARDS]);

struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Shards {
    fn enter(&self) -> InFlight<'_> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static MINE: Cell<Option<usize>> = const { Cell::new(None) });
        let mine = MINE.get().unwrap_or_else(|| {
            let mine = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
            MINE.set(Some(mine));
            mine
        });
        InFlight::enter(&self.0[mine].0)
    }
}

struct Counters {
    shards: Shards,
    shared: AtomicUsize,
    tracker: TaskTracker,
    tasks: Tasks,
}

pub(crate) fn measure(options: &Options) -> Vec<Table> {
    let runtime = Runtime::new().expect("the system gives threads");
    let app = runtime.block_on(application::start());
    let counters = Counters {
        shards: Shards::default(),
        shared: AtomicUsize::new(0),
        tracker: TaskTracker::new(),
        tasks: app.get::<Shop>().tasks.clone(),
    };
    let peers = [
        ("16 padded shards", Peer::Shards),
        ("one shared atomic", Peer::Shared),
        ("TaskTracker::token", Peer::TaskTracker),
        ("Tasks::guard", Peer::Framework),
    ];
    let count = if options.is_quick { 100 } else { 200_000 };
    let table = |threads: usize| {
        let title = format!("a guard, taken and dropped by {threads} threads");
        compare(options, title, peers, threads * count, |peer| run(&counters, peer, threads, count))
    };
    let tables = [1, 2, 4].map(table).into();
    drop(counters);
    runtime.block_on(application::stop(app));
    tables
}

fn run(counters: &Counters, peer: Peer, threads: usize, count: usize) -> Taken {
    match peer {
        Peer::Shards => repeat(threads, count, || counters.shards.enter()),
        Peer::Shared => repeat(threads, count, || InFlight::enter(&counters.shared)),
        Peer::TaskTracker => repeat(threads, count, || counters.tracker.token()),
        Peer::Framework => repeat(threads, count, || counters.tasks.guard()),
    }
}

fn repeat<T>(threads: usize, count: usize, take: impl Fn() -> T + Sync) -> Taken {
    let barrier = Barrier::new(threads);
    let work = || {
        barrier.wait();
        for _ in 0..count {
            black_box(take());
        }
    };
    let ((), taken) = time(|| {
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
    });
    taken
}
