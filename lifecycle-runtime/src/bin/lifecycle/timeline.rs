//! `lifecycle timeline`: shows a report in another form.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use lifecycle::private::program::{read_report, timeline_in_colours};

use crate::Outcome;
use crate::output::{deliver, has_colours};

const EXAMPLES: &str = "\
Examples:
  LIFECYCLE_TIMELINE=report.json ./server
  lifecycle timeline report.json
  lifecycle timeline report.json --output timeline.svg
  ssh host cat report.json | lifecycle timeline - --format html > page.html

Exit codes: 0 the timeline is written, 2 wrong usage, 3 the report cannot be
read, or the timeline not be written.";

/// Shows what happened to an application, from its report as JSON.
///
/// LIFECYCLE_TIMELINE=report.json has an application write the report at its end.
/// The timeline is the same as what the application itself would have written.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The form; without it, what the end of FILE says, or text.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Writes the timeline to this file.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The file with the report; `-` is stdin.
    report: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Format {
    Text,
    Svg,
    Html,
}

impl Format {
    fn of_file(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "txt" => Some(Self::Text),
            "svg" => Some(Self::Svg),
            "html" => Some(Self::Html),
            _ => None,
        }
    }
}

/// No report is longer: one of ten thousand resources has eight million bytes.
const MOST: u64 = 256 << 20;

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let Arguments { format, output, report: path } = arguments;
    let of_file = || Format::of_file(output.as_deref()?);
    let format = format.or_else(of_file).unwrap_or(Format::Text);
    let is_stdin = path.as_os_str() == "-";
    let name = if is_stdin { "stdin".to_owned() } else { path.display().to_string() };
    let json = if is_stdin { read(io::stdin()) } else { File::open(path).and_then(read) };
    let json = json.map_err(|error| format!("{name} cannot be read: {error}"))?;
    let report = read_report(&json).map_err(|what| format!("{name}: {what}"))?;
    let text = match format {
        Format::Text if output.is_none() && has_colours() => timeline_in_colours(&report),
        Format::Text => report.to_timeline(),
        Format::Svg => report.to_svg(),
        Format::Html => report.to_html(),
    };
    deliver(&text, output.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

fn read(source: impl Read) -> io::Result<String> {
    let mut text = String::new();
    source.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(io::Error::other("it is too long for a report"));
    }
    Ok(text)
}
