//! What is published: what the two packages hold, where their pages point to, and what may be linked with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{Metadata, MetadataCommand, Package};
use spdx::{Expression, LicenseReq, ParseMode};

const PUBLISHED: [&str; 2] = ["lifecycle-macros", "lifecycle-runtime"];

/// The licences that a program under "MIT OR Apache-2.0" may be linked with.
const ALLOWED: [&str; 8] =
    ["Apache-2.0", "BSD-3-Clause", "BSL-1.0", "ISC", "MIT", "MIT-0", "Unicode-3.0", "Zlib"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .exec()
        .expect("cargo describes the workspace")
}

fn is_allowed(requirement: &LicenseReq) -> bool {
    requirement.license.id().is_some_and(|id| ALLOWED.contains(&id.name))
}

fn complaint(package: &Package) -> Option<String> {
    let source = package.source.as_ref()?; // without one, it is a package of this project
    let name = format!("{} {}", package.name, package.version);
    if !source.is_crates_io() {
        return Some(format!("{name} comes from {source}"));
    }
    let Some(license) = &package.license else {
        return Some(format!("{name} names no licence"));
    };
    match Expression::parse_mode(license, ParseMode::LAX) {
        Ok(expression) if expression.evaluate(is_allowed) => None,
        Ok(_) => Some(format!("{name} is under {license}")),
        Err(error) => Some(format!("{name}: {error}")),
    }
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed_and_comes_from_the_registry() {
    let metadata = metadata();
    assert!(metadata.packages.len() > 50, "tests and examples included");
    let complaints: Vec<_> = metadata.packages.iter().filter_map(complaint).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn what_a_program_is_linked_with_is_there_in_one_version() {
    let listed = Command::new(env!("CARGO"))
        .args(["tree", "--package", "lifecycle-runtime", "--features", "http,metrics,probe,systemd,testing"])
        .args(["--edges", "normal,build", "--duplicates"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "");
}

#[test]
fn both_packages_hold_their_licences_the_changelog_and_a_readme() {
    for package in PUBLISHED {
        let listed = Command::new(env!("CARGO"))
            .args(["package", "--list", "--allow-dirty", "--package", package])
            .current_dir(root())
            .output()
            .expect("cargo runs");
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        let listed = String::from_utf8(listed.stdout).expect("names are UTF-8");
        let files: Vec<&str> = listed.lines().collect();
        for file in ["CHANGELOG.md", "Cargo.toml", "LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
            assert!(files.contains(&file), "{package} lacks {file}");
        }
        let stray: Vec<_> = files.iter().filter(|file| file.contains("proptest-regressions")).collect();
        assert!(stray.is_empty(), "{package} holds {stray:?}");
    }
}

#[test]
fn both_packages_say_what_a_registry_shows() {
    let metadata = metadata();
    for name in PUBLISHED {
        let package = metadata.packages.iter().find(|package| package.name == name).expect("it is a member");
        assert!(package.description.is_some(), "{name}");
        assert_eq!(package.license.as_deref(), Some("MIT OR Apache-2.0"), "{name}");
        assert!(package.rust_version.is_some(), "{name}");
        assert!((1..=5).contains(&package.keywords.len()), "{name}");
        assert!((1..=5).contains(&package.categories.len()), "{name}");
        for field in [&package.repository, &package.homepage, &package.documentation].into_iter().flatten() {
            assert!(
                !field.contains("example") && !field.contains("OWNER"),
                "{name}: {field} is a placeholder"
            );
        }
    }
}

/// The text in round brackets behind `](`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

#[test]
fn what_a_page_points_to_is_there() {
    let mut seen = 0;
    for page in ["README.md", "CONTRIBUTING.md", "SECURITY.md", "lifecycle-macros/README.md"] {
        let path = root().join(page);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
        for link in links(&text).filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap_or(link);
            assert!(
                path.with_file_name("").join(file).exists(),
                "{page} points to {link}, which is not there"
            );
            seen += 1;
        }
    }
    assert!(seen > 5, "README has links");
}
