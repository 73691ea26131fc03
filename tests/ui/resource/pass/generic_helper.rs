//! A function can be generic over the resource that calls it, with public names alone.

use std::time::Duration;

use lifecycle::{Acquire, App, Resource, Result, Stopping, resource};

/// A task of whichever resource asks for it.
fn heartbeat<R: Resource>(cx: &Acquire<R>) {
    cx.spawn("heartbeat", beat);
    let _tasks = cx.tasks();
}

async fn beat(stopping: Stopping) -> Result {
    while stopping.run_until(tokio::time::sleep(Duration::from_secs(1))).await.is_some() {}
    Ok(())
}

async fn acquired<R: Resource>(app: &App) -> bool {
    app.try_get::<R>().is_some()
}

/// The handle can be held across an await in a task.
fn hold<R: Resource>(app: App) -> impl Future<Output = ()> + Send {
    async move {
        let _handle = app.get::<R>();
        tokio::task::yield_now().await;
    }
}

#[resource]
struct Db;

impl Resource for Db {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        heartbeat(cx);
        Ok(Db)
    }
}

#[lifecycle::main]
async fn main(app: App) {
    assert!(acquired::<Db>(&app).await);
    hold::<Db>(app.clone()).await;
    app.shutdown("the test is over");
}
