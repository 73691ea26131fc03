//! What is said to a program that uses a feature of the runtime without enabling it.

use std::path::Path;

use crate::alone::errors_of;

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
    let dependency = |runtime: &Path| format!("lifecycle-runtime = {{ path = {runtime:?} }}");
    let errors = errors_of("featureless", dependency, PROGRAM);
    for feature in ["http", "probe"] {
        let message = format!("the feature `{feature}` of `lifecycle-runtime` is not enabled");
        assert!(errors.contains(&message), "no such error: {message}\n{errors}");
    }
    assert_eq!(errors.matches("\nerror[").count() + usize::from(errors.starts_with("error[")), 2, "{errors}");
}
