//! The log. A thread of its own writes it, so that a terminal or a pipe that nobody reads does not delay requests. Its
//! filter is read from a file, and again at every reload.

use std::env;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Mutex;

use lifecycle::{Acquire, Release, Reload, Resource, Result, resource};
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, registry, reload};

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
        let colours = stdout.is_terminal();
        let (lines, writer) = NonBlocking::new(stdout);
        let dropped = lines.error_counter();
        let (filter, handle) = reload::Layer::new(filter().await?);
        let lines =
            fmt::layer().with_target(false).with_ansi(colours).with_writer(lines).log_internal_errors(false);
        registry().with(filter).with(lines).try_init()?;
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
