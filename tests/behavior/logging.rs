//! Rules S3, D11 and E2: what an operator reads while it happens.

use std::future::pending;

use lifecycle::{Acquire, Outcome, Signal, resource};
use tokio::time::sleep;

use crate::capture::{lines, messages_with, only};
use crate::stage::{Stage, fails, hangs, live, ms, scripted, secs, takes};

scripted! {
    #[resource]
    struct Db;
    #[resource(after = Db)]
    struct Jobs;
    #[resource(after = [Db, Jobs])]
    struct Http;
    #[resource]
    struct Cache;
}

/// E2: the whole life of a small application.
#[tokio::test(start_paused = true)]
async fn a_clean_life() {
    let stage = Stage::new();
    stage.acquire::<Db>(takes(120)).release::<Db>(takes(8));
    stage.task::<Http>("server", takes(1_500));
    let report = live(stage.start::<Http>().await, async |app| {
        sleep(secs(60)).await;
        app.deliver(Signal::Terminate);
    })
    .await;
    let mut told: Vec<String> =
        lines().into_iter().filter(|line| line.level == "INFO").map(|line| line.message).collect();
    // The other tests' resources are linked and left out.
    let end = told[0].find("; ").unwrap();
    told[0].truncate(end);
    assert_eq!(
        told,
        [
            "starting 3 resources: Db, Jobs (after Db), Http (after Db, Jobs)",
            "acquiring Db",
            "acquired Db in 120 ms",
            "acquiring Jobs",
            "acquired Jobs in 0 ms",
            "acquiring Http",
            "acquired Http in 0 ms",
            "running: everything was acquired in 120 ms",
            "stopping: SIGTERM received; 25.0 s at most (shutdown_timeout)",
            "stopping Http: waiting for server",
            "drained Http in 1.5 s",
            "releasing Http",
            "released Http in 0 ms",
            "releasing Jobs",
            "released Jobs in 0 ms",
            "releasing Db",
            "released Db in 8.0 ms",
            report.to_string().trim_end(),
        ]
    );
}

/// S3.
#[tokio::test(start_paused = true)]
async fn every_5_s_of_the_start_say_what_is_acquired_and_what_waits_for_it() {
    let stage = Stage::new();
    stage.acquire::<Db>(takes(12_000)).acquire::<Cache>(takes(7_000)).acquire::<Jobs>(takes(5_000));
    let _app = stage.start::<(Http, Cache)>().await;
    assert_eq!(
        messages_with("still starting"),
        [
            "still starting: acquiring Db for 5.0 s (Jobs, Http wait for it), Cache for 5.0 s; \
             55.0 s until startup_timeout",
            "still starting: acquiring Db for 10.0 s (Jobs, Http wait for it); 50.0 s until startup_timeout",
            "still starting: acquiring Jobs for 3.0 s (Http waits for it); 45.0 s until startup_timeout",
        ]
    );
}

/// S3: without a limit there is no time left to tell.
#[tokio::test(start_paused = true)]
async fn progress_of_a_start_without_a_limit() {
    let stage = Stage::new();
    stage.acquire::<Cache>(takes(6_000));
    let _app = stage.builder::<Cache>().startup_timeout(None).start().await.unwrap();
    assert_eq!(only("still starting").message, "still starting: acquiring Cache for 5.0 s");
}

/// S3.
#[tokio::test(start_paused = true)]
async fn a_quick_start_tells_no_progress() {
    let stage = Stage::new();
    stage.acquire::<Cache>(takes(4_999));
    let _app = stage.start::<Cache>().await;
    assert_eq!(messages_with("still").len(), 0);
}

/// D11.
#[tokio::test(start_paused = true)]
async fn every_5_s_of_the_stop_say_what_is_waited_for_and_how_much_time_is_left() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(6_000)).task::<Http>("metrics", takes(0)).release::<Db>(takes(6_000));
    let _ = stage.stop::<Http>().await;
    assert_eq!(
        messages_with("still stopping"),
        [
            "still stopping: waiting for Http (1 in flight: server) for 5.0 s; 20.0 s left",
            "still stopping: waiting for Db (its release) for 4.0 s; 15.0 s left",
        ]
    );
}

