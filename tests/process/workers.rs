//! The number of worker threads that an operator writes into the environment.

use crate::machine;
use crate::program::{Exit, Program};

fn run(flavor: &str, workers: &str) -> Exit {
    let program = Program::new(env!("CARGO_BIN_EXE_workers")).env("FLAVOR", flavor);
    program.env("LIFECYCLE_WORKER_THREADS", workers).spawn().wait_for_exit()
}

#[track_caller]
fn check_workers(flavor: &str, workers: &str, expected: &str) {
    let exit = run(flavor, workers);
    assert_eq!(exit.code(), Some(0), "{}", exit.stderr());
    exit.assert_in_order(&[expected, "body"]);
}

#[track_caller]
fn check_refused(flavor: &str, workers: &str, why: &str) {
    let exit = run(flavor, workers);
    // E1: configuration.
    assert_eq!(exit.code(), Some(78));
    let stderr = exit.stderr();
    let told = format!("LIFECYCLE_WORKER_THREADS={workers:?}: {why}");
    assert!(stderr.contains(&told), "{told:?} is not told:\n{stderr}");
    assert_eq!(exit.stdout(), "", "something was acquired");
}

#[test]
fn worker_threads_of_the_environment_win_over_the_attribute() {
    let _machine = machine::shared();
    check_workers("one", "3", "3 workers");
    check_workers("many", "3", "3 workers");
}

#[test]
fn empty_worker_threads_are_unset() {
    let _machine = machine::shared();
    check_workers("one", "", "1 workers");
    check_workers("current", "", "1 workers");
}

#[test]
fn malformed_worker_threads_exit_78_before_anything_is_acquired() {
    let _machine = machine::shared();
    for value in ["0", "four", "-1", "70000"] {
        check_refused("many", value, "expected the number of worker threads, from \"1\" to \"65535\"");
    }
}

#[test]
fn worker_threads_of_a_program_on_one_thread_exit_78() {
    let _machine = machine::shared();
    check_refused("current", "4", "this program runs on a single thread");
}

#[test]
fn malformed_worker_threads_are_told_together_with_what_else_is_wrong() {
    let _machine = machine::shared();
    let exit = Program::new(env!("CARGO_BIN_EXE_workers"))
        .env("LIFECYCLE_WORKER_THREADS", "four")
        .env("LIFECYCLE_SHUTDOWN_TIMEOUT", "soon")
        .spawn()
        .wait_for_exit();
    assert_eq!(exit.code(), Some(78));
    let stderr = exit.stderr();
    for told in ["LIFECYCLE_WORKER_THREADS=\"four\"", "LIFECYCLE_SHUTDOWN_TIMEOUT=\"soon\""] {
        assert!(stderr.contains(told), "{told:?} is not told:\n{stderr}");
    }
}
