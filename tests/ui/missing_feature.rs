//! What is said to a program that uses a feature of the runtime without enabling it.
//!
//! The other tests are built with all features, so that this program is built on its own.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

const PROGRAM: &str = r#"
use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
struct Http;

impl Resource for Http {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        cx.serve_http("listener", "router");
        Ok(Http)
    }
}

#[lifecycle::main(probe = "0.0.0.0:8081")]
async fn main() {}
"#;

#[test]
fn a_feature_that_is_not_enabled_is_named() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let runtime = workspace.join("lifecycle-runtime");
    let manifest = format!(
        "[package]\nname = \"featureless\"\nedition = \"2024\"\n\n\
         [dependencies]\nlifecycle-runtime = {{ path = {runtime:?} }}\n\n[workspace]\n"
    );
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("featureless");
    fs::create_dir_all(project.join("src")).unwrap();
    fs::write(project.join("src/main.rs"), PROGRAM).unwrap();
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::copy(workspace.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet"])
        .current_dir(&project)
        .env("CARGO_TARGET_DIR", project.join("target"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    for feature in ["http", "probe"] {
        let message = format!("the feature `{feature}` of `lifecycle-runtime` is not enabled");
        assert!(errors.contains(&message), "no such error: {message}\n{errors}");
    }
    assert_eq!(errors.matches("\nerror[").count() + usize::from(errors.starts_with("error[")), 2, "{errors}");
}
