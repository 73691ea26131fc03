//! Rules S6 and §3: an application goes on without what is optional, and keeps its foundations to the last.

use lifecycle::{Acquire, App, Outcome, Phase, Reason, resource};

use crate::capture;
use crate::stage::{Fault, Stage, fails, failures, hangs, live, ms, panics, scripted, secs, skips, takes};
use tokio::time::sleep;

scripted! {
    #[resource]
    struct Db;
    #[resource(after = Db, optional, acquire_timeout = "1s")]
    struct Cache;
    #[resource(after = [Db, Cache])]
    struct Http;
    #[resource(after = Cache, optional)]
    struct Warmer;
    #[resource]
    struct Strict;
    #[resource(after = Strict)]
    struct AfterStrict;

    #[resource(foundation)]
    struct Telemetry;
    #[resource(foundation, after = Telemetry)]
    struct Settings;
}

/// Starts `Http`, whose optional `Cache` does `act`.
async fn start_with_cache(stage: &Stage, act: Fault) -> App {
    stage.acquire::<Cache>(act).task::<Http>("server", takes(0));
    let log = stage.log.clone();
    stage.setup(move |cx: &Acquire<Http>| {
        let cache = if cx.get::<Cache>().is_some() { "a" } else { "no" };
        log.add(format!("Http has {cache} cache"));
    });
    stage.start::<Http>().await
}

async fn check_tolerated(act: Fault, expected: Outcome) {
    let stage = Stage::new();
    let app = start_with_cache(&stage, act).await;
    assert!(stage.log.has("Http has no cache"));
    assert_eq!(app.phase(), Phase::Running);
    assert!(app.get::<Cache>().is_none());
    app.shutdown("the test is over");
    let report = app.run().await;
    assert_eq!(failures(&report), ["`Cache` could not be acquired"]);
    assert!(report.failures[0].is_tolerated());
    assert_eq!(report.resource("Cache").unwrap().outcome, expected);
    assert_eq!(report.exit_code, 0);
    assert!(report.to_string().contains("  tolerated: `Cache` could not be acquired: "), "{report}");
    assert!(!stage.log.has("releasing Cache"));
    assert!(stage.log.has("released Db"));
}

/// S6.
#[tokio::test(start_paused = true)]
async fn an_optional_resource_may_fail() {
    check_tolerated(fails("no cache").after(ms(10)), Outcome::Failed).await;
}

/// S6.
#[tokio::test(start_paused = true)]
async fn an_optional_resource_may_panic() {
    check_tolerated(panics("no cache"), Outcome::Panicked).await;
}

/// S6.
#[tokio::test(start_paused = true)]
async fn an_optional_resource_may_take_too_long() {
    check_tolerated(hangs(), Outcome::TimedOut).await;
}

/// S6.
#[tokio::test(start_paused = true)]
async fn an_optional_resource_that_is_there_is_handed_to_its_dependents() {
    let stage = Stage::new();
    let app = start_with_cache(&stage, takes(10)).await;
    assert!(stage.log.has("Http has a cache"));
    assert!(app.get::<Cache>().is_some());
    app.shutdown("the test is over");
    let report = app.run().await;
    assert!(report.is_clean());
    stage.log.assert_in_order(["released Http", "releasing Cache"]);
    stage.log.assert_in_order(["released Cache", "releasing Db"]);
}

/// S6: switched off by configuration is no failure.
#[tokio::test(start_paused = true)]
async fn a_resource_that_is_switched_off_is_no_failure() {
    let stage = Stage::new();
    let app = start_with_cache(&stage, skips()).await;
    assert!(stage.log.has("Http has no cache"));
    sleep(secs(1)).await;
    app.shutdown("the test is over");
    let report = app.run().await;
    assert!(report.is_clean());
    assert_eq!(report.stop_path, ["Http", "Db"], "nobody has waited for what was not there");
    assert_eq!(report.failures.len(), 0);
    assert_eq!(report.resource("Cache").unwrap().outcome, Outcome::Skipped);
    assert_eq!(capture::only("Cache is switched off").level, "INFO");
    let warnings = capture::lines().into_iter().filter(|line| line.level == "WARN");
    assert_eq!(warnings.filter(|line| line.message.contains("Cache")).count(), 0);
}

/// S6.
#[tokio::test(start_paused = true)]
async fn one_optional_resource_may_come_after_another_that_is_not_there() {
    let stage = Stage::new();
    stage.acquire::<Cache>(fails("no cache"));
    let app = stage.start::<Warmer>().await;
    assert!(app.get::<Cache>().is_none());
    assert!(app.get::<Warmer>().is_some());
}

/// S6: `Skip` is for what is optional. What others cannot do without is missing, and that is a failure.
#[tokio::test(start_paused = true)]
async fn skip_by_a_resource_that_is_not_optional_is_its_failure() {
    let stage = Stage::new();
    stage.acquire::<Strict>(skips());
    let report = stage.failed_start::<AfterStrict>().await;
    assert_eq!(failures(&report), ["`Strict` could not be acquired"]);
    assert!(report.failures[0].cause().contains("declare it `skippable`"), "{report}");
    assert_eq!(report.resource("AfterStrict").unwrap().outcome, Outcome::NeverStarted);
    assert_eq!(report.exit_code, 1);
}

