//! Small files that are replaced whole.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

/// Puts `content` into the file at `path`: whoever reads it sees the old content or the new one, never a part.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = OsString::from(path);
    beside.push(format!(".{}", std::process::id()));
    let written = fs::write(&beside, content).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}
