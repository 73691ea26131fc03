//! The checks of a round, as they are shown.

use lifecycle::private::program::paragraph;

use crate::output::{has_colours, quoted, say, tail};

/// No more of what the server has printed is shown.
const LINES: usize = 30;

/// The checks of one round. Each is shown as soon as it is known.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    failed: usize,
}

impl Checks {
    /// Shows how a check went: what happened, or what was expected and what happened in its place.
    pub(crate) fn add(&mut self, name: &str, result: Result<String, String>) {
        let (verdict, code, words) = match result {
            Ok(words) => ("ok", "32", words),
            Err(words) => ("FAILED", "31", words),
        };
        self.failed += usize::from(verdict == "FAILED");
        let line = paragraph(&format!("  {verdict:6}  {name:15}  "), &words);
        let painted = format!("\u{1b}[{code}m{verdict}\u{1b}[0m");
        show(&if has_colours() { line.replacen(verdict, &painted, 1) } else { line });
    }

    /// How many have failed.
    pub(crate) fn failed(&self) -> usize {
        self.failed
    }
}

/// What the server has printed, if a check has failed.
pub(crate) fn show_output(stdout: &str, stderr: &str) {
    for (name, text) in [("stdout", stdout), ("stderr", stderr)] {
        if !text.is_empty() {
            show(&format!("  the end of the server's {name}:\n{}", quoted(&tail(text, LINES))));
        }
    }
}

pub(crate) fn conclude(failed: usize) {
    let words = match failed {
        0 => "All checks passed: the server stops gracefully.".to_owned(),
        1 => "1 check failed.".to_owned(),
        more => format!("{more} checks failed."),
    };
    show(&format!("{words}\n"));
}

/// Shows it at once. If that cannot be done, the exit code still says how it went.
pub(crate) fn show(text: &str) {
    let _ = say(text);
}
