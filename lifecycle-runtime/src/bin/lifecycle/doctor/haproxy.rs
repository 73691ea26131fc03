//! HAProxy's configuration: the backends whose servers are the application.

use std::time::Duration;

use lifecycle::private::program::in_words;

use super::case::Doctor;
use super::choice::{Candidate, choose};
use super::command::split;
use super::facts::{Facts, Platform};
use super::findings::Place;
use super::health::PATHS;
use super::rules::{
    CHECK_PASSES, CUTS_SESSIONS, DELAY_TOO_SHORT, NO_CHECK, PROBE_LOOPBACK, PROBE_UNANSWERED,
};
use super::span::{self, Unit};

/// A `backend` or `listen`, with what it has from the `defaults` before it.
#[derive(Clone)]
struct Section {
    name: String,
    line: usize,
    /// The words of each line, and the line.
    lines: Vec<(usize, Vec<String>)>,
}

fn sections(text: &str) -> Vec<Section> {
    let mut all: Vec<Section> = Vec::new();
    let mut defaults: Vec<(usize, Vec<String>)> = Vec::new();
    let mut is_default = false;
    let mut is_backend = false;
    for (index, line) in text.lines().enumerate() {
        // A mark at the end of a quoted text is no comment; configurations have none of these.
        let code = line.split(" #").next().unwrap_or_default().trim();
        if code.is_empty() || code.starts_with('#') {
            continue;
        }
        let words = split(code);
        let Some(first) = words.first() else { continue };
        let begins = !line.starts_with(char::is_whitespace);
        match first.as_str() {
            "defaults" if begins => (is_default, is_backend) = (true, false),
            "backend" | "listen" if begins => {
                (is_default, is_backend) = (false, true);
                let name = words.get(1).cloned().unwrap_or_default();
                all.push(Section { name, line: index + 1, lines: defaults.clone() });
            }
            "global" | "frontend" | "userlist" | "peers" | "resolvers" | "cache" | "program" | "mailers"
            | "ring" | "http-errors" | "log-forward"
                if begins =>
            {
                (is_default, is_backend) = (false, false)
            }
            _ if is_default => defaults.push((index + 1, words)),
            _ if is_backend => {
                if let Some(section) = all.last_mut() {
                    section.lines.push((index + 1, words));
                }
            }
            _ => {}
        }
    }
    all
}

impl Section {
    /// The lines that begin so.
    fn lines<'a>(&'a self, begin: &'a [&str]) -> impl DoubleEndedIterator<Item = &'a (usize, Vec<String>)> {
        self.lines.iter().filter(move |(_, words)| {
            words.iter().zip(begin).filter(|(word, begin)| word == *begin).count() == begin.len()
        })
    }

    fn servers(&self) -> impl Iterator<Item = &(usize, Vec<String>)> {
        self.lines(&["server"]).chain(self.lines(&["server-template"]))
    }

    /// The words of a server, which come after those of `default-server`.
    fn with_defaults(&self, line: usize, server: &[String]) -> Vec<String> {
        let before = self.lines(&["default-server"]).filter(|(at, _)| *at < line);
        before.flat_map(|(_, words)| words[1..].to_vec()).chain(server.to_vec()).collect()
    }
}

pub(super) fn examine(doctor: &mut Doctor<'_>, file: usize) -> Result<(), String> {
    let all =
        sections(&doctor.sources[file].text).into_iter().filter(|section| section.servers().next().is_some());
    let candidates = all.map(|section| {
        let servers = section.servers().filter_map(|(_, words)| words.get(1).cloned());
        Candidate { name: section.name.clone(), aliases: servers.collect(), item: section }
    });
    let candidates: Vec<_> = candidates.collect();
    let place = Place { file, line: candidates.first().map_or(1, |it| it.item.line) };
    if doctor.deployed.is_empty() {
        let mut variables = doctor.image.clone().unwrap_or_default().variables;
        let facts = doctor.facts(Platform::Unknown, &mut variables, place)?;
        doctor.deployed.extend(facts);
    }
    // Of several deployments, the one that leaves soonest.
    let facts = doctor.deployed.iter().min_by_key(|facts| facts.drain_delay).cloned();
    let Some(facts) = facts else { return Ok(()) };
    for section in choose(candidates, doctor.given, doctor.program())? {
        examine_section(doctor, file, &section, &facts);
    }
    Ok(())
}

