//! Reads a report back from its JSON, so that it can be shown in the other forms: by the program `lifecycle`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::cursor::Cursor;
use super::timeline_json::SCHEMA;
use crate::model::Name;
use crate::model::failure::{Cause, Failure, Operation};
use crate::model::graph::{Graph, Id, Necessity, Step};
use crate::model::phase::{Phase, Reason};
use crate::model::reload::{EndedReload, ReloadReason, Reloads};
use crate::model::report::{Outcome, Report, ResourceReport};
use crate::model::signal::Signal;
use crate::model::units::Units;

const PHASES: [Phase; 5] =
    [Phase::Starting, Phase::Running, Phase::Draining, Phase::Stopping, Phase::Stopped];
const SIGNALS: [Signal; 4] = [Signal::Hangup, Signal::Interrupt, Signal::Quit, Signal::Terminate];
const OUTCOMES: [Outcome; 9] = [
    Outcome::Clean,
    Outcome::Held,
    Outcome::Failed,
    Outcome::Panicked,
    Outcome::TimedOut,
    Outcome::Aborted,
    Outcome::Cancelled,
    Outcome::Skipped,
    Outcome::NeverStarted,
];

/// What failures belong to that are not those of a resource.
const OTHERS: [Name; 4] = ["main", "configuration", "process", "probe"];

/// The report that [`Report::to_json`] wrote: each of its pictures is the same. Of an error, only the text is left.
///
/// The names of the resources stay in memory for ever, like those in a program.
///
/// # Errors
///
/// What is wrong with the text, and where. Fields that are not known are passed over.
pub fn read_report(json: &str) -> Result<Report, String> {
    let document: Value = serde_json::from_str(json).map_err(|error| format!("it is not JSON: {error}"))?;
    let document = Cursor::new(&document);
    check_schema(&document)?;
    let resources = document.field("resources")?;
    let mut names = Names::default();
    for resource in resources.items()? {
        names.add(&resource.field("name")?)?;
    }
    let after = resources.list(|resource| names.after(&resource))?;
    let resources = resources.list(|it| resource(&it, &names))?;
    let failures = document.field("failures")?;
    let graph = graph(&resources, after, &names, &failures)?;
    let at = |item: &Cursor<'_>| item.field("at_ms")?.millis();
    Ok(Report {
        reason: reason(&document.field("reason")?)?,
        phases: document
            .field("phases")?
            .list(|item| Ok((item.field("phase")?.one_of(&PHASES)?, at(&item)?)))?,
        signals: document
            .field("signals")?
            .list(|item| Ok((item.field("signal")?.one_of(&SIGNALS)?, at(&item)?)))?,
        resources,
        failures: failures.list(|item| failure(&item, &names, &graph))?,
        reloads: reloads(&document.field("reloads")?, &names, &graph)?,
        start_path: names.known(&document.field("start_path")?)?,
        stop_path: names.known(&document.field("stop_path")?)?,
        shutdown_timeout: document.field("shutdown_timeout_ms")?.millis()?,
        stop_took: document.field("stop_took_ms")?.perhaps_millis()?,
        exit_code: byte(&document.field("exit_code")?)?,
        exit: None,
    })
}

fn check_schema(document: &Cursor<'_>) -> Result<(), String> {
    let schema = document.field("schema").map_err(|what| {
        what + ": a report is what LIFECYCLE_TIMELINE=report.json or `Report::to_json` has written"
    })?;
    let number = schema.number(u32::MAX)?;
    if number != SCHEMA {
        let writer = document.field("version").and_then(|version| version.text().map(str::to_owned));
        let writer = writer.map_or(String::new(), |version| format!(", {version}"));
        return Err(format!(
            "`schema` is {number}, and this program reads {SCHEMA}: use the `lifecycle` of the version of \
             lifecycle-runtime that has written it{writer}"
        ));
    }
    let has = |name: &str| document.field(name).is_ok();
    if has("timeout_origin") && !has("reason") {
        return Err("it is the JSON of a plan, not of a report: LIFECYCLE_TIMELINE writes that".to_owned());
    }
    Ok(())
}

/// The names of the resources, in their order.
#[derive(Default)]
struct Names {
    all: Vec<Name>,
    places: HashMap<Name, Id>,
}

impl Names {
    fn add(&mut self, name: &Cursor<'_>) -> Result<(), String> {
        let text: Name = name.text()?.to_owned().leak();
        if self.places.insert(text, self.all.len()).is_some() {
            return Err(name.is_not("a name that no other resource has"));
        }
        self.all.push(text);
        Ok(())
    }

