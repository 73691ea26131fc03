//! What the program `lifecycle` needs of the library beside the public interface (feature `cli`).

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::model::duration::{Human, parse};
use crate::model::report::Report;
pub use crate::picture::reading::read_report;
use crate::picture::words;
use crate::process::file;

/// The timeline as text, in the colours of a terminal.
#[must_use]
pub fn timeline_in_colours(report: &Report) -> String {
    report.to_timeline_with(true)
}

/// Reads a duration as in an attribute or a variable: `1m 30s`.
///
/// # Errors
///
/// What is wrong with it, and what to write instead.
pub fn duration(text: &str) -> Result<Duration, String> {
    parse(text).map_err(|error| error.to_string())
}

/// A duration in the words of the log: `1.5 s`.
#[must_use]
pub fn in_words(duration: Duration) -> String {
    Human(duration).to_string()
}

/// The words of `text` behind `lead`, in lines of at most 80 columns. Further lines are indented as far.
#[must_use]
pub fn paragraph(lead: &str, text: &str) -> String {
    words::paragraph(lead, text)
}

/// Puts `content` into a file, whole or not at all.
///
/// # Errors
///
/// If the file cannot be written, or replaced.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    file::replace(path, content)
}