/// The path that `option httpchk` asks, and its line. HAProxy's own default is OPTIONS on `/`.
fn checked_path(section: &Section) -> Option<(usize, String)> {
    let (line, words) = section.lines(&["option", "httpchk"]).next_back()?;
    let sent = section.lines(&["http-check", "send"]).next_back();
    let uri = sent.and_then(|(line, words)| {
        let at = words.iter().position(|word| word == "uri")?;
        Some((*line, words.get(at + 1)?.clone()))
    });
    let written = words.iter().skip(2).find(|word| word.starts_with('/'));
    Some(uri.unwrap_or_else(|| (*line, written.cloned().unwrap_or_else(|| "/".to_owned()))))
}

fn examine_section(doctor: &mut Doctor<'_>, file: usize, section: &Section, facts: &Facts) {
    let at = |line| Place { file, line };
    let delay = facts.drain_delay.map_or("not known".to_owned(), in_words);
    doctor
        .findings
        .looked_at(at(section.line), format!("backend `{}`, against a drain delay of {delay}", section.name));
    let path = checked_path(section);
    let mut has_asked_probe = false;
    for (line, words) in section.servers() {
        let place = at(*line);
        let name = words.get(1).map_or("", String::as_str);
        let settings = section.with_defaults(*line, words);
        let value =
            |key: &str| settings.iter().rposition(|word| word == key).and_then(|at| settings.get(at + 1));
        if value("on-marked-down").is_some_and(|it| it == "shutdown-sessions") {
            let own = section
                .lines(&["default-server"])
                .find(|(_, words)| words.iter().any(|word| word == "on-marked-down"));
            let place = own
                .filter(|_| !words.iter().any(|word| word == "on-marked-down"))
                .map_or(place, |(line, _)| at(*line));
            doctor.findings.add(&CUTS_SESSIONS, place, "on-marked-down shutdown-sessions");
        }
        if settings.iter().any(|word| word == "backup") && !settings.iter().any(|word| word == "check") {
            continue;
        }
        if !settings.iter().any(|word| word == "check") {
            doctor.findings.add(&NO_CHECK, place, format!("server `{name}` has no `check`"));
            continue;
        }
        let Some((path_line, path)) = &path else {
            let what = format!("the check of server `{name}` only connects: there is no `option httpchk`");
            doctor.findings.add(&CHECK_PASSES, place, what);
            continue;
        };
        let port = value("port")
            .cloned()
            .or_else(|| words.get(2).and_then(|it| it.rsplit_once(':')).map(|(_, port)| port.to_owned()));
        let is_probe = facts
            .probe
            .is_some_and(|probe| port.as_deref() == Some(probe.address.port().to_string().as_str()));
        if is_probe && !has_asked_probe {
            has_asked_probe = true;
            check_path(doctor, at(*path_line), path, facts);
        } else if !is_probe && ["/readyz", "/"].contains(&path.as_str()) && facts.probe.is_some() {
            let what = format!("the check of server `{name}` does not ask the port of the probe");
            doctor.findings.add(&CHECK_PASSES, place, what);
            continue;
        }
        let span = |key: &str| value(key).and_then(|it| span::parse(it, Unit::Milliseconds));
        let inter = span("inter").unwrap_or(Duration::from_secs(2));
        let fall: u32 = value("fall").and_then(|it| it.parse().ok()).unwrap_or(3);
        let next = span("fastinter").unwrap_or(inter);
        let needed = inter + next * fall.saturating_sub(1) + Duration::from_secs(1);
        if let Some(delay) = facts.drain_delay.filter(|delay| *delay < needed) {
            let what = format!(
                "server `{name}` is checked every {} and down after {fall} failures, and the drain delay is {}",
                in_words(inter),
                in_words(delay)
            );
            let mend = format!(
                "LIFECYCLE_DRAIN_DELAY={}, or a shorter `inter` or `fastinter`",
                span::spelled(needed)
            );
            doctor.findings.add_with(&DELAY_TOO_SHORT, place, what, mend);
        }
    }
}

fn check_path(doctor: &mut Doctor<'_>, place: Place, path: &str, facts: &Facts) {
    match path {
        // OPTIONS on `/` is answered like /readyz.
        "/readyz" | "/" => {}
        "/livez" | "/servingz" | "/startupz" | "/status" => {
            doctor.findings.add(
                &CHECK_PASSES,
                place,
                format!("it asks {path}, which passes during the drain delay"),
            );
        }
        _ if !PATHS.contains(&path) => {
            doctor.findings.add(&PROBE_UNANSWERED, place, format!("the probe does not answer {path}"));
        }
        _ => {}
    }
    if let Some(probe) = facts.probe.filter(|probe| probe.address.ip().is_loopback()) {
        doctor.findings.add(
            &PROBE_LOOPBACK,
            place,
            format!("it is at {}, and HAProxy may be elsewhere", probe.address),
        );
    }
}
