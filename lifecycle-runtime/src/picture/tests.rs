//! Pictures of made-up applications, small and large, slow and fast: they are looked at by their geometry.

use std::time::Duration;

use proptest::prelude::*;

use super::plan::{Plan, PlannedResource};
use super::words::COLUMNS;
#[cfg(feature = "cli")]
use crate::model::failure::{Cause, Failure, Operation};
use crate::model::graph::Necessity;
#[cfg(feature = "cli")]
use crate::model::graph::{Graph, Step};
use crate::model::phase::{Phase, Reason};
use crate::model::reload::Reloads;
use crate::model::report::{Outcome, Report, ResourceReport};
use crate::model::signal::Signal;
use crate::model::units::Units;

/// A name that does not stay when the test has ended would have to be passed along everywhere.
fn name(number: usize, length: usize) -> &'static str {
    let mut name = format!("R{number}");
    while name.len() < length {
        name += "<Long & \"odd\">";
    }
    name.leak()
}

/// Resource `n` comes after some of those before it.
fn plan(count: usize, length: usize) -> Plan {
    let names: Vec<&'static str> = (0..count).map(|number| name(number, length * (number % 3))).collect();
    let mut resources: Vec<PlannedResource> = Vec::new();
    for number in 0..count {
        let beneath = (0..number).filter(|other| (number * 7 + other * 5) % 9 == 0 && number - other < 12);
        let beneath: Vec<usize> = beneath.collect();
        resources.push(PlannedResource {
            name: names[number],
            level: beneath.iter().map(|&other| resources[other].level + 1).max().unwrap_or(0),
            after: beneath.iter().map(|&other| names[other]).collect(),
            foundation: false,
            necessity: if number % 4 == 0 { Necessity::Optional } else { Necessity::Required },
            is_supplied: number % 5 == 0,
            reloads: number % 6 == 0,
            acquire_timeout: (number % 2 == 0).then_some(Duration::from_secs(90)),
            drain_timeout: None,
            reserve: Duration::from_millis(500),
            cut_off: Duration::from_secs(20),
        });
    }
    Plan {
        resources,
        startup_timeout: None,
        shutdown_timeout: Duration::from_secs(25),
        timeout_origin: "the default".to_owned(),
        drain_delay: Duration::from_secs(5),
        delays_only_if_serving: true,
        probe: None,
        features: vec!["http"],
        left_out: vec!["Elsewhere"; 20],
        warnings: vec!["a warning of many words ".repeat(12)],
        problems: vec![],
    }
}

/// Every resource is acquired after the one before it, and released before it. `unit` is how long each step takes.
fn report(count: usize, length: usize, unit: Duration) -> Report {
    let step = |steps: usize| unit * u32::try_from(steps).unwrap();
    let (started, asked) = (step(count), step(count) + Duration::from_secs(100_000));
    let ended = asked + step(3 * count);
    let resources = (0..count).map(|number| {
        let turn = asked + step(3 * (count - 1 - number));
        ResourceReport {
            name: name(number, length * (number % 3)),
            foundation: false,
            outcome: if number % 7 == 3 { Outcome::Aborted } else { Outcome::Clean },
            after: Vec::new(),
            was_acquired: true,
            acquire_began: Some(step(number)),
            drain_began: Some(turn),
            release_began: Some(turn + step(2)),
            ended: Some(turn + step(3)),
            acquire: Some(unit),
            drain: Some(step(2)),
            release: Some(unit),
            in_flight: 3,
            in_flight_by_kind: Units::of_tasks(3),
            cut_by_kind: Units::of_tasks(usize::from(number % 7 == 3)),
            cut: usize::from(number % 7 == 3),
            excused: 0,
            aborted_tasks: Vec::new(),
            stuck_tasks: Vec::new(),
        }
    });
    let resources: Vec<ResourceReport> = resources.collect();
    let names: Vec<&'static str> = resources.iter().map(|resource| resource.name).collect();
    Report {
        reason: Reason::Signal(Signal::Terminate),
        phases: vec![
            (Phase::Starting, Duration::ZERO),
            (Phase::Running, started),
            (Phase::Draining, asked),
            (Phase::Stopping, asked + unit),
            (Phase::Stopped, ended),
        ],
        signals: vec![(Signal::Terminate, asked), (Signal::Interrupt, ended - unit)],
        start_path: names.clone(),
        stop_path: names.into_iter().rev().collect(),
        resources,
        failures: Vec::new(),
        reloads: Reloads::default(),
        shutdown_timeout: step(3 * count),
        stop_took: Some(ended - asked),
        exit_code: 124,
        exit: None,
    }
}

