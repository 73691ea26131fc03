//! Rule S7: a program that is built with `panic = "abort"` cannot keep what is promised of panics, and says so.

use std::path::Path;

use crate::program::{Exit, Program};
use crate::{cargo, machine};

const WARNING: &str =
    r#"WARN this program is built with panic = "abort": a panic ends it at once, and nothing is released"#;

/// The whole life of the fixture, with its log on stdout.
fn live(program: &Path) -> Exit {
    let exit = Program::new(program).env("MODE", "task_fails").env("LOG", "1").spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(1));
    exit
}

#[test]
fn s7_a_program_whose_panics_abort_it_warns_at_its_start() {
    // The build takes all that the machine has, and other tests have limits of time.
    let _machine = machine::alone();
    let executables = cargo::build(["--package", "aborting", "--profile", "aborting"]);
    live(&executables["aborting"]).assert_in_order(&[WARNING, "acquiring Bottom"]);
}

#[test]
fn s7_the_same_program_built_as_usual_says_nothing_of_it() {
    let _machine = machine::shared();
    let stdout = live(env!("CARGO_BIN_EXE_failing").as_ref()).stdout();
    assert!(stdout.contains("acquiring Bottom") && !stdout.contains("panic ="));
}
