//! §3: which resources a program starts, and what its first line says about the others.

use crate::program::{Exit, Program};
use crate::{cargo, machine};

fn run(mode: &str) -> Exit {
    Program::new(env!("CARGO_BIN_EXE_roots")).env("MODE", mode).spawn().wait_for_exit()
}

/// The program ends well, says `first` at its start, and has acquired just these.
#[track_caller]
fn check(mode: &str, first: &str, acquired: &[&str]) {
    let exit = run(mode);
    let stdout = exit.stdout();
    assert_eq!(exit.code(), Some(0), "{stdout}{}", exit.stderr());
    assert_eq!(first_line(&stdout), first, "{stdout}");
    let mut found: Vec<&str> = stdout.lines().filter_map(|line| line.strip_prefix("acquired ")).collect();
    found.sort_unstable();
    assert_eq!(found, acquired, "{stdout}");
    assert!(stdout.contains("jobs 1"), "the body did not run:\n{stdout}");
}

/// The line about the plan.
#[track_caller]
fn first_line(stdout: &str) -> &str {
    stdout.lines().find_map(|line| line.strip_prefix(" INFO ")).expect("there is a log")
}

#[test]
fn a_program_starts_the_resources_of_its_package_and_not_those_of_a_library_that_it_calls() {
    let _machine = machine::shared();
    check(
        "of_the_package",
        "starting 2 resources: Server, Mailer; 2 linked and left out: Worker, jobs::Mailer (package `jobs`)",
        &["Mailer", "Server"],
    );
}

#[test]
fn a_program_may_start_everything_that_is_linked() {
    let _machine = machine::shared();
    check(
        "linked",
        "starting 4 resources: Worker, jobs::Mailer, Server, roots::Mailer",
        &["Mailer", "Server", "jobs::Mailer", "jobs::Worker"],
    );
}

#[test]
fn a_program_that_names_its_resources_starts_just_these() {
    let _machine = machine::shared();
    check(
        "named",
        "starting 1 resource: Server; 3 linked and left out: Worker, jobs::Mailer (package `jobs`), \
         roots::Mailer (package `lifecycle-tests`)",
        &["Server"],
    );
}

#[test]
fn a_program_may_name_resources_of_a_library() {
    let _machine = machine::shared();
    check(
        "named_of_both",
        "starting 2 resources: Server, Mailer; 2 linked and left out: Worker (package `jobs`), \
         roots::Mailer (package `lifecycle-tests`)",
        &["Server", "jobs::Mailer"],
    );
}

#[test]
fn a_program_may_start_no_resource() {
    let _machine = machine::shared();
    check(
        "none",
        "starting no resource; 4 linked and left out: Worker, jobs::Mailer (package `jobs`), \
         Server, roots::Mailer (package `lifecycle-tests`)",
        &[],
    );
}

#[test]
fn a_program_without_resources_and_body_is_told_what_was_left_out_and_what_to_write() {
    let _machine = machine::shared();
    let exit = run("neither_resource_nor_body");
    assert_eq!(exit.code(), Some(1));
    let stdout = exit.stdout();
    for told in ["4 linked and left out: Worker, ", "`resources = […]`", "`resources = linked`"] {
        assert!(stdout.contains(told), "{told:?} is not told:\n{stdout}");
    }
}

#[test]
fn a_builder_starts_everything_that_is_linked() {
    let _machine = machine::shared();
    check(
        "builder",
        "starting 4 resources: Worker, jobs::Mailer, Server, roots::Mailer",
        &["Mailer", "Server", "jobs::Mailer", "jobs::Worker"],
    );
}

#[test]
fn a_builder_with_a_package_starts_the_resources_of_that_package() {
    let _machine = machine::shared();
    check(
        "builder_with_package",
        "starting 2 resources: Server, Mailer; 2 linked and left out: Worker, jobs::Mailer (package `jobs`)",
        &["Mailer", "Server"],
    );
}

#[test]
fn a_builder_with_a_package_and_resources_starts_both() {
    let _machine = machine::shared();
    check(
        "builder_with_package_and_resource",
        "starting 3 resources: jobs::Mailer, Server, roots::Mailer; 1 linked and left out: Worker (package `jobs`)",
        &["Mailer", "Server", "jobs::Mailer"],
    );
}

/// The library of the package counts, and the other program does not.
#[test]
fn each_program_of_a_package_starts_its_own_resources_and_those_of_the_library() {
    // The build takes all that the machine has, and other tests have limits of time.
    let _machine = machine::alone();
    let programs = cargo::build(["--package", "shop-suite"]);
    for (program, own) in [("shop_server", "ServerLog"), ("shop_import", "ImportLog")] {
        let exit = Program::new(&programs[program]).spawn().wait_for_exit();
        let stdout = exit.stdout();
        assert_eq!(exit.code(), Some(0), "{stdout}{}", exit.stderr());
        let expected = format!(
            "starting 2 resources: {own}, Store (after {own}); 2 linked and left out: Worker, Mailer (package `jobs`)"
        );
        assert_eq!(first_line(&stdout), expected, "{stdout}");
    }
}
