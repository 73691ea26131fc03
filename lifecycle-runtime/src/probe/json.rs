//! The status as JSON.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Errors;
use super::checks::Checked;
use crate::driver::Connected;
use crate::engine::status::{ResourceStatus, Status};
use crate::model::json::Quoted;
use crate::model::moment::Moment;
use crate::model::phase::Reason;
use crate::model::units::Units;

/// One resource, with what the engine does not know of it.
pub(super) struct Row<'a> {
    pub(super) resource: &'a ResourceStatus,
    pub(super) units: Units,
    /// If it has a server.
    pub(super) connected: Option<Connected>,
    pub(super) checked: Option<&'a Checked>,
}

/// The document that [`Probe`](super::Probe) describes. `now` is the time of the status.
pub(super) fn document(status: &Status, rows: &[Row<'_>], now: SystemTime, errors: Errors) -> String {
    let time =
        |at: Duration| Time(if at < status.now { now - (status.now - at) } else { now + (at - status.now) });
    let left = |until: Option<Duration>| match until {
        Some(until) => until.saturating_sub(status.now).as_millis().to_string(),
        None => "null".to_owned(),
    };
    let quoted =
        |text: Option<String>| text.map_or_else(|| "null".to_owned(), |text| Quoted(&text).to_string());
    let mut text = format!(
        "{{\"version\":\"{}\",\"phase\":\"{}\",\"since\":\"{}\",\"reason\":{},\"deadline\":{},\"left_ms\":{},\"resources\":[",
        env!("CARGO_PKG_VERSION"),
        status.phase,
        time(status.phase_since),
        quoted(status.reason.as_ref().map(|reason| words(reason, errors))),
        quoted(status.deadline.map(|deadline| time(deadline).to_string())),
        left(status.deadline),
    );
    for (position, Row { resource, units, connected, checked }) in rows.iter().enumerate() {
        let comma = if position == 0 { "" } else { "," };
        let tasks: Vec<String> = resource.tasks.iter().map(|task| Quoted(task).to_string()).collect();
        let Units { requests, streams, upgraded, tasks: in_tasks, idle } = units;
        let _ = write!(
            text,
            "{comma}{{\"name\":{},\"state\":\"{}\",\"since\":\"{}\",\"left_ms\":{},\"in_flight\":{{\"requests\":{requests},\"streams\":{streams},\"upgraded\":{upgraded},\"tasks\":{in_tasks}}},\"idle\":{idle},\"connections\":{},\"tasks\":[{}],\"outcome\":{},\"check\":",
            Quoted(resource.name),
            resource.activity,
            time(resource.since),
            left(resource.cutoff),
            connections(*connected),
            tasks.join(","),
            quoted(resource.outcome.map(|outcome| outcome.to_string())),
        );
        check(&mut text, *checked, errors);
        text.push('}');
    }
    text += "]}\n";
    text
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
        let resource = ResourceStatus {
            name: "Db",
            activity: Activity::Gone,
            since: Duration::from_secs(2),
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
            has_started: true,
            last_progress: Duration::ZERO,
            resources: Vec::new(),
        };
        let checked =
            Checked { result: CheckResult::Failed, at: at(1_000), error: Some("secret".to_owned()) };
        let units = Units { requests: 1, streams: 4, upgraded: 3, tasks: 2, idle: 20 };
        let connected = Some(Connected { open: 22, max: Some(100) });
        let rows = [Row { resource: &resource, units, connected, checked: Some(&checked) }];
        let hidden = document(&status, &rows, at(1_010), Errors::Hidden);
        assert_eq!(
            hidden.replace(env!("CARGO_PKG_VERSION"), "1.2.3"),
            "{\"version\":\"1.2.3\",\"phase\":\"stopping\",\"since\":\"1970-01-01T00:16:41.000Z\",\
             \"reason\":\"shutdown requested\",\
             \"deadline\":\"1970-01-01T00:16:52.500Z\",\"left_ms\":2500,\"resources\":[\
             {\"name\":\"Db\",\"state\":\"gone\",\"since\":\"1970-01-01T00:16:42.000Z\",\"left_ms\":1000,\
             \"in_flight\":{\"requests\":1,\"streams\":4,\"upgraded\":3,\"tasks\":2},\"idle\":20,\"connections\":{\"open\":22,\"max\":100},\"tasks\":[\"jobs\",\"mail\"],\"outcome\":\"timed out\",\"check\":{\"result\":\"failed\",\"at\":\"1970-01-01T00:16:40.000Z\"}}]}\n"
        );
        let shown = document(&status, &rows, at(1_010), Errors::Shown);
        assert!(shown.contains("\"error\":\"secret\""), "{shown}");
        assert!(shown.contains("\"reason\":\"shutdown requested: secret\""), "{shown}");
    }
}
