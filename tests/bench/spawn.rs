//! A task that is spawned and ends at once.

use lifecycle::App;
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

use crate::application::{self, Shop};
use crate::callgrind;
use crate::latch::Latch;
use crate::options::Options;
use crate::peers::compare;
use crate::rounds::time;
use crate::series::Series;
use crate::table::{Show, Table};

pub(crate) const NAME: &str = "spawn";

#[derive(Clone, Copy)]
enum Peer {
    Tokio,
    TaskTracker,
    Tasks,
    Supervised,
}

const PEERS: [(&str, Peer); 4] = [
    ("tokio::spawn", Peer::Tokio),
    ("TaskTracker::spawn", Peer::TaskTracker),
    ("Tasks::spawn", Peer::Tasks),
    ("Spawner::spawn", Peer::Supervised),
];

pub(crate) fn measure(options: &Options) -> Vec<Table> {
    let runtime = Runtime::new().expect("the system gives threads");
    let app = runtime.block_on(start());
    let count = if options.is_quick { 100 } else { 10_000 };
    let title = "a task, spawned and ended".to_owned();
    let table = compare(options, title, PEERS, count, |peer| {
        let tasks = spawn(app.clone(), peer, count);
        time(|| runtime.block_on(runtime.spawn(tasks))).1
    });
    runtime.block_on(application::stop(app));
    let mut tables = vec![table];
    if options.is_callgrind {
        tables.push(instructions(if options.is_quick { 100 } else { 1_000 }));
    }
    tables
}

async fn start() -> App {
    let app = application::start().await;
    // The application lives for as long as a supervised task does.
    app.get::<Shop>().spawner.spawn("the first", |stopping| stopping);
    app
}

fn instructions(count: usize) -> Table {
    let row = |(name, _)| {
        let instructions = callgrind::instructions(&[NAME, name], count);
        (String::from(name), vec![[instructions].into_iter().collect::<Series>()])
    };
    Table {
        title: "a task, spawned and ended on one thread: instructions".to_owned(),
        columns: vec![("instructions", Show::Median)],
        rows: PEERS.map(row).to_vec(),
    }
}

/// What a program of its own does for [`instructions`].
pub(crate) fn child(arguments: &[String]) {
    let [name, count] = arguments else { panic!("{arguments:?}: not what the benchmark asks for") };
    let peer = PEERS.into_iter().find(|(peer, _)| peer == name).expect("it is a way to spawn").1;
    let count = count.parse().expect("it is a number of tasks");
    // A process with one thread takes locks for less. Few programs are one.
    std::thread::spawn(std::thread::park);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the system polls for I/O");
    runtime.block_on(async { spawn(start().await, peer, count).await });
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
