//! systemd units.

use std::time::Duration;

use lifecycle::private::program::in_words;

use super::case::{Doctor, Grace};
use super::choice::{Candidate, choose};
use super::command::{is_shell, script_of};
use super::containers::programs;
use super::facts::{Facts, Platform};
use super::rules::{
    CHILDREN, EXEC_STOP_KILLS, KILL_MODE, NEVER_STARTED, READY_UNHEARD, RESTART_ON_78, WATCHDOG_STARVES,
};
use super::shell::parts;
use super::span::{self, Unit as Seconds};
use super::unit::{Unit, units};
use super::variables::Variables;
use super::words::{base, split};
use super::wrapper::innermost;

/// `DefaultTimeoutStopSec=`, unless the machine has another.
const DEFAULT_GRACE: Duration = Duration::from_secs(90);

pub(super) fn examine(doctor: &mut Doctor<'_>, files: &[usize]) -> Result<(), String> {
    if files.is_empty() {
        return Ok(());
    }
    let candidates = units(doctor.sources, files).into_iter().map(|unit| {
        let aliases = programs(&started(&unit));
        Candidate { name: unit.name.clone(), aliases, item: unit }
    });
    let chosen = choose(candidates.collect(), doctor.given, doctor.program());
    for unit in chosen.map_err(|what| format!("the units: {what}"))? {
        if unit.all("ExecStart").is_empty() {
            return Err(format!("{}: it has no ExecStart=; a drop-in is given after its unit", unit.name));
        }
        examine_unit(doctor, &unit).map_err(|what| format!("{}: {what}", unit.name))?;
    }
    Ok(())
}

/// The words of the last `ExecStart=`, without the marks before it.
fn started(unit: &Unit) -> Vec<String> {
    let line = unit.all("ExecStart").last().map_or("", |setting| setting.value.as_str());
    split(line.trim_start_matches(['@', '-', ':', '+', '!', '|']))
}

fn examine_unit(doctor: &mut Doctor<'_>, unit: &Unit) -> Result<(), String> {
    let mut variables = Variables::default();
    for setting in unit.all("EnvironmentFile") {
        // It is on the machine of the service.
        variables.elsewhere = Some(setting.place);
    }
    for setting in unit.all("Environment") {
        for word in split(&setting.value) {
            if let Some((name, value)) = word.split_once('=') {
                // `%i` stands for something else.
                let value = (!value.contains('%')).then(|| value.to_owned());
                variables.set(name, value, Some(setting.place));
            }
        }
    }
    let Some(facts) = doctor.facts(Platform::Systemd, &mut variables, unit.place)? else { return Ok(()) };
    doctor.deployed.push(facts.clone());
    let kind = unit.value("Type").unwrap_or("simple");
    let notifies = kind.starts_with("notify");
    let is_shell = is_shell(&started(unit));
    times(doctor, unit, &facts, &variables, notifies && facts.has_systemd && !is_shell);
    start(doctor, unit, &facts, kind);
    stop(doctor, unit, &facts);
    restart(doctor, unit, kind);
    let (timeout, delay) =
        (in_words(facts.shutdown_timeout), facts.drain_delay.map_or("unknown".to_owned(), in_words));
    doctor
        .findings
        .looked_at(unit.place, format!("unit `{}`: stop {timeout}, drain delay {delay}", unit.name));
    Ok(())
}

/// A service that speaks to systemd asks for the time that it needs.
fn times(doctor: &mut Doctor<'_>, unit: &Unit, facts: &Facts, variables: &Variables, asks_for_time: bool) {
    let setting = unit.get("TimeoutStopSec").or(unit.get("TimeoutSec"));
    if asks_for_time || setting.is_some_and(|it| ["infinity", "0"].contains(&it.value.as_str())) {
        return;
    }
    let written = setting.and_then(|it| span::parse(&it.value, Seconds::Seconds));
    if let Some(unknown) = setting.filter(|_| written.is_none()) {
        doctor.findings.note(unknown.place, "this span of time is not known, and not checked");
        return;
    }
    let place = setting.map_or(unit.place, |it| it.place);
    let name = if setting.is_some() { "TimeoutStopSec" } else { "TimeoutStopSec (the default)" };
    let period = written.unwrap_or(DEFAULT_GRACE);
    doctor.grace(&Grace { setting: name, period, place, hook: Duration::ZERO }, facts, variables);
}

