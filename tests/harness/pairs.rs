//! The pairs of files in `tests/doctor`, and what `lifecycle doctor` says of them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::program::{Exit, Program};

/// Where the pairs are: a folder for each rule, with files that break it (`wrong`) and that do not (`right`).
pub fn pairs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("doctor")
}

pub fn doctor(arguments: &[&str]) -> Exit {
    Program::example("lifecycle").in_directory(&pairs()).arg("doctor").args(arguments).spawn().wait_for_exit()
}

/// What is found in a file of a pair, with what belongs to it: `rule/file:line: severity rule`.
#[track_caller]
pub fn found(rule: &str, file: &str) -> String {
    let folder = pairs().join(rule);
    let beside = |name: &str| folder.join(name).exists().then(|| format!("{rule}/{name}"));
    let plan = beside("plan.json").unwrap_or_else(|| "plan.json".to_owned());
    let mut arguments = vec!["--plan".to_owned(), plan, "--format".to_owned(), "json".to_owned()];
    arguments.extend(["--container=shop".to_owned(), "--container=shop.service".to_owned()]);
    if rule == "children-end-first" {
        arguments.push("--children".to_owned());
    }
    arguments.extend(beside("Dockerfile"));
    arguments.extend(beside("shop.service").filter(|_| file.ends_with(".cfg")));
    arguments.push(format!("{rule}/{file}"));
    let exit = doctor(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let printed: Value =
        serde_json::from_str(&exit.stdout()).unwrap_or_else(|_| panic!("{file}: {}", exit.stderr()));
    let findings = printed["findings"].as_array().expect("it has findings");
    assert_eq!(exit.code(), Some(i32::from(!findings.is_empty())), "{rule}/{file}");
    assert_ne!(printed["looked_at"].as_array().map(Vec::len), Some(0), "{rule}/{file}");
    let text = |finding: &Value, field: &str| finding[field].as_str().expect("it is text").to_owned();
    findings.iter().fold(String::new(), |mut found, finding| {
        let (file, severity, rule) =
            (text(finding, "file"), text(finding, "severity"), text(finding, "rule"));
        let _ = writeln!(found, "{file}:{}: {severity} {rule}", finding["line"]);
        found
    })
}

/// The wrong and the right file of a pair, by the end of their names. Asserts what the doctor says of them: it finds the
/// rule in the wrong one, and nothing in the right one.
#[track_caller]
pub fn pair(rule: &str, end: &str) -> [String; 2] {
    let [wrong, right] = ["wrong", "right"].map(|name| format!("{name}.{end}"));
    let complaint = found(rule, &wrong);
    assert!(complaint.contains(&format!(" {rule}\n")), "{rule}/{wrong}: {complaint:?}");
    assert_eq!(found(rule, &right), "", "{rule}/{right}");
    [wrong, right].map(|file| format!("{rule}/{file}"))
}

#[track_caller]
pub fn text(file: &str) -> String {
    fs::read_to_string(pairs().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// What stands behind `mark`, up to the end of the line.
#[track_caller]
pub fn value(file: &str, mark: &str) -> Option<String> {
    let text = text(file);
    let behind = text.split_once(mark)?.1;
    Some(behind.lines().next().unwrap_or_default().trim().to_owned())
}
