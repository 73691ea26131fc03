//! What a health check that runs in the container asks for.

use super::case::Doctor;
use super::facts::Facts;
use super::findings::Place;
use super::rules::{HOOK_NOT_IN_IMAGE, LIVENESS_ON_READINESS, PROBE_UNANSWERED};

/// The paths that the probe answers.
pub(super) const PATHS: [&str; 5] = ["/livez", "/readyz", "/servingz", "/startupz", "/status"];

/// A port and a path on this machine that a command asks for.
#[derive(Debug, PartialEq)]
struct Asked {
    port: u16,
    /// `None` if it is put together elsewhere.
    path: Option<String>,
}

/// `http://localhost:8081/livez` somewhere in a command.
fn asked(command: &str) -> Option<Asked> {
    ["localhost:", "127.0.0.1:", "0.0.0.0:", "[::1]:"].iter().find_map(|host| {
        let behind = &command[command.find(host)? + host.len()..];
        let end = behind.find(|it: char| !it.is_ascii_digit()).unwrap_or(behind.len());
        let port = behind[..end].parse().ok()?;
        let path = &behind[end..];
        let end = path.find(|it: char| it.is_whitespace() || "\"'`;|&?)".contains(it)).unwrap_or(path.len());
        let path = &path[..end];
        let is_whole = !path.is_empty() && !path.contains('$');
        Some(Asked { port, path: is_whole.then(|| path.to_owned()) })
    })
}

/// The path that a command asks of the probe, whether it answers that or not.
pub(super) fn path_of_probe(words: &[String], facts: &Facts) -> Option<String> {
    let Asked { port, path } = asked(&words.join(" "))?;
    path.filter(|_| facts.probe.is_some_and(|probe| probe.address.port() == port))
}

impl Doctor<'_> {
    /// Holds a health check against the probe. `restarts` says whether one that fails ends the container.
    pub(super) fn health(&mut self, words: &[String], facts: &Facts, place: Place, restarts: bool) {
        let Some(path) = self.asked_of_probe(words, facts, place) else { return };
        if restarts && ["/readyz", "/servingz"].contains(&path.as_str()) {
            let what =
                format!("the swarm replaces a task whose health check fails, and this one asks {path}");
            self.findings.add(&LIVENESS_ON_READINESS, place, what);
        }
    }

    /// The path that a command asks of the probe, if the probe answers it.
    pub(super) fn asked_of_probe(&mut self, words: &[String], facts: &Facts, place: Place) -> Option<String> {
        if let Some(what) = self.image.as_ref().and_then(|image| image.lacks(words)) {
            self.findings.add(&HOOK_NOT_IN_IMAGE, place, what);
        }
        let path = path_of_probe(words, facts)?;
        if PATHS.contains(&path.as_str()) {
            return Some(path);
        }
        let port = facts.probe?.address.port();
        let what = format!("the probe at port {port} does not answer {path}");
        self.findings.add(&PROBE_UNANSWERED, place, what);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_searched_for_what_it_asks() {
        let check = |command: &str, expected: Option<(u16, Option<&str>)>| {
            let expected = expected.map(|(port, path)| Asked { port, path: path.map(str::to_owned) });
            assert_eq!(asked(command), expected, "{command}");
        };
        check("curl -f http://localhost:8081/livez", Some((8081, Some("/livez"))));
        check("wget -qO- 'http://127.0.0.1:8081/livez' || exit 1", Some((8081, Some("/livez"))));
        check("exec 3<>/dev/tcp/127.0.0.1/8081", None);
        check("curl http://localhost:8081/$path", Some((8081, None)));
        check("pg_isready", None);
    }
}