fn start(doctor: &mut Doctor<'_>, unit: &Unit, facts: &Facts, kind: &str) {
    let setting = unit.get("Type");
    let place = setting.map_or(unit.place, |it| it.place);
    let access = unit.get("NotifyAccess");
    let hears_all = access.is_some_and(|it| ["all", "exec"].contains(&it.value.as_str()));
    let notifies = kind.starts_with("notify");
    let never = |doctor: &mut Doctor<'_>, place, what: &str| doctor.findings.add(&NEVER_STARTED, place, what);
    if kind == "forking" {
        never(doctor, place, "Type=forking waits for the first process to end, and this one stays");
    } else if notifies && !facts.has_systemd {
        never(
            doctor,
            place,
            "Type=notify waits for READY=1, and the program is built without the feature `systemd`",
        );
    } else if notifies && access.is_some_and(|it| it.value == "none") {
        never(doctor, access.map_or(place, |it| it.place), "NotifyAccess=none lets no message through");
    } else if notifies && !hears_all && is_kept(doctor, unit) {
        let place = unit.all("ExecStart").last().map_or(place, |it| it.place);
        never(doctor, place, "systemd listens to the main process only, which is a shell here");
    } else if facts.has_systemd && ["simple", "exec", "idle"].contains(&kind) {
        let what = format!("Type={kind}{}", if setting.is_none() { " (the default)" } else { "" });
        doctor.findings.add(&READY_UNHEARD, place, what);
    }
    if let Some(watchdog) = unit.get("WatchdogSec").filter(|it| !facts.has_systemd && it.value != "0") {
        doctor.findings.add(&WATCHDOG_STARVES, watchdog.place, format!("WatchdogSec={}", watchdog.value));
    }
}

/// Whether a shell stays between systemd and the program.
fn is_kept(doctor: &Doctor<'_>, unit: &Unit) -> bool {
    super::command::keeps_signals(&started(unit), doctor.program()).is_some()
}

fn stop(doctor: &mut Doctor<'_>, unit: &Unit, facts: &Facts) {
    let mode = unit.get("KillMode");
    match mode.map_or("control-group", |it| it.value.as_str()) {
        // systemd signals every process of the unit, the program behind a shell too.
        "control-group" if doctor.children => {
            let what = "KillMode=control-group (the default) sends SIGTERM to every process of the unit";
            doctor.findings.add(&CHILDREN, mode.map_or(unit.place, |it| it.place), what);
        }
        "control-group" => {}
        "mixed" | "process" => {
            let place = unit.all("ExecStart").last().map_or(unit.place, |it| it.place);
            doctor.shell(&started(unit), place);
        }
        _ => {}
    }
    // Without children there is nothing for `process` to leave behind.
    let leaves = mode.filter(|it| it.value == "none" || (it.value == "process" && doctor.children));
    if let Some(mode) = leaves {
        doctor.findings.add(&KILL_MODE, mode.place, format!("KillMode={}", mode.value));
    }
    if let Some(spared) = unit.get("SendSIGKILL").filter(|it| it.value == "no" && doctor.children) {
        doctor.findings.add(&KILL_MODE, spared.place, "SendSIGKILL=no");
    }
    for key in ["KillSignal", "RestartKillSignal"] {
        if let Some(signal) = unit.get(key) {
            doctor.stop_signal(&signal.value, facts, signal.place);
        }
    }
    for setting in unit.all("ExecStop") {
        let words = split(setting.value.trim_start_matches(['@', '-', ':', '+', '!', '|']));
        if kills_hard(&words) {
            doctor.findings.add(&EXEC_STOP_KILLS, setting.place, format!("ExecStop={}", setting.value));
        }
    }
}

/// `kill -9`, in a shell too.
fn kills_hard(words: &[String]) -> bool {
    if let Some(script) = script_of(words) {
        return parts(script).iter().any(|part| kills_hard(&part.words));
    }
    let words = innermost(words);
    let kills = words.first().is_some_and(|first| ["kill", "pkill", "killall"].contains(&base(first)));
    let is_hard = |signal: &str| ["9", "KILL", "SIGKILL"].contains(&signal.to_ascii_uppercase().as_str());
    let is_named = |(at, word): (usize, &String)| {
        let next = || words.get(at + 1).is_some_and(|next| is_hard(next));
        match word.as_str() {
            "-s" | "-n" | "--signal" => next(),
            word => word.strip_prefix("--signal=").or(word.strip_prefix('-')).is_some_and(is_hard),
        }
    };
    kills && words.iter().enumerate().skip(1).any(is_named)
}

fn restart(doctor: &mut Doctor<'_>, unit: &Unit, kind: &str) {
    let Some(restart) = unit.get("Restart") else { return };
    let restarts = ["always", "on-failure"].contains(&restart.value.as_str());
    let prevented = unit.all("RestartPreventExitStatus");
    let has_78 =
        |codes: &str| codes.split_whitespace().any(|code| ["78", "CONFIG", "EX_CONFIG"].contains(&code));
    let prevents = prevented.iter().any(|it| has_78(&it.value));
    // What counts as a success is no failure.
    let is_success = || unit.all("SuccessExitStatus").iter().any(|it| has_78(&it.value));
    let prevents = prevents || (restart.value == "on-failure" && is_success());
    if restarts && !prevents && kind != "oneshot" {
        let (what, mend) = (format!("Restart={}", restart.value), "RestartPreventExitStatus=78");
        doctor.findings.add_with(&RESTART_ON_78, restart.place, what, mend);
    }
}
