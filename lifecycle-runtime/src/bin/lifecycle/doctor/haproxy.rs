//! HAProxy's configuration: the backends whose servers are the application.

use std::time::Duration;

use lifecycle::private::program::in_words;

use super::case::Doctor;
use super::choice::{Candidate, choose};
use super::facts::{Facts, Platform, Probe};
use super::findings::Place;
use super::health::PATHS;
use super::rules::{
    CHECK_PASSES, CUTS_SESSIONS, DELAY_TOO_SHORT, NO_CHECK, PROBE_ELSEWHERE, PROBE_LOOPBACK,
    PROBE_UNANSWERED, Rule,
};
use super::span::{self, Unit};
use super::words::split;

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
    // Each `defaults` begins anew, unless it says from which one; those with a name can be named later.
    let mut defaults: Vec<Section> = Vec::new();
    let mut is_default = false;
    let mut is_backend = false;
    for (index, line) in text.lines().enumerate() {
        // A mark at the end of a quoted text is no comment; configurations have none of these.
        let code = line.replace('\t', " ");
        let code = code.split(" #").next().unwrap_or_default().trim();
        if code.is_empty() || code.starts_with('#') {
            continue;
        }
        let words = split(code);
        let Some(first) = words.first() else { continue };
        let from = |defaults: &[Section]| {
            let at = words.iter().position(|word| word == "from")?;
            let name = words.get(at + 1)?;
            defaults.iter().rfind(|section| section.name == *name).map(|section| section.lines.clone())
        };
        let name = words.get(1).filter(|word| *word != "from").cloned().unwrap_or_default();
        match first.as_str() {
            "defaults" => {
                (is_default, is_backend) = (true, false);
                let lines = from(&defaults).unwrap_or_default();
                defaults.push(Section { name, line: index + 1, lines });
            }
            "backend" | "listen" => {
                (is_default, is_backend) = (false, true);
                let last = || defaults.last().map(|section| section.lines.clone());
                let lines = from(&defaults).or_else(last).unwrap_or_default();
                all.push(Section { name, line: index + 1, lines });
            }
            "global" | "frontend" | "userlist" | "peers" | "resolvers" | "cache" | "program" | "mailers"
            | "ring" | "http-errors" | "log-forward" => (is_default, is_backend) = (false, false),
            _ => {
                let open =
                    if is_default { defaults.last_mut() } else { all.last_mut().filter(|_| is_backend) };
                if let Some(section) = open {
                    section.add(index + 1, words);
                }
            }
        }
    }
    all
}

impl Section {
    /// `no option httpchk` takes it back.
    fn add(&mut self, line: usize, words: Vec<String>) {
        if words[0] == "no" {
            self.lines.retain(|(_, own)| !own.starts_with(&words[1..]));
        } else {
            self.lines.push((line, words));
        }
    }

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
        let mut facts = doctor.facts(Platform::Unknown, &mut variables, place)?;
        // The delay is a variable of the deployment, which is not here.
        let is_set = |facts: &Facts| facts.drain_delay.is_some_and(|delay| !delay.is_zero());
        if let Some(facts) = facts.as_mut().filter(|facts| !is_set(facts)) {
            if variables.get("LIFECYCLE_DRAIN_DELAY").is_none() {
                facts.drain_delay = None;
                let what = "the drain delay is not known here: give the unit, Compose file or manifest too, or --env";
                doctor.findings.note(place, what);
            }
        }
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
    let delay = facts.drain_delay.map_or("unknown".to_owned(), in_words);
    doctor.findings.looked_at(at(section.line), format!("backend `{}`: drain delay {delay}", section.name));
    let checks_otherwise =
        ["external-check", "mysql-check", "pgsql-check", "redis-check", "smtpchk", "ldap-check", "tcp-check"];
    if checks_otherwise.iter().any(|check| section.lines(&["option", check]).next().is_some()) {
        doctor.findings.note(
            at(section.line),
            "its servers are checked by something else than HTTP, and what that finds is not known",
        );
        return;
    }
    let path = checked_path(section);
    // What holds for all servers of a backend is said of the first.
    let mut said: Vec<&'static str> = Vec::new();
    for (line, words) in section.servers() {
        for (rule, line, what, mend) in examine_server(section, *line, words, path.as_ref(), facts) {
            if !said.contains(&rule.id) {
                said.push(rule.id);
                match mend {
                    Some(mend) => doctor.findings.add_with(rule, at(line), what, mend),
                    None => doctor.findings.add(rule, at(line), what),
                }
            }
        }
    }
}

