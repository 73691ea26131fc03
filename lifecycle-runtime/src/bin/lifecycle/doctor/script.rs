//! Shell scripts that start the program.

use super::case::Doctor;
use super::command::{base, split};
use super::findings::Place;
use super::rules::SHELL;

/// A script runs line by line: a shell becomes the program only where it says `exec`.
pub(super) fn examine(doctor: &mut Doctor<'_>, file: usize) {
    let source = &doctor.sources[file];
    let program = doctor.program();
    let lines: Vec<(usize, Vec<String>)> = commands(&source.text);
    // A script with a trap handles signals by itself.
    let has_trap = lines.iter().any(|(_, words)| words.first().is_some_and(|word| word == "trap"));
    let passes_all =
        |words: &[String]| words.iter().any(|word| ["$@", "${@}", "$*"].contains(&word.as_str()));
    let runs = |words: &[String]| !program.is_empty() && words.iter().any(|word| base(word) == program);
    let starts = lines
        .iter()
        .rev()
        .find(|(_, words)| runs(words))
        .or_else(|| lines.last().filter(|(_, words)| passes_all(words)));
    let Some((line, words)) = starts else {
        let what = "no line of it starts the program, as far as can be seen";
        doctor.findings.note(Place { file, line: 1 }, what);
        return;
    };
    let place = Place { file, line: *line };
    let shown = words.join(" ");
    doctor.findings.looked_at(place, format!("the line that starts the program: `{shown}`"));
    let is_only_told = words
        .first()
        .is_some_and(|word| ["echo", "printf", "chown", "chmod", "test", "["].contains(&word.as_str()));
    if !has_trap && !is_only_told && !words.iter().any(|word| word == "exec") {
        let what = format!("the shell waits for `{shown}`, and does not pass signals on");
        doctor.findings.add_with(&SHELL, place, what, format!("exec {shown}"));
    }
}

/// The lines that hold commands, with those that go on joined.
fn commands(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut all: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (code, continues) = line.strip_suffix('\\').map_or((line, false), |code| (code, true));
        match all.last_mut().filter(|_| goes_on) {
            Some((_, open)) => *open = format!("{open} {}", code.trim()),
            None => all.push((index + 1, code.trim().to_owned())),
        }
        goes_on = continues;
    }
    all.into_iter().map(|(line, code)| (line, split(&code))).filter(|(_, words)| !words.is_empty()).collect()
}
