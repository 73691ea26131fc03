//! Rules S4 and S5: a signal arrives in the middle of a migration, which an acquisition waits for on a blocking thread.

use rustix::process::Signal;

use crate::machine;
use crate::program::{Process, Program};

/// A process that is asked to stop while it migrates.
fn interrupted() -> Process {
    let migrating = Program::new(env!("CARGO_BIN_EXE_migrating"));
    let process = migrating.env("LIFECYCLE_SHUTDOWN_TIMEOUT", "4s").with_open_stdin().spawn();
    process.wait_for_line("migrating");
    process.signal(Signal::TERM);
    process.wait_for_line("acquisition dropped");
    process
}

#[test]
fn s4_a_migration_completes_before_the_database_is_released() {
    let _machine = machine::shared();
    let process = interrupted();
    assert!(!process.has_printed("released db"), "the migration uses it");
    process.write_line("go on");
    let exit = process.wait_for_exit();
    exit.assert_in_order(&["migrating", "acquisition dropped", "migrated", "released db"]);
    assert_eq!(exit.code(), Some(0));
}

#[test]
fn s4_a_migration_that_does_not_end_is_named_and_the_database_is_released() {
    let _machine = machine::shared();
    let exit = interrupted().wait_for_exit();
    exit.assert_in_order(&["migrating", "acquisition dropped", "released db"]);
    assert_eq!(exit.code(), Some(124));
    let stderr = exit.stderr();
    assert!(stderr.contains(", stuck: migrate"), "{stderr}");
}
