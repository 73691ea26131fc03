//! Rules R1 and D7: whatever fails is named, and everything else is released all the same.

use rustix::process::Signal;

use crate::machine;
use crate::program::{Exit, Process, Program};

/// Where an operator reads what failed.
#[derive(Clone, Copy, Debug)]
enum Reading {
    /// On stdout, where the fixture's log goes.
    Log,
    /// On stderr, as there is no log (E2).
    Stderr,
}

fn failing(mode: &str, reading: Reading) -> Process {
    let program = Program::new(env!("CARGO_BIN_EXE_failing")).env("MODE", mode);
    match reading {
        Reading::Log => program.env("LOG", "1").spawn(),
        Reading::Stderr => program.spawn(),
    }
}

#[track_caller]
fn assert_tells(exit: &Exit, reading: Reading, told: &str) {
    let text = match reading {
        Reading::Log => exit.stdout(),
        Reading::Stderr => exit.stderr(),
    };
    assert!(text.contains(told), "{told:?} is not told by {reading:?}");
}

fn task(mode: &str, told: &str) {
    let _machine = machine::shared();
    for reading in [Reading::Log, Reading::Stderr] {
        // No signal: the failure itself ends the application.
        let exit = failing(mode, reading).wait_for_exit();
        assert_eq!(exit.code(), Some(1));
        assert_tells(&exit, reading, told);
        let stdout = exit.stdout();
        let fixture: Vec<&str> = stdout.lines().filter(|line| FIXTURE.contains(line)).collect();
        assert_eq!(fixture, ["up", "sails stopped", "released top", "released middle", "released bottom"]);
    }
}

fn release(mode: &str, told: &str) {
    let _machine = machine::shared();
    for reading in [Reading::Log, Reading::Stderr] {
        let process = failing(mode, reading);
        process.wait_for_line("up");
        process.signal(Signal::TERM);
        let exit = process.wait_for_exit();
        assert_eq!(exit.code(), Some(1));
        assert_tells(&exit, reading, told);
        let stdout = exit.stdout();
        let fixture: Vec<&str> = stdout.lines().filter(|line| FIXTURE.contains(line)).collect();
        assert_eq!(fixture, ["up", "sails stopped", "released top", "aborted middle", "released bottom"]);
    }
}

/// The lines of the fixture itself, among those of its log.
const FIXTURE: [&str; 6] =
    ["up", "sails stopped", "released top", "released middle", "aborted middle", "released bottom"];

#[test]
fn r1_a_task_that_fails_ends_the_application_with_1_and_everything_is_released() {
    task("task_fails", "task `engine` of `Middle` failed: out of fuel");
}

#[test]
fn r1_a_task_that_panics_ends_the_application_with_1_and_everything_is_released() {
    task("task_panics", "task `engine` of `Middle` failed: panicked: overheated");
}

#[test]
fn d7_after_a_release_that_fails_it_is_aborted_and_the_others_have_their_turns() {
    release("release_fails", "`Middle` could not be released: the brakes are gone");
}

#[test]
fn d7_after_a_release_that_panics_it_is_aborted_and_the_others_have_their_turns() {
    release("release_panics", "`Middle` could not be released: panicked: the wheel came off");
}

#[test]
fn e1_a_resource_that_finds_the_configuration_wrong_exits_78_and_what_was_acquired_is_released() {
    let _machine = machine::shared();
    for reading in [Reading::Log, Reading::Stderr] {
        let exit = failing("misconfigured", reading).wait_for_exit();
        assert_eq!(exit.code(), Some(78));
        assert_tells(&exit, reading, "SPEED=\"fast\": not a number");
        exit.assert_in_order(&["released bottom"]);
    }
}
