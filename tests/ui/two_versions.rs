//! Two versions of the runtime in one program would each know half of the resources: cargo refuses them.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

#[test]
fn two_versions_in_one_program_are_refused() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let runtime = workspace.join("lifecycle-runtime");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("two_versions");
    let other = program.join("other");
    write(
        &program,
        &format!(
            "[package]\nname = \"two_versions\"\n\n[workspace]\n\n[dependencies]\n\
             lifecycle-runtime = {{ path = {runtime:?} }}\n\
             other = {{ package = \"lifecycle-runtime\", path = {other:?} }}\n"
        ),
    );
    write(
        &other,
        "[package]\nname = \"lifecycle-runtime\"\nversion = \"0.0.1\"\nlinks = \"lifecycle-runtime\"\n\
         build = \"build.rs\"\n",
    );
    fs::write(other.join("build.rs"), "fn main() {}").unwrap();
    fs::copy(workspace.join("Cargo.lock"), program.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--format-version=1"])
        .current_dir(&program)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(errors.contains("links to the native library `lifecycle-runtime`"), "{errors}");
}

fn write(package: &Path, manifest: &str) {
    fs::create_dir_all(package.join("src")).unwrap();
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    fs::write(package.join("src/lib.rs"), "").unwrap();
}
