//! What a recorder of the facade `metrics` hears.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use lifecycle::{Acquire, Signal, resource};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_default_local_recorder,
};
use tokio::time::sleep;

use crate::stage::{Stage, fails, hangs, live, ms, scripted, secs, skips, takes};

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

/// What was recorded: each series as it is written for Prometheus, with its value.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    values: BTreeMap<String, f64>,
    /// The kind, the unit and the text of each name.
    described: BTreeMap<String, (&'static str, Option<Unit>, String)>,
    kinds: BTreeMap<String, BTreeSet<&'static str>>,
}

struct Series(Book, String);

impl Book {
    fn value(&self, series: &str) -> Option<f64> {
        self.0.lock().unwrap().values.get(series).copied()
    }

    /// The names and labels whose value is 1.
    fn set(&self, name: &str) -> Vec<String> {
        let pages = self.0.lock().unwrap();
        let is_set = |(series, value): &(&String, &f64)| series.starts_with(name) && **value == 1.0;
        pages.values.iter().filter(is_set).map(|(series, _)| series[name.len()..].to_owned()).collect()
    }

    fn series(&self, kind: &'static str, key: &Key) -> Arc<Series> {
        let mut pages = self.0.lock().unwrap();
        pages.kinds.entry(key.name().to_owned()).or_default().insert(kind);
        let labels: Vec<String> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        Arc::new(Series(self.clone(), format!("{}{labels}", key.name())))
    }

    fn describe(&self, kind: &'static str, name: &KeyName, unit: Option<Unit>, text: &SharedString) {
        let entry = (kind, unit, text.to_string());
        self.0.lock().unwrap().described.insert(name.as_str().to_owned(), entry);
    }
}

impl CounterFn for Series {
    fn increment(&self, value: u64) {
        *self.0.0.lock().unwrap().values.entry(self.1.clone()).or_default() += value as f64;
    }

    fn absolute(&self, value: u64) {
        self.0.0.lock().unwrap().values.insert(self.1.clone(), value as f64);
    }
}

impl GaugeFn for Series {
    fn increment(&self, _: f64) {
        unreachable!("each is set");
    }

    fn decrement(&self, _: f64) {
        unreachable!("each is set");
    }

    fn set(&self, value: f64) {
        self.0.0.lock().unwrap().values.insert(self.1.clone(), value);
    }
}

