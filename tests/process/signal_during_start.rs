//! Rules S4, S5 and E1: a signal arrives while a resource is being acquired, which will never be.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::machine;
use crate::program::Program;

fn interrupts_the_start(mode: &str, signal: Signal, name: &str, code: i32) {
    let _machine = machine::shared();
    let process = Program::new(env!("CARGO_BIN_EXE_endless_start")).env("MODE", mode).spawn();
    process.wait_for_line("acquiring endless");
    let sent = Instant::now();
    process.signal(signal);
    let exit = process.wait_for_exit();

    assert_eq!(exit.code(), Some(code));
    let took = exit.at.duration_since(sent);
    assert!(took < Duration::from_secs(2), "it took {took:?}");
    let released = format!("released base: {name} received");
    // What the acquisition held and spawned is gone before what it needed is released.
    exit.assert_in_order(&["acquiring endless", "acquisition dropped", &released]);
    exit.assert_in_order(&["acquiring endless", "helper stopped", &released]);
    let stdout = exit.stdout();
    for never in ["released endless", "acquiring unreached", "the body ran"] {
        assert!(!stdout.contains(never), "{never}");
    }
}

#[test]
fn s5_sigterm_with_an_empty_body_exits_0() {
    interrupts_the_start("empty", Signal::TERM, "SIGTERM", 0);
}

#[test]
fn s5_sigint_with_an_empty_body_exits_0() {
    interrupts_the_start("empty", Signal::INT, "SIGINT", 0);
}

#[test]
fn s5_sigterm_with_a_body_that_was_never_begun_exits_143() {
    interrupts_the_start("written", Signal::TERM, "SIGTERM", 143);
}

#[test]
fn s5_sigint_with_a_body_that_was_never_begun_exits_130() {
    interrupts_the_start("written", Signal::INT, "SIGINT", 130);
}
