//! Shell scripts that start the program.

use super::case::Doctor;
use super::command::{kept, start};
use super::findings::Place;
use super::rules::SHELL;
use super::shell::{End, Part, parts};
use super::words::shortened;

/// A script runs line by line: a shell becomes the program only where it says `exec`.
pub(super) fn examine(doctor: &mut Doctor<'_>, file: usize) {
    let parts = parts(&doctor.sources[file].text);
    let Some(at) = start(&parts, doctor.program()).or_else(|| start_of_arguments(&parts)) else {
        let what = "no line of it starts the program, as far as can be seen";
        doctor.findings.note(Place { file, line: 1 }, what);
        return;
    };
    let own = &parts[at];
    let place = Place { file, line: own.line + 1 };
    let shown = shortened(&own.text);
    doctor.findings.looked_at(place, format!("the line that starts the program: `{shown}`"));
    let Some(what) = kept(&parts, at, "the shell", &own.text) else { return };
    let is_plain = own.end == End::Plain && !own.is_piped && !own.execs();
    if is_plain && !parts.iter().any(Part::traps_stop) {
        doctor.findings.add_with(&SHELL, place, what, format!("exec {}", own.text));
    } else {
        doctor.findings.add(&SHELL, place, what);
    }
}

/// Of several, the one that becomes them.
fn start_of_arguments(parts: &[Part]) -> Option<usize> {
    let starts = |part: &Part| part.starts_arguments();
    let becomes = parts.iter().rposition(|part| starts(part) && part.execs());
    becomes.or_else(|| parts.iter().rposition(starts))
}
