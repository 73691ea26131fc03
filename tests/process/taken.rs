//! Rule S1: a library takes the handlers of the signals, and the log says so.

use rustix::process::Signal;

use crate::machine;
use crate::program::Program;

const WARNING: &str = "`ctrlc` has replaced the handler for SIGINT";

#[test]
fn s1_a_library_that_takes_the_signals_is_warned_of() {
    let _machine = machine::shared();
    let program = Program::new(env!("CARGO_BIN_EXE_taken")).env("TAKEN", "1").spawn();
    let line = program.wait_for_line(WARNING);
    assert!(line.text.contains("SIGTERM and SIGHUP"), "{}", line.text);
    program.signal(Signal::TERM);
    program.wait_for_line("the library has the signal");
    // That one it has left alone.
    program.signal(Signal::QUIT);
    assert_eq!(program.wait_for_exit().code(), Some(0));
}

#[test]
fn s1_where_nobody_takes_the_signals_nothing_is_said_of_it() {
    let _machine = machine::shared();
    let program = Program::new(env!("CARGO_BIN_EXE_taken")).spawn();
    program.wait_for_line("running: everything");
    program.signal(Signal::TERM);
    let exit = program.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    assert!(!exit.stderr().contains("handler"), "{}", exit.stderr());
}
