//! `lifecycle plan`: has an application print its plan.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use clap::{Args, ValueEnum};
use lifecycle::private::program::{duration, in_words};
use tokio::time::timeout;

use crate::Outcome;
use crate::WRONG;
use crate::group::{self, Group};
use crate::output::{complain, deliver, quoted, tail};
use crate::signals;

const EXAMPLES: &str = "\
Examples:
  lifecycle plan ./target/release/server
  lifecycle plan --output plan.svg ./server --config server.toml
  LIFECYCLE_GRACE_PERIOD=10s lifecycle plan ./server

Exit codes: 0 the plan is printed, 1 and the application could not start like
that, 2 wrong usage, 3 the program printed no plan, 78 its configuration is
refused.";

/// Shows the plan of an application: its resources, and the limits of its start
/// and stop.
///
/// The program is run with LIFECYCLE_PLAN set: it prints its plan and ends before
/// it acquires anything. A program that is not built with lifecycle does not know
/// the variable and starts; it is killed when the time is up.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The form; without it, what the end of FILE says, or text.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Writes the plan to this file.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How long the program may take.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    timeout: Duration,
    /// The program, and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
    command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Text,
    Dot,
    Mermaid,
    Json,
    Svg,
}

impl Format {
    fn of_file(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "txt" => Some(Self::Text),
            "dot" | "gv" => Some(Self::Dot),
            "mmd" | "mermaid" => Some(Self::Mermaid),
            "json" => Some(Self::Json),
            "svg" => Some(Self::Svg),
            _ => None,
        }
    }

    /// As `LIFECYCLE_PLAN` has it.
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Dot => "dot",
            Self::Mermaid => "mermaid",
            Self::Json => "json",
            Self::Svg => "svg",
        }
    }

    /// Whether a plan begins with this line.
    fn begins_with(self, line: &str) -> bool {
        match self {
            Self::Text => is_headline(line),
            Self::Dot => line == "digraph lifecycle {",
            Self::Mermaid => line == "flowchart LR",
            Self::Json => line.starts_with("{\"schema\":") && line.contains("\"startup_timeout_ms\":"),
            Self::Svg => line.starts_with("<svg xmlns="),
        }
    }
}

/// `12 resources on 7 levels`.
fn is_headline(line: &str) -> bool {
    let words: Vec<&str> = line.split(' ').collect();
    let [resources, counted, "on", levels, at] = words[..] else { return false };
    let is_number = |word: &str| word.parse::<usize>().is_ok();
    let are_words = ["resource", "resources"].contains(&counted) && ["level", "levels"].contains(&at);
    are_words && is_number(resources) && is_number(levels)
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let of_file = || Format::of_file(arguments.output.as_deref()?);
    let format = arguments.format.or_else(of_file).unwrap_or(Format::Text);
    signals::interruptible(ask(arguments, format))
}

async fn ask(arguments: &Arguments, format: Format) -> Outcome {
    let Arguments { output, timeout: limit, command, .. } = arguments;
    let program = command[0].to_string_lossy();
    let mut group = Group::start(command, &[("LIFECYCLE_PLAN", format.name())])?;
    let ended = timeout(*limit, group.end()).await;
    let (stdout, stderr) = group.printed().await;
    let (before, plan) = split(&stdout, format);
    if let Some(plan) = plan {
        // What the program says beside its plan is not part of it.
        eprint(&[before, &stderr]);
        deliver(plan, output.as_deref())?;
    }
    let status = match (ended, plan) {
        (Ok(status), _) => status?,
        (Err(_), Some(_)) => {
            return Err(format!(
                "`{program}` has printed its plan, but did not end within {}, and was killed: a program \
                 that goes on when `start` or `run` of the builder has returned should look at the report",
                in_words(*limit)
            ));
        }
        (Err(_), None) => {
            return Err(format!(
                "`{program}` has printed no plan within {}, and was killed: it does not seem to be built with \
                 lifecycle, or it takes longer to get there (--timeout){}",
                in_words(*limit),
                last_words(&stdout, &stderr)
            ));
        }
    };
    match (plan, status.code()) {
        (Some(_), Some(0)) => Ok(ExitCode::SUCCESS),
        (Some(_), Some(_)) => Ok(ExitCode::from(WRONG)),
        (None, Some(CONFIGURATION)) => {
            eprint(&[&stderr]);
            complain(format_args!("`{program}` refuses its configuration (exit code 78)"));
            Ok(ExitCode::from(CONFIGURATION as u8))
        }
        (_, None) => Err(format!("`{program}` {}{}", group::in_words(status), last_words(&stdout, &stderr))),
        (None, Some(_)) => Err(no_plan(&program, status, &last_words(&stdout, &stderr))),
    }
}

/// What a program with a wrong configuration ends with.
const CONFIGURATION: i32 = 78;

fn no_plan(program: &str, status: ExitStatus, last_words: &str) -> String {
    format!(
        "`{program}` {} and has printed no plan: it does not seem to be built with lifecycle, or it ends \
         before it gets to `start` or `run` of the builder{last_words}",
        group::in_words(status)
    )
}

/// What was printed before the plan, and the plan.
fn split(stdout: &str, format: Format) -> (&str, Option<&str>) {
    let mut begin = 0;
    for line in stdout.split_inclusive('\n') {
        if format.begins_with(line.trim_end()) {
            return (&stdout[..begin], Some(&stdout[begin..]));
        }
        begin += line.len();
    }
    (stdout, None)
}

fn eprint(texts: &[&str]) {
    use std::io::Write;

    for text in texts {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

fn last_words(stdout: &str, stderr: &str) -> String {
    let of = |name: &str, text: &str| {
        let text = tail(text, 10);
        let text = quoted(&text);
        if text.is_empty() { text } else { format!("\nthe end of its {name}:\n{}", text.trim_end()) }
    };
    of("stdout", stdout) + &of("stderr", stderr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_is_found_behind_what_was_printed_before() {
        let check = |format: Format, text: &str, expected: Option<&str>| {
            assert_eq!(split(text, format).1, expected, "{text:?}");
        };
        let text = "1 resource on 1 level\n  start\n";
        check(Format::Text, text, Some(text));
        check(Format::Text, &format!("hello\n{text}"), Some(text));
        check(Format::Text, "12 resources on 7 levels", Some("12 resources on 7 levels"));
        check(Format::Text, "2 sheep on 7 levels\nresources on levels\n\n", None);
        check(Format::Dot, "flowchart LR\n", None);
        check(Format::Mermaid, "one\r\nflowchart LR\n", Some("flowchart LR\n"));
        check(Format::Json, "{\"schema\":1,\"version\":\"\",\"reason\":\"\"}\n", None);
    }
}
