//! The notice to many tasks that wait for it: until the last of them is over, and the memory that each takes until then.

mod ways;

use allocation_counter::AllocationInfo;
use tokio::runtime::{Builder, Runtime};

use self::ways::{ALL, Way};
use crate::latch::Latch;
use crate::options::Options;
use crate::peers::compare;
use crate::rounds::{Taken, time};
use crate::series::Series;
use crate::table::{Show, Table};

pub(crate) fn measure(options: &Options) -> Vec<Table> {
    let (count, count_in_memory) = if options.is_quick { (50, 50) } else { (100_000, 50_000) };
    let runtime = Runtime::new().expect("the system gives threads");
    let title = format!("from the notice to the end of the last of {count} tasks, for each of them");
    let times = compare(options, title, ALL, count, |way| notify(&runtime, way, count));
    vec![times, memory(count_in_memory)]
}

fn notify(runtime: &Runtime, way: Way, count: usize) -> Taken {
    let latch = Latch::new(count);
    let waiting = runtime.block_on(way.spawn(count, Some(&latch)));
    runtime.block_on(latch.wait());
    let ((), taken) = time(|| runtime.block_on(waiting.end()));
    taken
}

/// The figures do not vary from round to round.
fn memory(count: usize) -> Table {
    let bare = Way::Bare.memory(count);
    let ways = std::iter::once(("a task that waits for nothing", Way::Bare)).chain(ALL);
    let row = |(name, way): (&str, Way)| {
        let taken = way.memory(count);
        let each = |figure: f64| Series::from_iter([figure / count as f64]);
        let cells = vec![
            each(taken.bytes_current as f64),
            each((taken.bytes_current - bare.bytes_current) as f64),
            each(taken.count_current as f64),
        ];
        (name.to_owned(), cells)
    };
    Table {
        title: "memory of a task that waits for the notice".to_owned(),
        columns: vec![
            ("bytes", Show::Median),
            ("beyond a task", Show::Median),
            ("allocations", Show::Median),
        ],
        rows: ways.map(row).collect(),
    }
}

impl Way {
    /// What so many tasks take once all of them wait.
    fn memory(self, count: usize) -> AllocationInfo {
        let runtime = Builder::new_current_thread().enable_all().build().expect("the system gives threads");
        let mut waiting = None;
        // All of it is allocated by this thread, and seen.
        let info = allocation_counter::measure(|| {
            waiting = Some(runtime.block_on(async {
                let waiting = self.spawn(count, None).await;
                // By its turn, all the others have had theirs.
                tokio::spawn(async {}).await.expect("a task that does nothing does not panic");
                waiting
            }));
        });
        if let Some(waiting) = waiting.filter(|_| self != Self::Bare) {
            runtime.block_on(waiting.end());
        }
        info
    }
}
