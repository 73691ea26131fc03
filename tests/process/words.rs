//! Rule E2: what is said is said in time and in its order, and what comes after the log is said on stderr.

use rustix::process::Signal;

use crate::machine;
use crate::program::Program;

fn foundations(log: &str) -> Program {
    Program::new(env!("CARGO_BIN_EXE_foundations")).env("LOG", log).with_open_stdin()
}

/// An operator who sees a start hang reads at what, while it does.
fn says_what_it_waits_for(log: &str) {
    let _machine = machine::shared();
    let process = foundations(log).spawn();
    process.wait_for_line("acquiring Config");
    // It is waited for until here.
    process.write_line("go ahead");
    process.wait_for_line("running: everything");
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    exit.assert_in_order(&[
        "starting 3 resources",
        "acquiring Config",
        "acquired Config",
        "acquiring Service",
        "running: everything",
    ]);
}

#[test]
fn e2_what_was_said_is_in_the_log_as_soon_as_one_foundation_has_brought_it() {
    says_what_it_waits_for("foundation");
}

#[test]
fn e2_with_a_log_from_the_start_everything_is_in_it_at_once() {
    says_what_it_waits_for("global");
}

#[test]
fn e2_what_was_said_before_there_was_a_log_is_not_lost() {
    let _machine = machine::shared();
    let process = foundations("late_foundation").spawn();
    process.write_line("go ahead");
    process.wait_for_line("running: everything");
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    exit.assert_in_order(&[
        "here comes the log",
        "starting 3 resources",
        "acquired Logging",
        "acquiring Service",
        "running: everything",
    ]);
}

/// Asserts that the log tells of the start before anything of what comes of it.
#[track_caller]
fn assert_told_first(log: &str, start: &str) {
    let words = ["INFO lifecycle: ", "INFO "];
    let lines = log.lines().filter_map(|line| words.iter().find_map(|word| Some(line.split_once(word)?.1)));
    let first = lines.clone().next().unwrap_or_default();
    assert!(first.starts_with(start), "first of all the log says {first:?}");
    assert_eq!(lines.filter(|line| line.starts_with("starting ")).count(), 1);
}

/// The probe is an event for the engine that comes before the start.
#[test]
fn s2_with_a_probe_the_start_is_told_before_anything_is_acquired() {
    let _machine = machine::shared();
    let program = Program::new(env!("CARGO_BIN_EXE_stuck")).env("LIFECYCLE_PROBE_ADDR", "127.0.0.1:0");
    let process = program.spawn();
    process.wait_for_line("running: everything");
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(0));
    assert!(exit.stderr().contains("the probe answers at"));
    assert_told_first(&exit.stderr(), "starting 2 resources");
}

/// So is a signal that comes between `handle_signals` and `start`.
#[test]
fn s5_a_signal_from_before_the_start_is_told_after_the_start() {
    let _machine = machine::shared();
    for round in 0..20 {
        let exit = foundations("global").env("EARLY", "1").spawn().wait_for_exit();
        assert_eq!(exit.code(), Some(143), "in round {round}");
        assert_told_first(&exit.stdout(), "starting 3 resources");
    }
}

/// Stops an application whose log is the last that is released, and is in trouble then. Asserts that stderr says so.
fn trouble_after_the_report(mode: &str, code: i32, trouble: &[&str]) {
    let _machine = machine::shared();
    let program = Program::new(env!("CARGO_BIN_EXE_failing")).env("MODE", mode).env("LOG", "1");
    let process = program.env("LIFECYCLE_SHUTDOWN_TIMEOUT", "8s").spawn();
    process.wait_for_line("up");
    process.signal(Signal::TERM);
    let exit = process.wait_for_exit();
    assert_eq!(exit.code(), Some(code));
    assert!(exit.stdout().contains("exit code 0"), "the report that was logged knows of nothing");
    let stderr = exit.stderr();
    for trouble in trouble {
        assert!(stderr.contains(trouble), "{trouble:?} is not on stderr");
    }
}

#[test]
fn e2_a_foundation_whose_release_fails_after_the_report_is_told_on_stderr() {
    trouble_after_the_report("log_release_fails", 1, &["`Log` could not be released: the disk is full"]);
}

#[test]
fn e2_a_foundation_whose_release_panics_after_the_report_is_told_on_stderr() {
    trouble_after_the_report("log_release_panics", 1, &["`Log` could not be released: panicked: no paper"]);
}

#[test]
fn e2_a_foundation_whose_release_hangs_after_the_report_is_told_on_stderr() {
    trouble_after_the_report("log_release_hangs", 124, &["`Log` could not be released: cut off after"]);
}

#[test]
fn e2_a_foundation_whose_abort_panics_after_the_report_is_told_on_stderr() {
    trouble_after_the_report(
        "log_abort_panics",
        1,
        &["`Log` could not be released: the disk is full", "`abort` of `Log` failed: panicked: no paper"],
    );
}
