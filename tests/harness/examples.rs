//! The examples and the program `lifecycle`, built as a user builds them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::harness::cargo;

const NAMES: [&str; 8] =
    ["existing_app", "go_equivalent", "grpc", "hello", "in_flight", "payments", "tls", "websocket"];

/// The executable of an example, or of the program `lifecycle`. All are built by the first test that asks; the build's lock is cargo's.
pub fn executable(name: &str) -> &'static Path {
    static EXECUTABLES: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let executables = EXECUTABLES.get_or_init(|| {
        let examples = NAMES.iter().flat_map(|name| ["--example", name]);
        // With the workspace's features, as `cargo run --example` has them, and the tests.
        let program = ["--features", "lifecycle-runtime/cli", "--bin", "lifecycle"];
        cargo::build(["--workspace"].into_iter().chain(program).chain(examples))
    });
    executables.get(name).unwrap_or_else(|| panic!("there is no example {name}, only {executables:?}"))
}
