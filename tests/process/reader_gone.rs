//! `program 2>&1 | tee log`, and Ctrl-C: the reader of the log gets the signal too, and is gone before the program has
//! said its last. What cannot be written is lost; nothing else is.

use std::io::{BufRead, BufReader, PipeReader, pipe};
use std::thread;

use rustix::process::Signal;

use crate::machine;
use crate::program::Program;
use crate::scratch::Scratch;

/// Those that install a subscriber. What others print with `println!` panics when nobody reads.
const LOGGING: [&str; 6] = ["existing_app", "go_equivalent", "grpc", "in_flight", "payments", "websocket"];

#[test]
fn examples_end_well_when_the_reader_of_both_streams_is_gone() {
    end_well(|program| {
        let (reader, writer) = pipe().expect("a pipe can be had");
        (program.with_output(&writer), vec![reader])
    });
}

#[test]
fn examples_end_well_when_the_readers_of_either_stream_are_gone() {
    end_well(|program| {
        let (stdout, stdout_writer) = pipe().expect("a pipe can be had");
        let (stderr, stderr_writer) = pipe().expect("a pipe can be had");
        (program.with_outputs(&stdout_writer, &stderr_writer), vec![stdout, stderr])
    });
}

fn end_well(with_pipes: impl Fn(Program) -> (Program, Vec<PipeReader>) + Sync) {
    let _machine = machine::shared();
    thread::scope(|scope| {
        for name in LOGGING {
            let with_pipes = &with_pipes;
            scope.spawn(move || {
                let scratch = Scratch::new();
                let program =
                    Program::example(name).env("PORT", "0").env("LIFECYCLE_PROBE_ADDR", "127.0.0.1:0");
                let program = program.env("TMPDIR", scratch.path());
                let (program, readers) = with_pipes(program);
                let process = program.spawn();
                // The log is on stdout. This one has a body, which must have asked for its notice.
                let ready = if name == "existing_app" { "listening on" } else { "running:" };
                let has_started = BufReader::new(&readers[0])
                    .lines()
                    .any(|line| line.is_ok_and(|line| line.contains(ready)));
                assert!(has_started, "{name} ended early");
                drop(readers);
                process.signal(Signal::INT);
                assert_eq!(process.wait_for_exit().code(), Some(0), "{name}");
            });
        }
    });
}