/// D11: units in flight have no names, but a number.
#[tokio::test(start_paused = true)]
async fn progress_of_the_stop_says_how_many_are_in_flight() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| {
        for seconds in [1, 7, 8, 9] {
            cx.tasks().spawn(sleep(secs(seconds)));
        }
    });
    let _ = stage.stop::<Http>().await;
    assert_eq!(
        only("still stopping").message,
        "still stopping: waiting for Http (3 in flight) for 5.0 s; 20.0 s left"
    );
}

/// D11, D4.
#[tokio::test(start_paused = true)]
async fn progress_of_the_delay() {
    let stage = Stage::new();
    let app = stage.builder::<Cache>().drain_delay(secs(7)).start().await.unwrap();
    app.deliver(Signal::Terminate);
    let _ = app.run().await;
    assert_eq!(
        only("draining:").message,
        "draining: SIGTERM received; serving for another 7.0 s, then stopping; 25.0 s at most in all (shutdown_timeout)"
    );
    assert_eq!(only("still stopping").message, "still stopping: waiting for the drain delay; 20.0 s left");
}

/// D6: what is cut is said when it happens, with names.
#[tokio::test(start_paused = true)]
async fn a_task_that_is_aborted_is_named() {
    let stage = Stage::new();
    stage.task::<Http>("server", hangs());
    let _ = stage.stop::<Http>().await;
    let line = only("did not drain");
    assert_eq!(line.level, "WARN");
    assert_eq!(line.message, "Http did not drain within 22.5 s: aborting server; 1 in flight");
}

/// S4: a failure is said when it happens, not only at the end.
#[tokio::test(start_paused = true)]
async fn a_failure_is_told_at_once_with_its_cause() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| {
        cx.spawn("accept", async |_| {
            sleep(ms(100)).await;
            Err("too many open files")
        });
    });
    let app = stage.start::<Http>().await;
    sleep(ms(200)).await;
    assert_eq!(only("accept").message, "task `accept` of `Http` failed: too many open files");
    sleep(ms(100)).await;
    let line = only("task `accept` of `Http` failed: too");
    assert_eq!(line.level, "ERROR");
    let _ = app.run().await;
}

/// E2: the report is the last thing that is said while the log is there, at a level that fits it.
#[tokio::test(start_paused = true)]
async fn the_report_is_logged_once_at_a_level_that_fits() {
    for (act, level) in [(takes(0), "INFO"), (fails("disk full"), "WARN")] {
        let stage = Stage::new();
        stage.release::<Db>(act);
        let report = stage.stop::<Http>().await;
        let line = only("stopped in");
        assert_eq!(line.level, level);
        assert_eq!(line.message, report.to_string().trim_end(), "one block, without an empty line after it");
    }
}

/// §3: the log may be a foundation.
mod foundation {
    use super::*;

    scripted! {
        #[resource(foundation)]
        struct Logging;
        #[resource(foundation)]
        struct Config;
        #[resource]
        struct Db;
    }

    /// Notes at each of these times how many lines contain `part`.
    fn count(stage: &Stage, part: &'static str, times: &'static [u64]) {
        for &millis in times {
            let log = stage.log.clone();
            stage.at(millis, move |_| log.add(format!("{} lines with {part:?}", messages_with(part).len())));
        }
    }

    /// E2: where a subscriber is there from the start, nothing waits for the foundations.
    #[tokio::test(start_paused = true)]
    async fn with_a_subscriber_from_the_start_nothing_that_is_said_waits_for_the_foundations() {
        let stage = Stage::new();
        stage.acquire::<Logging>(takes(100)).acquire::<Db>(takes(100));
        count(&stage, "starting", &[50, 150]);
        let _app = stage.start::<(Db, Logging)>().await;
        let counted: Vec<String> =
            stage.log.timed_lines().into_iter().filter(|line| line.contains("lines with")).collect();
        assert_eq!(counted, ["50 1 lines with \"starting\"", "150 1 lines with \"starting\""]);
        let told: Vec<String> = messages_with("cquir");
        assert_eq!(
            told,
            [
                "acquiring Logging",
                "acquired Logging in 100 ms",
                "acquiring Db",
                "acquired Db in 100 ms",
                "running: everything was acquired in 200 ms",
            ]
        );
    }

