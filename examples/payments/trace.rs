//! The spans as a file, for <https://ui.perfetto.dev>: a row for each resource, with what was done for it.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::{Map, Value, json};
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Writes each span when it ends, so that the file is of use after a SIGKILL too: the format does without its last bracket.
pub(crate) struct Trace {
    began: Instant,
    rows: Mutex<Rows>,
}

struct Rows {
    file: File,
    numbers: BTreeMap<String, usize>,
}

impl Trace {
    pub(crate) fn to(path: &Path) -> std::io::Result<Self> {
        let mut file = File::create(path)?;
        writeln!(file, "[")?;
        Ok(Self { began: Instant::now(), rows: Mutex::new(Rows { file, numbers: BTreeMap::new() }) })
    }
}

/// One span that has not ended.
struct Open {
    began: Instant,
    fields: Fields,
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.0.insert(field.name().to_owned(), text.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Trace {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = cx.span(id) {
            span.extensions_mut().insert(Open { began: Instant::now(), fields });
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        if let Some(span) = cx.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            values.record(&mut open.fields);
        }
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        if let Some(span) = cx.span(&id)
            && let Some(Open { began, fields }) = span.extensions_mut().remove::<Open>()
            && let Ok(mut rows) = self.rows.lock()
        {
            rows.write(
                span.name(),
                began.duration_since(self.began).as_micros(),
                began.elapsed().as_micros(),
                fields,
            );
        }
    }
}

impl Rows {
    /// What goes wrong here must not harm the service.
    fn write(&mut self, name: &str, at: u128, took: u128, Fields(fields): Fields) {
        let row = fields.get("resource").and_then(Value::as_str).unwrap_or("lifecycle").to_owned();
        let next = self.numbers.len();
        let number = *self.numbers.entry(row.clone()).or_insert(next);
        if number == next {
            let title =
                json!({ "ph": "M", "pid": 1, "tid": number, "name": "thread_name", "args": { "name": row } });
            let _ = writeln!(self.file, "{title},");
        }
        let span = json!({
            "ph": "X", "pid": 1, "tid": number, "name": name,
            "ts": u64::try_from(at).unwrap_or(u64::MAX),
            "dur": u64::try_from(took).unwrap_or(u64::MAX),
            "args": fields,
        });
        let _ = writeln!(self.file, "{span},");
    }
}
