//! The runtime of `#[lifecycle::main]`.

use std::env;
use std::num::NonZero;
use std::thread::available_parallelism;

use tokio::runtime::{Builder, Runtime};

use super::threads::Threads;
use crate::driver::{Panic, catch};
use crate::process::headroom;

/// Builds the runtime, or says what the process lacks for it.
pub(super) fn build(threads: Threads) -> Result<Runtime, String> {
    let (mut runtime, count) = match threads {
        Threads::Current => (Builder::new_current_thread(), 0),
        Threads::Multi { workers } => {
            let mut runtime = Builder::new_multi_thread();
            if let Some(workers) = workers {
                runtime.worker_threads(workers);
            }
            (runtime, workers.unwrap_or_else(default_workers))
        }
    };
    headroom::threads(count).map_err(|error| {
        format!(
            "the {count} worker threads of the tokio runtime cannot be started: {error}; allow more threads \
             (ulimit -u, TasksMax=, --pids-limit), or ask for fewer (worker_threads)"
        )
    })?;
    let no_runtime = |why: String| format!("the tokio runtime cannot be built: {why}");
    headroom::descriptors_of_a_runtime().map_err(|error| no_runtime(error.to_string()))?;
    match catch(|| runtime.enable_all().build()) {
        Ok(Ok(runtime)) => Ok(runtime),
        Ok(Err(error)) => Err(no_runtime(error.to_string())),
        Err(Panic(words)) => Err(no_runtime(words)),
    }
}

/// As many as tokio takes if it is not told.
fn default_workers() -> usize {
    let told = env::var("TOKIO_WORKER_THREADS").ok().and_then(|workers| workers.parse().ok());
    told.unwrap_or_else(|| available_parallelism().map_or(1, NonZero::get))
}