impl Recorder for Book {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe("counter", &name, unit, &text);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe("gauge", &name, unit, &text);
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series("counter", key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.series("gauge", key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test(start_paused = true)]
async fn each_phase_is_recorded_when_it_begins() {
    let stage = Stage::new();
    let book = Book::default();
    let _recorder = set_default_local_recorder(&book);
    stage.acquire::<Db>(takes(100)).release::<Db>(takes(300));
    let starting = tokio::spawn(stage.builder::<Http>().drain_delay(secs(2)).start());
    sleep(ms(50)).await;
    assert_eq!(book.set("lifecycle_phase"), ["{phase=starting}"]);
    let app = starting.await.unwrap().unwrap();
    let now = book.clone();
    let report = live(app, async |app| {
        sleep(ms(1)).await;
        assert_eq!(now.set("lifecycle_phase"), ["{phase=running}"]);
        assert_eq!(now.value("lifecycle_startup_duration_seconds"), Some(0.1));
        assert_eq!(now.value("lifecycle_shutdown_left_seconds"), None, "it does not stop");
        app.deliver(Signal::Terminate);
        sleep(secs(1)).await;
        assert_eq!(now.set("lifecycle_phase"), ["{phase=draining}"], "for 2 s");
        assert_eq!(now.set("lifecycle_shutdown_reason"), ["{reason=SIGTERM}"]);
        assert_eq!(now.value("lifecycle_shutdown_left_seconds"), Some(25.0));
        sleep(ms(1_100)).await;
        assert_eq!(now.set("lifecycle_phase"), ["{phase=stopping}"]);
        assert_eq!(now.value("lifecycle_shutdown_left_seconds"), Some(23.0));
        assert_eq!(now.value("lifecycle_exit_code"), None);
    })
    .await;
    assert_eq!(book.set("lifecycle_phase"), ["{phase=stopped}"]);
    assert_eq!(book.value("lifecycle_shutdown_duration_seconds"), Some(2.3));
    assert_eq!(book.value("lifecycle_exit_code"), Some(0.0));
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn each_stage_of_a_resource_has_its_duration_and_its_end_an_outcome() {
    let stage = Stage::new();
    let book = Book::default();
    let _recorder = set_default_local_recorder(&book);
    stage.acquire::<Db>(takes(100)).release::<Db>(fails("no disk").after(ms(300)));
    stage.task::<Http>("server", takes(1_500)).acquire::<Cache>(skips());
    let report = stage.stop::<(Http, Cache)>().await;
    let seconds = |resource: &str, stage: &str| {
        book.value(&format!("lifecycle_resource_duration_seconds{{resource={resource},stage={stage}}}"))
    };
    assert_eq!(seconds("Db", "acquire"), Some(0.1));
    assert_eq!(seconds("Db", "release"), Some(0.3));
    assert_eq!(seconds("Http", "drain"), Some(1.5));
    assert_eq!(seconds("Http", "release"), Some(0.0));
    assert_eq!(seconds("Cache", "release"), None, "there was nothing to release");
    assert_eq!(
        book.set("lifecycle_resource_outcome"),
        ["{resource=Cache,outcome=skipped}", "{resource=Db,outcome=failed}", "{resource=Http,outcome=clean}",]
    );
    assert_eq!(book.value("lifecycle_exit_code"), Some(f64::from(report.exit_code)));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_and_what_is_cut_off_are_counted_by_kind() {
    let stage = Stage::new();
    let book = Book::default();
    let _recorder = set_default_local_recorder(&book);
    stage.task::<Http>("server", hangs()).task::<Http>("accept", takes(10));
    let now = book.clone();
    let in_flight = "lifecycle_in_flight{resource=Http,kind=tasks}";
    let report = stage
        .run::<Http>(async |app| {
            sleep(ms(1)).await;
            assert_eq!(now.value(in_flight), Some(2.0));
            app.shutdown("the test is over");
        })
        .await;
    assert_eq!(report.exit_code, 124);
    assert_eq!(book.value(in_flight), Some(0.0));
    assert_eq!(book.value("lifecycle_resource_cut_off{resource=Http,kind=tasks}"), Some(1.0));
    assert_eq!(book.value("lifecycle_in_flight{resource=Http,kind=requests}"), None, "it serves nothing");
}

/// Their difference is the number of stops that were cut short from outside.
#[tokio::test(start_paused = true)]
async fn a_stop_is_counted_when_it_begins_and_when_all_but_the_foundations_are_released() {
    let stage = Stage::new();
    let book = Book::default();
    let _recorder = set_default_local_recorder(&book);
    stage.release::<Db>(takes(1_000)).release::<Telemetry>(takes(1_000));
    let now = book.clone();
    let counted = || {
        let value = |name: &str| now.value(&format!("lifecycle_shutdowns_{name}_total")).unwrap();
        value("begun") - value("completed")
    };
    let app = stage.start::<(Db, Telemetry)>().await;
    assert_eq!(book.value("lifecycle_exit_code"), None);
    // Other tests in this process stop applications, too, but none is waiting between the two on this thread.
    let _ = live(app, async |app| {
        app.shutdown("the test is over");
        sleep(ms(500)).await;
        assert!(counted() >= 1.0, "Db is being released");
        sleep(ms(1_000)).await;
        assert_eq!(now.value("lifecycle_exit_code"), Some(0.0), "only Telemetry is left");
        assert_eq!(now.set("lifecycle_phase"), ["{phase=stopping}"]);
    })
    .await;
}

/// A foundation may install the recorder: it has all that was before.
#[tokio::test(start_paused = true)]
async fn a_recorder_that_comes_late_has_everything() {
    let stage = Stage::new();
    stage.acquire::<Db>(takes(100));
    let app = stage.start::<Http>().await;
    let book = Book::default();
    let _recorder = set_default_local_recorder(&book);
    app.shutdown("the test is over");
    let _ = app.run().await;
    let acquire = book.value("lifecycle_resource_duration_seconds{resource=Db,stage=acquire}");
    assert_eq!(acquire, Some(0.1));
    assert_eq!(book.value("lifecycle_startup_duration_seconds"), Some(0.1));
}

/// The page of the documentation is true: names, kinds, units and labels.
#[tokio::test(start_paused = true)]
async fn every_metric_is_described_and_is_on_the_page_with_its_kind_its_unit_and_its_labels() {
    let stage = Stage::new();
    let book = Book::default();
    let _recorder = set_default_local_recorder(&book);
    stage.task::<Http>("server", hangs());
    stage.setup(|cx: &Acquire<Http>| drop(cx.tasks().guard()));
    let _ = stage.stop::<Http>().await;
    let page = include_str!("../../lifecycle-runtime/docs/metrics.md");
    let pages = book.0.lock().unwrap();
    for (name, kinds) in &pages.kinds {
        let (kind, unit, text) =
            pages.described.get(name).unwrap_or_else(|| panic!("{name} is not described"));
        assert_eq!(kinds.iter().collect::<Vec<_>>(), [kind], "{name}");
        assert_eq!(name.ends_with("_seconds"), *unit == Some(Unit::Seconds), "{name}: {unit:?}");
        assert_eq!(name.ends_with("_total"), *kind == "counter", "{name}");
        assert!(!text.is_empty() && !text.ends_with('.'), "{name}: {text:?}");
        let series = |series: &&String| series.split('{').next() == Some(name);
        let series = pages.values.keys().find(series).unwrap();
        let labels: Vec<&str> = series.split_once('{').map_or(Vec::new(), |(_, labels)| {
            labels.split(',').map(|label| label.split('=').next().unwrap()).collect()
        });
        let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
        let line = format!("| `{name}` | {kind} | {labels} |").replace("|  |", "| |");
        assert!(page.contains(&line), "not on the page: {line}");
    }
    let described: Vec<&String> = pages.described.keys().collect();
    let on_the_page = page.lines().filter(|line| line.starts_with("| `lifecycle_")).count();
    assert_eq!(described.len(), on_the_page, "{described:?}");
}

/// Panics whenever it is asked for something.
struct Panicking;

impl Recorder for Panicking {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        panic!("no counter");
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        panic!("no gauge");
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("no histogram");
    }
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_panics_does_no_harm() {
    let stage = Stage::new();
    let _recorder = set_default_local_recorder(&Panicking);
    stage.task::<Http>("server", takes(100));
    let report = stage.stop::<(Http, Telemetry)>().await;
    assert!(report.is_clean(), "{report}");
    stage.log.assert_in_order(["released Http", "released Db"]);
    stage.log.assert_in_order(["released Db", "released Telemetry"]);
}

/// Each is an error of the acquisition, which says what to do.
#[tokio::test(start_paused = true)]
async fn a_page_needs_a_path_that_is_free_and_a_content_type() {
    let stage = Stage::new();
    let refused: Arc<Mutex<Vec<String>>> = Arc::default();
    let found = Arc::clone(&refused);
    stage.setup(move |cx: &Acquire<Http>| {
        cx.page("/metrics", "text/plain", String::new).unwrap();
        for (path, content_type) in [
            ("/metrics", "text/plain"),
            ("/readyz", "text/plain"),
            ("/", "text/plain"),
            ("metrics", "text/plain"),
            ("/metrics?all", "text/plain"),
            ("/two words", "text/plain"),
            ("/other", "text\n"),
        ] {
            let error = cx.page(path, content_type, String::new).unwrap_err();
            found.lock().unwrap().push(error.to_string());
        }
    });
    let _ = stage.stop::<Http>().await;
    assert_eq!(
        *refused.lock().unwrap(),
        [
            "there is a page at /metrics already: choose another path",
            "the probe itself answers /readyz: choose another path for the page",
            "the probe itself answers /: choose another path for the page",
            "\"metrics\" is not the path of a page; one is written like \"/metrics\"",
            "\"/metrics?all\" is not the path of a page; one is written like \"/metrics\"",
            "\"/two words\" is not the path of a page; one is written like \"/metrics\"",
            "\"text\\n\" is not a content type; one is written like \"text/plain\"",
        ]
    );
}
