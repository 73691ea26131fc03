//! Rules D8 and D9 at the very end: everything is released, and the process has still to exit.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::machine;
use crate::program::{Exit, Process, Program};

/// What the fixture says.
const TIMEOUT: Duration = Duration::from_secs(4);

fn exiting(exit: &str) -> Program {
    Program::new(env!("CARGO_BIN_EXE_exiting")).env("EXIT", exit)
}

/// Asks a process to stop with `first`, and sends `second` at once when it takes its time and says so. Asserts that they
/// are one signal, as a terminal and a parent often both deliver it.
fn are_one(first: Signal, second: Signal, exit: &str, says: &str) {
    let _machine = machine::shared();
    let mut apart = Vec::new();
    // A pause of the machine may put more than the 500 ms between them, though hardly each time.
    while apart.len() < 3 {
        let process = exiting(exit).spawn();
        process.wait_for_line("running");
        process.signal(first);
        process.wait_for_line(says);
        process.signal(second);
        let exit = process.wait_for_exit();
        if exit.code() == Some(0) {
            exit.assert_in_order(&["released service", "exiting", "exited"]);
            assert!(!exit.stderr().contains("ending it now"), "the second signal counted");
            return;
        }
        apart.push(exit);
    }
    panic!("the second signal ended the process");
}

#[test]
fn d8_sigint_that_comes_twice_while_the_process_exits_is_one() {
    are_one(Signal::INT, Signal::INT, "slow", "exiting");
}

#[test]
fn d8_sigint_just_after_sigterm_while_the_process_exits_is_the_same_one() {
    are_one(Signal::TERM, Signal::INT, "slow", "exiting");
}

#[test]
fn d8_sigquit_just_after_sigint_while_the_process_exits_is_the_same_one() {
    are_one(Signal::INT, Signal::QUIT, "slow", "exiting");
}

#[test]
fn d8_sigint_that_comes_twice_while_the_body_drops_a_value_is_one() {
    are_one(Signal::INT, Signal::INT, "slow_body", "dropping");
}

/// Asks a process to stop, which then exits. Returns when it was asked.
fn stop(process: &Process) -> Instant {
    process.wait_for_line("running");
    let asked = Instant::now();
    process.signal(Signal::TERM);
    process.wait_for_line("exiting");
    asked
}

#[test]
fn d8_sigint_later_than_that_ends_a_process_that_exits() {
    let _machine = machine::shared();
    let process = exiting("never").spawn();
    let asked = stop(&process);
    let exit = process.signal_until_exit(Signal::INT);
    assert_eq!(exit.code(), Some(130));
    let took = exit.at.duration_since(asked);
    assert!(took < TIMEOUT, "it took {took:?}");
}

#[test]
fn d9_an_exit_that_hangs_is_ended_by_the_watchdog() {
    let _machine = machine::shared();
    let process = exiting("never").spawn();
    let asked = stop(&process);
    assert_ended_by_the_watchdog(&process.wait_for_exit(), asked);
}

/// The end belongs to `#[lifecycle::main]`, also when others wait for it.
#[test]
fn d9_an_exit_that_hangs_is_ended_by_the_watchdog_where_a_visitor_has_waited_for_the_end() {
    let _machine = machine::shared();
    let process = exiting("never").env("VISITOR", "1").spawn();
    let asked = stop(&process);
    process.wait_for_line("the visitor knows of exit code 0");
    assert_ended_by_the_watchdog(&process.wait_for_exit(), asked);
}

#[track_caller]
fn assert_ended_by_the_watchdog(exit: &Exit, asked: Instant) {
    assert_eq!(exit.code(), Some(0), "everything was released cleanly");
    exit.assert_in_order(&["released service", "exiting"]);
    assert!(exit.stderr().contains("the process did not end by itself"));
    let took = exit.at.duration_since(asked);
    assert!(took >= TIMEOUT, "it took {took:?}");
}
