//! A log that blocks for ever: its own lines wait, and nothing else does. Every command comes at its time, the
//! application ends by its deadline, and signals count.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::machine;
use crate::program::{Exit, Process, Program};

const FLAVORS: [&str; 3] = ["many", "one", "current"];

/// Longer than the time within which a signal counts as the same one (rule D8).
const APART: Duration = Duration::from_millis(600);

/// Its log blocks at the first line that contains `blocks`, and `mode` goes wrong beside that.
fn blocked(blocks: &str, mode: &str, flavor: &str) -> Program {
    Program::new(env!("CARGO_BIN_EXE_blocked_log"))
        .env("BLOCKS", blocks)
        .env("MODE", mode)
        .env("FLAVOR", flavor)
        // Whatever waits for this deadline is not at its time.
        .env("LIFECYCLE_SHUTDOWN_TIMEOUT", "60s")
}

/// Lives the same on every runtime, at the same time.
fn on_every_runtime(live: impl Fn(&str) -> Exit + Sync) -> [Exit; 3] {
    let _machine = machine::shared();
    thread::scope(|scope| {
        let live = &live;
        let lives = FLAVORS.map(|flavor| (flavor, scope.spawn(move || live(flavor))));
        lives.map(|(flavor, life)| life.join().unwrap_or_else(|_| panic!("on the runtime `{flavor}`")))
    })
}

/// Starts it and asks it to stop once.
fn stop(program: Program) -> Exit {
    let process = program.spawn();
    process.wait_for_line("the pool is up");
    process.signal(Signal::TERM);
    process.wait_for_exit()
}

/// Asserts that it took no watchdog, and that everything beneath what failed had its release.
#[track_caller]
fn assert_ended(exit: &Exit, code: i32, steps: &[&str]) {
    assert_eq!(exit.code(), Some(code));
    assert!(!exit.stderr().contains("ending it now"), "the watchdog had to end it");
    let steps: Vec<&str> = steps.iter().copied().chain(["the application has ended"]).collect();
    exit.assert_in_order(&steps);
}

#[test]
fn s2_a_log_that_blocks_holds_up_no_acquisition() {
    for exit in on_every_runtime(|flavor| stop(blocked("starting ", "none", flavor))) {
        assert_ended(
            &exit,
            0,
            &["acquiring disk", "acquiring db", "the pool is up", "releasing db", "releasing disk"],
        );
    }
}

#[test]
fn d5_a_log_that_blocks_at_the_first_line_of_the_stop_holds_up_no_release() {
    for exit in on_every_runtime(|flavor| stop(blocked("stopping: SIGTERM", "none", flavor))) {
        assert_ended(&exit, 0, &["pool ended", "releasing db", "releasing disk"]);
    }
}

#[test]
fn d5_a_log_that_blocks_at_the_line_of_a_release_does_not_hold_it_up() {
    for exit in on_every_runtime(|flavor| stop(blocked("releasing Db", "none", flavor))) {
        assert_ended(&exit, 0, &["pool ended", "releasing db", "releasing disk"]);
    }
}

#[test]
fn d7_a_log_that_blocks_holds_up_no_abort() {
    let release_hangs = |flavor: &str| {
        stop(blocked("releasing Db", "release_hangs", flavor).env("LIFECYCLE_SHUTDOWN_TIMEOUT", "8s"))
    };
    for exit in on_every_runtime(release_hangs) {
        assert_ended(&exit, 124, &["releasing db", "aborting db", "releasing disk"]);
    }
}

#[test]
fn e2_a_log_that_blocks_at_the_report_does_not_hold_up_the_end() {
    for exit in on_every_runtime(|flavor| stop(blocked("stopped in", "none", flavor))) {
        assert_ended(&exit, 0, &["releasing db", "releasing disk"]);
    }
}

#[test]
fn r1_a_failure_whose_line_blocks_the_log_counts() {
    let task_fails =
        |flavor: &str| blocked("task `pool` of `Db` failed", "task_fails", flavor).spawn().wait_for_exit();
    for exit in on_every_runtime(task_fails) {
        assert_ended(&exit, 1, &["the pool is up", "releasing db", "releasing disk"]);
        exit.assert_in_order(&["failed: task `pool` of `Db` failed: out of connections"]);
    }
}

#[test]
fn s4_a_start_whose_failure_blocks_the_log_is_rolled_back() {
    let acquire_fails = |flavor: &str| {
        blocked("`Db` could not be acquired: ", "acquire_fails", flavor).spawn().wait_for_exit()
    };
    for exit in on_every_runtime(acquire_fails) {
        assert_ended(&exit, 1, &["acquiring disk", "acquiring db", "releasing disk"]);
        assert!(exit.stderr().contains("the application did not start: `Db` could not be acquired"));
    }
}

#[test]
fn d7_a_release_whose_failure_blocks_the_log_is_aborted() {
    for exit in
        on_every_runtime(|flavor| stop(blocked("`Db` could not be released: ", "release_fails", flavor)))
    {
        assert_ended(&exit, 1, &["releasing db", "aborting db", "releasing disk"]);
    }
}

/// Asks a process to stop, whose log blocks and whose release hangs, and insists.
fn insist(flavor: &str) -> Process {
    let process = blocked("releasing Db", "release_hangs", flavor).spawn();
    process.wait_for_line("the pool is up");
    process.signal(Signal::INT);
    process.wait_for_line("releasing db");
    // The time that passes here is the time that the rule is about.
    thread::sleep(APART);
    process.signal(Signal::INT);
    process
}

#[test]
fn d8_the_second_sigint_hurries_while_the_log_blocks() {
    for exit in on_every_runtime(|flavor| insist(flavor).wait_for_exit()) {
        assert_ended(&exit, 130, &["releasing db", "aborting db", "releasing disk"]);
    }
}

#[test]
fn d8_the_third_sigint_ends_the_process_while_the_log_blocks() {
    let insist_again = |flavor: &str| {
        let process = insist(flavor);
        thread::sleep(APART);
        process.signal(Signal::INT);
        process.wait_for_exit()
    };
    for exit in on_every_runtime(insist_again) {
        assert_eq!(exit.code(), Some(130));
        let stderr = exit.stderr();
        assert!(stderr.contains("SIGINT again: ending it now"), "{stderr}");
        // It was in the middle of its release, and says so.
        assert!(stderr.contains("stuck:          Db, "), "{stderr}");
        let untouched = stderr.lines().find(|line| line.contains("never released: ")).unwrap_or_default();
        assert!(untouched.contains("Disk") && !untouched.contains("Db"), "{stderr}");
        exit.assert_in_order(&["releasing db"]);
        assert!(!exit.stdout().contains("aborting db"));
    }
}

/// The only thread of the runtime is blocked by a release, so that nothing more could be released.
#[test]
fn d9_the_last_words_are_true_while_the_log_blocks() {
    let _machine = machine::shared();
    let program = blocked("releasing Db", "release_blocks", "current");
    let exit = stop(program.env("LIFECYCLE_SHUTDOWN_TIMEOUT", "8s"));
    assert_eq!(exit.code(), Some(124));
    exit.assert_in_order(&["releasing db", "aborting db", "aborting disk"]);
    let stderr = exit.stderr();
    assert!(stderr.contains("the process did not end by itself: ending it now"), "{stderr}");
    assert!(!stderr.contains("stuck:          Db, "), "it was aborted in time: {stderr}");
}
