//! What other systems fail at under their users' hands, and this one must not. Each test has the name of the failure.

use lifecycle::{Acquire, Outcome, Reason, Signal, resource};
use tokio::time::{Instant, sleep};

use crate::capture;
use crate::stage::{Stage, fails, failures, hangs, ms, panics, scripted, secs, takes};

scripted! {
    #[resource(reserve = "100ms")]
    struct Db;
    #[resource(after = Db, reserve = "100ms")]
    struct Queue;
    #[resource(after = Queue, reserve = "100ms")]
    struct Service;

    #[resource]
    struct C1;
    #[resource(after = C1)]
    struct C2;
    #[resource(after = C2)]
    struct C3;
    #[resource(after = C3)]
    struct C4;
    #[resource(after = C4)]
    struct C5;
}

/// uber-go/fx: one hook eats the shared 15 s, and the next hooks are never called.
#[tokio::test(start_paused = true)]
async fn one_hook_that_eats_the_time_does_not_keep_the_others_from_being_called() {
    let stage = Stage::new();
    stage.release::<Service>(hangs());
    let report = stage.stop::<Service>().await;
    assert!(stage.log.has("released Queue"));
    assert!(stage.log.has("released Db"));
    assert_eq!(report.resource("Service").unwrap().outcome, Outcome::TimedOut);
}

/// uber-go/fx: the errors collected so far are discarded at the time-out.
#[tokio::test(start_paused = true)]
async fn a_time_out_does_not_discard_the_errors_before_it() {
    let stage = Stage::new();
    stage.release::<Service>(fails("disk full")).release::<Queue>(hangs());
    let report = stage.stop::<Service>().await;
    assert_eq!(failures(&report), ["`Service` could not be released", "`Queue` could not be released"]);
}

/// uber-go/fx: a signal during the start kills the process, and nothing is rolled back.
#[tokio::test(start_paused = true)]
async fn a_signal_during_the_start_does_not_leak_what_was_acquired() {
    let stage = Stage::new();
    stage.acquire::<Service>(hangs());
    stage.setup(|cx: &Acquire<Service>| cx.app().deliver(Signal::Terminate));
    let _ = stage.failed_start::<Service>().await;
    stage.log.assert_in_order(["cancelled Service", "releasing Queue"]);
    stage.log.assert_in_order(["released Queue", "releasing Db"]);
    assert!(stage.log.has("released Db"));
}

/// samber/do: 500 ms of time, a service of 1.2 s above a database: it overruns, and the database is never closed.
#[tokio::test(start_paused = true)]
async fn a_service_that_overruns_does_not_cost_the_database_its_shutdown() {
    let stage = Stage::new();
    stage.release::<Service>(takes(1_200)).release::<Db>(takes(10));
    let app = stage.builder::<Service>().shutdown_timeout(ms(500)).start().await.unwrap();
    let began = Instant::now();
    app.shutdown("the test is over");
    let report = app.run().await;
    assert!(began.elapsed() <= ms(500), "{report}");
    assert!(stage.log.has("cut Service"));
    assert!(stage.log.has("released Db"));
}

/// tosub exits 143 after a clean SIGTERM; others exit 0 after a clean-up that was abandoned.
#[tokio::test(start_paused = true)]
async fn a_clean_stop_exits_0_and_an_unclean_one_does_not() {
    let stage = Stage::new();
    let app = stage.start::<Service>().await;
    app.deliver(Signal::Terminate);
    assert_eq!(app.run().await.exit_code, 0);
    stage.release::<Db>(hangs());
    let app = stage.start::<Service>().await;
    app.deliver(Signal::Terminate);
    assert_eq!(app.run().await.exit_code, 124);
}

/// comprehensive: an error or a panic in one resource, and every other's clean-up is skipped.
#[tokio::test(start_paused = true)]
async fn trouble_in_one_resource_does_not_skip_the_clean_up_of_the_others() {
    for trouble in [fails("disk full"), panics("bug")] {
        let stage = Stage::new();
        stage.task::<Queue>("consumer", trouble.clone()).release::<Service>(trouble);
        let _ = stage.stop::<Service>().await;
        assert!(stage.log.has("released Queue"));
        assert!(stage.log.has("released Db"));
    }
}

/// actix-web: SIGINT after SIGTERM is ignored until the time-out.
#[tokio::test(start_paused = true)]
async fn a_sigint_after_a_sigterm_is_not_ignored() {
    let stage = Stage::new();
    stage.task::<Service>("server", takes(20_000));
    let report = stage
        .run::<Service>(async |app| {
            app.deliver(Signal::Terminate);
            sleep(secs(1)).await;
            app.deliver(Signal::Interrupt);
        })
        .await;
    assert_eq!(report.stop_took, Some(secs(1)));
}

