use std::future::pending;

use lifecycle::{App, Result};

use self::recipe::Consumer;
use crate::broker::{Broker, Jobs};
use crate::support::{Work, assert_clean, stop};

#[path = "code/queue.rs"]
mod recipe;

static WORK: Work = Work::new();
const ENDLESS: u32 = 100;

async fn perform(job: &u32) -> Result {
    if *job == ENDLESS {
        pending::<()>().await;
    }
    WORK.run().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_under_way_is_finished_then_acknowledged_and_no_other_is_taken() {
    let app = App::builder().resources::<Consumer>().start().await.expect("it starts");
    let broker = app.get::<Broker>();
    broker.publish([1, 2, 3]);
    WORK.begun(1).await;
    assert!(broker.jobs().acknowledged.is_empty(), "it is not done");
    let end = stop(app).await;
    WORK.may_end(3);
    assert_clean(&end.await.expect("it ends"));
    // The notice may come a moment after the first job has ended.
    let Jobs { waiting, taken, acknowledged } = broker.jobs().clone();
    let all: Vec<u32> = acknowledged.into_iter().chain(waiting).collect();
    assert_eq!((all, taken), (vec![1, 2, 3], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_does_not_finish_in_time_is_handed_back() {
    let app = App::builder().resources::<Consumer>().virtual_time().start().await.expect("it starts");
    let broker = app.get::<Broker>();
    broker.publish([ENDLESS, 2]);
    while broker.jobs().taken.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_clean(&stop(app).await.await.expect("it ends"));
    let jobs = broker.jobs().clone();
    assert_eq!(jobs, Jobs { waiting: [ENDLESS, 2].into(), taken: vec![], acknowledged: vec![] });
}