    /// E2, S3: of a configuration that hangs, an operator reads while it does.
    #[tokio::test(start_paused = true)]
    async fn what_a_foundation_is_doing_is_said_while_it_does_it() {
        let stage = Stage::new();
        stage.acquire::<Config>(takes(12_000));
        count(&stage, "acquiring Config", &[100, 5_100, 10_100, 12_100]);
        let _app = stage.start::<(Db, Logging, Config)>().await;
        sleep(secs(1)).await;
        let counted: Vec<String> =
            stage.log.timed_lines().into_iter().filter(|line| line.contains("lines with")).collect();
        assert_eq!(
            counted,
            [
                "100 1 lines with \"acquiring Config\"",
                "5100 2 lines with \"acquiring Config\"",
                "10100 3 lines with \"acquiring Config\"",
                "12100 3 lines with \"acquiring Config\"",
            ]
        );
    }

    /// E2: and the report comes while it still is.
    #[tokio::test(start_paused = true)]
    async fn the_report_is_said_before_the_foundations_are_released() {
        let stage = Stage::new();
        stage.release::<Logging>(takes(100));
        let report = stage
            .run::<(Db, Logging)>(async |app| {
                app.shutdown("the test is over");
                sleep(ms(50)).await;
                assert!(stage.log.has("releasing Logging"));
                assert_eq!(messages_with("stopped in").len(), 1);
            })
            .await;
        assert_eq!(report.stop_took, Some(ms(100)));
    }

    /// E2: so that it cannot know yet how the foundations will end. The value that `run` gives does.
    #[tokio::test(start_paused = true)]
    async fn foundations_are_still_held_in_the_report_that_is_logged() {
        let stage = Stage::new();
        stage.acquire::<Logging>(takes(100)).release::<Logging>(takes(100)).release::<Db>(takes(20));
        let report = stage.stop::<(Db, Logging)>().await;
        assert_eq!(
            only("stopped in").message,
            "\
stopped in 20 ms of 25.0 s: shutdown requested: the test is over; exit code 0
  resource  outcome        acquire   drain     release   in flight
  Logging   still held     100 ms    0 ms      -         0
  Db        clean          0 ms      0 ms      20 ms     0
  started along: Logging → Db
  longest drain: Db, 0 ms of 25.0 s",
        );
        assert_eq!(report.stop_path, ["Db", "Logging"], "in the log, it had got no further than Db");
        assert_eq!(report.resource("Logging").unwrap().outcome, Outcome::Clean);
        assert_eq!(report.resource("Logging").unwrap().release, Some(ms(100)));
    }

    /// E2, S4: the same when the start has failed.
    #[tokio::test(start_paused = true)]
    async fn foundations_are_still_held_in_the_report_of_a_failed_start_that_is_logged() {
        let stage = Stage::new();
        stage.acquire::<Db>(fails("no database")).release::<Logging>(takes(100));
        let report = stage.failed_start::<(Db, Logging)>().await;
        let told = only("did not start").message;
        assert!(told.contains("  rolled back:   Logging (still held)\n"), "{told}");
        let text = report.to_string();
        assert!(text.contains("  rolled back:   Logging (released in 100 ms)\n"), "{text}");
    }
}

/// R2: what is not awaited is not said to be stuck.
#[tokio::test(start_paused = true)]
async fn a_background_task_is_not_waited_for() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| cx.background("refresh", pending::<()>()));
    let _ = stage.stop::<Http>().await;
    assert_eq!(messages_with("aborting").len(), 0);
}
