//! A crate with a dependency that is called `core`: expansions name everything by way of the runtime.

use lifecycle::{Acquire, App, Report, Resource, Result, resource};

/// A foundation.
#[resource(after = core::Tracing, foundation)]
#[derive(Debug)]
pub struct Telemetry {
    _private: (),
}

impl Resource for Telemetry {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Self { _private: () })
    }
}

/// A resource with every option.
#[resource(
    after = [core::Db, Telemetry],
    name = "cache",
    acquire_timeout = "10s",
    drain_timeout = "0s",
    reserve = "1.5s",
    optional
)]
#[derive(Debug)]
pub struct Cache {
    _private: (),
}

impl Resource for Cache {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let _db = cx.get::<core::Db>();
        Ok(Self { _private: () })
    }
}

/// Starts the application.
pub fn start() -> Report {
    all_options()
}

/// An entry point with every option.
#[lifecycle::main(
    shutdown_timeout = "30s",
    startup_timeout = "none",
    drain_delay = "5s",
    resources = [core::Db, Cache],
    worker_threads = 2
)]
pub async fn all_options(app: App) {
    let _db = app.get::<core::Db>();
}

/// Called `main`, it is still a function of a library.
pub mod program {
    /// An entry point on one thread.
    #[lifecycle::main(flavor = "current_thread")]
    pub async fn main() {}
}
