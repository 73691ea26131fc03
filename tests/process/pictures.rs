//! What a program shows of itself: its plan before anything is acquired, its timeline at the end.

use std::fs;

use rustix::process::Signal;
use serde_json::Value;

use crate::machine;
use crate::program::{Exit, Program};
use crate::scratch::Scratch;

/// Those that run by themselves. Payments, which needs servers, is among the others.
const ALONE: [&str; 6] = ["existing_app", "grpc", "hello", "in_flight", "tls", "websocket"];
const OTHERS: [&str; 1] = ["payments"];

fn plan(example: &str, format: &str) -> Exit {
    Program::example(example).env("PORT", "0").env("LIFECYCLE_PLAN", format).spawn().wait_for_exit()
}

/// A document without anything from elsewhere.
#[track_caller]
fn is_svg(text: &str) {
    let document = roxmltree::Document::parse(text).expect("it is well-formed");
    assert_eq!(document.root_element().tag_name().name(), "svg");
    let attributes = document.descendants().flat_map(|node| node.attributes());
    for attribute in attributes {
        assert!(!["href", "src"].contains(&attribute.name()), "{attribute:?}");
        assert!(!attribute.value().contains("url("), "{attribute:?}");
    }
}

#[track_caller]
fn is_of_80_columns(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
}

#[test]
fn every_example_shows_its_plan_and_acquires_nothing() {
    let _machine = machine::shared();
    for example in ALONE.iter().chain(&OTHERS) {
        for format in ["text", "dot", "mermaid", "json", "svg"] {
            let exit = plan(example, format);
            assert_eq!(exit.code(), Some(0), "{example} {format}: {}", exit.stderr());
            assert_eq!(exit.stderr(), "", "{example} {format}");
            let text = exit.stdout();
            match format {
                "text" => is_of_80_columns(&text),
                "dot" => {
                    assert!(text.starts_with("digraph lifecycle {\n") && text.ends_with("}\n"), "{text}");
                }
                "mermaid" => assert!(text.starts_with("flowchart LR\n"), "{text}"),
                "json" => {
                    let plan: Value = serde_json::from_str(&text).expect("it is JSON");
                    assert_eq!(plan["schema"], 1);
                    assert!(plan["resources"].as_array().is_some_and(|all| !all.is_empty()), "{text}");
                }
                _ => is_svg(&text),
            }
        }
    }
}

