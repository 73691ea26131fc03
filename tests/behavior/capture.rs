//! What the library logs, per test.

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, LazyLock, Mutex, Once};

use tokio::runtime::{Handle, Id};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id as SpanId, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, SpanRef};

/// By runtime, since every test has its own, and what it runs on blocking threads belongs to it, too.
static LINES: LazyLock<Mutex<HashMap<Id, Vec<Line>>>> = LazyLock::new(Mutex::default);

/// What became of the library's spans, and what was said in them, likewise.
static SPANS: LazyLock<Mutex<HashMap<Id, Vec<String>>>> = LazyLock::new(Mutex::default);

/// What hears each message before it is written down.
type Listener = Arc<dyn Fn(&str) + Send + Sync>;

static LISTENERS: LazyLock<Mutex<HashMap<Id, Listener>>> = LazyLock::new(Mutex::default);

/// One event of the library.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    pub(crate) level: String,
    pub(crate) message: String,
    /// ` name=value` for each field besides the message: there are none, or something would be said twice.
    fields: String,
}

/// Begins anew. One subscriber serves all tests: each hears what is said on its own runtime.
pub(crate) fn begin() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Ears).with(Spans);
        tracing::subscriber::set_global_default(subscriber).expect("no other subscriber is installed");
    });
    LINES.lock().unwrap().remove(&Handle::current().id());
    SPANS.lock().unwrap().remove(&Handle::current().id());
}

/// Has every message heard before it is written down, so that the log takes as long as that does.
pub(crate) fn listen(listener: impl Fn(&str) + Send + Sync + 'static) {
    LISTENERS.lock().unwrap().insert(Handle::current().id(), Arc::new(listener));
}

/// What was logged since the test began.
pub(crate) fn lines() -> Vec<Line> {
    let lines = LINES.lock().unwrap().get(&Handle::current().id()).cloned().unwrap_or_default();
    assert!(lines.iter().all(|line| line.fields.is_empty()), "lines have words, and no fields: {lines:#?}");
    lines
}

/// The spans of the library since the test began, in order: `PATH begins`, `PATH ends FIELDS`, and `PATH: MESSAGE` for
/// each event of the target `app`.
pub(crate) fn spans() -> Vec<String> {
    SPANS.lock().unwrap().get(&Handle::current().id()).cloned().unwrap_or_default()
}

/// The messages that contain `part`.
pub(crate) fn messages_with(part: &str) -> Vec<String> {
    lines().into_iter().map(|line| line.message).filter(|message| message.contains(part)).collect()
}

/// The one line whose message contains `part`.
#[track_caller]
pub(crate) fn only(part: &str) -> Line {
    let mut found: Vec<Line> = lines().into_iter().filter(|line| line.message.contains(part)).collect();
    assert_eq!(found.len(), 1, "lines with {part:?} among {:#?}", lines());
    found.remove(0)
}

struct Ears;

impl<S: Subscriber> Layer<S> for Ears {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let Ok(runtime) = Handle::try_current() else { return };
        if event.metadata().target() != "lifecycle" {
            return;
        }
        let mut line = Line { level: event.metadata().level().to_string(), ..Line::default() };
        event.record(&mut line);
        let listener = LISTENERS.lock().unwrap().get(&runtime.id()).cloned();
        if let Some(listener) = listener {
            listener(&line.message);
        }
        LINES.lock().unwrap().entry(runtime.id()).or_default().push(line);
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.fields, " {}={value}", field.name());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            let _ = write!(self.fields, " {}={value:?}", field.name());
        }
    }
}

struct Spans;

/// What a span says of itself, and what was recorded later.
struct Fields {
    path: String,
    later: String,
}

fn note(line: String) {
    if let Ok(runtime) = Handle::try_current() {
        SPANS.lock().unwrap().entry(runtime.id()).or_default().push(line);
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &SpanId, cx: Context<'_, S>) {
        let span = cx.span(id).unwrap();
        if span.metadata().target() != "lifecycle" {
            return;
        }
        let mut line = Line::default();
        attributes.record(&mut line);
        let parent = span.parent().map_or(String::new(), |parent| path(&parent) + "/");
        let path = format!("{parent}{}{}", span.name(), line.fields);
        note(format!("{path} begins"));
        span.extensions_mut().insert(Fields { path, later: String::new() });
    }

    fn on_record(&self, id: &SpanId, values: &Record<'_>, cx: Context<'_, S>) {
        if let Some(fields) = cx.span(id).unwrap().extensions_mut().get_mut::<Fields>() {
            let mut line = Line::default();
            values.record(&mut line);
            fields.later += &line.fields;
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        if event.metadata().target() == "app" {
            let mut line = Line::default();
            event.record(&mut line);
            let place = cx.event_span(event).map_or("nowhere".to_owned(), |span| path(&span));
            note(format!("{place}: {}", line.message));
        }
    }

    fn on_close(&self, id: SpanId, cx: Context<'_, S>) {
        if let Some(Fields { path, later }) = cx.span(&id).unwrap().extensions().get::<Fields>() {
            note(format!("{path} ends{later}"));
        }
    }
}

fn path<'a, S: LookupSpan<'a>>(span: &SpanRef<'a, S>) -> String {
    span.extensions().get::<Fields>().map_or(String::new(), |fields| fields.path.clone())
}