type Found = (&'static Rule, usize, String, Option<String>);

fn examine_server(
    section: &Section,
    line: usize,
    words: &[String],
    path: Option<&(usize, String)>,
    facts: &Facts,
) -> Vec<Found> {
    let mut found = Vec::new();
    let name = words.get(1).map_or("", String::as_str);
    let settings = section.with_defaults(line, words);
    let has = |key: &str| settings.iter().any(|word| word == key);
    let value = |key: &str| settings.iter().rposition(|word| word == key).and_then(|at| settings.get(at + 1));
    if value("on-marked-down").is_some_and(|it| it == "shutdown-sessions") {
        let is_in = |words: &[String]| words.iter().any(|word| word == "on-marked-down");
        let default = section
            .lines(&["default-server"])
            .find(|(_, words)| is_in(words))
            .map_or(line, |(line, _)| *line);
        let line = if is_in(words) { line } else { default };
        found.push((&CUTS_SESSIONS, line, "on-marked-down shutdown-sessions".to_owned(), None));
    }
    // Those that follow another one, or are asked by an agent, or are out of service.
    if ["track", "agent-check", "disabled"].iter().any(|key| has(key)) {
        return found;
    }
    if !has("check") {
        found.push((&NO_CHECK, line, format!("server `{name}` has no `check`"), None));
        return found;
    }
    let Some((path_line, path)) = path else {
        let what = format!("the check of server `{name}` only connects: there is no `option httpchk`");
        found.push((&CHECK_PASSES, line, what, None));
        return found;
    };
    // `server-template` has the number of servers before the address.
    let address = words.get(if words[0] == "server" { 2 } else { 3 });
    let connect = section.lines(&["http-check", "connect"]).next_back();
    let of_connect = connect.and_then(|(_, words)| {
        let at = words.iter().position(|word| word == "port")?;
        words.get(at + 1)
    });
    let of_address = || address?.rsplit_once(':').map(|(_, port)| port);
    let port = of_connect.or(value("port")).map(String::as_str).or_else(of_address);
    if port.is_some_and(|port| port.contains('$')) {
        // A variable of the environment of HAProxy.
        return found;
    }
    match facts.probe.filter(|probe| port == Some(probe.address.port().to_string().as_str())) {
        Some(probe) => found.extend(asks_probe(*path_line, path, probe)),
        None if PATHS[..4].contains(&path.as_str()) => {
            let at = facts.probe.map_or("the program has no probe".to_owned(), |probe| {
                format!("the probe is at {}", probe.address)
            });
            let port = port.map_or("its port".to_owned(), |port| format!("port {port}"));
            let what = format!("the check of server `{name}` asks {path} at {port}, and {at}");
            found.push((&PROBE_ELSEWHERE, *path_line, what, None));
            return found;
        }
        None if facts.probe.is_some() && path == "/" => {
            let what = format!("the check of server `{name}` does not ask the port of the probe");
            found.push((&CHECK_PASSES, line, what, None));
            return found;
        }
        None => {}
    }
    let span = |key: &str| value(key).and_then(|it| span::parse(it, Unit::Milliseconds));
    let inter = span("inter").unwrap_or(Duration::from_secs(2));
    let fall: u32 = value("fall").and_then(|it| it.parse().ok()).unwrap_or(3);
    let next = span("fastinter").unwrap_or(inter);
    let needed = inter + next.saturating_mul(fall.saturating_sub(1)) + Duration::from_secs(1);
    if let Some(delay) = facts.drain_delay.filter(|delay| *delay < needed) {
        let what = format!(
            "server `{name}` is checked every {} and down after {fall} failures, and the drain delay is {}",
            in_words(inter),
            in_words(delay)
        );
        let mend =
            format!("LIFECYCLE_DRAIN_DELAY={}, or a shorter `inter` or `fastinter`", span::spelled(needed));
        found.push((&DELAY_TOO_SHORT, line, what, Some(mend)));
    }
    found
}

/// What is wrong with asking this path of the probe.
fn asks_probe(line: usize, path: &str, probe: Probe) -> Vec<Found> {
    let mut found = Vec::new();
    match path {
        // OPTIONS on `/` is answered like /readyz.
        "/readyz" | "/" => {}
        path if PATHS.contains(&path) => {
            found.push((
                &CHECK_PASSES,
                line,
                format!("it asks {path}, which passes during the drain delay"),
                None,
            ));
        }
        _ => found.push((&PROBE_UNANSWERED, line, format!("the probe does not answer {path}"), None)),
    }
    if probe.address.ip().is_loopback() {
        let what = format!("it is at {}, and HAProxy may be on another machine", probe.address);
        found.push((&PROBE_LOOPBACK, line, what, None));
    }
    found
}
