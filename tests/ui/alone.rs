//! Programs that are built on their own, because the other tests have more than these: every feature, and the runtime
//! under its own name.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// What is said to a program that has one dependency.
pub(crate) fn errors_of(name: &str, dependency: impl FnOnce(&Path) -> String, program: &str) -> String {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let dependency = dependency(&workspace.join("lifecycle-runtime"));
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[dependencies]\n{dependency}\n\n[workspace]\n"
    );
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(project.join("src")).unwrap();
    fs::write(project.join("src/main.rs"), program).unwrap();
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::copy(workspace.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet"])
        .env("CARGO_TARGET_DIR", project.join("target"))
        .current_dir(&project)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}
