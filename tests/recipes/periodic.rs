use std::sync::atomic::{AtomicU32, Ordering};

use lifecycle::{Acquire, App, Resource, Result, resource};

use self::recipe::Settlement;
use crate::support::{Work, assert_clean, stop};

#[path = "code/periodic.rs"]
mod recipe;

static WORK: Work = Work::new();

#[resource]
#[derive(Default)]
struct Ledger {
    begun: AtomicU32,
    settled: AtomicU32,
}

impl Resource for Ledger {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self::default())
    }
}

impl Ledger {
    async fn settle(&self) -> Result {
        let begun = self.begun.fetch_add(1, Ordering::Relaxed);
        if begun == 0 {
            return Err("the first one fails".into());
        }
        WORK.run().await;
        self.settled.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_begun_is_finished_and_a_failed_one_does_not_end_the_job() {
    let app = App::builder().resources::<Settlement>().start().await.expect("it starts");
    let ledger = app.get::<Ledger>();
    WORK.begun(1).await;
    let end = stop(app).await;
    WORK.may_end(100);
    assert_clean(&end.await.expect("it ends"));
    let begun = ledger.begun.load(Ordering::Relaxed);
    assert!(begun >= 2);
    assert_eq!(ledger.settled.load(Ordering::Relaxed), begun - 1, "none was interrupted");
}
