//! Rules R3 and R4: who is told when, and who may ask.

use std::pin::pin;
use std::time::Duration;

use lifecycle::{Acquire, Reason, Release, Resource, Result, Signal, Stopping, resource};
use tokio::time::{Instant, sleep};

use crate::stage::{Notes, Stage, fails, failures, ms, notes, scripted, secs, takes};

scripted! {
    #[resource]
    struct Db;
    #[resource(after = Db)]
    struct Http;
}

/// `Http` has a task that makes of its notice what `task` does, and logs "told" when it is done.
async fn check<Fut>(task: impl Fn(Stopping) -> Fut + Copy + Send + 'static)
where
    Fut: Future<Output = ()> + Send + 'static,
{
    let stage = Stage::new();
    stage.setup(move |cx: &Acquire<Http>| {
        let log = notes();
        cx.spawn("server", move |stopping| {
            let task = task(stopping);
            async move {
                task.await;
                log.add("told");
            }
        });
    });
    let report = stage
        .run::<Http>(async |app| {
            stage.log.clear();
            sleep(secs(10)).await;
            app.shutdown("the test is over");
        })
        .await;
    assert_eq!(stage.log.timed_lines()[..2], ["10000 told", "10000 releasing Http"]);
    assert!(report.is_clean());
}

/// R3.
#[tokio::test(start_paused = true)]
async fn a_notice_can_be_awaited() {
    check(|stopping| stopping).await;
}

/// R3.
#[tokio::test(start_paused = true)]
async fn a_notice_can_be_handed_to_what_takes_a_shutdown_future() {
    async fn serve_with_graceful_shutdown(shutdown: impl Future<Output = ()> + Send + 'static) {
        shutdown.await;
    }
    check(serve_with_graceful_shutdown).await;
}

/// R3.
#[tokio::test(start_paused = true)]
async fn a_notice_can_be_selected_on_again_and_again() {
    check(|mut stopping| async move {
        let mut ticks = tokio::time::interval(ms(70));
        loop {
            tokio::select! {
                () = &mut stopping => break,
                _ = ticks.tick() => {}
            }
        }
        (&mut stopping).await;
        stopping.await;
    })
    .await;
}

/// R3.
#[tokio::test(start_paused = true)]
async fn a_clone_of_a_notice_is_told_too_however_late_it_is_made() {
    check(|stopping| async move {
        stopping.clone().await;
        let mut late = pin!(stopping.clone());
        late.as_mut().await;
        assert!(stopping.is_stopping());
    })
    .await;
}

/// R3.
#[tokio::test(start_paused = true)]
async fn a_notice_bounds_work() {
    check(|stopping| async move {
        assert!(!stopping.is_stopping());
        assert_eq!(stopping.run_until(async { 7 }).await, Some(7));
        assert_eq!(stopping.run_until(sleep(secs(1_000))).await, None);
    })
    .await;
}

/// R3: the context gives the same notice as a task is handed.
#[tokio::test(start_paused = true)]
async fn the_context_gives_the_notice_of_its_resource() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(1_000)).setup(|cx: &Acquire<Db>| {
        let (log, stopping) = (notes(), cx.stopping());
        cx.spawn("pool", async move |_| {
            stopping.await;
            log.add("Db was told");
        });
    });
    let _ = stage.stop::<Http>().await;
    stage.log.assert_in_order(["released Http", "Db was told"]);
    stage.log.assert_in_order(["Db was told", "releasing Db"]);
}

/// R3, D3: `draining` is the earlier notice, the same for all.
#[tokio::test(start_paused = true)]
async fn draining_comes_at_once_and_stopping_at_the_turn() {
    let stage = Stage::new();
    stage.task::<Http>("server", takes(100)).setup(|cx: &Acquire<Db>| {
        let log = notes();
        let draining = cx.draining();
        cx.spawn("pool", async move |stopping| {
            draining.await;
            assert!(!stopping.is_stopping());
            log.add("Db drains");
            stopping.await;
            log.add("Db stops");
        });
    });
    let app = stage.builder::<Http>().drain_delay(secs(3)).start().await.unwrap();
    stage.log.clear();
    app.shutdown("the test is over");
    let _report = app.run().await;
    assert_eq!(
        stage.log.timed_lines()[..6],
        [
            "0 Db drains",
            "3000 stopping server",
            "3100 ended server",
            "3100 releasing Http",
            "3100 released Http",
            "3100 Db stops",
        ]
    );
}

