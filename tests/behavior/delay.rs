//! Rules D3 and D4: what happens at once, and the delay in which load balancers notice.

use lifecycle::{Acquire, Phase, Reason, Signal, resource};
use tokio::time::{Instant, sleep};

use crate::capture;
use crate::stage::{Stage, failures, live, ms, notes, scripted, secs, takes};

scripted! {
    #[resource]
    struct Db;
    #[resource(after = Db)]
    struct Http;
    #[resource(optional)]
    struct Cache;
}

/// D3.
#[tokio::test(start_paused = true)]
async fn the_phases_follow_one_another_and_none_is_left_out() {
    let stage = Stage::new();
    stage.acquire::<Db>(takes(10)).release::<Db>(takes(1_000));
    let app = stage.builder::<Http>().drain_delay(secs(2)).start().await.unwrap();
    let mut watch = app.watch_phase();
    let log = stage.log.clone();
    log.clear();
    let watcher = tokio::spawn(async move {
        log.add(watch.borrow_and_update().to_string());
        while watch.changed().await.is_ok() {
            let phase = *watch.borrow_and_update();
            log.add(phase.to_string());
            if phase == Phase::Stopped {
                break;
            }
        }
    });
    let report = live(app, async |app| {
        sleep(ms(90)).await;
        app.shutdown("the test is over");
        assert_eq!(app.phase(), Phase::Draining, "at once");
    })
    .await;
    watcher.await.unwrap();
    let phases: Vec<String> =
        stage.log.timed_lines().into_iter().filter(|line| !line.contains("releas")).collect();
    assert_eq!(phases, ["10 running", "100 draining", "2100 stopping", "3100 stopped"]);
    assert_eq!(
        report.phases,
        [
            (Phase::Starting, ms(0)),
            (Phase::Running, ms(10)),
            (Phase::Draining, ms(100)),
            (Phase::Stopping, ms(2_100)),
            (Phase::Stopped, ms(3_100)),
        ]
    );
}

/// D3: not an instant later than the trigger.
#[tokio::test(start_paused = true)]
async fn draining_is_fired_before_the_request_returns() {
    let stage = Stage::new();
    let app = stage.start::<Http>().await;
    let draining = app.draining();
    assert!(!draining.is_stopping());
    app.shutdown("the test is over");
    assert!(draining.is_stopping());
    let _report = app.run().await;
}

/// D4: until the delay is over everything goes on as before.
#[tokio::test(start_paused = true)]
async fn everything_keeps_running_during_the_delay() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| {
        let log = notes();
        let tasks = cx.tasks();
        cx.spawn("server", async move |stopping| {
            while stopping.run_until(sleep(secs(1))).await.is_some() {
                let log = log.clone();
                tasks.spawn(async move { log.add("served") });
            }
        });
    });
    let app = stage.builder::<Http>().drain_delay(ms(3_500)).start().await.unwrap();
    stage.log.clear();
    app.deliver(Signal::Terminate);
    let report = app.run().await;
    assert_eq!(
        stage.log.timed_lines()[..4],
        ["1000 served", "2000 served", "3000 served", "3500 releasing Http"]
    );
    assert!(report.is_clean());
}

/// D4: a resource that is asked for during the delay is there.
#[tokio::test(start_paused = true)]
async fn resources_are_there_during_the_delay() {
    let stage = Stage::new();
    let app = stage.builder::<Http>().drain_delay(secs(3)).start().await.unwrap();
    let report = live(app, async |app| {
        app.shutdown("the test is over");
        sleep(secs(2)).await;
        assert!(app.try_get::<Db>().is_some());
    })
    .await;
    assert!(report.is_clean());
}

/// D4.
#[tokio::test(start_paused = true)]
async fn the_delay_is_skipped_when_nothing_is_left_to_live_for() {
    let stage = Stage::new();
    let report = stage.builder::<Http>().drain_delay(secs(5)).run(async |_| {}).await;
    assert_eq!(report.reason, Reason::Finished);
    assert_eq!(report.stop_took, Some(ms(0)));
}

/// D4.
#[tokio::test(start_paused = true)]
async fn a_failure_during_the_delay_ends_it() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| {
        let draining = cx.draining();
        cx.spawn("server", async move |_| {
            draining.await;
            sleep(secs(1)).await;
            Err("connection table corrupt")
        });
    });
    let app = stage.builder::<Http>().drain_delay(secs(5)).start().await.unwrap();
    app.deliver(Signal::Terminate);
    let report = app.run().await;
    assert_eq!(report.stop_took, Some(secs(1)));
    assert_eq!(report.reason, Reason::Signal(Signal::Terminate));
    assert_eq!(report.exit_code, 1);
}

