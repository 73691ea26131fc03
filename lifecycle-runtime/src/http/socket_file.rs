//! The file of a Unix socket, which would keep the next process from binding it.

use std::fs::{self, Metadata};
use std::io;
use std::path::PathBuf;

use tracing::warn;

use super::TARGET;

/// The file of a listener of ours. It is removed when this is dropped, unless somebody has put another in its place.
///
/// Drop it before the listener: as long as the socket is open, no other file can have the same inode.
pub(super) struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

/// Device and inode.
type Identity = (u64, u64);

impl SocketFile {
    /// The file that is at `path` now, if it is a socket.
    pub(super) fn at(path: PathBuf) -> Option<Self> {
        let identity = identity(&fs::symlink_metadata(&path).ok()?)?;
        Some(Self { path, identity })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let Self { path, identity: ours } = self;
        let is_ours = fs::symlink_metadata(&*path).is_ok_and(|there| identity(&there) == Some(*ours));
        if !is_ours {
            return;
        }
        match fs::remove_file(&*path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => warn!(
                target: TARGET, path = %path.display(),
                "cannot remove the file of the Unix socket `{}`: {error}; remove it before it is bound again",
                path.display(),
            ),
            Ok(()) | Err(_) => {}
        }
    }
}

#[cfg(unix)]
fn identity(file: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    file.file_type().is_socket().then(|| (file.dev(), file.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<Identity> {
    None
}