/// Says in its release what it is told.
#[resource]
struct Told(Notes);

impl Resource for Told {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self(notes()))
    }

    async fn release(&self, cx: &Release) -> Result {
        self.0.add(cx.reason().to_string());
        Ok(())
    }
}

/// R4.
#[tokio::test(start_paused = true)]
async fn the_reason_of_a_request_reaches_the_releases_and_the_report() {
    let stage = Stage::new();
    let app = stage.start::<Told>().await;
    app.shutdown("the licence has run out");
    let report = app.run().await;
    assert_eq!(stage.log.lines(), ["shutdown requested: the licence has run out"]);
    assert_eq!(report.reason, Reason::Requested("the licence has run out".to_owned()));
    assert!(report.to_string().contains("the licence has run out"), "{report}");
    assert_eq!(report.exit_code, 0);
}

/// D1.
#[tokio::test(start_paused = true)]
async fn every_signal_ends_the_application_cleanly_and_is_the_reason() {
    for (signal, reason) in [
        (Signal::Terminate, "SIGTERM received"),
        (Signal::Interrupt, "SIGINT received"),
        (Signal::Quit, "SIGQUIT received"),
        (Signal::Hangup, "SIGHUP received"),
    ] {
        let stage = Stage::new();
        let report = stage
            .run::<Told>(async |app| {
                sleep(ms(1)).await;
                app.deliver(signal);
            })
            .await;
        assert_eq!(stage.log.lines(), [reason]);
        assert_eq!(report.reason, Reason::Signal(signal));
        assert_eq!(report.exit_code, 0);
    }
}

/// R4: the first reason counts.
#[tokio::test(start_paused = true)]
async fn a_second_request_changes_nothing() {
    let stage = Stage::new();
    let app = stage.start::<Told>().await;
    app.shutdown("first");
    app.shutdown("second");
    app.deliver(Signal::Terminate);
    let report = app.run().await;
    assert_eq!(report.reason, Reason::Requested("first".to_owned()));
}

/// R4: a failure that follows is told, and the reason remains what began it.
#[tokio::test(start_paused = true)]
async fn a_failure_after_the_request_is_not_the_reason() {
    let stage = Stage::new();
    stage.release::<Db>(fails("disk full"));
    let app = stage.start::<Db>().await;
    app.shutdown("first");
    let report = app.run().await;
    assert_eq!(report.reason, Reason::Requested("first".to_owned()));
    assert_eq!(failures(&report), ["`Db` could not be released"]);
    assert_eq!(report.exit_code, 1);
}

/// R4: a resource's task may ask, long after the acquisition.
#[tokio::test(start_paused = true)]
async fn a_task_may_ask_for_shutdown() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| {
        let app = cx.app();
        cx.spawn("monitor", async move |stopping| {
            sleep(secs(60)).await;
            app.shutdown("memory is short");
            stopping.await;
        });
    });
    let report = stage.start::<Http>().await.run().await;
    assert_eq!(report.reason, Reason::Requested("memory is short".to_owned()));
    assert!(report.is_clean());
}

/// R4: in the acquisition itself, too.
#[tokio::test(start_paused = true)]
async fn an_acquisition_may_ask_for_shutdown() {
    let stage = Stage::new();
    stage.setup(|cx: &Acquire<Http>| cx.shutdown("nothing to serve"));
    let report = stage.failed_start::<Http>().await;
    assert_eq!(report.reason, Reason::Requested("nothing to serve".to_owned()));
    assert!(stage.log.has("released Db"));
    assert_eq!(report.exit_code, 0);
}

/// D1: an idle application stops in no time (PEERS: actix-web takes 300 ms, uvicorn 120).
#[tokio::test(start_paused = true)]
async fn an_idle_application_stops_in_no_time() {
    let stage = Stage::new();
    let app = stage.start::<Http>().await;
    let began = Instant::now();
    app.deliver(Signal::Terminate);
    let report = app.run().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(report.stop_took, Some(Duration::ZERO));
}
