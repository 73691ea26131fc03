//! What Compose files and Dockerfiles have in common.

use super::case::Doctor;
use super::command::is_shell;
use super::facts::Facts;
use super::findings::Place;
use super::rules::STOP_SIGNAL;
use super::words::split;
use super::wrapper::innermost;

/// Those on which the application stops.
const HEARD: [&str; 4] = ["TERM", "INT", "QUIT", "HUP"];
const NUMBERS: [(&str, &str); 4] = [("15", "TERM"), ("2", "INT"), ("3", "QUIT"), ("1", "HUP")];

impl Doctor<'_> {
    pub(super) fn stop_signal(&mut self, signal: &str, facts: &Facts, place: Place) {
        let name = signal.trim().to_ascii_uppercase();
        let name = name.strip_prefix("SIG").unwrap_or(&name);
        let name = NUMBERS.iter().find(|(number, _)| *number == name).map_or(name, |(_, name)| name);
        if name == "HUP" && facts.reloads {
            let what = format!("{signal} is sent, at which the application reloads, and goes on");
            self.findings.add(&STOP_SIGNAL, place, what);
        } else if !HEARD.contains(&name) && !name.contains('$') {
            self.findings.add(
                &STOP_SIGNAL,
                place,
                format!("{signal} is sent, to which the application does not listen"),
            );
        }
    }
}

/// The words that Docker makes of a command in shell form.
pub(super) fn in_shell(script: &str) -> Vec<String> {
    vec!["/bin/sh".to_owned(), "-c".to_owned(), script.to_owned()]
}

/// An entry point and a command, which are its arguments.
pub(super) fn joined(entrypoint: Option<Vec<String>>, arguments: Option<Vec<String>>) -> Vec<String> {
    entrypoint.into_iter().chain(arguments).flatten().collect()
}

/// The names by which a program may be known from its command.
pub(super) fn programs(words: &[String]) -> Vec<String> {
    let inner = words.iter().filter(|_| is_shell(words)).flat_map(|word| split(word));
    innermost(words).iter().take(1).cloned().chain(inner).collect()
}
