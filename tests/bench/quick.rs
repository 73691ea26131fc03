//! Every part of the benchmark runs, for a moment, so that it cannot rot. Its figures are not looked at.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn every_part_runs_and_writes_its_figures() {
    let json = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-quick.json");
    let output = Command::new(env!("CARGO_BIN_EXE_lifecycle-bench"))
        .arg("--quick")
        .arg("--json")
        .arg(&json)
        .output()
        .expect("the benchmark was built");
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    let results = std::fs::read_to_string(&json).expect("the results are there");
    let results: Value = serde_json::from_str(&results).expect("the results are JSON");
    let parts = results["parts"].as_array().expect("there is a list of parts");
    assert!(!parts.is_empty());
    for part in parts {
        for table in part["tables"].as_array().expect("a part has tables") {
            for row in table["rows"].as_array().expect("a table has rows") {
                let figures = row["figures"].as_object().expect("a row has figures");
                let is_number = |figure: &Value| figure["median"].is_number();
                assert!(!figures.is_empty() && figures.values().all(is_number), "{}: {row}", part["name"]);
            }
        }
    }
}
