//! The log, and the trace. A thread of its own writes the log, so that a terminal or a pipe that nobody reads does not
//! delay requests. Its filter is read from a file, and again at every reload.

use std::env;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use lifecycle::{Acquire, Release, Reload, Resource, Result, resource};
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, registry, reload};

use crate::trace::Trace;

#[resource(foundation, reload, acquire_timeout = "10s")]
pub(crate) struct Telemetry {
    /// Taken at the release: dropping it writes the remaining lines.
    writer: Mutex<Option<WorkerGuard>>,
    dropped: ErrorCounter,
    filter: reload::Handle<Targets, Registry>,
}

impl Resource for Telemetry {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        let stdout = std::io::stdout();
        let at_terminal = stdout.is_terminal();
        let (lines, writer) = NonBlocking::new(stdout);
        let dropped = lines.error_counter();
        let (filter, handle) = reload::Layer::new(filter().await?);
        let log = fmt::layer().with_target(false).with_writer(lines).log_internal_errors(false);
        // No colour codes in a file. At a terminal, `NO_COLOR` turns them off.
        let log = if at_terminal { log } else { log.with_ansi(false) };
        let trace = env::var_os("TRACE").filter(|path| !path.is_empty());
        let trace = trace.map(|path| Trace::to(Path::new(&path))).transpose();
        let trace = trace.map_err(|error| format!("TRACE is not a file that can be written: {error}"))?;
        registry().with(filter).with(log).with(trace).try_init()?;
        Ok(Self { writer: Mutex::new(Some(writer)), dropped, filter: handle })
    }

    async fn reload(&self, _: &Reload) -> Result {
        Ok(self.filter.reload(filter().await?)?)
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

/// What the file named by `LOG_FILTER_FILE` says, such as `info,sqlx=warn`.
async fn filter() -> Result<Targets> {
    let Some(path) = env::var_os("LOG_FILTER_FILE").filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(Targets::new().with_default(LevelFilter::INFO));
    };
    let filter =
        tokio::fs::read_to_string(&path).await.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(filter.trim().parse()?)
}
