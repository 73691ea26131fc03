//! Programs as PID 1 of a namespace of their own, as in a container. A signal without a handler is dropped silently there.

use std::ffi::OsStr;
use std::fs;
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, getuid};

use crate::harness::program::{PATIENCE, Process, Program, catches};

/// The program as PID 1; the process here is `unshare`, which passes its exit code on.
pub fn as_pid_1(program: impl AsRef<OsStr>) -> Program {
    let unshare = Program::new("unshare");
    let unshare = if getuid().is_root() { unshare } else { unshare.arg("--user").arg("--map-root-user") };
    unshare.arg("--fork").arg("--pid").arg("--mount-proc").arg("--kill-child=KILL").arg(program)
}

/// The pid that the program has outside its namespace, once it has the handler for SIGTERM.
pub fn listening_child(unshare: &Process) -> Pid {
    let deadline = Instant::now() + PATIENCE;
    let path = format!("/proc/{0}/task/{0}/children", unshare.pid().as_raw_pid());
    loop {
        assert!(Instant::now() < deadline, "nobody listens");
        let children = fs::read_to_string(&path).unwrap_or_default();
        let child = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
        if let Some(child) = child.and_then(Pid::from_raw).filter(|child| catches(*child, Signal::TERM)) {
            return child;
        }
        thread::yield_now();
    }
}
