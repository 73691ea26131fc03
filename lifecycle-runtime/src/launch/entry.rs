//! What `#[lifecycle::main]` expands to: a runtime with an application on it.

use std::future::Future;

use super::builder::Builder;
use super::config::refuse;
use crate::engine::settings::{BodyKind, Ending};
use crate::handles::app::App;
use crate::handles::body::Output;
use crate::model::report::Report;
use crate::process::stderr;

/// The options of the attribute.
#[derive(Debug)]
pub struct Main {
    /// The options of the application.
    pub builder: Builder,
    /// The runtime it runs on.
    pub threads: Threads,
    /// What the function's block holds.
    pub body: Body,
}

/// `flavor` and `worker_threads`.
#[derive(Clone, Copy, Debug)]
pub enum Threads {
    /// `multi_thread`, with as many workers as there are cores unless a number is given.
    Multi {
        /// `worker_threads`.
        workers: Option<usize>,
    },
    /// `current_thread`.
    Current,
}

/// What the function's block holds.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// Nothing: the resources are the application.
    Empty,
    /// Statements.
    Written,
}

/// Runs an application from its first signal handler to its end.
pub fn run<F, Fut>(main: Main, body: F) -> Report
where
    F: FnOnce(App) -> Fut,
    Fut: Future<Output: Output>,
{
    let Main { builder, threads, body: kind } = main;
    // Before the runtime exists: as PID 1, a SIGTERM without a handler would be lost (rule S1).
    let builder = builder.handle_signals();
    let runtime = match threads {
        Threads::Current => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        Threads::Multi { workers } => {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            if let Some(workers) = workers {
                runtime.worker_threads(workers);
            }
            runtime.enable_all().build()
        }
    };
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let report =
                Report::refused(vec![refuse(format!("the tokio runtime could not be built: {error}"))]);
            stderr::write(report.to_string());
            return report;
        }
    };
    let kind = match kind {
        Body::Empty => BodyKind::Empty,
        Body::Written => BodyKind::Written,
    };
    let report = runtime.block_on(builder.live(kind, Ending::Process, body));
    // What still runs was reported as stuck, or is not ours. It cannot keep the process alive (rule D10).
    runtime.shutdown_background();
    report
}
