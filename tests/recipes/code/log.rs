//! A program whose log is written by a thread of its own.

use std::sync::Mutex;

use lifecycle::{Acquire, Release, Resource, Result, resource};
use tracing_appender::non_blocking::WorkerGuard;

#[resource(foundation)]
struct Log {
    guard: Mutex<Option<WorkerGuard>>,
}

impl Resource for Log {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        let (lines, guard) = tracing_appender::non_blocking(std::io::stdout());
        tracing_subscriber::fmt().with_ansi(false).with_writer(lines).log_internal_errors(false).init();
        Ok(Self { guard: Mutex::new(Some(guard)) })
    }

    /// Everything but the foundations is released, and the report is in the log.
    async fn release(&self, _: &Release) -> Result {
        let guard = self.guard.lock().map_err(|_| "the guard's lock is poisoned")?.take();
        tokio::task::spawn_blocking(|| drop(guard)).await?; // writes the remaining lines, which may take a moment
        Ok(())
    }
}

#[lifecycle::main]
async fn main() {
    tracing::info!("at work");
}
