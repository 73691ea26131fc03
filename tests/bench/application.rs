//! An application with one resource, for the parts that measure what its handles cost.

use std::time::Duration;

use lifecycle::{Acquire, App, Resource, Result, Spawner, Stopping, Tasks, resource};

/// No application runs into a limit, however slow the machine is.
pub(crate) const LIMIT: Duration = Duration::from_secs(60 * 60);

#[resource]
pub(crate) struct Shop {
    pub(crate) tasks: Tasks,
    pub(crate) spawner: Spawner,
    pub(crate) stopping: Stopping,
}

impl Resource for Shop {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        Ok(Self { tasks: cx.tasks(), spawner: cx.spawner(), stopping: cx.stopping() })
    }
}

pub(crate) async fn start() -> App {
    let builder = App::builder().resources::<(Shop,)>().startup_timeout(None).shutdown_timeout(LIMIT);
    builder.start().await.expect("a resource that does nothing can be acquired")
}

pub(crate) async fn stop(app: App) {
    app.shutdown("it is measured");
    let report = app.run().await;
    assert_eq!(report.exit_code, 0, "{:?}", report.failures.first());
}
