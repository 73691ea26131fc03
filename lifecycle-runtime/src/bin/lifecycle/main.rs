//! The program `lifecycle` (feature `cli`): looks at applications from outside. The page `program` of the crate's
//! documentation describes it.

mod doctor;
mod group;
mod output;
mod plan;
mod signals;
mod test;
mod timeline;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes: 0 all is well, 1 something is wrong with what was looked at,
2 wrong usage, 3 it could not be looked at.";

/// Shows what applications built with lifecycle are and did, tests how servers
/// stop, and examines deployments.
#[derive(Debug, Parser)]
#[command(name = "lifecycle", version, max_term_width = 80, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Plan(plan::Arguments),
    Timeline(timeline::Arguments),
    Test(test::Arguments),
    Doctor(doctor::Arguments),
}

/// The exit code, or why nothing came of it.
type Outcome = Result<ExitCode, String>;

/// Something is wrong with what was looked at.
const WRONG: u8 = 1;
/// It could not be looked at.
const FAILED: u8 = 3;

fn main() -> ExitCode {
    let Arguments { command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nobody may be reading.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(FAILED));
        }
    };
    signals::heard_during(|| {
        let outcome = match command {
            Command::Plan(arguments) => plan::run(&arguments),
            Command::Timeline(arguments) => timeline::run(&arguments),
            Command::Test(arguments) => test::run(arguments),
            Command::Doctor(arguments) => doctor::run(&arguments),
        };
        outcome.unwrap_or_else(|what| {
            output::complain(&what);
            ExitCode::from(FAILED)
        })
    })
}
