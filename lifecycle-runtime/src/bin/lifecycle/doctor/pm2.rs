//! PM2's ecosystem files: JSON, YAML, or JavaScript as far as it is written out.

use std::path::Path;
use std::time::Duration;

use lifecycle::private::program::in_words;

use super::case::{Doctor, Grace};
use super::choice::{Candidate, choose};
use super::facts::Platform;
use super::findings::Place;
use super::node::{Node, Value};
use super::object::SPREAD;
use super::rules::{CHILDREN, PM2_MODE, PM2_WAIT_READY, RESTART_ON_78};
use super::span::{self, Unit};
use super::variables::Variables;
use super::words::{base, split};
use super::{object, yaml};

/// How long PM2 waits without `kill_timeout`.
const DEFAULT_GRACE: Duration = Duration::from_millis(1_600);

pub(super) fn examine(doctor: &mut Doctor<'_>, file: usize) -> Result<(), String> {
    let source = &doctor.sources[file];
    let text = &source.text;
    let is_code = ["module.exports", "export default"].iter().any(|mark| text.contains(mark));
    let document = if is_code {
        object::exported(text)
    } else if text.trim_start().starts_with(['{', '[', '/']) {
        object::written(text)
    } else {
        yaml::documents(text).and_then(|all| all.into_iter().next().ok_or((1, "it is empty".to_owned())))
    };
    let document = document.map_err(|(line, what)| format!("line {line}: {what}"))?;
    let computed =
        "the list of the apps is computed here: only one that is written out behind `apps:` can be read";
    let apps = match document.get("apps") {
        Some(Node { value: Value::Unknown, line }) => return Err(format!("line {line}: {computed}")),
        Some(Node { value: Value::List(apps), .. }) => apps.clone(),
        Some(app) => vec![app.clone()],
        None if document.get("script").is_some() => vec![document],
        None => document.items().to_vec(),
    };
    let candidates = apps.into_iter().map(|app| {
        let script = app.text_at("script").unwrap_or_default();
        let name = app.text_at("name").unwrap_or(script).to_owned();
        Candidate { name, aliases: split(script).into_iter().take(1).collect(), item: app }
    });
    for app in choose(candidates.collect(), doctor.given, doctor.program())? {
        examine_app(doctor, file, &app)?;
    }
    Ok(())
}

fn examine_app(doctor: &mut Doctor<'_>, file: usize, app: &Node) -> Result<(), String> {
    let at = |node: &Node| Place { file, line: node.line };
    let place = at(app);
    let kill_timeout = app.get("kill_timeout");
    let written = kill_timeout
        .and_then(|node| span::parse(node.text()?, Unit::Milliseconds))
        .filter(|it| !it.is_zero());
    let period = written.unwrap_or(DEFAULT_GRACE);
    let mut variables = Variables::default();
    let is_open = |node: &Node| node.get(SPREAD).is_some();
    let env = app.get("env");
    if is_open(app) || env.is_some_and(|env| is_open(env) || matches!(env.value, Value::Unknown)) {
        variables.elsewhere = Some(env.map_or(place, at));
    }
    for (name, value) in env.map(Node::entries).unwrap_or_default().iter().filter(|(name, _)| name != SPREAD)
    {
        variables.set(name, value.text().map(str::to_owned), Some(at(value)));
    }
    let Some(facts) = doctor.facts(Platform::Pm2(period), &mut variables, place)? else { return Ok(()) };
    doctor.deployed.push(facts.clone());
    match kill_timeout {
        Some(unknown) if written.is_none() => {
            doctor.findings.note(at(unknown), "kill_timeout is not known here, and not checked");
        }
        None if is_open(app) => {
            let what = "what the app has from `...` is not known here, and kill_timeout is not checked";
            doctor.findings.note(place, what);
        }
        _ => {
            let setting = if kill_timeout.is_some() { "kill_timeout" } else { "kill_timeout (the default)" };
            let place = kill_timeout.map_or(place, at);
            doctor.grace(&Grace { setting, period, place, hook: Duration::ZERO }, &facts, &variables);
        }
    }
    examine_mode(doctor, file, app);
    if let Some(wait_ready) = app.get("wait_ready").filter(|it| it.is("true")) {
        let what = "wait_ready waits for `process.send('ready')`";
        doctor.findings.add(&PM2_WAIT_READY, at(wait_ready), what);
    }
    let stop_codes = app.get("stop_exit_codes");
    let stops = |codes: &Node| {
        codes.is("78")
            || codes.items().iter().any(|code| code.is("78"))
            || matches!(codes.value, Value::Unknown)
    };
    let restarts = !app.get("autorestart").is_some_and(|it| it.is("false"));
    let is_known = stop_codes.is_some() || !is_open(app);
    if restarts && is_known && !stop_codes.is_some_and(stops) {
        let mend = "stop_exit_codes: [78]";
        doctor.findings.add_with(
            &RESTART_ON_78,
            stop_codes.map_or(place, at),
            "PM2 restarts after every exit",
            mend,
        );
    }
    let treekill = app.get("treekill");
    if doctor.children && !treekill.is_some_and(|it| it.is("false")) {
        let what = "PM2 signals the whole tree of processes";
        doctor.findings.add(&CHILDREN, treekill.map_or(place, at), what);
    }
    let name = app.text_at("name").or(app.text_at("script")).unwrap_or_default();
    let (timeout, grace) = (in_words(facts.shutdown_timeout), in_words(period));
    doctor.findings.looked_at(place, format!("app `{name}`: stop {timeout} of {grace}"));
    Ok(())
}

/// What PM2 does only for programs of Node.js, or through a shell.
fn examine_mode(doctor: &mut Doctor<'_>, file: usize, app: &Node) {
    let at = |node: &Node| Place { file, line: node.line };
    if let Some(mode) =
        app.get("exec_mode").filter(|it| it.text().is_some_and(|mode| mode.starts_with("cluster")))
    {
        doctor.findings.add(&PM2_MODE, at(mode), "exec_mode is `cluster`, which is for Node.js");
    }
    let script = app.text_at("script").unwrap_or_default();
    let is_script = Path::new(script).extension().is_some_and(|end| end != "exe");
    if let Some(interpreter) = app.get("interpreter").or(app.get("exec_interpreter")) {
        let name = interpreter.text().unwrap_or("none");
        if !is_script && base(name) != "none" {
            doctor.findings.add(&PM2_MODE, at(interpreter), format!("`{name}` cannot interpret a binary"));
        }
    }
    if let Some(message) = app.get("shutdown_with_message").filter(|it| it.is("true")) {
        let what = "shutdown_with_message sends a message of Node.js in place of a signal: the program hears nothing of the stop";
        doctor.findings.add(&PM2_MODE, at(message), what);
    }
    if let Some(args) = app.get("args") {
        let args = args.words().unwrap_or_else(|| args.text().map(split).unwrap_or_default());
        let words: Vec<String> = split(script).into_iter().chain(args).collect();
        doctor.shell(&words, Place { file, line: app.get("script").map_or(app.line, |script| script.line) });
    }
}
