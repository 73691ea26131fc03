//! §2 and S4: an instance that was supplied is there from the beginning, and is released even if a foundation, which
//! would come before it, never is.

use lifecycle::{
    Acquire, App, Outcome, Phase, Reason, Release, Report, Resource, Result, Signal, Supplied, resource,
};
use tokio::time::{sleep, timeout};

use crate::stage::{Notes, Stage, fails, failures, hangs, ms, panics, scripted, secs};

scripted! {
    #[resource(foundation)]
    struct Config;
    #[resource(after = Pool)]
    struct Http;
}

#[resource]
struct Pool(Notes);

impl Resource for Pool {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Err("it is supplied".into())
    }

    async fn release(&self, _: &Release) -> Result {
        self.0.add("released Pool");
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.0.add("dropped Pool");
    }
}

/// Starts `Http` on a pool that is supplied, which does not succeed.
async fn failed_start(stage: &Stage) -> Report {
    let builder = stage.builder::<(Config, Http)>().supply(Pool(stage.log.clone()));
    builder.start().await.expect_err("it does not start")
}

#[track_caller]
fn assert_released(stage: &Stage, report: &Report) {
    stage.log.assert_in_order(["released Pool", "dropped Pool"]);
    let pool = report.resource("Pool").unwrap();
    assert_eq!(pool.outcome, Outcome::Clean);
    assert!(pool.release.is_some());
    assert_eq!(report.resource("Http").unwrap().outcome, Outcome::NeverStarted);
}

/// S4.
#[tokio::test(start_paused = true)]
async fn what_is_supplied_is_released_when_a_foundation_fails() {
    let stage = Stage::new();
    stage.acquire::<Config>(fails("no such file").after(ms(100)));
    let report = failed_start(&stage).await;
    assert_eq!(failures(&report), ["`Config` could not be acquired"]);
    assert_released(&stage, &report);
    assert_eq!(report.exit_code, 1);
}

/// S4.
#[tokio::test(start_paused = true)]
async fn what_is_supplied_is_released_when_a_foundation_fails_at_once() {
    let stage = Stage::new();
    stage.acquire::<Config>(fails("no such file"));
    let report = failed_start(&stage).await;
    assert_released(&stage, &report);
    assert_eq!(report.exit_code, 1);
}

/// S4.
#[tokio::test(start_paused = true)]
async fn what_is_supplied_is_released_when_a_foundation_panics() {
    let stage = Stage::new();
    stage.acquire::<Config>(panics("unwrap on a None"));
    let report = failed_start(&stage).await;
    assert_released(&stage, &report);
    assert_eq!(report.exit_code, 1);
}

/// S3, S4.
#[tokio::test(start_paused = true)]
async fn what_is_supplied_is_released_when_a_foundation_times_out() {
    let stage = Stage::new();
    stage.acquire::<Config>(hangs());
    let report = failed_start(&stage).await;
    assert!(report.failures[0].is_timeout());
    assert_released(&stage, &report);
    assert_eq!(report.exit_code, 1);
}

/// S5.
#[tokio::test(start_paused = true)]
async fn what_is_supplied_is_released_when_a_signal_comes_before_the_foundations_are_there() {
    let stage = Stage::new();
    stage.acquire::<Config>(hangs()).at(100, |app| app.deliver(Signal::Terminate));
    let report = failed_start(&stage).await;
    assert_eq!(report.reason, Reason::Signal(Signal::Terminate));
    assert_released(&stage, &report);
    assert_eq!(failures(&report), [""; 0]);
}

/// S4: also where nobody waits for the start any more.
#[tokio::test(start_paused = true)]
async fn what_is_supplied_is_released_when_a_start_is_dropped_before_the_foundations_are_there() {
    let stage = Stage::new();
    let log = stage.log.clone();
    stage.acquire::<Config>(hangs()).setup(move |cx: &Acquire<Config>| {
        let (app, log) = (cx.app(), log.clone());
        tokio::spawn(async move {
            let mut phase = app.watch_phase();
            phase.wait_for(|phase| *phase == Phase::Stopped).await.unwrap();
            log.add("stopped");
        });
    });
    let builder = stage.builder::<(Config, Http)>().supply(Pool(stage.log.clone()));
    assert!(timeout(secs(1), builder.start()).await.is_err());
    sleep(secs(1)).await;
    stage.log.assert_in_order(["released Pool", "dropped Pool"]);
    stage.log.assert_in_order(["dropped Pool", "stopped"]);
}

