//! A file that one process keeps for itself while it lives.

use std::fs::{self, File};
use std::io;
use std::path::Path;

#[cfg(unix)]
use nix::errno::Errno;
#[cfg(unix)]
use nix::fcntl::{Flock, FlockArg};

/// An open file. No other process holds it, where the system and the file system know locks (`flock`). However the
/// process ends, nobody holds it then.
pub(crate) enum Held {
    #[cfg(unix)]
    Locked(Flock<File>),
    Open(File),
}

/// Another process that lives holds the file.
pub(crate) struct HeldByAnother;

impl Held {
    #[cfg(unix)]
    pub(crate) fn new(file: File) -> Result<Self, HeldByAnother> {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => Ok(Self::Locked(locked)),
            Err((_, Errno::EWOULDBLOCK)) => Err(HeldByAnother),
            Err((file, _)) => Ok(Self::Open(file)),
        }
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere there are locks")]
    pub(crate) fn new(file: File) -> Result<Self, HeldByAnother> {
        Ok(Self::Open(file))
    }

    /// Whether it is this file that is found at `path`, and not one that has replaced it.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        let found = fs::symlink_metadata(path);
        self.file().metadata().and_then(|own| Ok(is_one(&own, &found?))).unwrap_or(false)
    }

    fn file(&self) -> &File {
        match self {
            #[cfg(unix)]
            Self::Locked(file) => file,
            Self::Open(file) => file,
        }
    }
}

impl From<HeldByAnother> for io::Error {
    fn from(_: HeldByAnother) -> Self {
        Self::new(io::ErrorKind::WouldBlock, "another process holds the file")
    }
}

#[cfg(unix)]
fn is_one(own: &fs::Metadata, found: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    (own.dev(), own.ino()) == (found.dev(), found.ino())
}

#[cfg(not(unix))]
fn is_one(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}
