//! A tree of values that knows its lines: what a YAML document, a JSON document or an object of JavaScript holds.

use std::time::Duration;

use super::span::{self, Unit};

/// A value, and the line on which it begins. For a value in a map, that is the line of its key.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    /// Numbers and booleans too: what they mean depends on the place.
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// Code, of which it is not known what it gives.
    Unknown,
}

impl Node {
    pub(super) fn new(line: usize, value: Value) -> Self {
        Self { line, value }
    }

    /// The value under a key; of equal keys, the last one counts. A null is the same as nothing.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        let found = entries.iter().rev().find(|(name, _)| name == key)?;
        Some(&found.1).filter(|node| !matches!(node.value, Value::Null))
    }

    /// The value behind several keys.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text under a key.
    pub(super) fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    pub(super) fn number(&self) -> Option<f64> {
        self.text()?.trim().parse().ok().filter(|number: &f64| number.is_finite())
    }

    pub(super) fn is(&self, text: &str) -> bool {
        self.text().is_some_and(|own| own.eq_ignore_ascii_case(text))
    }

    /// A number of seconds.
    pub(super) fn seconds(&self) -> Option<Duration> {
        span::parse(self.text()?, Unit::Seconds)
    }

    /// The items of a list; none if it is something else.
    pub(super) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The items under a key.
    pub(super) fn items_at(&self, key: &str) -> &[Self] {
        self.get(key).map_or(&[], Self::items)
    }

    /// The entries of a map; none if it is something else.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The texts of a list; `None` if it is something else, or if one of them is not known.
    pub(super) fn words(&self) -> Option<Vec<String>> {
        let Value::List(items) = &self.value else { return None };
        items.iter().map(|item| item.text().map(str::to_owned)).collect()
    }
}
