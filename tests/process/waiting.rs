//! Rule S1: signals while there is nobody yet to act on them, and signals that the parent left blocked.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::machine;
use crate::program::{Process, Program};

fn setting_up(mode: &str) -> Process {
    let program = Program::new(env!("CARGO_BIN_EXE_waiting")).env("MODE", mode).with_open_stdin().spawn();
    program.wait_for_line("setting up");
    program
}

#[test]
fn s1_a_sigint_during_the_set_up_ends_the_process_with_130() {
    let _machine = machine::shared();
    for (signal, name, code) in [(Signal::INT, "SIGINT", 130), (Signal::QUIT, "SIGQUIT", 131)] {
        let program = setting_up("runs");
        program.signal(signal);
        let exit = program.wait_for_exit();
        assert_eq!(exit.code(), Some(code));
        let expected =
            format!("lifecycle: {name}: the application has not been started: ending the process now\n");
        assert_eq!(exit.stderr(), format!("{expected}  exit code: {code}\n"));
    }
}

#[test]
fn s1_a_second_sigterm_during_the_set_up_ends_the_process_with_143() {
    let _machine = machine::shared();
    // Those within 500 ms of the first are the same one (rule D8).
    let exit = setting_up("runs").signal_until_exit(Signal::TERM);
    assert_eq!(exit.code(), Some(143));
}

#[test]
fn s1_a_first_sigterm_during_the_set_up_is_kept_for_the_application() {
    let _machine = machine::shared();
    let program = setting_up("runs");
    program.signal(Signal::TERM);
    program.wait_for_line("SIGTERM: the application has not been started yet, and stops as soon as it is");
    program.write_line("go on");
    let exit = program.wait_for_exit();
    // How far the start came by then is a matter of luck.
    assert!(matches!(exit.code(), Some(0 | 143)), "{:?}", exit.code());
    assert!(exit.stderr().contains("stopping: SIGTERM received"), "{}", exit.stderr());
}

#[test]
fn s1_a_signal_that_was_kept_for_an_application_that_never_came_ends_the_process() {
    let _machine = machine::shared();
    let program = setting_up("drops");
    program.signal(Signal::TERM);
    program.wait_for_line("the application has not been started yet");
    program.write_line("go on");
    let exit = program.wait_for_exit();
    assert_eq!(exit.killed_by(), Some(Signal::TERM.as_raw()));
}

/// It may be meant to reload, so it ends nothing by itself. Here nothing reloads, and it stops the application.
#[test]
fn s1_sighup_during_the_set_up_is_kept_however_often_it_comes() {
    let _machine = machine::shared();
    let program = setting_up("runs");
    program.signal(Signal::HUP);
    program.wait_for_line(
        "SIGHUP: the application has not been started yet, and reloads or stops as soon as it is",
    );
    program.signal(Signal::HUP);
    program.write_line("go on");
    let exit = program.wait_for_exit();
    assert_eq!(exit.killed_by(), None);
    assert!(exit.stderr().contains("stopping: SIGHUP received"), "{}", exit.stderr());
}

#[test]
fn s1_while_another_application_acts_on_the_signals_none_ends_the_process() {
    let _machine = machine::shared();
    let program = Program::new(env!("CARGO_BIN_EXE_waiting")).env("MODE", "beside").with_open_stdin().spawn();
    program.wait_for_line("running");
    program.signal(Signal::TERM);
    program.wait_for_line("setting up");
    // Long enough to count as another one, and for the one that waits to lose its patience.
    program.signal_until(Signal::TERM, "already stopping");
    thread::sleep(Duration::from_millis(1_500));
    program.signal(Signal::TERM);
    program.write_line("go on");
    let exit = program.wait_for_exit();
    assert_eq!((exit.code(), exit.killed_by()), (Some(0), None));
    exit.assert_in_order(&["stopping", "released db: SIGTERM received", "still here"]);
}

#[test]
fn d8_a_body_that_blocks_its_thread_is_ended_by_insisting() {
    let _machine = machine::shared();
    let program = Program::new(env!("CARGO_BIN_EXE_waiting")).env("MODE", "blocks").spawn();
    program.wait_for_line("blocking");
    program.signal(Signal::TERM);
    let exit = program.signal_until_exit(Signal::INT);
    assert_eq!(exit.code(), Some(130));
}

/// Some parents (init systems, test harnesses, shells of debuggers) block signals and forget to unblock them.
#[test]
fn s1_signals_that_the_parent_blocked_count() {
    let _machine = machine::shared();
    let signals = [
        (Signal::TERM, "SIGTERM"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::HUP, "SIGHUP"),
    ];
    for (signal, name) in signals {
        let service = Program::new("env").arg("--block-signal").arg(env!("CARGO_BIN_EXE_service")).spawn();
        service.wait_for_line("serving");
        service.signal(signal);
        let exit = service.wait_for_exit();
        assert_eq!(exit.code(), Some(0));
        exit.assert_in_order(&["served", &format!("released service: {name} received")]);
    }
}

/// It was pending when the program began, and ends the application, not the process.
#[test]
fn s1_a_signal_that_came_while_it_was_blocked_is_not_lost() {
    let _machine = machine::shared();
    let script = r#"kill -s TERM $$ && exec "$0""#;
    let shell = Program::new("env").args(["--block-signal", "sh", "-c", script]);
    let exit = shell.arg(env!("CARGO_BIN_EXE_service")).spawn().wait_for_exit();
    assert_eq!((exit.code(), exit.killed_by()), (Some(0), None));
    assert!(exit.stdout().contains("released service: SIGTERM received") || exit.stdout().is_empty());
}
