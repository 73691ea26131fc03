//! Objects of JSON, written.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use crate::model::json::Quoted;

/// An object, field by field.
#[derive(Default)]
pub(super) struct Object(String);

impl Object {
    pub(super) fn field(self, name: &str, value: impl Display) -> Self {
        self.with(name, &value)
    }

    /// Made once, not for each type of value.
    fn with(mut self, name: &str, value: &dyn Display) -> Self {
        let separator = if self.0.is_empty() { "" } else { "," };
        let _ = write!(self.0, "{separator}{}:{value}", Quoted(name));
        self
    }

    pub(super) fn text(self, name: &str, value: &str) -> Self {
        self.field(name, Quoted(value))
    }

    pub(super) fn texts(self, name: &str, values: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut list = List::default();
        for value in values {
            list.add(&Quoted(value.as_ref()));
        }
        self.field(name, list)
    }

    pub(super) fn list(self, name: &str, values: impl IntoIterator<Item = impl Display>) -> Self {
        let mut list = List::default();
        for value in values {
            list.add(&value);
        }
        self.field(name, list)
    }

    /// Milliseconds, with nanoseconds as fractions: a picture that is made from them is the same.
    pub(super) fn millis(self, name: &str, duration: impl Into<Option<Duration>>) -> Self {
        match duration.into() {
            Some(duration) => self.field(name, millis(duration)),
            None => self.field(name, "null"),
        }
    }
}

/// A list, item by item.
#[derive(Default)]
struct List(String);

impl List {
    fn add(&mut self, value: &dyn Display) {
        let separator = if self.0.is_empty() { "" } else { "," };
        let _ = write!(self.0, "{separator}{value}");
    }
}

impl Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.0)
    }
}

fn millis(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    match nanos % 1_000_000 {
        0 => (nanos / 1_000_000).to_string(),
        fraction => format!("{}.{fraction:06}", nanos / 1_000_000).trim_end_matches('0').to_owned(),
    }
}

impl Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_in_their_order() {
        let object = Object::default()
            .text("name", "Db")
            .millis("took_ms", Duration::from_micros(12_340))
            .millis("short_ms", Duration::from_nanos(5))
            .millis("left_ms", None)
            .texts("after", ["A", "B"]);
        assert_eq!(
            object.to_string(),
            r#"{"name":"Db","took_ms":12.34,"short_ms":0.000005,"left_ms":null,"after":["A","B"]}"#
        );
    }
}
