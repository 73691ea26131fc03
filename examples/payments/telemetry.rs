//! The log, and the trace. A thread of its own writes the log, so that a terminal or a pipe that nobody reads does not
//! delay requests.

use std::env;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Mutex;

use lifecycle::{Acquire, Release, Resource, Result, resource};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::trace::Trace;

#[resource(foundation)]
pub(crate) struct Telemetry {
    /// Taken at the release: dropping it writes the remaining lines.
    writer: Mutex<Option<WorkerGuard>>,
    dropped: ErrorCounter,
}

impl Resource for Telemetry {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        let stdout = std::io::stdout();
        let at_terminal = stdout.is_terminal();
        let (lines, writer) = NonBlocking::new(stdout);
        let dropped = lines.error_counter();
        let log = tracing_subscriber::fmt().with_target(false).with_writer(lines).log_internal_errors(false);
        // No colour codes in a file. At a terminal, `NO_COLOR` turns them off.
        let log = if at_terminal { log } else { log.with_ansi(false) };
        let trace = env::var_os("TRACE").filter(|path| !path.is_empty());
        let trace = trace.map(|path| Trace::to(Path::new(&path))).transpose();
        let trace = trace.map_err(|error| format!("TRACE is not a file that can be written: {error}"))?;
        log.finish().with(trace).try_init()?;
        Ok(Self { writer: Mutex::new(Some(writer)), dropped })
    }

    async fn release(&self, _: &Release) -> Result {
        // Counted before the writer ends: later lines are not meant for this log.
        let dropped = self.dropped.dropped_lines();
        let writer = self.writer.lock().map_err(|_| "the writer's lock is poisoned")?.take();
        tokio::task::spawn_blocking(|| drop(writer)).await?;
        match dropped {
            0 => Ok(()),
            lines => Err(format!("{lines} lines of the log were lost: nobody read them in time").into()),
        }
    }
}
