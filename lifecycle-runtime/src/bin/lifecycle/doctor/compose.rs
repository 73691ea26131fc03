//! Compose files, and stacks for a swarm.

use std::path::Path;
use std::time::Duration;

use lifecycle::private::program::in_words;

use super::case::{Doctor, Grace};
use super::choice::{Candidate, choose};
use super::containers::{in_shell, joined, programs};
use super::facts::Platform;
use super::findings::Place;
use super::node::{Node, Value};
use super::rules::{RECREATE, RESTART_ON_78};
use super::source;
use super::span::{self, Unit};
use super::variables::{Variables, expanded};
use super::words::split;
use super::{inheritance, yaml};

/// How long Docker waits without `stop_grace_period`.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

pub(super) fn examine(doctor: &mut Doctor<'_>, file: usize) -> Result<(), String> {
    let documents =
        yaml::documents(&doctor.sources[file].text).map_err(|(line, what)| format!("line {line}: {what}"))?;
    let services = documents.iter().filter_map(|document| document.get("services"));
    let all = services.flat_map(|services| services.entries().iter().map(move |entry| (services, entry)));
    let candidates = all.map(|(services, (name, service))| {
        let service = inheritance::resolved(services, service);
        let image = service.text_at("image").map(str::to_owned);
        let container = service.text_at("container_name").map(str::to_owned);
        let aliases = image.into_iter().chain(container).chain(programs(&words_of(&service))).collect();
        Candidate { name: name.clone(), aliases, item: (name.clone(), service) }
    });
    let candidates: Vec<_> = candidates.collect();
    for (name, service) in choose(candidates, doctor.given, doctor.program())? {
        examine_service(doctor, file, &name, &service)?;
    }
    Ok(())
}

fn examine_service(doctor: &mut Doctor<'_>, file: usize, name: &str, service: &Node) -> Result<(), String> {
    let at = |node: &Node| Place { file, line: node.line };
    let place = at(service);
    let image = doctor.image.clone().unwrap_or_default();
    let mut variables = variables(doctor, service, file).upon(&image.variables);
    let Some(facts) = doctor.facts(Platform::Container, &mut variables, place)? else { return Ok(()) };
    doctor.deployed.push(facts.clone());
    let grace = service.get("stop_grace_period");
    let written = grace.and_then(|grace| span::parse(&expanded(grace.text()?)?, Unit::Seconds));
    let period = written.unwrap_or(DEFAULT_GRACE);
    let base = service.get("extends");
    if let Some(base) = base.filter(|_| grace.is_none()) {
        let what = "what the service has from the one that it extends is not known here: `docker compose config` writes it out";
        doctor.findings.note(at(base), what);
    } else if grace.is_some() && written.is_none() {
        doctor.findings.note(place, "stop_grace_period is not known here, and not checked");
    } else {
        let setting = if grace.is_some() { "stop_grace_period" } else { "stop_grace_period (the default)" };
        let grace = Grace { setting, period, place: grace.map_or(place, at), hook: Duration::ZERO };
        doctor.grace(&grace, &facts, &variables);
        doctor.grace_is_used(&grace, &facts, &variables);
    }
    if let Some(signal) = service.get("stop_signal") {
        doctor.stop_signal(signal.text().unwrap_or_default(), &facts, at(signal));
    }
    let command = service.get("entrypoint").or(service.get("command"));
    let words = words_of(service);
    let whole =
        if service.get("entrypoint").is_some() { words } else { joined(image.entrypoint, Some(words)) };
    doctor.shell(&whole, command.map_or(place, at));
    doctor.init(&whole, command.map_or(place, at));
    let check =
        service.get("healthcheck").filter(|check| !check.get("disable").is_some_and(|it| it.is("true")));
    let test = check.and_then(|check| check.get("test"));
    if let Some(test) = test {
        let words = match (&test.value, test.words()) {
            (_, Some(words)) if words.first().is_some_and(|it| it == "CMD-SHELL") => {
                in_shell(&words[1..].join(" "))
            }
            (_, Some(words)) => words.into_iter().skip(1).collect(),
            (Value::Text(script), None) if script != "NONE" => in_shell(script),
            _ => Vec::new(),
        };
        doctor.health(&words, &facts, at(test), service.get("deploy").is_some());
    }
    if let Some(restart) = service.get("restart").filter(|restart| restart.is("always")) {
        let what = "restart: always";
        let mend = "restart: on-failure:5; or unless-stopped, if it has to start with the machine: Docker then slows down";
        doctor.findings.add_with(&RESTART_ON_78, at(restart), what, mend);
    }
    update(doctor, file, service);
    let delay = facts.drain_delay.map_or("unknown".to_owned(), in_words);
    let (timeout, grace) = (in_words(facts.shutdown_timeout), in_words(period));
    doctor
        .findings
        .looked_at(place, format!("service `{name}`: stop {timeout} of {grace}, drain delay {delay}"));
    Ok(())
}

