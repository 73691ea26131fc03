//! The examples, built as a user builds them.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

const NAMES: [&str; 6] = ["existing_app", "go_equivalent", "hello", "in_flight", "payments", "tls"];

/// The executable of an example. All are built by the first test that asks; the build's lock is cargo's.
pub fn executable(name: &str) -> &'static Path {
    static EXECUTABLES: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let executables = EXECUTABLES.get_or_init(build);
    executables.get(name).unwrap_or_else(|| panic!("there is no example {name}, only {executables:?}"))
}

fn build() -> HashMap<String, PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    if let Some(toolchain) = option_env!("RUSTUP_TOOLCHAIN") {
        // Without it, also where this program is run without cargo, a dependency's `rust-toolchain.toml` would count.
        cargo.env("RUSTUP_TOOLCHAIN", toolchain);
    }
    // What cargo tells this program about its own package is not for the build, in which some (ring's) would be redone.
    for (variable, _) in env::vars_os() {
        let name = variable.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&variable);
        }
    }
    let output = cargo
        .args(["build", "--workspace", "--message-format=json-render-diagnostics"])
        .args(NAMES.iter().flat_map(|name| ["--example", name]))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run cargo: {error}"));
    let messages = String::from_utf8_lossy(&output.stdout);
    let diagnostics = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the examples cannot be built:\n{diagnostics}");
    // Where an executable is depends on the target directory and the profile: cargo says it.
    messages.lines().filter_map(|message| artifact(&serde_json::from_str(message).ok()?)).collect()
}

fn artifact(message: &Value) -> Option<(String, PathBuf)> {
    let executable = message.get("executable")?.as_str()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    Some((name.to_owned(), executable.into()))
}