/// A text of a picture: what it says, for a failure, and the box that it fills.
#[derive(Debug)]
struct Label {
    #[expect(dead_code, reason = "a failure shows it")]
    words: String,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

fn attribute(tag: &str, name: &str) -> f64 {
    let value = tag.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {tag}"))
}

fn labels(svg: &str) -> Vec<Label> {
    let texts = svg.split("<text").skip(1);
    let label = |text: &str| {
        let (tag, rest) = text.split_once('>').unwrap();
        let [left, y, size, length] = ["x", "y", "font-size", "textLength"].map(|name| attribute(tag, name));
        let words = rest.split('<').next().unwrap().to_owned();
        Label { words, left, right: left + length, top: y - 0.75 * size, bottom: y + 0.2 * size }
    };
    texts.map(label).collect()
}

/// No label covers another, and all are inside.
fn is_legible(svg: &str) {
    let (open, _) = svg.split_once('>').unwrap();
    let (width, height) = (attribute(open, "width"), attribute(open, "height"));
    let labels = labels(svg);
    assert!(labels.len() > 2, "{svg}");
    for (place, a) in labels.iter().enumerate() {
        assert!(a.left >= 0.0 && a.right <= width && a.top >= 0.0 && a.bottom <= height, "{a:?} is outside");
        for b in &labels[place + 1..] {
            let is_apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
            assert!(is_apart, "{a:?} and {b:?}");
        }
    }
    assert_eq!(svg.matches("http").count(), 1, "nothing but the name space is an address");
}

fn is_narrow(text: &str) {
    let widest = text.lines().max_by_key(|line| line.chars().count()).unwrap_or_default();
    assert!(widest.chars().count() <= COLUMNS, "{widest:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn plans_are_legible(count in 0_usize..110, length in 0_usize..60) {
        let plan = plan(count, length);
        is_narrow(&plan.to_string());
        is_legible(&plan.to_svg());
    }

    #[test]
    fn timelines_are_legible(count in 0_usize..110, length in 0_usize..60, nanos in 1_u64..20_000_000_000) {
        let report = report(count, length, Duration::from_nanos(nanos));
        is_narrow(&report.to_timeline());
        is_legible(&report.to_svg());
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_report_that_was_read_back_has_the_same_pictures(
        count in 0_usize..30,
        length in 0_usize..60,
        nanos in 1_u64..20_000_000_000,
    ) {
        is_read_back(&report(count, length, Duration::from_nanos(nanos)));
    }
}

#[cfg(feature = "cli")]
fn is_read_back(report: &Report) {
    let read = super::reading::read_report(&report.to_json()).unwrap();
    assert_eq!(read.to_json(), report.to_json());
    assert_eq!(read.to_timeline_with(true), report.to_timeline_with(true));
    assert_eq!(read.to_svg(), report.to_svg());
    assert_eq!(read.to_html(), report.to_html());
}

/// Failures of every kind, in an application that started and in one that did not.
#[cfg(feature = "cli")]
#[test]
fn failures_are_read_back_with_the_chain_of_those_that_needed_them() {
    let step = |name, after: &[usize], necessity| Step {
        name,
        after: after.to_vec(),
        reserve: Duration::ZERO,
        acquire_timeout: None,
        drain_timeout: None,
        necessity,
        foundation: false,
        is_supplied: false,
        reloads: false,
    };
    let mut report = report(4, 0, Duration::from_micros(1));
    let names: Vec<&'static str> = report.resources.iter().map(|resource| resource.name).collect();
    let edges: [&[usize]; 4] = [&[], &[0], &[0], &[1, 2]];
    for (resource, after) in report.resources.iter_mut().zip(edges) {
        resource.after = after.iter().map(|&id| names[id]).collect();
    }
    let necessity = [Necessity::Optional, Necessity::Required, Necessity::Required, Necessity::Required];
    let steps = (0..4).map(|id| step(names[id], edges[id], necessity[id]));
    let (graph, _) = Graph::new(steps.collect(), Duration::ZERO);
    let graph = std::sync::Arc::new(graph);
    let of = |id, operation| Failure::of(&graph, id, operation, Cause::Error("a \"bad\"\nthing: why".into()));
    report.failures = vec![
        of(0, Operation::Acquire),
        of(1, Operation::Acquire),
        of(2, Operation::Task("worker".to_owned())),
        of(3, Operation::Release),
        of(3, Operation::Abort),
        of(graph.main(), Operation::Main),
        of(graph.main(), Operation::Task("job".to_owned())),
        Failure::new("configuration", Operation::Configure, Cause::Panic("no".to_owned())),
        Failure::new("process", Operation::Prepare, Cause::Lost),
        Failure::new("probe", Operation::Probe, Cause::Error("taken".into())),
    ];
    assert!(report.to_string().contains("needed by: R3"), "{report}");
    for reason in [
        Reason::Signal(Signal::Hangup),
        Reason::Requested("it is late".to_owned()),
        Reason::Failed,
        Reason::Finished,
        Reason::Configuration,
        Reason::Dropped,
        Reason::Planned,
    ] {
        is_read_back(&Report { reason, ..report.clone() });
    }
    report.phases.retain(|(phase, _)| *phase != Phase::Running);
    report.resources[1].outcome = Outcome::Failed;
    report.resources[3].outcome = Outcome::NeverStarted;
    report.resources[3].was_acquired = false;
    assert!(report.to_string().contains("did not start"), "{report}");
    is_read_back(&report);
    report.phases.truncate(1);
    report.stop_took = None;
    is_read_back(&report);
}