/// S6: said in the log when it happens, at a level that does not wake anybody.
#[tokio::test(start_paused = true)]
async fn a_tolerated_failure_is_logged_as_a_warning() {
    let stage = Stage::new();
    let _app = start_with_cache(&stage, fails("no route to host")).await;
    let line = capture::only("`Cache` could not be acquired");
    assert_eq!(line.level, "WARN");
    assert_eq!(
        line.message,
        "`Cache` could not be acquired: no route to host; it is optional, and the application goes on without it"
    );
}

/// S6.
#[tokio::test(start_paused = true)]
async fn a_task_of_an_optional_resource_may_fail_later() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(0));
    stage.setup(|cx: &Acquire<Cache>| {
        cx.spawn("refresh", async |_| {
            sleep(secs(1)).await;
            Err("lost connection")
        });
    });
    let report = stage
        .run::<Http>(async |app| {
            sleep(secs(2)).await;
            assert_eq!(app.phase(), Phase::Running);
            app.shutdown("the test is over");
        })
        .await;
    assert_eq!(failures(&report), ["task `refresh` of `Cache` failed"]);
    assert!(report.failures[0].is_tolerated());
    assert_eq!(report.reason, Reason::Requested("the test is over".to_owned()));
    assert_eq!(report.exit_code, 0);
    assert!(stage.log.has("released Cache"), "it is there, and is released like the rest");
}

/// S6.
#[tokio::test(start_paused = true)]
async fn an_optional_resource_may_fail_to_be_released() {
    let stage = Stage::new();
    stage.release::<Cache>(fails("lost connection"));
    let report = stage.stop::<Http>().await;
    assert!(stage.log.has("aborted Cache"));
    assert!(report.failures[0].is_tolerated());
    assert_eq!(report.exit_code, 0);
}

/// S6, S4: nobody waits for the shutdown to stop what an acquisition that failed had spawned.
#[tokio::test(start_paused = true)]
async fn tasks_of_an_optional_resource_that_failed_stop_at_once() {
    let stage = Stage::new();
    stage.task::<Cache>("refresh", takes(100));
    let app = start_with_cache(&stage, fails("no cache")).await;
    let _ = live(app, async |app| {
        sleep(secs(1)).await;
        assert_eq!(app.phase(), Phase::Running);
        let timed = stage.log.timed_lines();
        assert!(timed.contains(&"100 ended refresh".to_owned()), "{timed:?}");
        app.shutdown("the test is over");
    })
    .await;
}

/// S6, E1: no deadline was near; the tasks of what is missing anyway are no reason to call a clean end unclean.
#[tokio::test(start_paused = true)]
async fn a_hung_task_of_an_optional_resource_that_failed_leaves_no_mark_on_the_exit_code() {
    let stage = Stage::new();
    stage.task::<Cache>("refresh", hangs());
    let app = start_with_cache(&stage, fails("no cache")).await;
    let report = live(app, async |app| {
        sleep(secs(3_600)).await;
        assert!(stage.log.has("dropped refresh"));
        app.shutdown("the test is over");
    })
    .await;
    assert_eq!(report.exit_code, 0, "{report}");
}

/// S6, S3: the limit of the whole start is one, too.
#[tokio::test(start_paused = true)]
async fn an_optional_resource_that_is_late_for_the_whole_start_is_left_behind() {
    scripted! {
        #[resource(optional)]
        struct Patient;
    }
    let stage = Stage::new();
    stage.acquire::<Patient>(hangs());
    let app = stage.start::<(Patient, Db)>().await;
    assert!(app.get::<Patient>().is_none());
    assert_eq!(stage.log.timed_lines().last().unwrap(), "60000 cancelled Patient");
    app.shutdown("the test is over");
    let report = app.run().await;
    assert!(report.to_string().contains("startup_timeout is 1 min 0 s"), "{report}");
    assert_eq!(report.exit_code, 0);
}

/// §3: edges that nobody has to remember.
#[tokio::test(start_paused = true)]
async fn foundations_are_acquired_first_and_released_last() {
    let stage = Stage::new();
    stage.acquire::<Telemetry>(takes(10)).acquire::<Settings>(takes(10));
    let report = stage
        .run::<(Http, Strict, Settings)>(async |app| {
            stage.log.assert_in_order(["acquired Telemetry", "acquiring Settings"]);
            stage.log.assert_in_order(["acquired Settings", "acquiring Db"]);
            stage.log.assert_in_order(["acquired Settings", "acquiring Strict"]);
            app.shutdown("the test is over");
        })
        .await;
    stage.log.assert_in_order(["released Db", "releasing Settings"]);
    stage.log.assert_in_order(["released Strict", "releasing Settings"]);
    stage.log.assert_in_order(["released Settings", "releasing Telemetry"]);
    assert!(report.resource("Telemetry").unwrap().foundation);
    assert!(report.is_clean());
}

