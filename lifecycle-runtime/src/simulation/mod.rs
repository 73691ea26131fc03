//! Random applications with random troubles, run through the pure engine millions of times a minute, and some of
//! them through the real driver under paused time. What must hold is checked from the log of events and commands
//! alone, by code that shares nothing with the engine.
//!
//! `LIFECYCLES=1000000 cargo test -p lifecycle-runtime simulation` runs any number. A case that fails is shrunk and
//! printed, graph and schedule, and its seed is kept in `proptest-regressions/`.

mod chaos;
mod check;
mod drive;
mod explore;
mod scenario;
mod world;

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestError, TestRunner};

use self::scenario::Scenario;
use self::world::Clock;
use crate::engine::command::Command;

/// How many lifecycles to run, as asked or as given.
fn lifecycles(given: u32) -> u32 {
    match std::env::var("LIFECYCLES") {
        Ok(number) => number.parse().expect("LIFECYCLES is a number of lifecycles"),
        Err(_) => given,
    }
}

/// Runs a test on drawn values. What it says of a value that fails is all that is printed, once it is shrunk.
fn run<S: Strategy>(cases: u32, values: S, test: impl Fn(&S::Value) -> Result<(), String>) {
    let persistence = FileFailurePersistence::SourceParallel("proptest-regressions");
    let config = Config {
        cases,
        failure_persistence: Some(Box::new(persistence)),
        source_file: Some(file!()),
        max_shrink_iters: 50_000,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&values, |value| test(&value).map_err(TestCaseError::fail));
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, _)) => panic!("{why}"),
        Err(TestError::Abort(why)) => panic!("aborted: {why}"),
    }
}

fn check_engine(scenario: &Scenario) -> Result<(), String> {
    let log = world::run(scenario, Clock::Exact);
    check::check(scenario, &log).map_err(|why| format!("{why}\n{log}\n{scenario}"))
}

#[test]
fn small_applications_keep_every_rule() {
    run(lifecycles(90_000), scenario::scenarios(6), check_engine);
}

#[test]
fn large_applications_keep_every_rule() {
    run(lifecycles(15_000), scenario::scenarios(50), check_engine);
}

/// The driver adds nothing and leaves nothing out: the same schedule gives the same log.
#[test]
fn the_driver_does_what_the_engine_says() {
    let compared = std::cell::Cell::new(0);
    run(lifecycles(6_000), scenario::scenarios(8).prop_map(drive::playable), |scenario| {
        let expected = world::run(scenario, Clock::Millis);
        // Where two things happen in the same millisecond, either order is right, and the logs may differ.
        if expected.has_ties() {
            return Ok(());
        }
        compared.set(compared.get() + 1);
        let (expected_commands, seen) =
            (in_any_order(expected.commands()), in_any_order(drive::run(scenario)));
        if seen == expected_commands {
            return Ok(());
        }
        Err(format!("the engine alone:\n{expected}\nthe driver:\n{}\n{scenario}", world::lines(&seen)))
    });
    assert!(compared.get() > lifecycles(6_000) / 4, "only {} schedules could be compared", compared.get());
}

/// What follows at once from one event may follow in any order where several resources are concerned.
fn in_any_order(mut commands: Vec<(Duration, Command)>) -> Vec<(Duration, Command)> {
    commands.sort_by_key(|(at, command)| (*at, format!("{command:?}")));
    commands
}
