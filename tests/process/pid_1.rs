//! Rule S1: as PID 1 of a namespace, as in a container. A signal without a handler is dropped silently there, so that
//! the handler has to be in place before anything else.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getuid, kill_process};

use crate::machine;
use crate::program::{PATIENCE, Process, Program, catches};

/// The program as PID 1 of a namespace of its own; the process here is `unshare`, which passes its exit code on.
fn as_pid_1(program: &str) -> Program {
    let unshare = Program::new("unshare");
    let unshare = if getuid().is_root() { unshare } else { unshare.arg("--user").arg("--map-root-user") };
    unshare.arg("--fork").arg("--pid").arg("--mount-proc").arg("--kill-child=KILL").arg(program)
}

/// The pid that the program has outside its namespace, once it has the handler for SIGTERM.
fn listening_child(unshare: &Process) -> Pid {
    let deadline = Instant::now() + PATIENCE;
    let path = format!("/proc/{0}/task/{0}/children", unshare.pid().as_raw_pid());
    loop {
        assert!(Instant::now() < deadline, "nobody listens");
        let children = fs::read_to_string(&path).unwrap_or_default();
        let child = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
        if let Some(child) = child.and_then(Pid::from_raw).filter(|child| catches(*child, Signal::TERM)) {
            return child;
        }
        std::thread::yield_now();
    }
}

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
    assert!(took < Duration::from_secs(1), "it took {took:?}");
}

/// Rule S7: `CMD program` in its shell form.
#[test]
fn s7_a_shell_that_is_pid_1_is_warned_of() {
    let _machine = machine::shared();
    let program = env!("CARGO_BIN_EXE_stuck");
    let unshare = as_pid_1("sh").arg("-c").arg(format!("{program}; exit $?")).env("HANG", "none").spawn();
    unshare.wait_for_line("as PID 1, which may not pass SIGTERM on");
}
