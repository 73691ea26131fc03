//! The timeline of an application: a file that is written at its end.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::driver::Record;
use crate::model::report::Report;
use crate::picture::timeline::TimelineFormat;
use crate::process::{file, stderr};

/// Where the timeline is written at the end, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimelineFile {
    path: PathBuf,
    format: TimelineFormat,
}

impl TimelineFile {
    /// The path decides the form by its end. A relative one counts from the working directory of now.
    pub(super) fn named(path: OsString) -> Result<Self, String> {
        let known = || {
            let extension = Path::new(&path).extension()?.to_str()?;
            TimelineFormat::of_extension(extension)
        };
        let Some(format) = known() else {
            let forms = TimelineFormat::ALL.map(|(extension, _)| format!(".{extension}")).join(", ");
            return Err(format!(
                "LIFECYCLE_TIMELINE={path:?}: expected a file whose name ends in one of {forms}"
            ));
        };
        let path = std::path::absolute(&path).unwrap_or_else(|_| path.into());
        Ok(Self { path, format })
    }
}

impl Record for TimelineFile {
    fn keep(&self, report: &Report) {
        if let Err(error) = file::replace(&self.path, report.to_format(self.format).as_bytes()) {
            let path = self.path.display();
            stderr::write(format!("lifecycle: the timeline cannot be written to {path}: {error}\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_the_form() {
        let named = |path: &str| TimelineFile::named(path.into()).map(|file| file.format);
        assert_eq!(named("/tmp/last.svg"), Ok(TimelineFormat::Svg));
        assert_eq!(named("report.json"), Ok(TimelineFormat::Json));
        for unknown in ["/tmp/last", "/tmp/last.png", "svg"] {
            let expected = format!(
                "LIFECYCLE_TIMELINE={unknown:?}: expected a file whose name ends in one of .txt, .svg, .html, .json"
            );
            assert_eq!(named(unknown), Err(expected));
        }
    }
}
