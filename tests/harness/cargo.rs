//! Programs that are built while the tests run.

use std::collections::HashMap;
use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Runs `cargo build`, and says where each executable is, by its name.
pub fn build(arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> HashMap<String, PathBuf> {
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
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run cargo: {error}"));
    let messages = String::from_utf8_lossy(&output.stdout);
    let diagnostics = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{cargo:?} failed:\n{diagnostics}");
    // Where an executable is depends on the target directory and the profile: cargo says it.
    messages.lines().filter_map(|message| artifact(&serde_json::from_str(message).ok()?)).collect()
}

fn artifact(message: &Value) -> Option<(String, PathBuf)> {
    let executable = message.get("executable")?.as_str()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    Some((name.to_owned(), executable.into()))
}
