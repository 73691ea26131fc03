//! The timeline of an application: a file that is written at its end.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use crate::driver::Record;
use crate::model::report::Report;
use crate::picture::forms::TimelineFormat;
use crate::process::{file, stderr};

/// Where the timeline is written at the end, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Timeline {
    File(PathBuf, TimelineFormat),
    /// In colours if that is a terminal.
    Stderr,
}

impl Timeline {
    /// The path decides the form by its end. A relative one counts from the working directory of now.
    pub(super) fn named(path: OsString) -> Result<Self, String> {
        if path == "-" {
            return Ok(Self::Stderr);
        }
        let known = || {
            let extension = Path::new(&path).extension()?.to_str()?;
            TimelineFormat::of_extension(extension)
        };
        let Some(format) = known() else {
            let forms = TimelineFormat::ALL.map(|(extension, _)| format!(".{extension}")).join(", ");
            return Err(format!(
                "LIFECYCLE_TIMELINE={path:?}: expected a file whose name ends in one of {forms}, or \"-\" for stderr"
            ));
        };
        let path = std::path::absolute(&path).unwrap_or_else(|_| path.into());
        Ok(Self::File(path, format))
    }
}

impl Record for Timeline {
    fn keep(&self, report: &Report) {
        match self {
            Self::File(path, format) => {
                if let Err(error) = file::replace(path, report.to_format(*format).as_bytes()) {
                    let path = path.display();
                    stderr::write(format!("lifecycle: the timeline cannot be written to {path}: {error}\n"));
                }
            }
            Self::Stderr => {
                let has_colours =
                    io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
                stderr::write(report.to_timeline_with(has_colours));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_the_form() {
        let named = |path: &str| match Timeline::named(path.into()) {
            Ok(Timeline::File(_, format)) => Ok(Some(format)),
            Ok(Timeline::Stderr) => Ok(None),
            Err(what) => Err(what),
        };
        assert_eq!(named("/tmp/last.svg"), Ok(Some(TimelineFormat::Svg)));
        assert_eq!(named("report.json"), Ok(Some(TimelineFormat::Json)));
        assert_eq!(named("-"), Ok(None));
        for unknown in ["/tmp/last", "/tmp/last.png", "svg"] {
            let expected = format!(
                "LIFECYCLE_TIMELINE={unknown:?}: expected a file whose name ends in one of .txt, .svg, .html, .json, or \"-\" for stderr"
            );
            assert_eq!(named(unknown), Err(expected));
        }
    }
}
