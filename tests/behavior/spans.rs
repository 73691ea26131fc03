//! Spans for tracing: of the start and the stop, and in them of each acquisition, turn and release.

use std::time::Duration;

use lifecycle::{Acquire, App, Release, Resource, Result, resource};
use tokio::task::yield_now;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, info};

use crate::capture::{self, spans};
use crate::stage::{Stage, fails, hangs, panics, scripted, skips, takes};

scripted! {
    #[resource]
    struct Db;
    #[resource(after = Db)]
    struct Http;
    #[resource(foundation)]
    struct Telemetry;
    #[resource(skippable)]
    struct Cache;
}

/// Of a resource, from [`spans`].
fn of(resource: &str) -> Vec<String> {
    let name = format!("resource={resource}");
    spans().into_iter().filter(|line| line.contains(&name)).collect()
}

#[tokio::test(start_paused = true)]
async fn each_acquisition_turn_and_release_has_a_span_in_that_of_the_start_or_of_the_stop() {
    let stage = Stage::new();
    let _ = stage.stop::<Http>().await;
    assert_eq!(
        spans(),
        [
            "start begins",
            "start/acquire resource=Db begins",
            "start/acquire resource=Db ends outcome=clean",
            "start/acquire resource=Http begins",
            "start/acquire resource=Http ends outcome=clean",
            "start ends outcome=running",
            "stop begins",
            "stop/turn resource=Http begins",
            "stop/release resource=Http begins",
            "stop/release resource=Http ends outcome=clean",
            "stop/turn resource=Http ends outcome=clean",
            "stop/turn resource=Db begins",
            "stop/release resource=Db begins",
            "stop/release resource=Db ends outcome=clean",
            "stop/turn resource=Db ends outcome=clean",
            "stop ends reason=shutdown requested: the test is over exit_code=0",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_span_says_how_it_ended() {
    let stage = Stage::new();
    stage.acquire::<Cache>(skips()).release::<Db>(panics("no disk")).release::<Http>(hangs());
    let report = stage.stop::<(Http, Cache)>().await;
    assert_eq!(report.exit_code, 124);
    let ends = |resource: &str| -> Vec<String> {
        of(resource).iter().filter_map(|line| Some(line.split_once(" ends ")?.1.to_owned())).collect()
    };
    assert_eq!(ends("Cache"), ["outcome=skipped", "outcome=skipped"], "its acquisition and its turn");
    assert_eq!(ends("Http"), ["outcome=clean", "outcome=timed out", "outcome=timed out"]);
    assert_eq!(ends("Db"), ["outcome=clean", "outcome=panicked", "outcome=panicked"]);
    assert!(spans().iter().any(|line| line.ends_with(" exit_code=124")), "{:?}", spans());
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_says_so_and_what_was_acquired_is_released_in_a_stop() {
    let stage = Stage::new();
    stage.acquire::<Http>(fails("the port is taken"));
    let _ = stage.failed_start::<Http>().await;
    let spans = spans();
    assert!(spans.contains(&"start/acquire resource=Http ends outcome=failed".to_owned()), "{spans:#?}");
    assert!(spans.contains(&"start ends outcome=stopped".to_owned()), "{spans:#?}");
    assert!(spans.contains(&"stop/release resource=Db begins".to_owned()), "{spans:#?}");
    assert_eq!(spans.last().unwrap(), "stop ends reason=something failed exit_code=1");
}

/// The exporter may be one: what is to be exported has ended before it is released.
#[tokio::test(start_paused = true)]
async fn the_span_of_the_stop_ends_with_the_report_and_foundations_come_after_it() {
    let stage = Stage::new();
    stage.release::<Telemetry>(takes(100));
    let _ = stage.stop::<(Db, Telemetry)>().await;
    let spans = spans();
    let place = |part: &str| spans.iter().position(|line| line.ends_with(part)).unwrap_or(usize::MAX);
    assert!(place("over exit_code=0") < place("release resource=Telemetry begins"), "{spans:#?}");
    assert!(spans.contains(&"turn resource=Telemetry begins".to_owned()), "in no other span: {spans:#?}");
}

#[resource]
struct Own;

impl Resource for Own {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        info!(target: "app", "opens");
        cx.spawn("task", async |stopping| {
            info!(target: "app", "works");
            stopping.await;
        });
        yield_now().await;
        info!(target: "app", "is open");
        Ok(Self)
    }

    async fn release(&self, _: &Release) -> Result {
        info!(target: "app", "closes");
        Err("it does not close".into())
    }

    fn abort(&self) {
        info!(target: "app", "aborts");
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        info!(target: "app", "is dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_run_in_their_spans_and_tasks_do_not() {
    let stage = Stage::new();
    let app = stage.start::<Own>().await;
    yield_now().await;
    app.shutdown("over");
    let _ = app.run().await;
    let mut said: Vec<String> = spans().into_iter().filter(|line| line.contains(": ")).collect();
    said.retain(|line| !line.ends_with(" begins") && !line.contains(" ends "));
    assert_eq!(
        said,
        [
            "start/acquire resource=Own: opens",
            "nowhere: works",
            "start/acquire resource=Own: is open",
            "stop/release resource=Own: closes",
            "stop/turn resource=Own: aborts",
            "stop/turn resource=Own: is dropped",
        ]
    );
}

/// Panics whenever it is told of a span.
struct Panicking;

impl Subscriber for Panicking {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "lifecycle"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        if span.metadata().name() == "stop" {
            panic!("no stop");
        }
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {
        panic!("no record");
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        panic!("no event");
    }

    fn enter(&self, _: &Id) {
        panic!("no enter");
    }

    fn exit(&self, _: &Id) {
        panic!("no exit");
    }

    fn try_close(&self, _: Id) -> bool {
        panic!("no close");
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_that_panics_does_no_harm() {
    let stage = Stage::new();
    let _panicking = tracing::subscriber::set_default(Panicking);
    let app = App::builder().resources::<Http>().virtual_time().shutdown_timeout(Duration::from_secs(25));
    let app = app.start().await.unwrap();
    app.shutdown("over");
    let report = app.run().await;
    assert!(report.is_clean(), "{report}");
    assert!(stage.log.has("released Db"), "{:?}", stage.log.lines());
    assert!(capture::lines().is_empty());
}
