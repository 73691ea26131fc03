//! Rule S1: as PID 1 of a namespace, as in a container. A signal without a handler is dropped silently there, so that
//! the handler has to be in place before anything else.

use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use crate::machine;
use crate::namespace::{as_pid_1, listening_child};

#[test]
fn s1_an_early_sigterm_is_not_lost() {
    let _machine = machine::shared();
    for _ in 0..10 {
        let unshare = as_pid_1(env!("CARGO_BIN_EXE_endless_start")).env("MODE", "empty").spawn();
        let child = listening_child(&unshare);
        kill_process(child, Signal::TERM).expect("it is there");
        let exit = unshare.wait_for_exit();
        assert_eq!(exit.code(), Some(0));
    }
}

/// PEERS: ten seconds to SIGKILL at every deploy.
#[test]
fn d1_sigterm_stops_a_service_that_is_pid_1() {
    let _machine = machine::shared();
    let unshare = as_pid_1(env!("CARGO_BIN_EXE_stuck")).env("HANG", "none").spawn();
    unshare.wait_for_line("running: everything");
    let child = listening_child(&unshare);
    let sent = Instant::now();
    kill_process(child, Signal::TERM).expect("it is there");
    let exit = unshare.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    assert!(exit.stdout().contains("released db"));
    let took = exit.at.duration_since(sent);
    assert!(took < Duration::from_secs(5), "it took {took:?}");
}

/// Rule S7: `CMD program` in its shell form.
#[test]
fn s7_a_shell_that_is_pid_1_is_warned_of() {
    let _machine = machine::shared();
    let program = env!("CARGO_BIN_EXE_stuck");
    let unshare = as_pid_1("sh").arg("-c").arg(format!("{program}; exit $?")).env("HANG", "none").spawn();
    unshare.wait_for_line("as PID 1, which may not pass SIGTERM on");
}
