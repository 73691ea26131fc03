//! The termination log of Kubernetes: what is in it when a container has ended becomes the message of its status. It
//! is a mount, which cannot be replaced, and is written in place.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use super::desk::Place;
use super::moment::Moment;
use super::record::Record;
use super::words;
use crate::process::oom::Kills;

/// Kubernetes takes no more bytes.
const LONGEST: usize = 4096;

pub(super) struct LogPlace {
    path: PathBuf,
    is_written: bool,
}

impl LogPlace {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, is_written: false }
    }

    /// In one piece from the beginning; what is left of a longer text goes after that, so that the file is never empty.
    fn write(&mut self, text: &str) -> Result<(), String> {
        let write = || {
            if !fs::symlink_metadata(&self.path)?.is_file() {
                return Err(io::Error::other("it is not a regular file"));
            }
            let longest = (0..=text.len().min(LONGEST)).rev().find(|&end| text.is_char_boundary(end));
            let text = &text.as_bytes()[..longest.unwrap_or(0)];
            let mut file = OpenOptions::new().write(true).open(&self.path)?;
            file.write_all(text)?;
            file.set_len(text.len() as u64)
        };
        write().map_err(|error| error.to_string())?;
        self.is_written = true;
        Ok(())
    }
}

impl Place for LogPlace {
    fn keep(&mut self, moment: &Moment) -> Result<(), String> {
        self.write(&words::of_a_moment(&Record::new(moment, Kills::default())))
    }

    fn end(&mut self, trouble: Option<&str>) -> Result<(), String> {
        match trouble {
            None if !self.is_written => Ok(()),
            trouble => self.write(trouble.unwrap_or_default()),
        }
    }
}
