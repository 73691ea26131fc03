//! What an operator writes into the environment, and gets wrong.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rustix::process::Signal;

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
    server.signal(Signal::TERM);
    let line = server.wait_for_line("stopping: SIGTERM received");
    assert!(line.text.contains("12.0 s at most"), "{}", line.text);
    assert_eq!(server.wait_for_exit().code(), Some(0));
}

/// Runs a service with these variables and no log, and stops it. What it says is on stderr.
fn told<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let service = Program::new(env!("CARGO_BIN_EXE_service"));
    let service = variables.into_iter().fold(service, |service, (name, value)| service.env(name, value));
    let process = service.spawn();
    process.wait_for_line("serving");
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    exit.stderr()
}

#[track_caller]
fn assert_told<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>, line: &str) {
    let told = told(variables);
    assert!(told.lines().any(|told| told == line), "no line {line:?} in\n{told}");
}

#[test]
fn d2_the_first_line_of_the_stop_says_where_its_time_comes_from() {
    let _machine = machine::shared();
    let check = |variables: &[(&str, &str)], budget: &str| {
        assert_told(variables.iter().copied(), &format!("lifecycle: stopping: SIGTERM received; {budget}"));
    };
    let timeout = |value| ("LIFECYCLE_SHUTDOWN_TIMEOUT", value);
    check(&[timeout("1.5s")], "1.5 s at most (LIFECYCLE_SHUTDOWN_TIMEOUT)");
    check(&[timeout(" 2min\n")], "2 min 0 s at most (LIFECYCLE_SHUTDOWN_TIMEOUT)");
    let grace = ("LIFECYCLE_GRACE_PERIOD", "20s");
    check(&[grace, timeout("")], "16.0 s at most (0.8 of LIFECYCLE_GRACE_PERIOD's 20.0 s)");
    check(&[("LIFECYCLE_GRACE_PERIOD", "1m")], "25.0 s at most (the default)");
    check(&[("SUPERVISOR_ENABLED", "1")], "8.0 s at most (0.8 of supervisord's 10.0 s)");
    check(&[("K_SERVICE", "shop")], "8.0 s at most (0.8 of Cloud Run's 10.0 s)");
    check(&[("NOMAD_ALLOC_ID", "5d0f")], "4.0 s at most (0.8 of Nomad's 5.0 s)");
    check(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")], "24.0 s at most (0.8 of Kubernetes' 30.0 s)");
    check(
        &[("RAILWAY_REPLICA_ID", "11c4"), ("RAILWAY_DEPLOYMENT_DRAINING_SECONDS", "20")],
        "16.0 s at most (0.8 of Railway's 20.0 s)",
    );
}

#[test]
fn a_variable_that_is_empty_is_unset() {
    let _machine = machine::shared();
    let known = [
        "SHUTDOWN_TIMEOUT",
        "STARTUP_TIMEOUT",
        "DRAIN_DELAY",
        "GRACE_PERIOD",
        "PROBE_ADDR",
        "WORKER_THREADS",
    ];
    let names = known.map(|name| format!("LIFECYCLE_{name}"));
    let names = names.iter().map(String::as_str).chain(["NOTIFY_SOCKET"]);
    let told = told(names.map(|name| (name, "")));
    for word in ["LIFECYCLE_", "NOTIFY_SOCKET", "probe"] {
        assert!(!told.contains(word), "{told}");
    }
}

#[test]
fn s7_a_variable_that_is_not_known_is_warned_of_with_the_likely_one() {
    let _machine = machine::shared();
    assert_told(
        [("LIFECYCLE_SHUTDOWN_TIMOUT", "5s")],
        "lifecycle: warning: LIFECYCLE_SHUTDOWN_TIMOUT is not known, and changes nothing; \
         did you mean LIFECYCLE_SHUTDOWN_TIMEOUT?",
    );
    assert_told(
        [("LIFECYCLE_COLOUR", "red")],
        "lifecycle: warning: LIFECYCLE_COLOUR is not known, and changes nothing; there are \
         LIFECYCLE_SHUTDOWN_TIMEOUT, LIFECYCLE_STARTUP_TIMEOUT, LIFECYCLE_DRAIN_DELAY, LIFECYCLE_GRACE_PERIOD, \
         LIFECYCLE_PROBE_ADDR, LIFECYCLE_WORKER_THREADS, LIFECYCLE_PLAN, LIFECYCLE_TIMELINE, \
         LIFECYCLE_BLACK_BOX",
    );
}

#[test]
fn a_value_that_is_not_utf_8_exits_78_and_is_told() {
    let _machine = machine::shared();
    let value = OsStr::from_bytes(b"\xff5s");
    let service = Program::new(env!("CARGO_BIN_EXE_service"));
    let exit = service.env("LIFECYCLE_SHUTDOWN_TIMEOUT", value).spawn().wait_for_exit();
    assert_eq!(exit.code(), Some(78));
    let stderr = exit.stderr();
    assert!(stderr.contains("LIFECYCLE_SHUTDOWN_TIMEOUT=\"\\xFF5s\" is not valid UTF-8"), "{stderr}");
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
    // S4: an acquisition that fails; E1: for the configuration, which a restart does not mend.
    assert_eq!(exit.code(), Some(78));
    let stderr = exit.stderr();
    assert!(stderr.contains("`Http` could not be acquired"), "{stderr}");
    assert!(stderr.contains("PORT=\"abc\""), "{stderr}");
    exit.assert_in_order(&["database open", "database closed"]);
    assert!(scratch.content().is_empty(), "the temporary database is still there: {:?}", scratch.content());
}
