//! Cgroups that a test has made.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use crate::program::PATIENCE;

/// The cgroups of this name at the top of each hierarchy: there is one, or one for each controller.
pub(crate) fn named(name: &str) -> Vec<PathBuf> {
    let top = Path::new("/sys/fs/cgroup");
    let below = fs::read_dir(top).into_iter().flatten().flatten().map(|entry| entry.path());
    below.chain([top.to_owned()]).map(|place| place.join(name)).filter(|path| path.is_dir()).collect()
}

/// Lets what is frozen in the first kind of cgroups go on: until then it cannot even be killed.
pub(crate) fn thaw(path: &Path) {
    let _ = fs::write(path.join("freezer.state"), "THAWED");
    children(path).iter().for_each(|child| thaw(child));
}

/// Removes a tree of cgroups. What was in it may be on its way out.
pub(crate) fn remove(path: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while !is_removed(path) && Instant::now() < deadline {
        thread::yield_now();
    }
}

fn is_removed(path: &Path) -> bool {
    for child in children(path) {
        is_removed(&child);
    }
    !path.exists() || fs::remove_dir(path).is_ok()
}

fn children(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.map(|entry| entry.path()).collect()
}