#[test]
fn the_plan_names_levels_edges_limits_and_doubts() {
    let _machine = machine::shared();
    let exit = plan("payments", "text");
    let text = exit.stdout();
    assert!(text.starts_with("13 resources on 8 levels\n"), "{text}");
    for part in ["· foundation", "· optional", "· after Client, Http", "longest chain: Telemetry → Settings"]
    {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    let with_doubts = Program::example("payments")
        .env("LIFECYCLE_PLAN", "json")
        .env("LIFECYCLE_SHUTDOWN_TIMEOUT", "12s")
        .env("LIFECYCLE_GRACE_PERIOD", "10s")
        .spawn()
        .wait_for_exit();
    let plan: Value = serde_json::from_str(&with_doubts.stdout()).expect("it is JSON");
    assert_eq!(plan["shutdown_timeout_ms"], 12_000);
    assert_eq!(plan["timeout_origin"], "LIFECYCLE_SHUTDOWN_TIMEOUT");
    let warnings = plan["warnings"].to_string();
    assert!(warnings.contains("kills the process after 10.0 s"), "{warnings}");
    assert!(warnings.contains("all reserves are scaled down"), "{warnings}");
}

#[test]
fn an_unknown_form_of_plan_or_timeline_is_refused() {
    let _machine = machine::shared();
    let check = |variable: &str, value: &str, expected: &str| {
        let exit = Program::example("hello").env(variable, value).spawn().wait_for_exit();
        assert_eq!(exit.code(), Some(78));
        assert!(exit.stderr().contains(expected), "{}", exit.stderr());
    };
    check("LIFECYCLE_PLAN", "png", "LIFECYCLE_PLAN=\"png\": expected one of text, dot, mermaid, json, svg");
    check("LIFECYCLE_TIMELINE", "last.png", "expected a file whose name ends in one of .txt, .svg");
}

fn ends_with(timeline: &str, example: &str, signals: &[Signal]) -> Exit {
    let process = Program::example(example).env("PORT", "0").env("LIFECYCLE_TIMELINE", timeline).spawn();
    process.wait_for_line("running: everything was acquired");
    if example != "hello" {
        // A body of `main` that has not asked for its notice would be interrupted.
        process.wait_for_line("listening on ");
    }
    for signal in signals {
        process.signal(*signal);
    }
    process.wait_for_exit()
}

#[test]
fn every_example_leaves_its_timeline() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    for example in ALONE {
        for extension in ["txt", "svg", "html", "json"] {
            let path = scratch.path().join(format!("{example}.{extension}"));
            let exit = ends_with(path.to_str().expect("it is text"), example, &[Signal::TERM]);
            assert_eq!(exit.code(), Some(0), "{example}: {}", exit.stderr());
            let text = fs::read_to_string(&path).expect("it was written");
            match extension {
                "txt" => {
                    is_of_80_columns(&text);
                    assert!(text.contains("SIGTERM received; exit code 0"), "{text}");
                }
                "svg" => is_svg(&text),
                "html" => {
                    let (from, to) =
                        (text.find("<svg").expect("a picture"), text.find("</svg>").expect("its end"));
                    is_svg(&text[from..to + "</svg>".len()]);
                }
                _ => {
                    let report: Value = serde_json::from_str(&text).expect("it is JSON");
                    assert_eq!(report["exit_code"], 0);
                    assert_eq!(report["signals"][0]["signal"], "SIGTERM");
                    let resource = &report["resources"][0];
                    let moments = ["acquire_began_ms", "drain_began_ms", "ended_ms"]
                        .map(|name| resource[name].as_f64());
                    assert!(moments.is_sorted() && moments[0].is_some(), "{text}");
                }
            }
        }
    }
    assert!(scratch.content().len() == 4 * ALONE.len(), "{:?}", scratch.content());
}

/// The watchdog ends a process whose `release` blocks, and keeps what is known by then.
#[test]
fn a_forced_end_leaves_a_timeline_too() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("last.json");
    let process = Program::new(env!("CARGO_BIN_EXE_stuck"))
        .env("HANG", "blocking_release")
        .env("FLAVOR", "current")
        .env("LIFECYCLE_SHUTDOWN_TIMEOUT", "1s")
        .env("LIFECYCLE_TIMELINE", &path)
        .spawn();
    process.wait_for_line("running: everything was acquired");
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert!(exit.stderr().contains("ending it now"), "{}", exit.stderr());
    assert_eq!(exit.code(), Some(124));
    let report: Value =
        serde_json::from_str(&fs::read_to_string(&path).expect("it was written")).expect("it is JSON");
    assert_eq!(report["exit_code"], 124);
}

#[test]
fn a_timeline_that_cannot_be_written_is_told_and_changes_nothing() {
    let _machine = machine::shared();
    for path in ["/nowhere/last.svg", "/proc/last.svg"] {
        let exit = ends_with(path, "hello", &[Signal::TERM]);
        assert_eq!(exit.code(), Some(0));
        let expected = format!("lifecycle: the timeline cannot be written to {path}: ");
        assert!(exit.stderr().contains(&expected), "{}", exit.stderr());
    }
}

#[test]
fn the_timeline_on_stderr_has_no_colours_where_that_is_no_terminal() {
    let _machine = machine::shared();
    let exit = ends_with("-", "hello", &[Signal::TERM]);
    let text = exit.stderr();
    assert!(text.contains("stop: ") && text.contains("* critical path"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}
