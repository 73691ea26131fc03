//! What a program shows of itself: its plan before anything is acquired, its timeline at the end.

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::machine;
use crate::program::{Exit, Program};
use crate::scratch::Scratch;

const EXAMPLES: [&str; 8] =
    ["existing_app", "go_equivalent", "grpc", "hello", "in_flight", "payments", "tls", "websocket"];

const PLAN: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../lifecycle-runtime/docs/plan.schema.json"));
const REPORT: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../lifecycle-runtime/docs/report.schema.json"));

fn schema(text: &str) -> Validator {
    let schema = serde_json::from_str(text).expect("a schema is JSON");
    jsonschema::meta::validate(&schema).expect("it is a schema");
    jsonschema::validator_for(&schema).expect("it refers to nothing else")
}

/// The document, which must follow the schema.
#[track_caller]
pub(crate) fn valid(schema_text: &str, json: &str) -> Value {
    let document = serde_json::from_str(json).expect("it is JSON");
    let mistakes: Vec<String> = schema(schema_text)
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(mistakes.is_empty(), "{mistakes:#?} in {json}");
    assert_eq!(json.lines().count(), 1, "it is one line");
    document
}

#[track_caller]
pub(crate) fn valid_plan(json: &str) -> Value {
    valid(PLAN, json)
}

fn plan(example: &str, format: &str) -> Exit {
    Program::example(example).env("PORT", "0").env("LIFECYCLE_PLAN", format).spawn().wait_for_exit()
}

/// A document without anything from elsewhere.
#[track_caller]
pub(crate) fn is_svg(text: &str) {
    let document = roxmltree::Document::parse(text).expect("it is well-formed");
    assert_eq!(document.root_element().tag_name().name(), "svg");
    let attributes = document.descendants().flat_map(|node| node.attributes());
    for attribute in attributes {
        assert!(!["href", "src"].contains(&attribute.name()), "{attribute:?}");
        assert!(!attribute.value().contains("url("), "{attribute:?}");
    }
}

#[track_caller]
pub(crate) fn is_of_80_columns(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
}

#[test]
fn every_example_shows_its_plan_and_acquires_nothing() {
    let _machine = machine::shared();
    for example in EXAMPLES {
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
                    let plan = valid(PLAN, &text);
                    assert!(plan["resources"].as_array().is_some_and(|all| !all.is_empty()), "{text}");
                }
                _ => is_svg(&text),
            }
        }
    }
}

#[test]
fn a_plan_says_where_the_probe_answers_and_what_is_built_in() {
    let _machine = machine::shared();
    let plan = |variables: &[(&str, &str)], format: &str| {
        let program = Program::new(env!("CARGO_BIN_EXE_deployed")).env("LIFECYCLE_PLAN", format);
        let exit = variables.iter().fold(program, |program, (name, value)| program.env(name, value)).spawn();
        exit.wait_for_exit().stdout()
    };
    let json = |variables: &[(&str, &str)]| valid_plan(&plan(variables, "json"));
    let said = json(&[]);
    assert_eq!(said["probe"], serde_json::json!({ "address": "127.0.0.1:0", "prestop": true }));
    assert_eq!(said["features"], serde_json::json!(["http", "probe", "systemd"]));
    let told = [("LIFECYCLE_PROBE_ADDR", "0.0.0.0:8081")];
    assert_eq!(json(&told)["probe"]["address"], "0.0.0.0:8081");
    assert!(plan(&told, "text").contains("\n  probe: 0.0.0.0:8081, with /prestop\n"));
    assert_eq!(valid_plan(&self::plan("hello", "json").stdout())["probe"], Value::Null);
}

