//! Rules E1 and R5 where `main` has a body: how it ends is how the process ends.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::machine;
use crate::program::{Exit, Program};

/// Far less than any deadline: what takes no more than this waited for nothing.
const PROMPTLY: Duration = Duration::from_secs(2);

fn batch(mode: &str) -> Program {
    Program::new(env!("CARGO_BIN_EXE_batch")).env("MODE", mode)
}

/// Sends the signal when the body is at work.
fn interrupt(program: Program, signal: Signal) -> Exit {
    let batch = program.spawn();
    batch.wait_for_line("working");
    let sent = Instant::now();
    batch.signal(signal);
    let exit = batch.wait_for_exit();
    let took = exit.at.duration_since(sent);
    assert!(took < PROMPTLY, "it took {took:?}");
    exit
}

#[test]
fn r5_a_body_that_asks_for_no_notice_is_dropped_at_sigterm_and_exits_143() {
    let _machine = machine::shared();
    let exit = interrupt(batch("loops"), Signal::TERM);
    assert_eq!(exit.code(), Some(143));
    exit.assert_in_order(&["body dropped", "released store: SIGTERM received"]);
}

#[test]
fn r5_a_body_that_asks_for_no_notice_is_dropped_at_sigint_and_exits_130() {
    let _machine = machine::shared();
    let exit = interrupt(batch("loops"), Signal::INT);
    assert_eq!(exit.code(), Some(130));
    exit.assert_in_order(&["body dropped", "released store: SIGINT received"]);
}

#[test]
fn r5_a_body_that_asks_for_notice_finishes_and_exits_0() {
    let _machine = machine::shared();
    let exit = interrupt(batch("listens"), Signal::TERM);
    assert_eq!(exit.code(), Some(0));
    exit.assert_in_order(&["finished by itself", "released store: SIGTERM received"]);
}

#[test]
fn e1_a_body_that_heeds_its_notice_and_gives_up_exits_143() {
    let _machine = machine::shared();
    let exit = interrupt(batch("gives_up"), Signal::TERM);
    assert_eq!(exit.code(), Some(143));
    exit.assert_in_order(&["gave up", "released store: SIGTERM received"]);
    assert!(!exit.stderr().contains("failed"), "{}", exit.stderr());
}

#[test]
fn r5_a_body_that_ends_before_it_can_be_dropped_was_not_interrupted_and_exits_0() {
    let _machine = machine::shared();
    let exit = interrupt(batch("computes"), Signal::TERM);
    exit.assert_in_order(&["finished by itself", "released store: SIGTERM received"]);
    assert_eq!(exit.code(), Some(0));
}

#[test]
fn e1_a_body_that_ends_with_nothing_alive_ends_the_process_with_0() {
    let _machine = machine::shared();
    let exit = batch("ends").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    exit.assert_in_order(&["released store: nothing is left to do"]);
    let stderr = exit.stderr();
    assert!(!stderr.contains("error: ") && !stderr.contains("warning: "), "{stderr}");
}

#[test]
fn e1_an_exit_code_of_the_body_is_that_of_the_process() {
    let _machine = machine::shared();
    let exit = batch("code").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(7));
    exit.assert_in_order(&["released store: nothing is left to do"]);
}

#[test]
fn e1_an_error_of_the_body_is_named_and_exits_1() {
    let _machine = machine::shared();
    let exit = batch("error").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(1));
    let stderr = exit.stderr();
    assert!(stderr.contains("`main` failed: the ledger does not add up"), "{stderr}");
    exit.assert_in_order(&["released store: something failed"]);
}

#[test]
fn e1_a_panic_of_the_body_is_named_and_exits_1() {
    let _machine = machine::shared();
    let exit = batch("panic").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(1));
    let stderr = exit.stderr();
    assert!(stderr.contains("`main` failed: panicked: divided by nothing"), "{stderr}");
    exit.assert_in_order(&["released store: something failed"]);
}

#[test]
fn an_empty_body_with_nothing_spawned_exits_1_and_says_what_to_do() {
    let _machine = machine::shared();
    let exit = Program::new(env!("CARGO_BIN_EXE_nothing_spawned")).spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(1));
    let stderr = exit.stderr();
    assert!(stderr.contains("spawn servers and workers with `cx.spawn`"), "{stderr}");
    exit.assert_in_order(&["released server"]);
}
