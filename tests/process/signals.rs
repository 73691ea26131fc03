//! Rules S1, D1 and D8: which signals end a service, that none is lost, and that more of them do no harm.

use std::time::Instant;

use rustix::process::Signal;

use crate::machine;
use crate::program::{PATIENCE, Process, Program};

const SERVICE: &str = env!("CARGO_BIN_EXE_service");

fn ends_cleanly(service: Process, signal: Signal, name: &str) {
    service.wait_for_line("serving");
    service.signal(signal);
    let exit = service.wait_for_exit();
    assert_eq!(exit.code(), Some(0), "after {name}");
    exit.assert_in_order(&["serving", "served", &format!("released service: {name} received")]);
}

#[test]
fn d1_every_signal_that_asks_to_end_exits_0_after_the_releases() {
    let _machine = machine::shared();
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT"), (Signal::QUIT, "SIGQUIT")] {
        ends_cleanly(Program::new(SERVICE).spawn(), signal, name);
    }
}

#[test]
fn d1_sighup_ends_like_sigterm() {
    let _machine = machine::shared();
    // The tests themselves may have been started with nohup.
    let service = Program::new("env").arg("--default-signal=HUP").arg(SERVICE).spawn();
    ends_cleanly(service, Signal::HUP, "SIGHUP");
}

#[test]
fn d1_sighup_under_nohup_changes_nothing() {
    let _machine = machine::shared();
    let service = Program::new("nohup").arg(SERVICE).spawn();
    service.wait_for_line("serving");
    service.signal(Signal::HUP);
    // Were it not ignored, it would be the reason that is told, or the end without one.
    ends_cleanly(service, Signal::TERM, "SIGTERM");
}

/// A signal ends the process, as it does where nobody asks for it, or it ends the application. What must not be is a
/// time in between, in which it does neither.
#[test]
#[cfg(target_os = "linux")]
fn s1_no_signal_is_lost_from_the_moment_on_that_its_handler_is_there() {
    let _machine = machine::shared();
    for round in 0..200 {
        let signal = if round % 2 == 0 { Signal::TERM } else { Signal::INT };
        let service = Program::new(SERVICE).spawn();
        let deadline = Instant::now() + PATIENCE;
        while !service.catches(signal) {
            assert!(Instant::now() < deadline, "there is no handler for {signal:?}");
        }
        service.signal(signal);
        assert_eq!(service.wait_for_exit().code(), Some(0), "{signal:?} in round {round}");
    }
}

#[test]
fn d8_sigterm_repeated_until_the_end_changes_nothing() {
    let _machine = machine::shared();
    for round in 0..20 {
        let service = Program::new(SERVICE).spawn();
        service.wait_for_line("serving");
        let exit = service.signal_until_exit(Signal::TERM);
        exit.assert_in_order(&["served", "released service: SIGTERM received"]);
        let how = (exit.code(), exit.killed_by());
        assert_eq!(how, (Some(0), None), "code and signal in round {round}");
    }
}