/// §3.
#[tokio::test(start_paused = true)]
async fn nothing_is_acquired_when_a_foundation_fails() {
    let stage = Stage::new();
    stage.acquire::<Settings>(fails("no such file"));
    let report = stage.failed_start::<(Http, Settings)>().await;
    assert!(stage.log.has("released Telemetry"));
    assert!(!stage.log.has("acquiring Db"));
    assert_eq!(report.resource("Db").unwrap().outcome, Outcome::NeverStarted);
}

scripted! {
    #[resource(after = Db, skippable)]
    struct Mirror;
    #[resource(after = [Db, Mirror])]
    struct Reader;
}

/// Starts `Reader`, whose skippable `Mirror` does `act`.
fn with_mirror(stage: &Stage, act: Fault) {
    stage.acquire::<Mirror>(act).task::<Reader>("reading", takes(0));
    let log = stage.log.clone();
    stage.setup(move |cx: &Acquire<Reader>| {
        let mirror = if cx.get::<Mirror>().is_some() { "a" } else { "no" };
        log.add(format!("Reader has {mirror} mirror"));
    });
}

/// S6.
#[tokio::test(start_paused = true)]
async fn a_skippable_resource_may_be_switched_off() {
    let stage = Stage::new();
    with_mirror(&stage, skips().after(ms(10)));
    let app = stage.start::<Reader>().await;
    assert!(stage.log.has("Reader has no mirror"));
    assert!(app.get::<Mirror>().is_none());
    assert_eq!(app.phase(), Phase::Running);
    app.shutdown("the test is over");
    let report = app.run().await;
    assert!(report.is_clean());
    assert_eq!(report.resource("Mirror").unwrap().outcome, Outcome::Skipped);
    assert_eq!(capture::only("Mirror is switched off").level, "INFO");
}

/// S6.
#[tokio::test(start_paused = true)]
async fn a_skippable_resource_that_is_there_is_handed_to_its_dependents() {
    let stage = Stage::new();
    with_mirror(&stage, takes(10));
    let app = stage.start::<Reader>().await;
    assert!(stage.log.has("Reader has a mirror"));
    assert!(app.get::<Mirror>().is_some());
    app.shutdown("the test is over");
    assert!(app.run().await.is_clean());
    stage.log.assert_in_order(["released Mirror", "releasing Db"]);
}

/// S6: only `Skip` is tolerated.
async fn check_fatal(act: Fault, outcome: Outcome) {
    let stage = Stage::new();
    with_mirror(&stage, act);
    let report = stage.builder::<Reader>().startup_timeout(secs(5)).start().await.unwrap_err();
    assert_eq!(failures(&report), ["`Mirror` could not be acquired"]);
    assert!(!report.failures[0].is_tolerated());
    assert_eq!(report.resource("Mirror").unwrap().outcome, outcome);
    assert_eq!(report.resource("Reader").unwrap().outcome, Outcome::NeverStarted);
    assert_eq!(report.exit_code, 1);
    assert!(stage.log.has("released Db"));
}

/// S6.
#[tokio::test(start_paused = true)]
async fn a_skippable_resource_may_not_fail() {
    check_fatal(fails("no route to host").after(ms(10)), Outcome::Failed).await;
}

/// S6.
#[tokio::test(start_paused = true)]
async fn a_skippable_resource_may_not_panic() {
    check_fatal(panics("out of bounds"), Outcome::Panicked).await;
}

/// S6.
#[tokio::test(start_paused = true)]
async fn a_skippable_resource_may_not_take_too_long() {
    check_fatal(hangs(), Outcome::TimedOut).await;
}

/// S6, R1.
#[tokio::test(start_paused = true)]
async fn a_task_of_a_skippable_resource_may_not_fail() {
    let stage = Stage::new();
    stage.task::<Reader>("reading", takes(0));
    stage.setup(|cx: &Acquire<Mirror>| {
        cx.spawn("sync", async |_| {
            sleep(secs(1)).await;
            Err("lost connection")
        });
    });
    let report = stage.start::<Reader>().await.run().await;
    assert_eq!(failures(&report), ["task `sync` of `Mirror` failed"]);
    assert_eq!(report.reason, Reason::Failed);
    assert_eq!(report.exit_code, 1);
}

/// S6, S4: what a skipped acquisition had spawned stops at once.
#[tokio::test(start_paused = true)]
async fn tasks_of_a_skippable_resource_that_is_switched_off_stop_at_once() {
    let stage = Stage::new();
    with_mirror(&stage, skips());
    stage.task::<Mirror>("sync", takes(100));
    let _ = stage
        .run::<Reader>(async |app| {
            sleep(secs(1)).await;
            let timed = stage.log.timed_lines();
            assert!(timed.contains(&"100 ended sync".to_owned()), "{timed:?}");
            app.shutdown("the test is over");
        })
        .await;
}