    fn place(&self, name: &Cursor<'_>) -> Result<Id, String> {
        let place = self.places.get(name.text()?);
        place.copied().ok_or_else(|| name.is_not("the name of one of the `resources`"))
    }

    fn known(&self, names: &Cursor<'_>) -> Result<Vec<Name>, String> {
        names.list(|name| Ok(self.all[self.place(&name)?]))
    }

    /// What a resource came after, as places.
    fn after(&self, resource: &Cursor<'_>) -> Result<Vec<Id>, String> {
        let own = self.place(&resource.field("name")?)?;
        resource.field("after")?.list(|name| {
            let place = self.place(&name)?;
            if place < own {
                Ok(place)
            } else {
                Err(name.is_not("a resource that is listed before this one: dependencies come first"))
            }
        })
    }
}

fn resource(resource: &Cursor<'_>, names: &Names) -> Result<ResourceReport, String> {
    let millis = |name: &str| -> Result<Option<Duration>, String> { resource.field(name)?.perhaps_millis() };
    let units = |name: &str| units(&resource.field(name)?);
    let (in_flight, cut) = (units("in_flight")?, units("cut")?);
    Ok(ResourceReport {
        name: names.all[names.place(&resource.field("name")?)?],
        foundation: resource.field("foundation")?.flag()?,
        outcome: resource.field("outcome")?.one_of(&OUTCOMES)?,
        after: names.known(&resource.field("after")?)?,
        was_acquired: resource.field("acquired")?.flag()?,
        acquire_began: millis("acquire_began_ms")?,
        drain_began: millis("drain_began_ms")?,
        release_began: millis("release_began_ms")?,
        ended: millis("ended_ms")?,
        acquire: millis("acquire_ms")?,
        drain: millis("drain_ms")?,
        release: millis("release_ms")?,
        in_flight: in_flight.in_flight(),
        in_flight_by_kind: in_flight,
        cut: cut.all(),
        cut_by_kind: cut,
        excused: count(&resource.field("excused")?)?,
        aborted_tasks: resource.field("aborted_tasks")?.texts()?,
        stuck_tasks: resource.field("stuck_tasks")?.texts()?,
    })
}

fn units(units: &Cursor<'_>) -> Result<Units, String> {
    let kind = |name: &str| count(&units.field(name)?);
    Ok(Units {
        requests: kind("requests")?,
        streams: kind("streams")?,
        upgraded: kind("upgraded")?,
        tasks: kind("tasks")?,
        idle: kind("idle")?,
    })
}

fn count(number: &Cursor<'_>) -> Result<usize, String> {
    // Some of them are added up.
    Ok(number.number(1_000_000_000)? as usize)
}

fn byte(number: &Cursor<'_>) -> Result<u8, String> {
    let most = u8::MAX;
    u8::try_from(number.number(most.into())?).map_err(|_| number.is_not(format_args!("at most {most}")))
}

/// The reason by its words.
fn reason(words: &Cursor<'_>) -> Result<Reason, String> {
    let text = words.text()?;
    if let Some(words) = text.strip_prefix("shutdown requested: ") {
        return Ok(Reason::Requested(words.to_owned()));
    }
    let signals = SIGNALS.map(Reason::Signal).into_iter();
    let others = [Reason::Failed, Reason::Finished, Reason::Configuration, Reason::Dropped, Reason::Planned];
    let found = signals.chain(others).find(|reason| reason.to_string() == text);
    found.ok_or_else(|| words.is_not("a reason such as \"SIGTERM received\""))
}

/// The graph, from which the chain of those that needed a resource follows.
fn graph(
    resources: &[ResourceReport],
    after: Vec<Vec<Id>>,
    names: &Names,
    failures: &Cursor<'_>,
) -> Result<Arc<Graph>, String> {
    let mut may_fail = vec![false; resources.len()];
    for failure in failures.items()? {
        if let Ok(id) = names.place(&failure.field("resource")?) {
            may_fail[id] |= failure.field("tolerated")?.flag()?;
        }
    }
    let steps = resources.iter().zip(after).zip(may_fail).map(|((resource, after), may_fail)| Step {
        name: resource.name,
        after,
        reserve: Duration::ZERO,
        acquire_timeout: None,
        drain_timeout: None,
        necessity: if may_fail { Necessity::Optional } else { Necessity::Required },
        // What comes after a foundation is listed like everything else.
        foundation: false,
        is_supplied: false,
        reloads: false,
    });
    let (graph, _) = Graph::new(steps.collect(), Duration::ZERO);
    Ok(Arc::new(graph))
}

