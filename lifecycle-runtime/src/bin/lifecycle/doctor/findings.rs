//! What was found, and where.

use super::rules::{Rule, Severity};

/// A line of one of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The position among the files.
    pub(super) file: usize,
    pub(super) line: usize,
}

/// A rule that a file breaks.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) place: Place,
    pub(super) rule: &'static Rule,
    /// What is wrong here, with the numbers and names of the place.
    pub(super) what: String,
    /// What to write here, if that is more than what the rule says.
    pub(super) mend: Option<String>,
}

impl Finding {
    pub(super) fn mend(&self) -> &str {
        self.mend.as_deref().unwrap_or(self.rule.mend)
    }

    pub(super) fn is_error(&self) -> bool {
        self.rule.severity == Severity::Error
    }
}

/// Something that is neither right nor wrong: what could not be known, or what was looked at.
#[derive(Debug, PartialEq)]
pub(super) struct Note {
    pub(super) place: Place,
    pub(super) text: String,
}

#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) all: Vec<Finding>,
    pub(super) notes: Vec<Note>,
    pub(super) looked_at: Vec<Note>,
}

impl Findings {
    pub(super) fn add(&mut self, rule: &'static Rule, place: Place, what: impl Into<String>) {
        self.all.push(Finding { place, rule, what: what.into(), mend: None });
    }

    pub(super) fn add_with(
        &mut self,
        rule: &'static Rule,
        place: Place,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.all.push(Finding { place, rule, what: what.into(), mend: Some(mend.into()) });
    }

    pub(super) fn note(&mut self, place: Place, text: impl Into<String>) {
        let note = Note { place, text: text.into() };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(super) fn looked_at(&mut self, place: Place, text: impl Into<String>) {
        self.looked_at.push(Note { place, text: text.into() });
    }
}
