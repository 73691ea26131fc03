//! What the framework costs, measured beside what one would write without it, in the same run.
//!
//! `cargo run --release -p lifecycle-bench` prints the tables. The machine may be shared and slow, and so a figure is
//! a ratio: in each round, everything that is compared runs in turn, slice by slice, and the ratio is taken within the
//! round. What is printed is the median of the rounds.
//!
//! Each part has a module of its own, which makes its tables. `rounds` interleaves what is compared, `series`
//! holds one figure of every round, `peers` makes a table of peers, `callgrind` counts instructions, `table` prints.

mod application;
#[cfg(unix)]
mod build;
mod callgrind;
mod guard;
mod http;
mod latch;
mod notice;
mod options;
mod peers;
mod rounds;
mod series;
mod spawn;
#[cfg(feature = "start_stop")]
mod start_stop;
mod table;

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::json;

use crate::options::{Options, USAGE};
use crate::table::Table;

/// Something that is measured.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    about: &'static str,
    measure: fn(&Options) -> Vec<Table>,
}

/// In the order in which they run. Parts that install something for the whole process come last.
pub(crate) const PARTS: &[Part] = &[
    Part {
        name: "guard",
        about: "a unit of work that is taken and dropped, by one thread and by several",
        measure: guard::measure,
    },
    Part {
        name: "notice",
        about: "the notice to many tasks that wait for it, and the memory that each of them takes",
        measure: notice::measure,
    },
    Part { name: spawn::NAME, about: "a task that is spawned and ends at once", measure: spawn::measure },
    Part { name: "http", about: "a request, beside hyper-util's own loop and axum", measure: http::measure },
    Part {
        name: "http_stop",
        about: "the stop of a server whose connections are idle",
        measure: http::measure_stop,
    },
    Part {
        name: "http_load",
        about: "many connections at once, by one worker and by two",
        measure: http::measure_load,
    },
    Part {
        name: "http_start",
        about: "the start of a server until it answers",
        measure: http::measure_first_answer,
    },
    #[cfg(unix)]
    Part {
        name: "build",
        about: "the build of a small program and of a server, and what they weigh",
        measure: build::measure,
    },
    #[cfg(unix)]
    Part { name: "resources", about: "the build of many resources", measure: build::measure_resources },
    #[cfg(feature = "start_stop")]
    Part {
        name: "start_stop",
        about: "the start and the stop of resources that do nothing",
        measure: start_stop::measure,
    },
    #[cfg(feature = "start_stop")]
    Part {
        name: "critical_path",
        about: "a start whose hooks take time, beside its critical path",
        measure: start_stop::measure_critical_path,
    },
    #[cfg(feature = "start_stop")]
    Part {
        name: "start_stop_logged",
        about: "the same with a subscriber that writes every line and throws it away",
        measure: start_stop::measure_logged,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((_, arguments)) = arguments.split_first().filter(|(first, _)| *first == "--child") {
        match arguments {
            [part, arguments @ ..] if part == spawn::NAME => spawn::child(arguments),
            _ => http::child(arguments),
        }
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(arguments.into_iter()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", help());
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprint!("{what}\n\n{}", help());
            return ExitCode::from(2);
        }
    };
    if cfg!(debug_assertions) && !options.is_quick {
        eprintln!("this is a debug build, its figures mean nothing: use `cargo run --release`");
    }
    let mut parts = Vec::new();
    for part in PARTS.iter().filter(|part| options.includes(part.name)) {
        println!("{}: {}\n", part.name, part.about);
        let tables = (part.measure)(&options);
        for table in &tables {
            println!("{table}");
        }
        let tables: Vec<_> = tables.iter().map(Table::to_json).collect();
        parts.push(json!({ "name": part.name, "tables": tables }));
    }
    let Some(path) = &options.json else { return ExitCode::SUCCESS };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let results = json!({
        "rounds": options.rounds,
        "quick": options.is_quick,
        "debug": cfg!(debug_assertions),
        "cores": cores,
        "parts": parts,
    });
    match std::fs::write(path, format!("{results:#}\n")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let mut help = format!("{USAGE}\n\nparts:\n");
    for Part { name, about, .. } in PARTS {
        let _ = writeln!(help, "  {name:20} {about}");
    }
    help
}
