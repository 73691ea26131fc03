//! What an operator writes into the environment, and gets wrong.

use crate::machine;
use crate::program::Program;
use crate::scratch::Scratch;

#[test]
fn malformed_shutdown_timeout_exits_78_before_anything_is_acquired() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let exit = Program::example("go_equivalent")
        .env("PORT", "0")
        .env("TMPDIR", scratch.path())
        .env("LIFECYCLE_SHUTDOWN_TIMEOUT", "30")
        .spawn()
        .wait_for_exit();
    // E1: configuration.
    assert_eq!(exit.code(), Some(78));
    let stderr = exit.stderr();
    assert!(stderr.contains("LIFECYCLE_SHUTDOWN_TIMEOUT=\"30\""), "neither variable nor value:\n{stderr}");
    assert!(stderr.contains("\"30s\""), "not the accepted form:\n{stderr}");
    assert_eq!(exit.stdout(), "", "the log was acquired");
    assert!(scratch.content().is_empty(), "the database was acquired: {:?}", scratch.content());
}

#[test]
fn all_malformed_variables_are_told_at_once() {
    let _machine = machine::shared();
    let exit = Program::example("hello")
        .env("LIFECYCLE_SHUTDOWN_TIMEOUT", "soon")
        .env("LIFECYCLE_STARTUP_TIMEOUT", "0s")
        .env("LIFECYCLE_DRAIN_DELAY", "-1s")
        .spawn()
        .wait_for_exit();
    assert_eq!(exit.code(), Some(78));
    let stderr = exit.stderr();
    for told in ["LIFECYCLE_SHUTDOWN_TIMEOUT=\"soon\"", "startup_timeout", "LIFECYCLE_DRAIN_DELAY=\"-1s\""] {
        assert!(stderr.contains(told), "{told:?} is not told:\n{stderr}");
    }
    assert_eq!(exit.stdout(), "");
}

#[test]
fn shutdown_timeout_of_the_environment_wins_over_the_attribute() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let server = Program::example("go_equivalent")
        .env("PORT", "0")
        .env("TMPDIR", scratch.path())
        .env("LIFECYCLE_SHUTDOWN_TIMEOUT", "12s")
        .spawn();
    server.wait_for_line("running:");
    server.signal(rustix::process::Signal::TERM);
    let line = server.wait_for_line("stopping: SIGTERM received");
    assert!(line.text.contains("12.0 s at most"), "{}", line.text);
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

#[test]
fn malformed_port_exits_1_and_names_the_variable() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let exit = Program::example("go_equivalent")
        .env("PORT", "abc")
        .env("TMPDIR", scratch.path())
        .spawn()
        .wait_for_exit();
    // S4: an acquisition that fails.
    assert_eq!(exit.code(), Some(1));
    let stderr = exit.stderr();
    assert!(stderr.contains("`Http` could not be acquired"), "{stderr}");
    assert!(stderr.contains("PORT=\"abc\""), "{stderr}");
    exit.assert_in_order(&["database open", "database closed"]);
    assert!(scratch.content().is_empty(), "the temporary database is still there: {:?}", scratch.content());
}
