//! A person who presses Ctrl-C does not wait for clients that may come back.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, open};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::http::{answered, connect};
use crate::machine;
use crate::program::Program;

const DEFAULT: Duration = Duration::from_millis(250);

/// Whose stdin a terminal is, it has somebody in front of it.
struct Terminal {
    /// Without this side, the terminal is gone.
    _screen: OwnedFd,
    stdin: OwnedFd,
}

impl Terminal {
    fn new() -> Self {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap();
        let stdin = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        Self { _screen: screen, stdin }
    }
}

fn server() -> Program {
    Program::new(env!("CARGO_BIN_EXE_interrupted"))
}

/// How long after its last request a client's connection is closed.
fn closes_after(server: Program, signal: Signal) -> Duration {
    let process = server.spawn();
    let mut client = connect(process.address());
    let asked = Instant::now();
    answered(client.get("/"));
    process.signal(signal);
    client.wait_until_closed();
    let elapsed = asked.elapsed();
    assert_eq!(process.wait_for_exit().code(), Some(0));
    elapsed
}

/// A pause of the machine makes it longer. One of several times there is none.
#[test]
fn after_a_ctrl_c_at_a_terminal_idle_connections_are_closed_at_once() {
    let _machine = machine::shared();
    let takes = |_| {
        let terminal = Terminal::new();
        closes_after(server().with_stdin(terminal.stdin), Signal::INT)
    };
    let all: Vec<_> = (0..5).map(takes).collect();
    assert!(all.iter().any(|took| *took < DEFAULT), "{all:?}");
}

#[test]
fn after_other_signals_and_elsewhere_there_is_the_default_grace() {
    let _machine = machine::shared();
    let terminal = Terminal::new();
    let took = closes_after(server().with_stdin(terminal.stdin), Signal::TERM);
    assert!(took >= DEFAULT, "SIGTERM at a terminal: {took:?}");
    let took = closes_after(server(), Signal::INT);
    assert!(took >= DEFAULT, "SIGINT without a terminal: {took:?}");
}

#[test]
fn a_grace_that_was_set_holds_at_a_terminal_too() {
    let _machine = machine::shared();
    let terminal = Terminal::new();
    let process = server().with_stdin(terminal.stdin).env("GRACE", "15").spawn();
    let mut client = connect(process.address());
    answered(client.get("/"));
    process.signal(Signal::INT);
    process.wait_for_line("the turn begins");
    let answer = answered(client.get("/"));
    assert!(answer.says_close(), "{answer:?}");
    client.wait_until_closed();
    assert_eq!(process.wait_for_exit().code(), Some(0));
}
