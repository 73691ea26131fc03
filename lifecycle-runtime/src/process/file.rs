//! Small files that are replaced whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::held::Held;

/// Puts `content` into the file at `path`: whoever reads it sees the old content or the new one, never a part.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    replace_by(path, &beside(path, &std::process::id().to_string()), content, Ok).map(drop)
}

/// The same for a file that one process replaces again and again, and holds. What is written beside it has always the
/// same name, so that processes that are killed leave one such file at most.
pub(crate) fn replace_held(path: &Path, content: &[u8]) -> io::Result<Held> {
    replace_by(path, &beside(path, "lifecycle-new"), content, |file| Ok(Held::new(file)?))
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut beside = OsString::from(path);
    beside.push(format!(".{end}"));
    beside.into()
}

/// It is written beside that first, into a file that is new: what somebody has put there, such as a link to a file of
/// ours in a directory that all may write to, is removed and not followed.
///
/// Nothing is synchronized with the disk: the content survives the process, not the machine.
fn replace_by<T>(
    path: &Path,
    beside: &Path,
    content: &[u8],
    prepare: impl FnOnce(File) -> io::Result<T>,
) -> io::Result<T> {
    match fs::remove_file(beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let write = |mut file: File| {
        file.write_all(content)?;
        let prepared = prepare(file)?;
        fs::rename(beside, path)?;
        Ok(prepared)
    };
    let replaced = File::create_new(beside).and_then(write);
    if replaced.is_err() {
        let _ = fs::remove_file(beside);
    }
    replaced
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory of the test's own.
    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("lifecycle-file-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        path
    }

    #[test]
    fn it_is_replaced_and_nothing_is_left_beside_it() {
        let directory = directory("replaced");
        let path = directory.join("report");
        for content in ["a long report", "short"] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert!(replace(&directory, b"a directory is in its place").is_err());
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_link_that_somebody_has_put_there_is_not_followed() {
        let directory = directory("linked");
        let (path, ours) = (directory.join("report"), directory.join("ours"));
        fs::write(&ours, "ours").unwrap();
        symlink(&ours, directory.join(format!("report.{}", std::process::id()))).unwrap();
        replace(&path, b"report").unwrap();
        assert_eq!(
            (fs::read_to_string(&ours).unwrap(), fs::read_to_string(&path).unwrap()),
            ("ours".into(), "report".into())
        );
        fs::remove_dir_all(directory).unwrap();
    }
}
