//! The status as JSON.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Errors;
use super::checks::Checked;
use crate::driver::{Connected, Line};
use crate::engine::reload::ReloadStatus;
use crate::engine::status::{ResourceStatus, Status};
use crate::model::Name;
use crate::model::failure::Failure;
use crate::model::json::Quoted;
use crate::model::moment::Moment;
use crate::model::phase::Reason;
use crate::model::reload::EndedReload;
use crate::model::units::Units;

/// The longest line, in characters.
const LINE: usize = 500;

/// The process that answers. What starts after it is another one.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) program: String,
    pub(super) pid: u32,
    pub(super) started: SystemTime,
}

/// One resource, with what the engine does not know of it.
pub(super) struct Row<'a> {
    pub(super) resource: &'a ResourceStatus,
    pub(super) after: Vec<Name>,
    pub(super) is_foundation: bool,
    pub(super) units: Units,
    /// If it has a server.
    pub(super) connected: Option<Connected>,
    pub(super) checked: Option<&'a Checked>,
}

/// What the document tells.
pub(super) struct Told<'a> {
    pub(super) process: &'a Process,
    pub(super) status: &'a Status,
    /// The time of the status.
    pub(super) now: SystemTime,
    pub(super) main: Row<'a>,
    pub(super) resources: Vec<Row<'a>>,
    pub(super) lines: Vec<Line>,
}

/// The document that [`Probe`](super::Probe) describes.
pub(super) fn document(told: &Told<'_>, errors: Errors) -> String {
    let Told { process, status, now, main, resources, lines } = told;
    let taken = Taken { status, now: *now };
    let mut text = format!(
        "{{\"version\":\"{}\",\"program\":{},\"pid\":{},\"started\":\"{}\",\"now\":\"{}\",\"phase\":\"{}\",\"since\":\"{}\",\"reason\":{},\"deadline\":{},\"left_ms\":{},\"total_ms\":{},\"delay_left_ms\":{},\"reload\":{},\"main\":",
        env!("CARGO_PKG_VERSION"),
        Quoted(&process.program),
        process.pid,
        Time(process.started),
        Time(*now),
        status.phase,
        taken.time(status.phase_since),
        quoted(status.reason.as_ref().map(|reason| words(reason, errors))),
        quoted(status.deadline.map(|deadline| taken.time(deadline).to_string())),
        taken.left(status.deadline),
        millis(status.total),
        taken.left(status.delay_ends),
        reload(&status.reload, |at| taken.time(at).to_string(), errors),
    );
    row(&mut text, main, &taken, errors);
    text += ",\"resources\":[";
    separated(&mut text, resources, |text, resource| row(text, resource, &taken, errors));
    text += "],\"lines\":[";
    separated(&mut text, lines, |text, Line { at, level, text: words }| {
        let (at, words) = (taken.time(*at), shortened(words));
        let _ = write!(text, "{{\"at\":\"{at}\",\"level\":\"{level}\",\"text\":{}}}", Quoted(&words));
    });
    text += "]}\n";
    text
}

/// The reloads so far (§9): names, and error text only when asked for.
fn reload(reload: &ReloadStatus, time: impl Fn(Duration) -> String, errors: Errors) -> String {
    let ReloadStatus { is_under_way, resource, past, .. } = reload;
    let list = |texts: Vec<String>| {
        texts.iter().map(|text| Quoted(text).to_string()).collect::<Vec<String>>().join(",")
    };
    let ended = |ended: Option<&EndedReload>| {
        let Some(EndedReload { ended, took, failures, .. }) = ended else { return "null".to_owned() };
        let names = failures.iter().map(|failure| failure.resource().to_owned()).collect();
        let mut text = format!(
            "{{\"at\":\"{}\",\"took_ms\":{},\"failed\":[{}]",
            time(*ended),
            took.as_millis(),
            list(names)
        );
        if errors == Errors::Shown {
            text += &format!(",\"errors\":[{}]", list(failures.iter().map(Failure::cause).collect()));
        }
        text + "}"
    };
    format!(
        "{{\"under_way\":{is_under_way},\"resource\":{},\"count\":{},\"failed\":{},\"last\":{},\"last_failed\":{}}}",
        resource.map_or_else(|| "null".to_owned(), |name| Quoted(name).to_string()),
        past.count,
        past.failed,
        ended(past.last.as_ref()),
        ended(past.last_failed.as_ref()),
    )
}