#[test]
fn the_plan_names_levels_edges_limits_and_doubts() {
    let _machine = machine::shared();
    let exit = plan("payments", "text");
    let text = exit.stdout();
    assert!(text.starts_with("14 resources on 8 levels\n"), "{text}");
    for part in
        ["· foundation, reloads", "· optional", "· after Client, Http", "longest chain: Telemetry → Settings"]
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
    assert_eq!(plan["resources"][0]["reloads"], true);
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

/// Has an example write its timeline, with an end by these signals.
fn ends_with(timeline: &str, example: &str, signals: &[Signal], scratch: &Scratch) -> Exit {
    let program = Program::example(example).env("PORT", "0").env("LIFECYCLE_TIMELINE", timeline);
    // Payments has files, and a probe.
    let process = program.env("TMPDIR", scratch.path()).env("LIFECYCLE_PROBE_ADDR", "127.0.0.1:0").spawn();
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
    for example in EXAMPLES {
        let files = Scratch::new();
        for extension in ["txt", "svg", "html", "json"] {
            let path = scratch.path().join(format!("{example}.{extension}"));
            let exit = ends_with(path.to_str().expect("it is text"), example, &[Signal::TERM], &files);
            assert_eq!(exit.code(), Some(0), "{example}: {}", exit.stderr());
            is_timeline(example, &path);
        }
    }
    assert!(scratch.content().len() == 4 * EXAMPLES.len(), "{:?}", scratch.content());
}

#[track_caller]
fn is_timeline(example: &str, path: &Path) {
    let text = fs::read_to_string(path).expect("it was written");
    match path.extension().and_then(|it| it.to_str()) {
        Some("txt") => {
            is_of_80_columns(&text);
            assert!(text.contains("SIGTERM received; exit code 0"), "{text}");
        }
        Some("svg") => is_svg(&text),
        Some("html") => is_page(&text),
        _ => {
            let report = valid(REPORT, &text);
            assert_eq!(report["exit_code"], 0);
            assert_eq!(report["signals"][0]["signal"], "SIGTERM");
            let count = if example == "payments" { 12 } else { 1 };
            assert!(report["resources"].as_array().is_some_and(|all| all.len() >= count), "{text}");
            let resource = &report["resources"][0];
            let moments =
                ["acquire_began_ms", "drain_began_ms", "ended_ms"].map(|name| resource[name].as_f64());
            assert!(moments.is_sorted() && moments[0].is_some(), "{text}");
        }
    }
}

/// A page without anything from elsewhere, with a picture in it.
#[track_caller]
pub(crate) fn is_page(text: &str) {
    let (from, to) = (text.find("<svg").expect("a picture"), text.find("</svg>").expect("its end"));
    is_svg(&text[from..to + "</svg>".len()]);
    for reference in ["src=", "href=", "url(", "@import", "<script"] {
        assert!(!text.contains(reference), "{reference} in {text}");
    }
}

/// What is missing, misspelled or of another type is not valid: each field of each object is tried.
#[test]
fn the_schemas_are_strict() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let path = scratch.path().join("failed.json");
    let process = Program::new(env!("CARGO_BIN_EXE_failing")).env("LIFECYCLE_TIMELINE", &path);
    assert_eq!(process.env("MODE", "task_fails").spawn().wait_for_exit().code(), Some(1));
    let report = valid(REPORT, &fs::read_to_string(&path).expect("it was written"));
    assert!(report["failures"].as_array().is_some_and(|all| !all.is_empty()), "{report}");
    let plan = valid(PLAN, &plan("payments", "json").stdout());
    for (schema_text, document) in [(PLAN, plan), (REPORT, report)] {
        let schema = schema(schema_text);
        let mut tried = 0;
        for pointer in objects(&document) {
            let object = document.pointer(&pointer).and_then(Value::as_object).expect("it is there");
            for name in object.keys() {
                for change in [Change::Remove, Change::Misspell, Change::Retype] {
                    let changed = change.made(&document, &pointer, name);
                    assert!(!schema.is_valid(&changed), "{change:?} {pointer}/{name}: {changed}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 50, "{tried}");
    }
    let negative = json!({"schema": 1, "at_ms": -1});
    assert!(!schema(REPORT).is_valid(&negative) && !schema(PLAN).is_valid(&json!({})));
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Remove,
    Misspell,
    Retype,
}

impl Change {
    fn made(self, document: &Value, pointer: &str, name: &str) -> Value {
        let mut changed = document.clone();
        let object = changed.pointer_mut(pointer).and_then(Value::as_object_mut).expect("it is there");
        let value = object.remove(name).expect("it is there");
        match self {
            Self::Remove => {}
            Self::Misspell => drop(object.insert(format!("{name}_"), value)),
            // No field takes one of these.
            Self::Retype if value.is_object() => drop(object.insert(name.to_owned(), json!([]))),
            Self::Retype => drop(object.insert(name.to_owned(), json!({}))),
        }
        changed
    }
}

/// Where the objects of a document are. Of those in a list, the first stands for all.
fn objects(document: &Value) -> Vec<String> {
    match document {
        Value::Object(fields) => {
            let beneath = fields.iter().flat_map(|(name, value)| {
                objects(value).into_iter().map(move |pointer| format!("/{name}{pointer}"))
            });
            std::iter::once(String::new()).chain(beneath).collect()
        }
        Value::Array(items) => items
            .first()
            .map(|item| objects(item).into_iter().map(|pointer| format!("/0{pointer}")).collect())
            .unwrap_or_default(),
        _ => Vec::new(),
    }
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
    let report = valid(REPORT, &fs::read_to_string(&path).expect("it was written"));
    assert_eq!(report["exit_code"], 124);
}

#[test]
fn a_timeline_that_cannot_be_written_is_told_and_changes_nothing() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    for path in ["/nowhere/last.svg", "/proc/last.svg"] {
        let exit = ends_with(path, "hello", &[Signal::TERM], &scratch);
        assert_eq!(exit.code(), Some(0));
        let expected = format!("lifecycle: the timeline cannot be written to {path}: ");
        assert!(exit.stderr().contains(&expected), "{}", exit.stderr());
    }
}

#[test]
fn the_timeline_on_stderr_has_no_colours_where_that_is_no_terminal() {
    let _machine = machine::shared();
    let exit = ends_with("-", "hello", &[Signal::TERM], &Scratch::new());
    let text = exit.stderr();
    assert!(text.contains("stop: ") && text.contains("* critical path"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_program_shows_the_plan_of_what_is_linked_and_refuses_a_bad_configuration() {
    let _machine = machine::shared();
    let planning = || Program::new(env!("CARGO_BIN_EXE_planning")).env("MODE", "linked");
    let exit = planning().spawn().wait_for_exit();
    let text = exit.stdout();
    assert!(text.starts_with("planning is here\n3 resources on 2 levels\n"), "{text}");
    assert!(text.contains("problem: Arguments: it is declared `supplied`"), "{text}");
    assert!(!text.contains("acquired"), "{text}");
    let exit = planning().env("LIFECYCLE_SHUTDOWN_TIMEOUT", "soon").spawn().wait_for_exit();
    assert_eq!((exit.code(), exit.stdout().as_str()), (Some(78), "planning is here\n"));
    assert!(exit.stderr().contains("LIFECYCLE_SHUTDOWN_TIMEOUT=\"soon\""), "{}", exit.stderr());
}

#[test]
fn the_plan_of_a_running_application_knows_whether_something_serves() {
    let _machine = machine::shared();
    for (mode, only_if_serving) in [("serving", false), ("waiting", true)] {
        let exit = Program::new(env!("CARGO_BIN_EXE_planning"))
            .env("MODE", mode)
            .env("KUBERNETES_SERVICE_HOST", "10.0.0.1")
            .env("LIFECYCLE_SHUTDOWN_TIMEOUT", "8s")
            .spawn()
            .wait_for_exit();
        assert_eq!(exit.code(), Some(0), "{}", exit.stderr());
        let json = exit.stdout().lines().find(|line| line.starts_with('{')).map(|line| format!("{line}\n"));
        let plan = valid(PLAN, &json.expect("it prints its plan"));
        assert_eq!(plan["delays_only_if_serving"], only_if_serving, "{mode}");
        // Half of what the reserves of Db, Http and main leave of 8 s.
        assert_eq!(plan["drain_delay_ms"], 2_500, "{mode}");
        assert_eq!(plan["timeout_origin"], "LIFECYCLE_SHUTDOWN_TIMEOUT");
        assert_eq!(plan["left_out"], json!(["Arguments"]));
    }
}
