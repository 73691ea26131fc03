//! What is said to a program in which the runtime is a dependency under another name, and which does not say so.
//!
//! The other tests have the runtime under its own name too, so that this program is built on its own.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

const PROGRAM: &str = r#"
use engine::{Acquire, Resource, Result, resource};

#[resource]
struct Db;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

#[engine::main]
async fn main() {}
"#;

#[test]
fn a_runtime_under_another_name_is_one_error_for_each_attribute_and_the_mend_is_told() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let runtime = workspace.join("lifecycle-runtime");
    let manifest = format!(
        "[package]\nname = \"renaming\"\nedition = \"2024\"\n\n\
         [dependencies]\nengine = {{ package = \"lifecycle-runtime\", path = {runtime:?} }}\n\n[workspace]\n"
    );
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("renaming");
    fs::create_dir_all(project.join("src")).unwrap();
    fs::write(project.join("src/main.rs"), PROGRAM).unwrap();
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::copy(workspace.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet"])
        .env("CARGO_TARGET_DIR", project.join("target"))
        .current_dir(&project)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let told: Vec<&str> = errors.lines().filter(|line| line.starts_with("error[")).collect();
    // One for each attribute, and one that follows from the first.
    assert_eq!(
        told,
        [
            "error[E0432]: unresolved import `lifecycle`",
            "error[E0433]: cannot find `lifecycle` in the crate root",
            "error[E0277]: `Db` is not declared as a resource",
        ],
        "{errors}"
    );
    assert!(errors.contains("write `crate = that_name` in the attribute"), "{errors}");
}
