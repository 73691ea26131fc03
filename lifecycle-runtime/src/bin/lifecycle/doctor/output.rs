//! What the doctor says, for people and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Format;
use super::findings::{Finding, Findings, Note, Place};
use super::rules::{self, Rule};
use super::source::Source;

/// The version of the JSON: it rises when a field changes its meaning, or goes.
const SCHEMA: u32 = 1;

pub(super) fn text(sources: &[Source], findings: &Findings, in_colours: bool) -> String {
    let at = |place: Place| format!("{}:{}", sources[place.file].name, place.line);
    let painted = |text: &str, colour: &str| match in_colours {
        true => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
        false => text.to_owned(),
    };
    let mut text = String::new();
    for finding in &findings.all {
        let Finding { place, rule, what, .. } = finding;
        let severity = painted(rule.severity.name(), if finding.is_error() { "1;31" } else { "1;33" });
        let (why, mend) = (rule.why, finding.mend());
        let _ = writeln!(
            text,
            "{}: {severity} {}: {what}\n    why: {why}\n    do:  {mend}",
            at(*place),
            painted(rule.id, "1")
        );
    }
    for Note { place, text: note } in &findings.notes {
        let _ = writeln!(text, "{}: note: {note}", at(*place));
    }
    for Note { place, text: what } in &findings.looked_at {
        let _ = writeln!(text, "{}: looked at {what}", at(*place));
    }
    let _ = writeln!(text, "{}", summary(sources.len(), findings));
    text
}

fn summary(files: usize, findings: &Findings) -> String {
    let errors = findings.all.iter().filter(|finding| finding.is_error()).count();
    let warnings = findings.all.len() - errors;
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => format!("nothing is wrong in {}", count(files, "file")),
        (errors, 0) => format!("{} in {}", count(errors, "error"), count(files, "file")),
        (0, warnings) => format!("{} in {}", count(warnings, "warning"), count(files, "file")),
        (errors, warnings) => {
            format!(
                "{} and {} in {}",
                count(errors, "error"),
                count(warnings, "warning"),
                count(files, "file")
            )
        }
    }
}

pub(super) fn json(sources: &[Source], findings: &Findings) -> String {
    let all = findings.all.iter().map(|finding| {
        let rule = finding.rule;
        json!({
            "file": sources[finding.place.file].name, "line": finding.place.line, "rule": rule.id,
            "severity": rule.severity.name(), "what": finding.what, "why": rule.why, "do": finding.mend(),
            "see": rule.see,
        })
    });
    let notes = |notes: &[Note]| -> Vec<Value> {
        let note = |note: &Note| json!({ "file": sources[note.place.file].name, "line": note.place.line, "text": note.text });
        notes.iter().map(note).collect()
    };
    let document = json!({
        "schema": SCHEMA, "version": env!("CARGO_PKG_VERSION"), "findings": all.collect::<Vec<_>>(),
        "notes": notes(&findings.notes), "looked_at": notes(&findings.looked_at),
    });
    format!("{document}\n")
}

pub(super) fn rules(format: Format) -> String {
    match format {
        Format::Text => rules::table(),
        Format::Json => {
            let rule = |rule: &&Rule| {
                let kinds: Vec<&str> = rule.kinds.iter().map(|kind| kind.name()).collect();
                let played = Some(rule.played).filter(|played| !played.is_empty());
                json!({
                    "rule": rule.id, "severity": rule.severity.name(), "kinds": kinds, "what": rule.what,
                    "why": rule.why, "do": rule.mend, "see": rule.see, "played": played,
                })
            };
            let rules: Vec<Value> = rules::ALL.iter().map(rule).collect();
            format!("{}\n", json!({ "schema": SCHEMA, "rules": rules }))
        }
    }
}
