//! A black box in a file of its own: replaced whole, held while the process lives, removed at an orderly end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::desk::Place;
use super::moment::Moment;
use super::record::{MAGIC, Record};
use super::words;
use crate::process::held::{Held, HeldByAnother};
use crate::process::oom::Kills;
use crate::process::{file, procfs};

/// No record is longer, and of what is longer no more is read.
const LONGEST: u64 = 64 * 1024;

/// A file that others replace all the time is not waited for.
const ATTEMPTS: usize = 10;

pub(super) struct FilePlace {
    path: PathBuf,
    /// The file that is there, once it is known to be ours.
    held: Option<Held>,
    last_life: Option<String>,
}

impl FilePlace {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, held: None, last_life: None }
    }

    /// Takes the file that is there, or makes one, and reads what the last life has left. A file that is not a black box
    /// is left alone, and so is that of another process while that lives.
    fn claim(&mut self) -> Result<Held, String> {
        for _ in 0..ATTEMPTS {
            let (file, content) = match find(&self.path)? {
                Some(found) => found,
                None => match File::create_new(&self.path) {
                    Ok(file) => (file, Vec::new()),
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                    Err(error) => return Err(error.to_string()),
                },
            };
            let held = Held::new(file).map_err(|HeldByAnother| {
                "another process that is running has its black box there, or another application of this one; name a \
                 file for each"
                    .to_owned()
            })?;
            // Otherwise its owner has replaced it, or removed it, since it was opened.
            if held.is_at(&self.path) {
                self.last_life = last_life(&content);
                return Ok(held);
            }
        }
        Err("other processes replace the file all the time".to_owned())
    }
}

impl Place for FilePlace {
    fn keep(&mut self, moment: &Moment) -> Result<(), String> {
        if self.held.is_none() {
            self.held = Some(self.claim()?);
        }
        let record = Record::new(moment, Kills::now()).to_string();
        let held = file::replace_held(&self.path, record.as_bytes()).map_err(|error| error.to_string())?;
        self.held = Some(held);
        Ok(())
    }

    fn end(&mut self, _: Option<&str>) -> Result<(), String> {
        match self.held.take() {
            Some(held) if held.is_at(&self.path) => {
                fs::remove_file(&self.path).map_err(|error| format!("it cannot be removed: {error}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn last_life(&mut self) -> Option<String> {
        self.last_life.take()
    }
}

/// The file at `path` with its content, if it may be a black box: a regular file that is empty, or begins like one.
fn find(path: &Path) -> Result<Option<(File, Vec<u8>)>, String> {
    let what = match fs::symlink_metadata(path) {
        Ok(what) => what.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    // To open a pipe or a device may block, or do something.
    if what.is_dir() {
        return Err("it is a directory; name a file in it".to_owned());
    } else if what.is_symlink() {
        return Err("it is a symbolic link, which would be replaced; name the file itself".to_owned());
    } else if !what.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    // Some file systems lock only what may be written.
    let opened = OpenOptions::new().read(true).write(true).open(path).or_else(|_| File::open(path));
    let file = match opened {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| error.to_string())?,
    };
    let content = read(&file).map_err(|error| error.to_string())?;
    if content.is_empty() || content.starts_with(MAGIC.as_bytes()) {
        Ok(Some((file, content)))
    } else {
        Err("the file there is not a black box, and is left alone; name another".to_owned())
    }
}

fn read(file: &File) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(LONGEST).read_to_end(&mut content)?;
    Ok(content)
}

/// What became of the life that has left this. An empty file is one that somebody has made for us.
fn last_life(content: &[u8]) -> Option<String> {
    if content.is_empty() {
        return None;
    }
    let record = Record::read(&String::from_utf8_lossy(content));
    Some(words::of_a_life(&record, procfs::boot().as_deref(), &Kills::now()))
}
