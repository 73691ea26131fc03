//! Rule E2: a program without a log is not silent, and nothing is said twice.

use std::io::{self, PipeWriter, Write};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Signal;

use crate::machine;
use crate::program::{Exit, Program};

const DEADLINE: Duration = Duration::from_secs(8);

fn program(mode: &str) -> Program {
    let timeout = if mode == "hangs" { "3s" } else { "8s" };
    Program::new(env!("CARGO_BIN_EXE_unheard")).env("MODE", mode).env("LIFECYCLE_SHUTDOWN_TIMEOUT", timeout)
}

fn stop(program: Program, signal: Signal) -> Exit {
    let process = program.spawn();
    process.wait_for_line("serving");
    process.signal(signal);
    process.wait_for_exit()
}

/// Stops one that hangs, in a hurry.
fn hurry(program: Program) -> Exit {
    let process = program.env("LIFECYCLE_SHUTDOWN_TIMEOUT", "20s").spawn();
    process.wait_for_line("serving");
    process.signal(Signal::INT);
    process.wait_for_line("hanging");
    // The time that passes here is the time within which a signal counts as the same one.
    thread::sleep(Duration::from_millis(600));
    process.signal(Signal::INT);
    process.wait_for_exit()
}

/// Asserts that the text has one line for each of `lines`, in this order.
#[track_caller]
fn assert_lines(text: &str, lines: &[&str]) {
    let place = |line: &&str| {
        let places: Vec<usize> = text
            .lines()
            .enumerate()
            .filter(|(_, said)| said.contains(*line))
            .map(|(place, _)| place)
            .collect();
        assert_eq!(places.len(), 1, "{line:?} is said {} times:\n{text}", places.len());
        places[0]
    };
    assert!(lines.iter().map(place).is_sorted(), "not in the order {lines:?}:\n{text}");
}

const CLEAN_STOP: [&str; 6] = [
    "starting 1 resource: Service",
    "running: everything was acquired in",
    "stopping: SIGINT received; 8.0 s at most",
    "stopping Service: waiting for serving",
    "released Service in",
    "SIGINT received; exit code 0",
];

#[test]
fn e2_without_a_log_a_ctrl_c_is_told_on_stderr() {
    let _machine = machine::shared();
    let exit = stop(program("none"), Signal::INT);
    assert_eq!(exit.code(), Some(0));
    assert_lines(&exit.stderr(), &CLEAN_STOP);
    for line in exit.stderr().lines() {
        assert!(line.starts_with("lifecycle: ") || line.starts_with("  "), "who says {line:?}?");
    }
}

#[test]
fn e2_without_a_log_trouble_is_told_on_stderr_once() {
    let _machine = machine::shared();
    let exit = program("fails").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(1));
    assert_lines(
        &exit.stderr(),
        &[
            "lifecycle: error: task `serving` of `Service` failed: out of paper",
            "lifecycle: stopping: something failed",
            "lifecycle: warning: stopped in",
            "  failed: task `serving` of `Service` failed: out of paper",
        ],
    );
}

#[test]
fn e2_without_a_log_a_server_that_cannot_accept_is_told_on_stderr() {
    let _machine = machine::shared();
    let process = program("lacks_descriptors").spawn();
    process
        .wait_for_line("lifecycle: warning: Service cannot accept connections, and tries again in 50 ms: ");
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));
}

#[test]
fn e2_a_host_that_keeps_its_signals_has_its_stderr_to_itself() {
    let _machine = machine::shared();
    let guest = |mode| program(mode).env("HOST", "no signals").spawn().wait_for_exit();
    let exit = guest("none");
    assert_eq!((exit.code(), exit.stderr().as_str()), (Some(0), ""));
    let exit = guest("fails");
    assert_eq!(exit.code(), Some(1));
    assert_lines(
        &exit.stderr(),
        &["exit code 1", "  failed: task `serving` of `Service` failed: out of paper"],
    );
}

#[test]
fn e2_without_a_log_a_failed_start_is_told_once() {
    let _machine = machine::shared();
    let exit = program("does_not_start").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(1));
    assert_lines(&exit.stderr(), &["lifecycle: the application did not start", "  cause:         no paper"]);
}

#[test]
fn e2_a_logger_hears_each_line_once_and_stderr_nothing_more() {
    let _machine = machine::shared();
    let logger = |mode| program(mode).env("LOG", "logger").env("RUST_LOG", "info");
    let exit = stop(logger("none"), Signal::INT);
    assert_eq!(exit.code(), Some(0));
    assert_lines(&exit.stderr(), &CLEAN_STOP);
    assert!(!exit.stderr().contains("lifecycle: "), "it came from us:\n{}", exit.stderr());

    let exit = logger("fails").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(1));
    assert_lines(&exit.stderr(), &["exit code 1", "  failed: task `serving` of `Service` failed"]);
    assert!(!exit.stderr().contains("lifecycle: "), "it came from us:\n{}", exit.stderr());
}