fn failure(failure: &Cursor<'_>, names: &Names, graph: &Arc<Graph>) -> Result<Failure, String> {
    let (resource, operation) = (failure.field("resource")?, operation(failure)?);
    let cause = Cause::Error(failure.field("cause")?.text()?.into());
    let text = resource.text()?;
    match (names.place(&resource), OTHERS.into_iter().find(|other| *other == text)) {
        (Ok(id), _) => Ok(Failure::of(graph, id, operation, cause)),
        (Err(_), Some(other)) => Ok(Failure::new(other, operation, cause)),
        (Err(what), None) => Err(format!("{what}, or one of {}", OTHERS.join(", "))),
    }
}

/// Of the last one that failed, the JSON has the moment and the names.
fn reloads(reloads: &Cursor<'_>, names: &Names, graph: &Arc<Graph>) -> Result<Reloads, String> {
    let number = |name: &str| Ok::<_, String>(reloads.field(name)?.number(u32::MAX)?.into());
    let failed = |name: Cursor<'_>| {
        Ok(Failure::of(graph, names.place(&name)?, Operation::Reload, Cause::Error("".into())))
    };
    let failures = reloads.field("last_failures")?.list(failed)?;
    let ended = reloads.field("last_failed_ms")?.perhaps_millis()?;
    let last_failed = ended.map(|ended| EndedReload {
        reason: ReloadReason::Requested,
        ended,
        took: Duration::ZERO,
        reloaded: 0,
        failures,
    });
    Ok(Reloads { count: number("count")?, failed: number("failed")?, last: None, last_failed })
}