/// Whether an update leaves a time without a task. A swarm ends the old one first, unless `order` says otherwise.
fn update(doctor: &mut Doctor<'_>, file: usize, service: &Node) {
    let serves = ["ports", "expose"].iter().any(|key| !service.items_at(key).is_empty());
    let (Some(deploy), true) = (service.get("deploy"), serves) else { return };
    // A file without it may be for one machine, where Compose has only this order.
    let Some(update) = deploy.get("update_config") else { return };
    // One where it is not said, and `None` if it is not known.
    let number = |node: &Node, key: &str| match node.get(key) {
        Some(number) => expanded(number.text()?)?.parse::<u64>().ok(),
        None => Some(1),
    };
    let (Some(replicas), Some(at_once)) = (number(deploy, "replicas"), number(update, "parallelism")) else {
        return;
    };
    let order = update.get("order");
    let is_rolling = replicas == 0
        || deploy.get("mode").is_some_and(|mode| !mode.is("replicated"))
        || order.is_some_and(|order| !order.is("stop-first"))
        || (1..replicas).contains(&at_once);
    if !is_rolling {
        let what = match replicas {
            1 => "order is stop-first, and there is one task".to_owned(),
            _ => format!("order is stop-first, and the {replicas} tasks are replaced at once"),
        };
        let mend = "order: start-first; or more replicas than `parallelism`";
        let place = Place { file, line: order.unwrap_or(update).line };
        doctor.findings.add_with(&RECREATE, place, what, mend);
    }
}

/// A text is split into words by Compose; no shell sees it.
fn words_of(service: &Node) -> Vec<String> {
    let words = |key: &str| {
        service
            .get(key)
            .and_then(|node| node.words().or_else(|| Some(split(&node.text()?.replace("$$", "$")))))
    };
    joined(words("entrypoint"), words("command"))
}

fn variables(doctor: &Doctor<'_>, service: &Node, file: usize) -> Variables {
    let mut variables = Variables::default();
    if let Some(env_file) = service.get("env_file") {
        let single = env_file.text().map(|text| vec![text.to_owned()]);
        let listed = || {
            env_file
                .items()
                .iter()
                .filter_map(|it| it.text().or(it.text_at("path")))
                .map(str::to_owned)
                .collect()
        };
        for name in single.unwrap_or_else(listed) {
            let beside = Path::new(&doctor.sources[file].name).parent().unwrap_or(Path::new("")).join(name);
            match source::text_of(&beside) {
                Ok(text) => variables.set_lines(&text),
                Err(_) => variables.elsewhere = Some(Place { file, line: env_file.line }),
            }
        }
    }
    if let Some(base) = service.get("extends") {
        variables.elsewhere = Some(Place { file, line: base.line });
    }
    let Some(environment) = service.get("environment") else { return variables };
    for item in environment.items() {
        let place = Some(Place { file, line: item.line });
        let (name, value) = item
            .text()
            .unwrap_or_default()
            .split_once('=')
            .map_or((item.text().unwrap_or_default(), None), |(name, value)| (name, Some(value)));
        variables.set(name, value.and_then(expanded), place);
    }
    for (name, value) in environment.entries() {
        let place = Some(Place { file, line: value.line });
        variables.set(name, value.text().and_then(expanded), place);
    }
    variables
}
