//! The status as JSON.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Errors;
use super::checks::Checked;
use crate::driver::Connected;
use crate::engine::reload::ReloadStatus;
use crate::engine::status::{ResourceStatus, Status};
use crate::model::failure::Failure;
use crate::model::json::Quoted;
use crate::model::phase::Reason;
use crate::model::reload::EndedReload;
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
        "{{\"version\":\"{}\",\"phase\":\"{}\",\"since\":\"{}\",\"reason\":{},\"deadline\":{},\"left_ms\":{},\"reload\":{},\"resources\":[",
        env!("CARGO_PKG_VERSION"),
        status.phase,
        time(status.phase_since),
        quoted(status.reason.as_ref().map(|reason| words(reason, errors))),
        quoted(status.deadline.map(|deadline| time(deadline).to_string())),
        left(status.deadline),
        reload(&status.reload, |at| time(at).to_string(), errors),
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
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let millis = since.subsec_millis();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// The date so many days after 1970-01-01, in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that the leap day is the last of its year; an era is the 400 years after which the
    // calendar repeats itself.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
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
    fn times_are_utc() {
        let check = |seconds, expected: &str| assert_eq!(Time(at(seconds)).to_string(), expected);
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_399, "2000-02-28T23:59:59.000Z");
        check(951_782_400, "2000-02-29T00:00:00.000Z");
        check(951_868_800, "2000-03-01T00:00:00.000Z");
        check(1_735_689_599, "2024-12-31T23:59:59.000Z");
        check(4_107_542_400, "2100-03-01T00:00:00.000Z");
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
            reload: ReloadStatus::default(),
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
             \"deadline\":\"1970-01-01T00:16:52.500Z\",\"left_ms\":2500,\"reload\":{\"under_way\":false,\"resource\":null,\"count\":0,\"failed\":0,\"last\":null,\"last_failed\":null},\"resources\":[\
             {\"name\":\"Db\",\"state\":\"gone\",\"since\":\"1970-01-01T00:16:42.000Z\",\"left_ms\":1000,\
             \"in_flight\":{\"requests\":1,\"streams\":4,\"upgraded\":3,\"tasks\":2},\"idle\":20,\"connections\":{\"open\":22,\"max\":100},\"tasks\":[\"jobs\",\"mail\"],\"outcome\":\"timed out\",\"check\":{\"result\":\"failed\",\"at\":\"1970-01-01T00:16:40.000Z\"}}]}\n"
        );
        let shown = document(&status, &rows, at(1_010), Errors::Shown);
        assert!(shown.contains("\"error\":\"secret\""), "{shown}");
        assert!(shown.contains("\"reason\":\"shutdown requested: secret\""), "{shown}");
    }
}