fn operation(failure: &Cursor<'_>) -> Result<Operation, String> {
    let (operation, task) = (failure.field("operation")?, failure.field("task")?);
    let word = operation.text()?;
    let of_no_task = match word {
        "acquire" => Operation::Acquire,
        "task" => return Ok(Operation::Task(task.text()?.to_owned())),
        "release" => Operation::Release,
        "abort" => Operation::Abort,
        "main" => Operation::Main,
        "configure" => Operation::Configure,
        "prepare" => Operation::Prepare,
        "probe" => Operation::Probe,
        "reload" => Operation::Reload,
        _ => {
            let known = "one of acquire, task, release, abort, main, configure, prepare, probe, reload";
            return Err(operation.is_not(known));
        }
    };
    if task.is_null() {
        Ok(of_no_task)
    } else {
        Err(task.is_not("null, because the operation is not a task"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: &str = r#"{"requests":1,"streams":0,"upgraded":0,"tasks":0,"idle":0}"#;

    /// A report of two resources, and a failure.
    fn document() -> String {
        let resource = |name: &str, after: &str| {
            format!(
                r#"{{"name":"{name}","foundation":false,"outcome":"clean","after":[{after}],"acquired":true,
                "acquire_began_ms":0,"acquire_ms":0.5,"drain_began_ms":null,"drain_ms":null,
                "release_began_ms":null,"release_ms":null,"ended_ms":null,"in_flight":{UNITS},"cut":{UNITS},
                "excused":0,"aborted_tasks":[],"stuck_tasks":[],"of_a_later_version":true}}"#
            )
        };
        let (db, http) = (resource("Db", ""), resource("Http", r#""Db""#));
        format!(
            r#"{{"schema":1,"version":"0.1.0","reason":"SIGTERM received","exit_code":0,
            "shutdown_timeout_ms":25000,"stop_took_ms":3.25,"deadline_ms":25001,
            "phases":[{{"phase":"running","at_ms":1}}],"signals":[{{"signal":"SIGINT","at_ms":2}}],
            "resources":[{db},{http}],
            "failures":[{{"resource":"Db","operation":"task","task":"worker","what":"","cause":"no",
            "tolerated":false}}],"reloads":{{"count":0,"failed":0,"last_failed_ms":null,"last_failures":[]}},"start_path":["Db","Http"],"stop_path":[]}}"#
        )
    }

    #[test]
    fn a_report_is_read() {
        let report = read_report(&document()).unwrap();
        assert_eq!(report.stop_took, Some(Duration::from_micros(3_250)));
        assert_eq!(report.resource("Http").unwrap().after, ["Db"]);
        assert_eq!(*report.failures[0].operation(), Operation::Task("worker".to_owned()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let check = |from: &str, to: &str, expected: &str| {
            let document = document();
            assert!(document.contains(from), "{from}");
            match read_report(&document.replacen(from, to, 1)) {
                Ok(_) => panic!("{to} was accepted"),
                Err(what) => assert!(what.contains(expected), "{to}: {what}"),
            }
        };
        // Not JSON.
        check("25000", "NaN", "it is not JSON: expected value at line 2 column");
        check("25000", "1e999", "it is not JSON: number out of range at line 2");
        check("\"stop_path\":[]}", "", "it is not JSON: EOF while parsing");
        // Not this version, or something else.
        check(
            "\"schema\":1",
            "\"schema\":2",
            "`schema` is 2, and this program reads 1: use the `lifecycle` of",
        );
        check("\"schema\":1", "\"schema\":\"1\"", "`schema` is \"1\": expected a whole number");
        check("\"schema\"", "\"scheme\"", "`schema` is missing: a report is what LIFECYCLE_TIMELINE=");
        check("\"reason\"", "\"timeout_origin\"", "it is the JSON of a plan, not of a report");
        // Fields.
        check("\"exit_code\"", "\"exitcode\"", "`exit_code` is missing");
        check("\"idle\"", "\"idol\"", "`resources[0].in_flight.idle` is missing");
        check(
            "\"exit_code\":0",
            "\"exit_code\":256",
            "`exit_code` is 256: expected a whole number from 0 to 255",
        );
        check("\"excused\":0", "\"excused\":-1", "`resources[0].excused` is -1: expected a whole number");
        check("\"requests\":1", "\"requests\":1e30", "`resources[0].in_flight.requests` is 1e+30");
        check("\"requests\":1", "\"requests\":5000000000", "expected a whole number from 0 to 1000000000");
        check(
            "25000",
            "-1",
            "`shutdown_timeout_ms` is -1: expected milliseconds: a number from 0 to 3155760000000",
        );
        check("25000", "1e300", "`shutdown_timeout_ms` is 1e+300");
        check("25000", "null", "`shutdown_timeout_ms` is null");
        check("3.25", "\"soon\"", "`stop_took_ms` is \"soon\": expected milliseconds");
        check("3.25", "\"soon\"", ", or null");
        check("\"at_ms\":2", "\"at_ms\":[]", "`signals[0].at_ms` is []");
        check(
            "\"foundation\":false",
            "\"foundation\":0",
            "`resources[0].foundation` is 0: expected true or false",
        );
        check(
            "\"aborted_tasks\":[]",
            "\"aborted_tasks\":{}",
            "`resources[0].aborted_tasks` is {}: expected a list",
        );
        // Names.
        check("running", "walking", "`phases[0].phase` is \"walking\": expected one of starting, running");
        check("SIGINT", "SIGKILL", "`signals[0].signal` is \"SIGKILL\": expected one of SIGHUP, SIGINT");
        check("clean", "tidy", "`resources[0].outcome` is \"tidy\": expected one of clean, still held");
        check("SIGTERM received", "SIGKILL received", "expected a reason such as \"SIGTERM received\"");
        check(
            "\"task\",",
            "\"chore\",",
            "`failures[0].operation` is \"chore\": expected one of acquire, task",
        );
        check("\"task\",", "\"main\",", "`failures[0].task` is \"worker\": expected null");
        check(
            "\"resource\":\"Db\"",
            "\"resource\":\"Dd\"",
            "`failures[0].resource` is \"Dd\": expected the name",
        );
        check(
            "[\"Db\",\"Http\"]",
            "[\"Db\",\"Web\"]",
            "`start_path[1]` is \"Web\": expected the name of one",
        );
        check(
            "\"name\":\"Http\"",
            "\"name\":\"Db\"",
            "`resources[1].name` is \"Db\": expected a name that no other",
        );
        check(
            "\"after\":[]",
            "\"after\":[\"Http\"]",
            "`resources[0].after[0]` is \"Http\": expected a resource that",
        );
        check("\"after\":[]", "\"after\":[\"Db\"]", "dependencies come first");
    }

    #[test]
    fn a_long_value_is_shortened_and_deep_ones_are_refused() {
        let long = document().replacen("clean", &"ä".repeat(10_000), 1);
        let what = read_report(&long).unwrap_err();
        assert!(what.contains("ä…: expected one of") && what.len() < 400, "{what}");
        let deep = "[".repeat(100_000);
        assert!(read_report(&deep).unwrap_err().starts_with("it is not JSON: recursion limit"));
        assert!(read_report("[]").unwrap_err().starts_with("it is []: expected an object: a report is what"));
    }
}
