//! Writing, to readers that may have gone.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::{env, fmt};

use lifecycle::private::program::replace;

/// Writes to the file, or to stdout. A reader that has seen enough is not an error.
pub(crate) fn deliver(text: &str, file: Option<&Path>) -> Result<(), String> {
    let Some(file) = file else {
        return say(text).map_err(|error| format!("stdout cannot be written to: {error}"));
    };
    // A device, a pipe or a link is written to; it is not to be replaced.
    let is_special = file.symlink_metadata().is_ok_and(|metadata| !metadata.is_file());
    let written = if is_special { std::fs::write(file, text) } else { replace(file, text.as_bytes()) };
    written.map_err(|error| format!("{} cannot be written: {error}", file.display()))
}

/// Writes to stdout at once.
pub(crate) fn say(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes to stderr what went wrong.
pub(crate) fn complain(what: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "lifecycle: {what}");
}

/// Whether stdout is a terminal whose user has nothing against colours.
pub(crate) fn has_colours() -> bool {
    io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
}

/// The lines, each with a mark before it: what another program has printed.
pub(crate) fn quoted(text: &str) -> String {
    text.lines().map(|line| format!("  | {line}\n")).collect()
}

/// The last `most` lines.
pub(crate) fn tail(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(most)..].join("\n")
}
