//! The test kit's `Program`, `Process` and `Exit`, feature `testing`: what the tests here stand on.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use lifecycle::Signal;
use lifecycle::testing::{Program, Stream};

use crate::machine;
use crate::program::wait_until;

fn shell(script: &str) -> Program {
    Program::new("sh").args(["-c", script])
}

/// A program that can be asked whether it is ready.
fn service() -> Program {
    Program::new(env!("CARGO_BIN_EXE_service")).env_clear().env("LIFECYCLE_PROBE_ADDR", "127.0.0.1:0")
}

#[track_caller]
fn words_of<T>(f: impl FnOnce() -> T) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { panic!("it does not fail") };
    *payload.downcast::<String>().expect("the words were put together")
}

#[track_caller]
fn wait_until_gone(pid: &str) {
    let path = Path::new("/proc").join(pid).join("stat");
    // What nobody reaps remains as a zombie.
    let is_gone = || std::fs::read_to_string(&path).map_or(true, |stat| stat.contains(") Z "));
    wait_until("the child of the process is gone", is_gone);
}

/// Also if the test panics.
#[test]
fn no_child_is_left_of_a_process_that_is_dropped() {
    let _machine = machine::shared();
    let mut child = String::new();
    let words = words_of(|| {
        let process = shell("sleep 1000 & echo child $!; wait").spawn();
        child = process.wait_for_line("child ").text.replace("child ", "");
        panic!("{}", "the test fails");
    });
    assert_eq!(words, "the test fails");
    wait_until_gone(&child);
}

/// Its output would not end either: the child has that, too.
#[test]
fn no_child_is_left_of_a_process_that_has_ended() {
    let _machine = machine::shared();
    let exit = shell("sleep 1000 & echo $!").spawn().wait();
    exit.assert_exit_code(0);
    let lines = exit.lines(Stream::Stdout);
    wait_until_gone(&lines[0]);
}

#[test]
fn a_service_is_waited_for_asked_to_stop_and_judged() {
    let _machine = machine::shared();
    let service = service().spawn();
    let probe: SocketAddr = service.address_after("the probe answers at http://");
    service.wait_for_port(probe);
    service.wait_until_ready(probe);
    assert!(!service.has_ended());
    service.signal(Signal::Terminate);
    let exit = service.wait();
    exit.assert_exit_code(0);
    assert!(exit.killed_by().is_none());
}

#[test]
fn a_process_that_is_killed_says_by_what() {
    let _machine = machine::shared();
    let process = shell("echo ready; exec sleep 1000").spawn();
    process.wait_for_line("ready");
    process.kill();
    let exit = process.wait();
    let words = words_of(|| exit.assert_exit_code(0));
    assert_eq!(words, "the process was killed by signal 9, and should have ended with exit code 0");
}

#[test]
fn a_failed_assertion_about_a_process_shows_the_difference() {
    let _machine = machine::shared();
    let exit = shell("echo one; echo two; echo no >&2; exit 3").spawn().wait();
    let words = words_of(|| exit.assert_exit_code(0));
    assert_eq!(words, "the process ended with exit code 3, and should have ended with exit code 0");
    let words = words_of(|| exit.assert_stdout(["one", "three"]));
    assert_eq!(words, "stdout is not as expected (- expected, + printed):\n    one\n  - three\n  + two\n");
    let words = words_of(|| exit.assert_in_order(["two", "one"]));
    assert_eq!(words, "\"one\" should come after \"two\", and is on line 1 of stdout, before line 2");
    exit.assert_in_order(["one", "two"]);
    exit.assert_stdout(["one", "two"]);
    assert_eq!(exit.lines(Stream::Stderr), ["no"]);
}

#[test]
fn a_wait_for_what_never_comes_ends_with_the_process() {
    let _machine = machine::shared();
    let process = shell("echo something else").spawn();
    let words = words_of(|| process.wait_for_line("ready"));
    assert_eq!(words, "the process ended without a line containing \"ready\"");
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let words = words_of(|| process.wait_for_port(nowhere));
    assert_eq!(words, "nothing listens on 127.0.0.1:1: the process has ended");
}
