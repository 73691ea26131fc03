//! Rule D13: a process that is frozen in the middle of its stop, for longer than its deadline.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::machine;
use crate::program::{Process, Program};

/// The deadline, the second after it, and some more: the time that the tests are about.
const FROZEN: Duration = Duration::from_secs(9);

fn draining() -> Process {
    let service = Program::new(env!("CARGO_BIN_EXE_frozen")).with_open_stdin().spawn();
    service.wait_for_line("serving");
    service.signal(Signal::TERM);
    service.wait_for_line("draining");
    service
}

#[test]
fn d13_what_was_draining_goes_on_and_everything_is_released() {
    let _machine = machine::shared();
    let service = draining();
    service.signal(Signal::STOP);
    thread::sleep(FROZEN);
    service.write_line("the answer is sent");
    service.signal(Signal::CONT);
    let exit = service.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    exit.assert_in_order(&["draining", "drained", "released db"]);
    assert!(exit.stderr().contains("the process was frozen for "), "{}", exit.stderr());
}

#[test]
fn d13_what_does_not_end_is_cut_off_and_the_rest_has_its_reserve() {
    let _machine = machine::shared();
    let service = draining();
    service.signal(Signal::STOP);
    thread::sleep(FROZEN);
    service.signal(Signal::CONT);
    let exit = service.wait_for_exit();
    // It waits for a line that never comes, in blocking code.
    assert_eq!(exit.code(), Some(124));
    exit.assert_in_order(&["draining", "released db"]);
}
