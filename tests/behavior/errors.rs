//! Rule E3 where the value of an error holds something that the application waits for: a job that a closed channel gave
//! back, with the guard that counts it. What is known of the error is kept, and the guard is not.

use std::sync::Arc;

use lifecycle::{Acquire, App, Guard, Operation, Outcome, Report, Resource, Result, Tasks, resource};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendError;

use crate::stage::{Stage, failures, ms, scripted};

scripted! {
    #[resource(after = Jobs)]
    struct Http;
    #[resource(after = Jobs, optional)]
    struct Metrics;
}

/// Counts the jobs that are under way.
#[resource]
struct Jobs(Tasks);

impl Resource for Jobs {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        Ok(Self(cx.tasks()))
    }
}

/// Gives its job back instead of being released.
#[resource(after = Jobs)]
struct Queue(Arc<Jobs>);

impl Resource for Queue {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        Ok(Self(cx.get::<Jobs>()))
    }

    async fn release(&self, _: &lifecycle::Release) -> Result {
        self.0.submit().await?;
        Ok(())
    }
}

/// Gives its own job back instead of being acquired.
#[resource(after = Jobs)]
struct Worker;

impl Resource for Worker {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        Jobs(cx.tasks()).submit().await?;
        Ok(Self)
    }
}

/// One job, which is in flight for as long as it lives.
#[derive(Debug)]
struct Job(#[expect(dead_code, reason = "it is held, and counts")] Guard);

impl Jobs {
    /// Nobody takes jobs any more.
    async fn submit(&self) -> Result<(), SendError<Job>> {
        let (queue, closed) = mpsc::channel(1);
        drop(closed);
        queue.send(Job(self.0.guard().expect("its turn has not come"))).await
    }
}

/// The guard went where the failure was recorded: nothing waits for it.
#[track_caller]
fn assert_recorded(report: &Report, failed: &str) {
    assert_eq!(failures(report), [failed]);
    assert_eq!(report.failures[0].cause(), "channel closed");
    assert_eq!(report.stop_took, Some(ms(0)), "{report}");
    assert_eq!(report.resource("Jobs").unwrap().outcome, Outcome::Clean);
    assert_eq!(report.exit_code, 1);
}

/// R1, E3.
#[tokio::test(start_paused = true)]
async fn the_error_of_a_task_may_hold_a_guard() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| {
        let jobs = cx.get::<Jobs>();
        cx.spawn("accept", async move |_| jobs.submit().await);
    });
    let report = stage.start::<Http>().await.run().await;
    assert_recorded(&report, "task `accept` of `Http` failed");
}

/// S4, E3: what was not acquired has a turn, too, in which its guards are waited for.
#[tokio::test(start_paused = true)]
async fn the_error_of_an_acquisition_may_hold_a_guard() {
    let stage = Stage::new();
    let report = stage.failed_start::<Worker>().await;
    assert_recorded(&report, "`Worker` could not be acquired");
}

/// D7, E3.
#[tokio::test(start_paused = true)]
async fn the_error_of_a_release_may_hold_a_guard_of_what_is_beneath() {
    let stage = Stage::new();
    let report = stage.stop::<Queue>().await;
    assert_recorded(&report, "`Queue` could not be released");
}

/// E1, E3.
#[tokio::test(start_paused = true)]
async fn the_error_of_main_may_hold_a_guard() {
    let stage = Stage::new();
    let body = async |app: App| app.get::<Jobs>().submit().await;
    let report = stage.builder::<Jobs>().run(body).await;
    assert_recorded(&report, "`main` failed");
}

/// E3.
#[tokio::test(start_paused = true)]
async fn an_error_that_the_application_is_told_of_may_hold_a_guard() {
    let stage = Stage::new();
    let report = stage
        .run::<Jobs>(async |app| {
            let error = app.get::<Jobs>().submit().await.unwrap_err();
            app.fail(error);
        })
        .await;
    assert_recorded(&report, "`main` failed");
}

/// S6, E3: a failure that is tolerated does not hold up a stop that comes later.
#[tokio::test(start_paused = true)]
async fn an_error_that_is_tolerated_may_hold_a_guard() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Metrics>| {
        let jobs = cx.get::<Jobs>();
        cx.spawn("push", async move |_| jobs.submit().await);
    });
    let report = stage.stop::<Metrics>().await;
    assert_eq!(failures(&report), ["task `push` of `Metrics` failed"]);
    assert_eq!(*report.failures[0].operation(), Operation::Task("push".to_owned()));
    assert_eq!(report.failures[0].cause(), "channel closed");
    assert_eq!(report.stop_took, Some(ms(0)), "{report}");
    assert_eq!(report.resource("Jobs").unwrap().outcome, Outcome::Clean);
    assert_eq!(report.exit_code, 0);
}
