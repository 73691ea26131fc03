//! A directory for temporary files, removed at the end. Directories of killed processes are removed by the next process
//! that starts.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::{env, mem};

use lifecycle::{Acquire, Release, Resource, Result, resource};
use tokio::task::spawn_blocking;
use tracing::{info, warn};
use uuid::Uuid;

use crate::settings::Settings;

const PREFIX: &str = "payments-";

#[resource(after = Settings)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// The directory, locked. The holder of the lock is alive: the system unlocks it when the process ends, however it
    /// ends.
    _lock: File,
}

impl Resource for Scratch {
    async fn acquire(cx: &Acquire<Self>) -> Result<Self> {
        let instance = cx.get::<Settings>().instance;
        let parent = env::temp_dir();
        spawn_blocking(move || {
            let scratch = Self::make(&parent, instance);
            scratch
                .map_err(|error| format!("cannot make a directory in {}: {error}", parent.display()).into())
        })
        .await?
    }

    async fn release(&self, _: &Release) -> Result {
        let path = self.path.clone();
        spawn_blocking(move || {
            remove(&path).map_err(|error| format!("cannot remove {}: {error}", path.display()).into())
        })
        .await?
    }
}

impl Scratch {
    fn make(parent: &Path, instance: Uuid) -> io::Result<Self> {
        let _turn = turnstile(parent)?;
        sweep(parent)?;
        let path = parent.join(format!("{PREFIX}{instance}"));
        // Other users must not read it.
        DirBuilder::new().mode(0o700).create(&path)?;
        let lock = File::open(&path)?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A new temporary file, which is removed when this value is dropped. Nothing is created yet.
    pub(crate) fn file(&self) -> TemporaryFile {
        TemporaryFile(self.path.join(Uuid::new_v4().to_string()))
    }
}

/// Lets one process in at a time: a directory that is not locked yet, or half removed, would look like a leftover.
fn turnstile(parent: &Path) -> io::Result<File> {
    let turnstile = File::open(parent)?;
    turnstile.lock()?;
    Ok(turnstile)
}

fn remove(path: &Path) -> io::Result<()> {
    let _turn = path.parent().map(turnstile).transpose()?;
    fs::remove_dir_all(path)
}

/// Removes the directories of processes that have ended. One that cannot be removed does no harm.
fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let name = entry.file_name();
        let instance = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let is_ours = instance.is_some_and(|instance| Uuid::parse_str(instance).is_ok());
        if !is_ours || !entry.file_type()?.is_dir() {
            continue;
        }
        let path = entry.path();
        match sweep_one(&path) {
            Ok(true) => info!("swept {}, which somebody has left behind", path.display()),
            Ok(false) => {}
            Err(error) => warn!("cannot sweep {}: {error}", path.display()),
        }
    }
    Ok(())
}

/// Removes a directory unless its process is alive. Returns whether it was removed.
fn sweep_one(path: &Path) -> io::Result<bool> {
    match File::open(path)?.try_lock() {
        Ok(()) => fs::remove_dir_all(path).map(|()| true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

pub(crate) struct TemporaryFile(PathBuf);

impl TemporaryFile {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // If it cannot be removed now, it is removed with the directory.
        let path = mem::take(&mut self.0);
        let _ = fs::remove_file(path);
    }
}
