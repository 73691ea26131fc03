//! A directory for temporary files, removed at the end. What a process that was killed has left behind is swept by the
//! next one that starts.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::{env, mem};

use lifecycle::{Acquire, Release, Resource, Result, resource};
use tokio::task::spawn_blocking;
use tracing::info;
use uuid::Uuid;

use crate::settings::Settings;

const PREFIX: &str = "payments-";

#[resource(after = Settings)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// Whoever holds the lock is alive: the system gives it back when the process ends, however it ends.
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
        fs::create_dir(&path)?;
        let lock = File::create(path.join("lock"))?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a new temporary file, which is removed when this is dropped.
    pub(crate) fn file(&self) -> TemporaryFile {
        TemporaryFile(self.path.join(Uuid::new_v4().to_string()))
    }
}

/// One at a time: what is made but not locked yet, or removed but for a part, would look like something left behind.
fn turnstile(parent: &Path) -> io::Result<File> {
    let turnstile = File::create(parent.join("payments.lock"))?;
    turnstile.lock()?;
    Ok(turnstile)
}

fn remove(path: &Path) -> io::Result<()> {
    let _turn = path.parent().map(turnstile).transpose()?;
    fs::remove_dir_all(path)
}

/// Removes the directories of processes that are no more.
fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        let is_ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if !is_ours || !path.is_dir() {
            continue;
        }
        let is_abandoned = match File::open(path.join("lock")) {
            Ok(lock) => match lock.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => false,
                Err(TryLockError::Error(error)) => return Err(error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => return Err(error),
        };
        if is_abandoned {
            fs::remove_dir_all(&path)?;
            info!("swept {}, which somebody has left behind", path.display());
        }
    }
    Ok(())
}

pub(crate) struct TemporaryFile(PathBuf);

impl TemporaryFile {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // If it cannot be removed now, it goes with the directory.
        let path = mem::take(&mut self.0);
        let _ = fs::remove_file(path);
    }
}