fn row(text: &mut String, row: &Row<'_>, taken: &Taken<'_>, errors: Errors) {
    let Row { resource, after, is_foundation, units, connected, checked } = row;
    let names =
        |names: &[&str]| names.iter().map(|name| Quoted(name).to_string()).collect::<Vec<_>>().join(",");
    let tasks: Vec<&str> = resource.tasks.iter().map(AsRef::as_ref).collect();
    let Units { requests, streams, upgraded, tasks: in_tasks, idle } = units;
    let _ = write!(
        text,
        "{{\"name\":{},\"state\":\"{}\",\"since\":\"{}\",\"after\":[{}],\"foundation\":{is_foundation},\"acquire_ms\":{},\"drain_ms\":{},\"release_ms\":{},\"left_ms\":{},\"in_flight\":{{\"requests\":{requests},\"streams\":{streams},\"upgraded\":{upgraded},\"tasks\":{in_tasks}}},\"idle\":{idle},\"connections\":{},\"tasks\":[{}],\"outcome\":{},\"check\":",
        Quoted(resource.name),
        resource.activity,
        taken.time(resource.since),
        names(after),
        millis(resource.acquire),
        millis(resource.drain),
        millis(resource.release),
        taken.left(resource.cutoff),
        connections(*connected),
        names(&tasks),
        quoted(resource.outcome.map(|outcome| outcome.to_string())),
    );
    check(text, *checked, errors);
    text.push('}');
}

/// When the status was taken.
struct Taken<'a> {
    status: &'a Status,
    now: SystemTime,
}

impl Taken<'_> {
    fn time(&self, at: Duration) -> Time {
        let then = self.status.now;
        Time(if at < then { self.now - (then - at) } else { self.now + (at - then) })
    }

    fn left(&self, until: Option<Duration>) -> String {
        millis(until.map(|until| until.saturating_sub(self.status.now)))
    }
}

fn separated<T>(text: &mut String, things: &[T], write: impl Fn(&mut String, &T)) {
    for (position, thing) in things.iter().enumerate() {
        if position > 0 {
            text.push(',');
        }
        write(text, thing);
    }
}

fn millis(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "null".to_owned(), |duration| duration.as_millis().to_string())
}

fn quoted(text: Option<String>) -> String {
    text.map_or_else(|| "null".to_owned(), |text| Quoted(&text).to_string())
}

/// So much of a line that many of them make no large document.
fn shortened(line: &str) -> String {
    if line.chars().count() <= LINE {
        return line.to_owned();
    }
    line.chars().take(LINE - 1).chain(['…']).collect()
}

/// Why the application stops. The words of a request are the program's own, and may repeat an error.
fn words(reason: &Reason, errors: Errors) -> String {
    match (reason, errors) {
        (Reason::Requested(_), Errors::Hidden) => "shutdown requested".to_owned(),
        _ => reason.to_string(),
    }
}

fn connections(connected: Option<Connected>) -> String {
    let Some(Connected { open, max }) = connected else { return "null".to_owned() };
    let max = max.map_or_else(|| "null".to_owned(), |max| max.to_string());
    format!("{{\"open\":{open},\"max\":{max}}}")
}

fn check(text: &mut String, checked: Option<&Checked>, errors: Errors) {
    let Some(Checked { result, at, error }) = checked else { return text.push_str("null") };
    let _ = write!(text, "{{\"result\":\"{result}\",\"at\":\"{}\"", Time(*at));
    let _ = match (errors, error) {
        (Errors::Hidden, _) => Ok(()),
        (Errors::Shown, None) => write!(text, ",\"error\":null"),
        (Errors::Shown, Some(error)) => write!(text, ",\"error\":{}", Quoted(error)),
    };
    text.push('}');
}

