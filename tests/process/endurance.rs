//! Much of the same in one process.

use std::time::Duration;

use crate::machine;
use crate::program::Program;
use crate::scratch::Scratch;

/// What a leak of a pointer for each request would exceed, or of 500 bytes for each application.
const KIB_OF_NOISE: usize = 4 * 1024;

/// The numbers of a line such as `requests [20000, 5, 12] [20100, 5, 12]`.
fn numbers(line: &str) -> Vec<usize> {
    line.split(|it: char| !it.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn memory_threads_and_descriptors_stay_as_they_are() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    // One arena: how many threads shared which would count otherwise.
    let program = Program::new(env!("CARGO_BIN_EXE_endurance")).arg(scratch.path().join("socket"));
    let process = program.env("MALLOC_ARENA_MAX", "1").spawn();
    let exit = process.wait_or_kill(Duration::from_secs(600));
    assert_eq!(exit.code(), Some(0), "{}", exit.stderr());
    for what in ["requests", "connections", "tasks", "stops"] {
        let line = exit.stdout().lines().find(|line| line.starts_with(what)).map(str::to_owned).unwrap();
        let [memory, threads, descriptors, memory_then, threads_then, descriptors_then] = numbers(&line)[..]
        else {
            panic!("{line}");
        };
        assert!(memory_then < memory + KIB_OF_NOISE, "{line}");
        assert!(threads_then <= threads, "{line}");
        assert!(descriptors_then <= descriptors, "{line}");
    }
}
