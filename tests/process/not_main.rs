//! `#[lifecycle::main]` on a function that is not the program's `main`: it runs an application and returns its report, and
//! the program lives on.

use rustix::process::Signal;

use crate::machine;
use crate::program::{Process, Program};

fn not_main(mode: &str) -> Program {
    Program::new(env!("CARGO_BIN_EXE_not_main")).env("MODE", mode)
}

/// Once its applications have ended, it outlives their deadline, and a signal ends it as if they had never been there.
fn lives_on(process: Process) {
    process.wait_for_line("still here after the deadline");
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().killed_by(), Some(15));
}

/// Its application ends by itself.
fn ends(mode: &str, told: &[&str]) {
    let _machine = machine::shared();
    let process = not_main(mode).spawn();
    for line in told {
        process.wait_for_line(line);
    }
    lives_on(process);
}

#[test]
fn d9_the_program_lives_on_after_such_a_function() {
    ends("serves", &["released db: shutdown requested", "the round is over with 0"]);
}

#[test]
fn d9_the_program_lives_on_after_such_a_function_with_a_body() {
    ends("works", &["the work is done", "released db: shutdown requested", "the round is over with 0"]);
}

#[test]
fn d9_the_program_lives_on_after_such_a_function_on_a_runtime_of_one_thread() {
    ends("one_thread", &["released db: shutdown requested", "the round is over with 0"]);
}

#[test]
fn d9_the_program_lives_on_after_such_a_function_on_another_thread() {
    ends("beside", &["released db: shutdown requested", "the round is over with 0"]);
}

#[test]
fn e1_such_a_function_returns_what_went_wrong_and_the_program_lives_on() {
    ends("fails", &["released db: shutdown requested", "the round is over with 1"]);
}

#[test]
fn d10_what_is_left_behind_keeps_no_such_function() {
    ends("left_behind", &["released db: shutdown requested", "the round is over with 0"]);
}

#[test]
fn such_functions_can_follow_one_another() {
    let _machine = machine::shared();
    let process = not_main("twice").spawn();
    process.wait_for_line("the program goes on");
    lives_on(process);
}

#[test]
fn d1_a_signal_ends_the_application_of_such_a_function_and_the_program_lives_on() {
    let _machine = machine::shared();
    let process = not_main("signalled").spawn();
    process.wait_for_line("serving");
    process.signal(Signal::TERM);
    process.wait_for_line("SIGTERM received with 0");
    lives_on(process);
}

/// Signals are given back at once, not only after some time.
#[test]
fn d1_after_such_a_function_a_signal_ends_the_process_again() {
    let _machine = machine::shared();
    for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2), (Signal::HUP, 1), (Signal::QUIT, 3)] {
        let process = not_main("serves").spawn();
        process.wait_for_line("the program goes on");
        process.signal(signal);
        assert_eq!(process.wait_for_exit().killed_by(), Some(number));
    }
}

#[test]
fn such_functions_leave_no_thread_and_no_file_descriptor_behind() {
    let _machine = machine::shared();
    let exit = not_main("rounds").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    assert!(exit.stdout().contains("nothing is left behind"));
}
