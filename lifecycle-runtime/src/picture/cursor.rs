//! JSON that is read field by field. What is wrong with a value is told with its place in the document.

use std::fmt::Display;
use std::time::Duration;

use serde_json::Value;

/// A hundred years: longer than any application lives, and short enough for sums.
const LONGEST_MS: f64 = 100.0 * 365.25 * 24.0 * 3_600.0 * 1_000.0;

/// No more of a wrong value is shown.
const SHOWN: usize = 60;

/// A value, and where it is: `resources[2].drain_ms`.
pub(super) struct Cursor<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(document: &'a Value) -> Self {
        Self { value: document, path: String::new() }
    }

    pub(super) fn field(&self, name: &str) -> Result<Self, String> {
        let fields = self.value.as_object().ok_or_else(|| self.is_not("an object"))?;
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        match fields.get(name) {
            Some(value) => Ok(Self { value, path }),
            None => Err(format!("`{path}` is missing")),
        }
    }

    pub(super) fn items(&self) -> Result<impl Iterator<Item = Self>, String> {
        let items = self.value.as_array().ok_or_else(|| self.is_not("a list"))?;
        let item = |(place, value)| Self { value, path: format!("{}[{place}]", self.path) };
        Ok(items.iter().enumerate().map(item))
    }

    pub(super) fn list<T>(&self, read: impl FnMut(Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        self.items()?.map(read).collect()
    }

    pub(super) fn text(&self) -> Result<&'a str, String> {
        self.value.as_str().ok_or_else(|| self.is_not("a text"))
    }

    pub(super) fn texts(&self) -> Result<Vec<String>, String> {
        self.list(|item| Ok(item.text()?.to_owned()))
    }

    pub(super) fn flag(&self) -> Result<bool, String> {
        self.value.as_bool().ok_or_else(|| self.is_not("true or false"))
    }

    /// A whole number from 0 to `most`.
    pub(super) fn number(&self, most: u32) -> Result<u32, String> {
        let number = self.value.as_u64().and_then(|number| u32::try_from(number).ok());
        let number = number.filter(|&number| number <= most);
        number.ok_or_else(|| self.is_not(format_args!("a whole number from 0 to {most}")))
    }

    /// One of `known`, by the text that it displays as.
    pub(super) fn one_of<T: Display + Copy>(&self, known: &[T]) -> Result<T, String> {
        let text = self.text()?;
        let found = known.iter().find(|it| it.to_string() == text);
        let names = || known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        found.copied().ok_or_else(|| self.is_not(format_args!("one of {}", names())))
    }

    pub(super) fn millis(&self) -> Result<Duration, String> {
        let millis = self.value.as_f64().filter(|millis| (0.0..=LONGEST_MS).contains(millis));
        let millis = millis
            .ok_or_else(|| self.is_not(format_args!("milliseconds: a number from 0 to {LONGEST_MS:.0}")))?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is within the limits"
        )]
        let nanos = (millis * 1e6).round() as u64;
        Ok(Duration::from_nanos(nanos))
    }

    /// Milliseconds, or null.
    pub(super) fn perhaps_millis(&self) -> Result<Option<Duration>, String> {
        if self.value.is_null() {
            Ok(None)
        } else {
            self.millis().map(Some).map_err(|what| what + ", or null")
        }
    }

    pub(super) fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// That the value is something else than it should be.
    pub(super) fn is_not(&self, expected: impl Display) -> String {
        let value = self.value.to_string();
        let shown: String = value.chars().take(SHOWN).collect();
        let rest = if shown.len() < value.len() { "…" } else { "" };
        match self.path.as_str() {
            "" => format!("it is {shown}{rest}: expected {expected}"),
            path => format!("`{path}` is {shown}{rest}: expected {expected}"),
        }
    }
}
