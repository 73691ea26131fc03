//! A disk that can be full.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::scratch::Scratch;

/// A small file system, unmounted when this is dropped. To mount it takes root.
pub(crate) struct Disk(Scratch);

impl Disk {
    #[track_caller]
    pub(crate) fn mount() -> Self {
        // Unmounted also if what follows fails.
        let disk = Self(Scratch::new());
        mount(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"], disk.path());
        disk
    }

    #[track_caller]
    pub(crate) fn read_only() -> Self {
        let disk = Self::mount();
        mount(&["-o", "remount,ro"], disk.path());
        disk
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room that is left.
    #[track_caller]
    pub(crate) fn fill(&self) {
        let mut file = File::create(self.filling()).expect("there is room for a name");
        let error = loop {
            if let Err(error) = file.write_all(&[0; 1024]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    /// Gives it back.
    #[track_caller]
    pub(crate) fn make_room(&self) {
        fs::remove_file(self.filling()).expect("it has been filled");
    }

    fn filling(&self) -> PathBuf {
        self.path().join("filling")
    }
}

#[track_caller]
fn mount(arguments: &[&str], path: &Path) {
    let output = Command::new("mount").args(arguments).arg(path).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run mount: {error}"));
    assert!(output.status.success(), "cannot mount {}, which takes root: {output:?}", path.display());
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there keeps nobody from going on.
        let _ = Command::new("umount").arg("-l").arg(self.path()).stderr(Stdio::null()).status();
    }
}
