//! What is said to a program in which the runtime is a dependency under another name, and which does not say so.

use std::path::Path;

use crate::alone::errors_of;

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
    let dependency =
        |runtime: &Path| format!("engine = {{ package = \"lifecycle-runtime\", path = {runtime:?} }}");
    let errors = errors_of("renaming", dependency, PROGRAM);
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