/// S4: it has its turn before what is beneath it, and the foundations come last.
#[tokio::test(start_paused = true)]
async fn what_is_supplied_is_released_before_the_foundations() {
    let stage = Stage::new();
    stage.acquire::<Settings>(fails("no such file").after(ms(100)));
    let builder = stage.builder::<(Config, Settings, Http)>().supply(Pool(stage.log.clone()));
    let report = builder.start().await.expect_err("it does not start");
    stage.log.assert_in_order(["released Pool", "releasing Config"]);
    assert_released(&stage, &report);
}

scripted! {
    #[resource(foundation)]
    struct Settings;
}

/// §2.
#[tokio::test(start_paused = true)]
async fn what_is_supplied_is_released_once_and_then_dropped() {
    let stage = Stage::new();
    let builder = stage.builder::<(Config, Http)>().supply(Pool(stage.log.clone()));
    let report = builder.run(async |_: App| {}).await;
    let lines = stage.log.lines();
    assert_eq!(lines.iter().filter(|line| line.ends_with(" Pool")).count(), 2, "{lines:?}");
    stage.log.assert_in_order(["released Pool", "dropped Pool"]);
    assert!(report.is_clean(), "{report}");
}

/// It is never acquired.
#[resource(supplied)]
pub(crate) struct Arguments(pub(crate) Notes);

impl Supplied for Arguments {
    async fn release(&self, _: &Release) -> Result {
        self.0.add("released Arguments");
        Err("they are still in use".into())
    }

    fn abort(&self) {
        self.0.add("aborted Arguments");
    }
}

#[resource(supplied, foundation)]
pub(crate) struct Clock;

impl Supplied for Clock {}

scripted! {
    #[resource(after = [Arguments, Clock])]
    struct Reader;
    #[resource]
    struct Beside;
}

/// §2.
#[tokio::test(start_paused = true)]
async fn what_is_only_ever_supplied_needs_no_acquire() {
    let stage = Stage::new();
    let log = stage.log.clone();
    stage.setup(move |cx: &Acquire<Reader>| cx.get::<Arguments>().0.add("Reader has its arguments"));
    let builder = stage.builder::<Reader>().supply(Arguments(log)).supply(Clock);
    let report = builder.run(async |_: App| {}).await;
    stage.log.assert_in_order(["Reader has its arguments", "released Reader"]);
    stage.log.assert_in_order(["released Reader", "released Arguments"]);
    stage.log.assert_in_order(["released Arguments", "aborted Arguments"]);
    assert_eq!(failures(&report), ["`Arguments` could not be released"]);
    assert_eq!(report.resource("Clock").unwrap().outcome, Outcome::Clean);
}

/// S4: nothing is acquired when something is missing.
#[tokio::test(start_paused = true)]
async fn what_was_not_supplied_is_told_before_anything_is_acquired() {
    let stage = Stage::new();
    let report = stage.failed_start::<(Beside, Reader)>().await;
    assert!(stage.log.lines().is_empty(), "{:?}", stage.log.lines());
    assert_eq!(failures(&report), ["`Clock` could not be acquired", "`Arguments` could not be acquired"]);
    assert!(report.failures[0].cause().contains("call `supply` on the builder"), "{report}");
    assert_eq!(report.exit_code, 1);
}

/// S4.
#[tokio::test(start_paused = true)]
async fn what_is_only_ever_supplied_is_not_taken_from_others() {
    let stage = Stage::new();
    let builder = stage.builder::<Reader>().supply(Clock);
    let report = builder.start().await.expect_err("it does not start");
    assert_eq!(failures(&report), ["`Arguments` could not be acquired"]);
}
