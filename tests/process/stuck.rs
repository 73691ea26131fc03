//! Rules D6, D7, D9 and D10: something hangs. The database beneath is released all the same, or aborted where nothing
//! could run any more, and the process is gone one second after the deadline at the latest.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::machine;
use crate::program::{Exit, PATIENCE, Program};
use crate::scratch::Scratch;

const TIMEOUT: Duration = Duration::from_secs(4);
/// How long after the deadline the watchdog ends the process.
const WATCHDOG: Duration = Duration::from_secs(1);
/// When it is gone, and a little for a machine that is busy.
const GONE: Duration = Duration::from_millis(6_500);

const FLAVORS: [&str; 3] = ["many", "one", "current"];

fn stuck(hang: &str, flavor: &str) -> Program {
    Program::new(env!("CARGO_BIN_EXE_stuck"))
        .env("HANG", hang)
        .env("FLAVOR", flavor)
        .env("LIFECYCLE_SHUTDOWN_TIMEOUT", "4s")
}

/// Stops a process in which something hangs, and looks at how it ends and how long that takes.
fn stop(hang: &str, flavor: &str) -> (Exit, Duration) {
    let process = stuck(hang, flavor).with_open_stdin().spawn();
    process.wait_for_line(if hang.ends_with("acquire") {
        "acquiring stubborn"
    } else {
        "running: everything"
    });
    let sent = Instant::now();
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    let took = exit.at.duration_since(sent);
    assert!(took < GONE, "{hang} on {flavor}: it took {took:?}");
    (exit, took)
}

/// On every runtime, one process each, at the same time.
fn on_every_runtime(hang: &str, check: impl Fn(&str, Exit, Duration) + Sync) {
    let _machine = machine::shared();
    thread::scope(|scope| {
        for flavor in FLAVORS {
            let check = &check;
            scope.spawn(move || {
                let (exit, took) = stop(hang, flavor);
                check(flavor, exit, took);
            });
        }
    });
}

fn is_cut_off_and_the_rest_released(hang: &str) {
    on_every_runtime(hang, |flavor, exit, took| {
        assert_eq!(exit.code(), Some(124), "{hang} on {flavor}");
        assert!(exit.stdout().contains("released db"), "{hang} on {flavor}");
        ends_by_itself(&exit, took);
    });
}

/// Asserts that it took no watchdog.
#[track_caller]
fn ends_by_itself(exit: &Exit, took: Duration) {
    assert!(!exit.stderr().contains("ending it now"), "the watchdog had to end it");
    assert!(took < TIMEOUT + WATCHDOG, "it took {took:?}");
}

#[test]
fn d6_a_task_that_hangs_is_aborted() {
    is_cut_off_and_the_rest_released("task");
}

#[test]
fn d6_a_blocking_task_that_hangs_is_left_behind() {
    is_cut_off_and_the_rest_released("blocking_task");
}

#[test]
fn d7_a_release_that_hangs_is_dropped_and_aborted() {
    on_every_runtime("release", |flavor, exit, took| {
        assert_eq!(exit.code(), Some(124), "{flavor}");
        exit.assert_in_order(&["releasing stubborn", "aborted stubborn"]);
        assert!(exit.stdout().contains("released db"), "{flavor}");
        ends_by_itself(&exit, took);
    });
}

#[test]
fn d7_an_abort_that_hangs_holds_nobody_up() {
    on_every_runtime("abort", |flavor, exit, took| {
        assert_eq!(exit.code(), Some(1), "{flavor}");
        assert!(exit.stdout().contains("released db"), "{flavor}");
        ends_by_itself(&exit, took);
    });
}

/// D7: it has a thread of its own, and keeps none of the runtime.
#[test]
fn d6_a_drop_that_blocks_is_left_behind() {
    is_cut_off_and_the_rest_released("drop");
}

#[test]
fn s4_an_acquisition_that_hangs_is_dropped_at_once() {
    on_every_runtime("acquire", |flavor, exit, took| {
        assert_eq!(exit.code(), Some(0), "{flavor}");
        assert!(exit.stdout().contains("released db"), "{flavor}");
        assert!(took < TIMEOUT / 2, "{flavor}: it took {took:?}");
    });
}

