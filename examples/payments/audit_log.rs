//! The audit log: a file with one line for each payment and each receipt.
//!
//! Lines are written every second, and the file is synced at the end. The database is the actual ledger, and is more
//! complete: there is no line for a commit whose answer was lost, or for the last second before a kill. While the file
//! cannot be written, payments are refused, and pending lines are kept.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lifecycle::{Acquire, Release, Resource, Result, Stopping, resource};
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::warn;

use crate::scratch::Scratch;
use crate::settings::Settings;

#[resource(after = [Settings, Scratch])]
pub(crate) struct AuditLog(Arc<Log>);

impl Resource for AuditLog {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let path = cx.get::<Settings>().audit_log.clone();
        let path = path.unwrap_or_else(|| cx.get::<Scratch>().path().join("audit.log"));
        let log = Arc::new(spawn_blocking(|| Log::open(path)).await??);
        cx.spawn("flush", |stopping| flush(Arc::clone(&log), stopping));
        Ok(Self(log))
    }

    async fn release(&self, _: &Release) -> Result {
        let log = Arc::clone(&self.0);
        spawn_blocking(move || log.sync()).await?
    }

    async fn check(&self) -> Result {
        self.check()
    }
}

impl AuditLog {
    /// Adds a line, which is written within a second.
    pub(crate) fn record(&self, line: &Value) {
        self.0.pending().lines.extend(format!("{line}\n").into_bytes());
    }

    /// Fails if the last write failed.
    pub(crate) fn check(&self) -> Result {
        let trouble = self.0.pending().trouble.clone();
        trouble.map_or(Ok(()), |trouble| Err(trouble.into()))
    }
}

async fn flush(log: Arc<Log>, stopping: Stopping) -> Result {
    while stopping.run_until(sleep(Duration::from_secs(1))).await.is_some() {
        let log = Arc::clone(&log);
        if let Err(error) = spawn_blocking(move || log.write()).await? {
            warn!("payments are refused: {error}");
        }
    }
    Ok(())
}

struct Log {
    path: PathBuf,
    /// Locked for as long as the disk takes to write.
    file: Mutex<File>,
    /// Never locked for long, because requests wait for it.
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    lines: Vec<u8>,
    /// Why the last write failed, if it did.
    trouble: Option<String>,
}

impl Log {
    fn open(path: PathBuf) -> Result<Self> {
        let file = File::options().create(true).append(true).open(&path);
        let file = file.map_err(|error| format!("cannot open {}: {error}", path.display()))?;
        Ok(Self { path, file: Mutex::new(file), pending: Mutex::default() })
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> Result {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = mem::take(&mut self.pending().lines);
        let mut result = Ok(());
        while result.is_ok() && !lines.is_empty() {
            result = match file.write(&lines) {
                Ok(0) => Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    lines.drain(..written);
                    Ok(())
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
                Err(error) => Err(error),
            };
        }
        let mut pending = self.pending();
        // Lines that were not written stay in front of those added in the meantime.
        lines.append(&mut pending.lines);
        pending.lines = lines;
        pending.trouble = result.err().map(|error| format!("cannot write {}: {error}", self.path.display()));
        pending.trouble.clone().map_or(Ok(()), |trouble| Err(trouble.into()))
    }

    fn sync(&self) -> Result {
        self.write()?;
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.sync_all().map_err(|error| format!("cannot sync {}: {error}", self.path.display()).into())
    }
}