/// Go's `Shutdown` polls, Node's server notices after 6 s: the stop ends with the last response.
#[tokio::test(start_paused = true)]
async fn the_stop_ends_the_moment_the_last_response_does() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Service>| cx.tasks().spawn(sleep(ms(201))));
    let report = stage.stop::<Service>().await;
    assert_eq!(report.stop_took, Some(ms(201)));
}

/// hyper, axum, tonic: one stream without end, and the drain has none either.
#[tokio::test(start_paused = true)]
async fn a_stream_without_end_does_not_keep_the_drain_from_ending() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Service>| {
        cx.tasks().spawn(async {
            loop {
                sleep(ms(10)).await;
            }
        });
    });
    let report = stage.stop::<Service>().await;
    assert_eq!(report.stop_took, Some(ms(24_750)), "half a reserve before the cut-off at 24.8 s");
    assert_eq!(report.resource("Service").unwrap().cut, 1);
    assert!(stage.log.has("released Db"));
}

/// torrust, .NET, rocketmq: the limits of the components are added up, and the platform kills half-way.
#[tokio::test(start_paused = true)]
async fn limits_do_not_add_up() {
    let stage = Stage::new();
    stage.release::<C1>(hangs()).release::<C2>(hangs()).release::<C3>(hangs());
    stage.release::<C4>(hangs()).release::<C5>(hangs());
    let app = stage.builder::<C5>().shutdown_timeout(secs(10)).start().await.unwrap();
    app.deliver(Signal::Terminate);
    let report = app.run().await;
    // 1 s for each of the five and for `main` do not fit half of 10 s: each has 5/6 s, of which a tenth is for `abort`.
    // The last is cut 83.3 ms before the deadline; timers count whole milliseconds.
    assert_eq!(report.stop_took, Some(ms(9_917)));
    assert_eq!(report.failures.len(), 5, "each had its turn");
}

/// sqlx, opentelemetry: closing the resource itself hangs.
#[tokio::test(start_paused = true)]
async fn a_close_that_hangs_is_named_and_does_not_hang_the_end() {
    let stage = Stage::new();
    stage.release::<Db>(hangs());
    let report = stage.stop::<Service>().await;
    assert_eq!(report.stop_took, Some(ms(24_990)), "a tenth of its reserve of 100 ms is for `abort`");
    let text = report.to_string();
    assert!(
        text.contains(
            "failed: `Db` could not be released: cut off after 25.0 s, when its share of the deadline was used up"
        ),
        "{text}"
    );
}

/// tokio-graceful-shutdown, nest, abscissa: the database is closed under its users.
#[tokio::test(start_paused = true)]
async fn the_database_is_not_closed_under_its_users() {
    let stage = Stage::new();
    stage.task::<Service>("server", takes(500)).task::<Queue>("consumer", takes(500));
    let _ = stage.stop::<Service>().await;
    stage.log.assert_in_order(["ended server", "stopping consumer"]);
    stage.log.assert_in_order(["ended consumer", "releasing Db"]);
}

/// influxdb_iox, vector: the process exits 0 after a failure.
#[tokio::test(start_paused = true)]
async fn a_failed_task_is_noticed_and_does_not_exit_0() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Queue>| {
        cx.background("compactor", async {
            sleep(secs(1)).await;
            Err("out of memory")
        });
    });
    let report = stage.start::<Service>().await.run().await;
    assert_eq!(report.reason, Reason::Failed);
    assert_eq!(report.exit_code, 1);
}

/// torrust, zksync: nobody says what the process is waiting for.
#[tokio::test(start_paused = true)]
async fn whoever_looks_at_the_log_sees_what_is_waited_for() {
    let stage = Stage::new();
    stage.task::<Queue>("consumer", takes(6_000));
    let _ = stage.stop::<Service>().await;
    assert_eq!(
        capture::only("still stopping").message,
        "still stopping: waiting for Queue (1 in flight: consumer) for 5.0 s; 20.0 s left"
    );
}

/// uvicorn: a parent and a terminal deliver the same Ctrl-C, and the stop becomes unclean.
#[tokio::test(start_paused = true)]
async fn a_ctrl_c_that_arrives_twice_is_one() {
    let stage = Stage::new();
    stage.task::<Service>("server", takes(300));
    stage.at(5, |app| app.deliver(Signal::Interrupt));
    let app = stage.start::<Service>().await;
    app.deliver(Signal::Interrupt);
    let report = app.run().await;
    assert!(stage.log.has("ended server"));
    assert_eq!(report.exit_code, 0);
}
