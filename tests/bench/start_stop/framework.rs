//! The graph as an application: all of `Builder::run`, from the plan to the report.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use lifecycle::App;

use super::graph::Edges;

/// No application runs into a limit, however slow the machine is.
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// Starts everything, and stops it at once. Returns when everything was there.
pub(super) async fn run(edges: Edges) -> Instant {
    let started = OnceLock::new();
    let body = async |app: App| {
        started.get_or_init(Instant::now);
        app.shutdown("everything has started");
    };
    let builder = App::builder().startup_timeout(None).shutdown_timeout(LIMIT);
    let report = builder.synthetic(edges).run(body).await;
    assert_eq!(report.exit_code, 0, "{:?}", report.failures.first());
    *started.get().expect("a clean run has run the body")
}
