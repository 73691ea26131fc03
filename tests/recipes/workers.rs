use std::sync::atomic::{AtomicU32, Ordering};

use lifecycle::{Acquire, App, Resource, Result, resource};

use self::recipe::Workers;
use crate::support::{Work, assert_clean, stop};

#[path = "code/workers.rs"]
mod recipe;

static WORK: Work = Work::new();
static DONE: AtomicU32 = AtomicU32::new(0);

#[resource]
struct Settings {
    workers: u32,
}

impl Resource for Settings {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self { workers: 2 })
    }
}

struct Job;

async fn perform(_: Job) -> Result {
    WORK.run().await;
    DONE.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_workers_as_configured_finish_all_that_is_queued() {
    let builder = App::builder().resources::<Workers>().supply(Settings { workers: 3 });
    let app = builder.start().await.expect("it starts");
    let jobs = app.get::<Workers>().jobs.clone();
    for _ in 0..10 {
        jobs.send(Job).await.expect("there are workers");
    }
    WORK.begun(3).await; // all three
    let end = stop(app).await;
    WORK.may_end(10);
    assert_clean(&end.await.expect("it ends"));
    assert_eq!(DONE.load(Ordering::Relaxed), 10);
}
