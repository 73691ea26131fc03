//! Applications in a program that has a `main`, and a life, of its own.

use rustix::process::Signal;

use crate::machine;
use crate::program::Program;

fn embedding(mode: &str) -> Program {
    Program::new(env!("CARGO_BIN_EXE_embedding")).env("MODE", mode)
}

#[test]
fn fifty_rounds_leave_no_thread_and_no_file_descriptor_behind() {
    let _machine = machine::shared();
    let exit = embedding("rounds").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    assert!(exit.stdout().contains("nothing is left behind"));
}

/// The library takes the signals from `handle_signals` on, and gives them back.
#[test]
fn after_the_last_application_a_signal_ends_the_process_again() {
    let _machine = machine::shared();
    for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2), (Signal::HUP, 1), (Signal::QUIT, 3)] {
        let process = embedding("afterwards").spawn();
        process.wait_for_line("the application has ended");
        process.signal(signal);
        let exit = process.wait_for_exit();
        assert_eq!(exit.killed_by(), Some(number));
    }
}

/// PEERS: a library that takes the signals without being asked.
#[test]
fn without_handle_signals_a_signal_ends_the_process_as_ever() {
    let _machine = machine::shared();
    let process = embedding("theirs").spawn();
    process.wait_for_line("running");
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().killed_by(), Some(15));
}

#[test]
fn an_application_with_its_own_signal_handling_asks_and_insists() {
    let _machine = machine::shared();
    let process = embedding("own_signals").spawn();
    process.wait_for_line("running");
    process.signal(Signal::INT);
    process.wait_for_line("asked");
    process.signal(Signal::INT);
    let exit = process.wait_for_exit();
    exit.assert_in_order(&["asked", "insisted", "released db"]);
    // The task that hung was cut off.
    assert_eq!(exit.code(), Some(124));
}

/// The watchdog of an application that has ended lets the program live.
#[test]
fn the_program_outlives_its_application() {
    let _machine = machine::shared();
    let exit = embedding("outlives").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    assert!(exit.stdout().contains("still here after the deadline"));
}

/// A program that does not wait for the end of its application lives on, and its signals are its own again.
fn lives_on(mode: &str) {
    let _machine = machine::shared();
    let process = embedding(mode).spawn();
    process.wait_for_line("still here after the deadline");
    assert!(process.has_printed("released db"));
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().killed_by(), Some(15));
}

#[test]
fn d9_a_program_that_drops_its_application_lives_on() {
    lives_on("drops");
}

/// Whatever becomes of the application: nobody waits for it.
#[test]
fn d9_a_program_that_drops_an_application_in_which_something_blocks_lives_on() {
    lives_on("drops_what_blocks");
}

#[test]
fn d9_a_program_that_gives_up_on_a_start_lives_on() {
    lives_on("gives_up_on_start");
}

#[test]
fn d9_a_program_that_gives_up_on_run_lives_on() {
    lives_on("gives_up_on_run");
}

#[test]
fn d9_a_program_that_gives_up_on_run_with_a_body_lives_on() {
    lives_on("gives_up_on_a_body");
}

/// The last chapter of the adoption guide: the program does not wait for a read of stdin, and `Result<Report>` ends it
/// with the exit code of the report.
#[test]
fn d10_a_program_with_its_own_runtime_does_not_wait_for_a_read_of_stdin() {
    let _machine = machine::shared();
    let program = || Program::new(env!("CARGO_BIN_EXE_own_runtime"));
    for (program, code) in [(program(), 0), (program().env("FAIL", "the service failed"), 1)] {
        let process = program.with_open_stdin().spawn();
        process.write_line("a line");
        process.wait_for_line("read a line");
        process.signal(Signal::TERM);
        assert_eq!(process.wait_for_exit().code(), Some(code));
    }
}