/// D4, S6: what the application goes on without is no reason to hurry.
#[tokio::test(start_paused = true)]
async fn a_tolerated_failure_during_the_delay_does_not_end_it() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(0)).setup(|cx: &Acquire<Cache>| {
        let draining = cx.draining();
        cx.spawn("refresh", async move |_| {
            draining.await;
            Err("lost connection")
        });
    });
    let app = stage.builder::<(Http, Cache)>().drain_delay(secs(5)).start().await.unwrap();
    app.deliver(Signal::Terminate);
    let report = app.run().await;
    assert_eq!(report.stop_took, Some(secs(5)));
    assert_eq!(report.exit_code, 0);
}

/// D4: any signal, and a request. For a failure, see below.
#[tokio::test(start_paused = true)]
async fn the_delay_applies_to_whatever_ends_a_running_application() {
    for signal in [Signal::Terminate, Signal::Interrupt, Signal::Quit, Signal::Hangup] {
        let stage = Stage::new();
        let app = stage.builder::<Http>().drain_delay(secs(5)).start().await.unwrap();
        app.deliver(signal);
        assert_eq!(app.run().await.stop_took, Some(secs(5)), "{signal}");
    }
    let stage = Stage::new();
    let app = stage.builder::<Http>().drain_delay(secs(5)).start().await.unwrap();
    app.shutdown("deployment");
    assert_eq!(app.run().await.stop_took, Some(secs(5)));
}

/// D4: the delay does not eat what others need, and this is said.
#[tokio::test(start_paused = true)]
async fn the_delay_is_capped_at_half_of_what_the_reserves_leave() {
    let stage = Stage::new();
    let app = stage.builder::<Db>().drain_delay(secs(24)).start().await.unwrap();
    app.deliver(Signal::Terminate);
    let report = app.run().await;
    // Of 25 s, `main` and Db have 1 s each set aside.
    assert_eq!(report.stop_took, Some(ms(11_500)));
    let line = capture::only("drain_delay");
    assert_eq!(line.level, "WARN");
    assert_eq!(
        line.message,
        "drain_delay is 24.0 s, but shutdown_timeout leaves room for only 11.5 s: the delay is shortened to that"
    );
}

/// D4, D2.
#[tokio::test(start_paused = true)]
async fn a_request_during_the_delay_changes_nothing() {
    let stage = Stage::new();
    stage.at(1_000, |app| app.shutdown("now"));
    let app = stage.builder::<Http>().drain_delay(secs(5)).start().await.unwrap();
    let began = Instant::now();
    app.deliver(Signal::Terminate);
    let report = app.run().await;
    assert_eq!(began.elapsed(), secs(5));
    assert_eq!(report.reason, Reason::Signal(Signal::Terminate));
}

/// D4: a failure that begins the shutdown of a running application is a trigger like any other: the others are served for
/// the delay, and the log says so.
#[tokio::test(start_paused = true)]
async fn a_failure_that_begins_the_shutdown_has_the_delay() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| {
        cx.spawn("server", async |_| {
            sleep(secs(1)).await;
            Err("connection table corrupt")
        });
    });
    let app = stage.builder::<Http>().drain_delay(secs(5)).start().await.unwrap();
    let report = app.run().await;
    assert_eq!(report.reason, Reason::Failed);
    assert_eq!(report.stop_took, Some(secs(5)));
    assert_eq!(report.exit_code, 1);
    assert_eq!(
        capture::only("draining:").message,
        "draining: something failed; serving for another 5.0 s, then stopping; 25.0 s at most in all (shutdown_timeout)",
        "as it came to be"
    );
}

/// D4: the second failure is one during the delay, and ends it.
#[tokio::test(start_paused = true)]
async fn a_second_failure_ends_the_delay_that_the_first_began() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| {
        for (name, seconds) in [("server", 1), ("metrics", 3)] {
            cx.spawn(name, async move |_| {
                sleep(secs(seconds)).await;
                Err("connection table corrupt")
            });
        }
    });
    let app = stage.builder::<Http>().drain_delay(secs(5)).start().await.unwrap();
    let report = app.run().await;
    assert_eq!(failures(&report), ["task `server` of `Http` failed", "task `metrics` of `Http` failed"]);
    assert_eq!(report.stop_took, Some(secs(2)));
}