/// A time as RFC 3339 has it, in UTC.
struct Time(SystemTime);

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Moment(self.0.duration_since(UNIX_EPOCH).unwrap_or_default()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::activity::Activity;
    use crate::model::phase::{Phase, Reason};
    use crate::model::report::Outcome;
    use crate::probe::checks::CheckResult;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn errors_are_there_only_when_asked_for() {
        let resource = |name| ResourceStatus {
            name,
            activity: Activity::Gone,
            since: Duration::from_secs(2),
            acquire: Some(Duration::from_millis(250)),
            drain: None,
            release: Some(Duration::ZERO),
            outcome: Some(Outcome::TimedOut),
            tasks: vec!["jobs".into(), "mail".into()],
            cutoff: Some(Duration::from_secs(11)),
        };
        let status = Status {
            now: Duration::from_secs(10),
            phase: Phase::Stopping,
            phase_since: Duration::from_secs(1),
            reason: Some(Reason::Requested("secret".to_owned())),
            deadline: Some(Duration::from_millis(12_500)),
            total: Some(Duration::from_secs(25)),
            delay_ends: Some(Duration::from_secs(11)),
            has_started: true,
            last_progress: Duration::ZERO,
            reload: ReloadStatus::default(),
            resources: Vec::new(),
            main: resource("main"),
        };
        let checked =
            Checked { result: CheckResult::Failed, at: at(1_000), error: Some("secret".to_owned()) };
        let units = Units { requests: 1, streams: 4, upgraded: 3, tasks: 2, idle: 20 };
        let connected = Some(Connected { open: 22, max: Some(100) });
        let db = resource("Db");
        let row = |resource, units, connected, checked| Row {
            resource,
            after: vec!["Log"],
            is_foundation: false,
            units,
            connected,
            checked,
        };
        let told = Told {
            process: &Process { program: "app".to_owned(), pid: 7, started: at(1_000) },
            status: &status,
            now: at(1_010),
            main: Row { after: Vec::new(), ..row(&status.main, Units::default(), None, None) },
            resources: vec![row(&db, units, connected, Some(&checked))],
            lines: vec![Line { at: Duration::from_secs(9), level: "warning", text: "é".repeat(LINE + 1) }],
        };
        let hidden = document(&told, Errors::Hidden).replace(env!("CARGO_PKG_VERSION"), "1.2.3");
        let hidden = hidden.replace(&"é".repeat(LINE - 1), "é");
        let gone = "\"state\":\"gone\",\"since\":\"1970-01-01T00:16:42.000Z\"";
        let took =
            "\"foundation\":false,\"acquire_ms\":250,\"drain_ms\":null,\"release_ms\":0,\"left_ms\":1000";
        let names = "\"tasks\":[\"jobs\",\"mail\"],\"outcome\":\"timed out\"";
        assert_eq!(
            hidden,
            format!(
                "{{\"version\":\"1.2.3\",\"program\":\"app\",\"pid\":7,\
                 \"started\":\"1970-01-01T00:16:40.000Z\",\"now\":\"1970-01-01T00:16:50.000Z\",\
                 \"phase\":\"stopping\",\"since\":\"1970-01-01T00:16:41.000Z\",\
                 \"reason\":\"shutdown requested\",\
                 \"deadline\":\"1970-01-01T00:16:52.500Z\",\"left_ms\":2500,\"total_ms\":25000,\"delay_left_ms\":1000,\
                 \"reload\":{{\"under_way\":false,\"resource\":null,\"count\":0,\"failed\":0,\"last\":null,\"last_failed\":null}},\
                 \"main\":{{\"name\":\"main\",{gone},\"after\":[],{took},\
                 \"in_flight\":{{\"requests\":0,\"streams\":0,\"upgraded\":0,\"tasks\":0}},\"idle\":0,\"connections\":null,{names},\"check\":null}},\
                 \"resources\":[\
                 {{\"name\":\"Db\",{gone},\"after\":[\"Log\"],{took},\
                 \"in_flight\":{{\"requests\":1,\"streams\":4,\"upgraded\":3,\"tasks\":2}},\"idle\":20,\"connections\":{{\"open\":22,\"max\":100}},{names},\
                 \"check\":{{\"result\":\"failed\",\"at\":\"1970-01-01T00:16:40.000Z\"}}}}],\
                 \"lines\":[{{\"at\":\"1970-01-01T00:16:49.000Z\",\"level\":\"warning\",\"text\":\"é…\"}}]}}\n"
            )
        );
        let shown = document(&told, Errors::Shown);
        assert!(shown.contains("\"error\":\"secret\""), "{shown}");
        assert!(shown.contains("\"reason\":\"shutdown requested: secret\""), "{shown}");
    }
}
