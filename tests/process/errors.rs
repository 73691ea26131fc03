//! Rule E3 where what fails is itself badly behaved: whatever an error, a panic or a panic hook does, the failure is
//! recorded, the application stops, and the exit code is 1.

use std::thread;

use rustix::process::Signal;

use crate::machine;
use crate::program::{Exit, Program};

/// Where a failure comes up, and what it is called.
#[derive(Clone, Copy)]
enum Place {
    Acquire,
    Task,
    Release,
    Main,
    /// `App::fail`.
    App,
}

/// Where the error of a user comes to the library.
const ERRORS: [Place; 5] = [Place::Acquire, Place::Task, Place::Release, Place::Main, Place::App];

/// Where a panic of a user does.
const PANICS: [Place; 4] = [Place::Acquire, Place::Task, Place::Release, Place::Main];

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Acquire => "acquire",
            Self::Task => "task",
            Self::Release => "release",
            Self::Main => "main",
            Self::App => "app",
        }
    }

    fn failure(self) -> &'static str {
        match self {
            Self::Acquire => "failed: `Middle` could not be acquired: ",
            Self::Task => "failed: task `engine` of `Middle` failed: ",
            Self::Release => "failed: `Middle` could not be released: ",
            Self::Main | Self::App => "failed: `main` failed: ",
        }
    }
}

fn unruly(error: &str, place: &str) -> Program {
    Program::new(env!("CARGO_BIN_EXE_unruly")).env("ERROR", error).env("PLACE", place)
}

fn with_hook(error: &str, place: &str) -> Program {
    unruly(error, place).env("HOOK", "1")
}

/// Lets a program fail in each of the places, at the same time. Returns the lines that tell the failures.
fn fails_in(places: &[Place], program: impl Fn(&str) -> Program + Sync) -> Vec<String> {
    let _machine = machine::shared();
    thread::scope(|scope| {
        let program = &program;
        let lives: Vec<_> = places
            .iter()
            .map(|&place| scope.spawn(move || told(&program(place.name()).spawn().wait_for_exit(), place)))
            .collect();
        let ends = lives.into_iter().map(thread::ScopedJoinHandle::join);
        let (told, lost): (Vec<_>, Vec<_>) = places.iter().zip(ends).partition(|(_, end)| end.is_ok());
        let lost: Vec<&str> = lost.into_iter().map(|(place, _)| place.name()).collect();
        assert!(lost.is_empty(), "it did not go well where the failure came from {lost:?}");
        told.into_iter().filter_map(|(_, end)| end.ok()).collect()
    })
}

/// The line that tells the failure of an application that has ended as it should.
fn told(exit: &Exit, place: Place) -> String {
    let name = place.name();
    let stdout = exit.stdout();
    let failure = stdout.lines().find(|line| line.starts_with(place.failure()));
    let failure = failure.unwrap_or_else(|| panic!("{name}: the failure was lost")).to_owned();
    assert!(stdout.contains("released bottom"), "{name}: what is beneath was not released");
    assert!(stdout.contains("the program goes on"), "{name}: the program around it did not go on");
    assert!(!exit.stderr().contains("ending it now"), "{name}: the watchdog had to end it");
    assert_eq!(exit.code(), Some(1), "{name}");
    failure
}

#[track_caller]
fn assert_all_say(told: &[String], words: &str) {
    assert!(told.iter().all(|line| line.contains(words)), "{told:?} do not all say {words:?}");
}

#[test]
fn e3_an_error_whose_display_asks_for_shutdown_is_recorded() {
    assert_all_say(&fails_in(&ERRORS, |place| unruly("display_asks", place)), "out of fuel");
}

#[test]
fn e3_an_error_whose_display_panics_is_recorded() {
    fails_in(&ERRORS, |place| unruly("display_panics", place));
}

#[test]
fn e3_an_error_whose_display_panics_is_recorded_where_the_panic_hook_asks_for_shutdown() {
    fails_in(&ERRORS, |place| with_hook("display_panics", place));
}

#[test]
fn e3_an_error_whose_display_fails_is_recorded() {
    fails_in(&ERRORS, |place| unruly("display_fails", place));
}

#[test]
fn e3_an_error_whose_source_asks_for_shutdown_is_recorded() {
    assert_all_say(&fails_in(&ERRORS, |place| unruly("source_asks", place)), "out of fuel");
}

#[test]
fn e3_an_error_whose_source_panics_is_recorded() {
    fails_in(&ERRORS, |place| unruly("source_panics", place));
}

/// A chain of sources without an end.
#[test]
fn e3_an_error_that_is_its_own_source_is_recorded() {
    assert_all_say(&fails_in(&ERRORS, |place| unruly("source_is_itself", place)), "out of fuel");
}

#[test]
fn e3_an_error_whose_drop_asks_for_shutdown_is_recorded() {
    assert_all_say(&fails_in(&ERRORS, |place| unruly("drop_asks", place)), "out of fuel");
}

#[test]
fn e3_an_error_whose_drop_panics_is_recorded() {
    assert_all_say(&fails_in(&ERRORS, |place| unruly("drop_panics", place)), "out of fuel");
}

/// An error that nobody records any more is dropped, and that is all.
fn comes_too_late(error: &str) {
    let _machine = machine::shared();
    // The body listens, and nothing else asks it to end.
    let process = unruly(error, "late").spawn();
    process.wait_for_line("the body listens");
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    exit.assert_in_order(&["released bottom", "told of a failure when all was over", "the program goes on"]);
    assert!(!exit.stdout().contains("failed: "));
    assert_eq!(exit.code(), Some(0));
}

#[test]
fn e3_an_error_whose_drop_asks_for_shutdown_may_come_too_late() {
    comes_too_late("drop_asks");
}

#[test]
fn e3_an_error_whose_drop_panics_may_come_too_late() {
    comes_too_late("drop_panics");
}

#[test]
fn e3_a_panic_is_recorded_where_the_panic_hook_asks_for_shutdown() {
    assert_all_say(&fails_in(&PANICS, |place| with_hook("panics", place)), "panicked: out of fuel");
}

#[test]
fn e3_a_panic_whose_payload_asks_for_shutdown_when_it_is_dropped_is_recorded() {
    assert_all_say(&fails_in(&PANICS, |place| unruly("payload_drop_asks", place)), "panicked: ");
}

#[test]
fn e3_a_panic_whose_payload_panics_when_it_is_dropped_is_recorded() {
    assert_all_say(&fails_in(&PANICS, |place| unruly("payload_drop_panics", place)), "panicked: ");
}

#[test]
fn d7_an_abort_and_a_drop_that_both_panic_hold_up_no_release() {
    let _machine = machine::shared();
    let exit = unruly("none", "abort").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(1));
    exit.assert_in_order(&[
        "aborted middle",
        "dropped middle",
        "released bottom",
        "failed: `Middle` could not be released: out of fuel",
        "failed: `abort` of `Middle` failed: panicked: abort panics",
        "the program goes on",
    ]);
}
