//! Rule D7: the last reference to a resource is dropped where blocking is allowed, and where the runtime can be used.

use lifecycle::{Acquire, App, Builder, Release, Report, Resource, Resources, Result, resource};
use tokio::runtime::{self, Handle, Runtime};

use crate::stage::{Notes, Stage, failures, notes, scripted};

scripted! {
    #[resource]
    struct Db;
}

fn another_runtime() -> Runtime {
    runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap()
}

/// Holds a runtime.
#[resource(after = Db)]
struct Workers {
    _runtime: Runtime,
}

impl Resource for Workers {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self { _runtime: another_runtime() })
    }
}

/// The same, without a stage.
#[resource]
struct Alone {
    _runtime: Runtime,
}

impl Resource for Alone {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self { _runtime: another_runtime() })
    }
}

/// The same, and one more that it makes in its `abort`.
#[resource(after = Db)]
struct Broken {
    _runtime: Runtime,
}

impl Resource for Broken {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self { _runtime: another_runtime() })
    }

    async fn release(&self, _: &Release) -> Result {
        Err("the peer does not answer".into())
    }

    fn abort(&self) {
        drop(another_runtime());
    }
}

async fn stop<R: Resources>(builder: Builder) -> Report {
    let app = builder.resources::<R>().start().await.unwrap();
    app.shutdown("the test is over");
    app.run().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_may_hold_a_runtime_on_a_runtime_of_many_threads() {
    let report = stop::<Alone>(App::builder()).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_resource_may_hold_a_runtime_on_a_runtime_of_one_thread() {
    let stage = Stage::new();
    let report = stop::<Workers>(App::builder()).await;
    assert!(report.is_clean(), "{report}");
    assert!(stage.log.has("released Db"));
}

#[tokio::test(start_paused = true)]
async fn a_resource_may_hold_a_runtime_under_virtual_time() {
    let stage = Stage::new();
    let report = stop::<Workers>(stage.builder::<()>()).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_resource_that_is_aborted_may_hold_a_runtime() {
    let _stage = Stage::new();
    let report = stop::<Broken>(App::builder()).await;
    assert_eq!(failures(&report), ["`Broken` could not be released"], "and nothing else");
}

/// Its drop waits for a task on the application's runtime.
#[resource(after = Db)]
struct Flushing(Notes);

impl Resource for Flushing {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self(notes()))
    }
}

impl Drop for Flushing {
    fn drop(&mut self) {
        let log = self.0.clone();
        let flush = tokio::spawn(async move { log.add("flushed") });
        Handle::current().block_on(flush).unwrap();
        self.0.add("dropped");
    }
}

async fn check_flushing(stage: &Stage, builder: Builder) {
    let report = stop::<Flushing>(builder).await;
    assert_eq!(stage.log.lines()[2..], ["flushed", "dropped", "releasing Db", "released Db"]);
    assert!(report.is_clean(), "{report}");
}

#[tokio::test]
async fn a_drop_may_wait_for_what_it_spawns() {
    let stage = Stage::new();
    check_flushing(&stage, App::builder()).await;
}

#[tokio::test(start_paused = true)]
async fn a_drop_may_wait_for_what_it_spawns_under_virtual_time() {
    let stage = Stage::new();
    check_flushing(&stage, stage.builder::<()>()).await;
}