/// Something blocks a thread of the runtime. Where there is another, the rest is released; where there is none,
/// it is aborted, and the process does not wait for anybody.
fn blocks_a_thread(hang: &str) {
    on_every_runtime(hang, |flavor, exit, took| {
        assert_eq!(exit.code(), Some(124), "{hang} on {flavor}");
        if flavor == "many" {
            assert!(exit.stdout().contains("released db"), "{hang} on {flavor}");
            ends_by_itself(&exit, took);
        } else {
            assert!(exit.stdout().contains("aborted db"), "{hang} on {flavor}");
        }
        if flavor == "current" {
            assert!(exit.stderr().contains("ending it now"), "{hang} on {flavor}");
        }
    });
}

#[test]
fn d9_a_release_that_blocks_its_thread() {
    blocks_a_thread("blocking_release");
}

#[test]
fn d9_an_acquisition_that_blocks_its_thread() {
    blocks_a_thread("blocking_acquire");
}

#[test]
fn d9_every_worker_is_blocked() {
    on_every_runtime("workers", |flavor, exit, _| {
        assert_eq!(exit.code(), Some(124), "{flavor}");
        assert!(exit.stdout().contains("aborted db"), "{flavor}");
        assert!(exit.stderr().contains("stuck"), "{flavor}");
        assert!(exit.stderr().contains("task"), "{flavor}");
    });
}

#[test]
fn d10_what_is_not_ours_cannot_keep_the_process() {
    for hang in ["foreign_blocking_task", "stdin"] {
        on_every_runtime(hang, |flavor, exit, took| {
            assert_eq!(exit.code(), Some(0), "{hang} on {flavor}");
            assert!(exit.stdout().contains("released db"), "{hang} on {flavor}");
            assert!(took < TIMEOUT / 2, "{hang} on {flavor}: it took {took:?}");
        });
    }
}

#[test]
fn d9_an_exit_handler_that_hangs_is_ended_by_the_watchdog() {
    on_every_runtime("exit", |flavor, exit, took| {
        assert_eq!(exit.code(), Some(0), "{flavor}: everything was released cleanly");
        assert!(exit.stdout().contains("released db"), "{flavor}");
        assert!(exit.stderr().contains("the process did not end by itself"), "{flavor}");
        assert!(took >= TIMEOUT, "{flavor}: it took {took:?}");
    });
}

#[test]
fn d8_an_exit_handler_that_hangs_is_ended_by_an_insisting_signal() {
    let _machine = machine::shared();
    let process = stuck("exit", "many").spawn();
    process.wait_for_line("running: everything");
    process.signal(Signal::TERM);
    process.wait_for_line("exiting");
    process.signal(Signal::TERM);
    // Within half a second of the first, it is the same one.
    let exit = process.signal_until_exit(Signal::INT);
    assert_eq!(exit.code(), Some(130));
}

/// A process whose output nobody reads, or nobody can: what it says may get lost, the process must not.
fn without_a_reader(is_closed: bool) {
    let _machine = machine::shared();
    let (reader, writer) = std::io::pipe().expect("a pipe can be had");
    let scratch = Scratch::new();
    let ready = scratch.path().join("ready");
    let process = stuck("log", "many").env("READY", &ready).with_output(&writer).spawn();
    drop(writer);
    let _reader = (!is_closed).then_some(reader);
    // There is nothing to read that would say so.
    let deadline = Instant::now() + PATIENCE;
    while !ready.exists() {
        assert!(Instant::now() < deadline, "it is not ready");
        thread::yield_now();
    }
    let sent = Instant::now();
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(124));
    let took = exit.at.duration_since(sent);
    assert!(took < GONE, "it took {took:?}");
}

#[test]
fn e2_a_full_pipe_does_not_keep_the_process() {
    without_a_reader(false);
}

#[test]
fn e2_a_closed_pipe_does_not_keep_the_process() {
    without_a_reader(true);
}

#[test]
fn d9_a_process_that_was_stopped_past_its_deadline_ends_when_it_is_continued() {
    let _machine = machine::shared();
    let process = stuck("task", "many").spawn();
    process.wait_for_line("running: everything");
    process.signal(Signal::TERM);
    process.wait_for_line("stopping: SIGTERM");
    process.signal(Signal::STOP);
    // The time that passes here is the time that the rule is about.
    thread::sleep(TIMEOUT + Duration::from_millis(1_500));
    let continued = Instant::now();
    process.signal(Signal::CONT);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(124));
    let took = exit.at.duration_since(continued);
    assert!(took < TIMEOUT / 2, "it took {took:?}");
}