#[test]
fn e2_a_logger_that_is_switched_off_is_a_logger() {
    let _machine = machine::shared();
    let exit = stop(program("none").env("LOG", "logger").env("RUST_LOG", "off"), Signal::INT);
    assert_eq!(exit.code(), Some(0));
    assert_eq!(exit.stderr(), "");
}

/// Asserts that stderr has this line of ours and no other.
#[track_caller]
fn assert_only_line(exit: &Exit, code: i32, line: &str) {
    assert_eq!(exit.code(), Some(code));
    let stderr = exit.stderr();
    let ours: Vec<&str> = stderr.lines().filter(|said| said.starts_with("lifecycle: ")).collect();
    assert_eq!(ours, [line]);
}

#[test]
fn e2_a_log_of_errors_alone_leaves_the_exit_codes_of_the_deadline_and_of_signals_to_stderr() {
    let _machine = machine::shared();
    for log in ["error", "off", "logger"] {
        let log = |mode| program(mode).env("LOG", log);
        let exit = stop(log("hangs"), Signal::TERM);
        assert_only_line(&exit, 124, "lifecycle: exit code 124: the deadline cut off Service");
        assert_eq!(exit.stderr().lines().count(), 1);
        let exit = hurry(log("hangs"));
        assert_only_line(&exit, 130, "lifecycle: exit code 130: SIGINT hurried the end");
        let body = |mode| log(mode).env("HOST", "signals");
        let exit = stop(body("body_loops"), Signal::TERM);
        assert_only_line(&exit, 143, "lifecycle: exit code 143: interrupted by SIGTERM");
        let exit = stop(body("body_hangs").env("LIFECYCLE_SHUTDOWN_TIMEOUT", "3s"), Signal::TERM);
        assert_only_line(&exit, 124, "lifecycle: exit code 124: the deadline cut off the body of `main`");
    }
}

#[test]
fn e2_a_log_of_errors_alone_says_itself_what_failed() {
    let _machine = machine::shared();
    let exit = program("fails").env("LOG", "error").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(1));
    assert_lines(&exit.stdout(), &["task `serving` of `Service` failed: out of paper"]);
    assert_eq!(exit.stderr(), "");
    let exit = program("fails").env("LOG", "off").spawn().wait_for_exit();
    let line = "lifecycle: exit code 1: task `serving` of `Service` failed: out of paper";
    assert_only_line(&exit, 1, line);
}

#[test]
fn e2_what_the_log_says_is_not_on_stderr_too() {
    let _machine = machine::shared();
    let exit = stop(program("hangs").env("LOG", "info"), Signal::TERM);
    assert_eq!(exit.code(), Some(124));
    assert_eq!(exit.stderr(), "");
    let exit = program("fails").env("LOG", "info").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(1));
    assert_eq!(exit.stderr(), "");
    let exit = hurry(program("hangs").env("LOG", "info"));
    assert_eq!(exit.code(), Some(130));
    assert_eq!(exit.stderr(), "");
}

/// Runs one without a log whose stderr nobody reads.
fn without_a_reader(stderr: &PipeWriter) {
    let _machine = machine::shared();
    let process = program("none").with_stderr(stderr).spawn();
    process.wait_for_line("serving");
    let sent = Instant::now();
    process.signal(Signal::INT);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    exit.assert_in_order(&["released"]);
    let took = exit.at.duration_since(sent);
    assert!(took < DEADLINE, "it took {took:?}: stderr held it up until the deadline");
}

#[test]
fn e2_an_stderr_that_is_full_does_not_hold_up_the_stop() {
    let (_reader, writer) = io::pipe().expect("a pipe can be had");
    fill(&writer);
    without_a_reader(&writer);
}

#[test]
fn e2_an_stderr_that_is_closed_does_not_end_the_stop() {
    let (reader, writer) = io::pipe().expect("a pipe can be had");
    drop(reader);
    without_a_reader(&writer);
}

/// The program's own runtime waits for its threads when it is dropped.
#[test]
fn e2_an_stderr_that_is_full_does_not_hold_up_the_end_of_a_runtime() {
    let _machine = machine::shared();
    let (_reader, writer) = io::pipe().expect("a pipe can be had");
    fill(&writer);
    let process = program("none").env("HOST", "signals").with_stderr(&writer).spawn();
    process.wait_for_line("serving");
    process.signal(Signal::INT);
    assert_eq!(process.wait_for_exit().code(), Some(0));
}

/// Writes until nothing more goes into the pipe.
fn fill(mut writer: &PipeWriter) {
    let flags = fcntl_getfl(writer).expect("a pipe has flags");
    fcntl_setfl(writer, flags | OFlags::NONBLOCK).expect("they can be set");
    while writer.write(b".").is_ok() {}
    fcntl_setfl(writer, flags).expect("they can be set");
}
