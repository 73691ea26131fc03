//! A task that is spawned and ends at once.

use lifecycle::App;
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

use crate::application::{self, Shop};
use crate::latch::Latch;
use crate::options::Options;
use crate::peers::compare;
use crate::rounds::time;
use crate::table::Table;

#[derive(Clone, Copy)]
enum Peer {
    Tokio,
    TaskTracker,
    Tasks,
    Supervised,
}

pub(crate) fn measure(options: &Options) -> Vec<Table> {
    let runtime = Runtime::new().expect("the system gives threads");
    let app = runtime.block_on(application::start());
    // The application lives for as long as a supervised task does.
    app.get::<Shop>().spawner.spawn("the first", |stopping| stopping);
    let peers = [
        ("tokio::spawn", Peer::Tokio),
        ("TaskTracker::spawn", Peer::TaskTracker),
        ("Tasks::spawn", Peer::Tasks),
        ("Spawner::spawn", Peer::Supervised),
    ];
    let count = if options.is_quick { 100 } else { 10_000 };
    let title = "a task, spawned and ended".to_owned();
    let table = compare(options, title, peers, count, |peer| {
        let tasks = spawn(app.clone(), peer, count);
        time(|| runtime.block_on(runtime.spawn(tasks))).1
    });
    runtime.block_on(application::stop(app));
    vec![table]
}

async fn spawn(app: App, peer: Peer, count: usize) {
    let shop = app.get::<Shop>();
    let latch = Latch::new(count);
    let tracker = TaskTracker::new();
    for _ in 0..count {
        let latch = latch.clone();
        let task = async move { latch.count_down() };
        match peer {
            Peer::Tokio => drop(tokio::spawn(task)),
            Peer::TaskTracker => drop(tracker.spawn(task)),
            Peer::Tasks => shop.tasks.spawn(task),
            Peer::Supervised => shop.spawner.spawn("one of many", |_| task),
        }
    }
    latch.wait().await;
}
