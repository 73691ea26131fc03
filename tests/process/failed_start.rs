//! A start that fails half-way: rule S4.

use std::net::TcpListener;

use crate::machine;
use crate::program::Program;
use crate::scratch::Scratch;

#[test]
fn port_taken_closes_the_database_explains_itself_and_exits_1() {
    let _machine = machine::shared();
    let scratch = Scratch::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it has an address");
    let exit = Program::example("go_equivalent")
        .env("PORT", address.port().to_string())
        .env("TMPDIR", scratch.path())
        .spawn()
        .wait_for_exit();

    assert_eq!(exit.code(), Some(1));
    let stderr = exit.stderr();
    let told = |what: &str| {
        let line = stderr.lines().find_map(|line| line.trim_start().strip_prefix(what));
        line.unwrap_or_else(|| panic!("no line {what:?} on stderr")).trim()
    };
    assert_eq!(told("lifecycle: the application did not start:"), "`Http` could not be acquired");
    let cause = format!("cannot listen on {address}: Address already in use (os error 98)");
    assert_eq!(told("cause:"), cause);
    // A foundation comes before everything, also where nobody says so.
    assert_names(told("comes after:"), &["Log", "Db", "Worker"]);
    assert_names(told("completed:"), &["Log", "Db", "Worker"]);
    assert_names(told("rolled back:"), &["Worker", "Db", "Log"]);
    assert_eq!(told("never started:"), "nothing");
    assert_eq!(told("exit code:"), "1");

    // D5: in reverse.
    exit.assert_in_order(&[
        "database open",
        "worker stopped",
        "released Worker",
        "database closed",
        "released Db",
    ]);
    assert!(!exit.stdout().contains("listening on"));
    assert!(scratch.content().is_empty(), "the temporary database is still there: {:?}", scratch.content());
}

/// Asserts that `list` has these names and no others, in this order. In brackets there may be more about each.
#[track_caller]
fn assert_names(list: &str, expected: &[&str]) {
    let names: Vec<&str> =
        list.split(", ").map(|item| item.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(names, expected, "{list}");
}
