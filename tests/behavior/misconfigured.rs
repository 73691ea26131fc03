//! Rule E1 where the program itself finds that its configuration is wrong.

use std::error::Error;
use std::fmt;

use lifecycle::{Acquire, App, Misconfigured, Outcome, Report, Resource, Result, Signal, resource};
use tokio::time::sleep;

use crate::stage::{Stage, failures, hangs, scripted, secs, takes};

scripted! {
    #[resource]
    struct Db;
}

/// Declares resources that fail with an error.
macro_rules! failing {
    ($($(#[$($attribute:tt)*])* struct $name:ident: $error:expr;)*) => {$(
        $(#[$($attribute)*])*
        struct $name;

        impl Resource for $name {
            async fn acquire(_: &Acquire<Self>) -> Result<Self> {
                Err($error.into())
            }
        }
    )*};
}

failing! {
    #[resource(after = Db)]
    struct Port: mistake();
    #[resource]
    struct Parsed: "abc".parse::<u16>().map_err(Misconfigured::new).unwrap_err();
    #[resource]
    struct InContext: Context { words: "cannot listen", source: Some(mistake().into()) };
    #[resource]
    struct Anyhow: anyhow::Error::new(mistake());
    #[resource]
    struct AnyhowInContext: anyhow::Error::new(mistake()).context("cannot listen");
    #[resource]
    struct Transparent: Shown(mistake());
    #[resource(optional)]
    struct Lenient: mistake();
    #[resource(skippable)]
    struct Strict: mistake();
    #[resource]
    struct Unreachable: Context { words: "cannot connect", source: None };
    #[resource]
    struct Unsound: PanicsAtItsSource;
}

fn mistake() -> Misconfigured {
    Misconfigured::new("PORT=\"abc\": not a number")
}

/// What `anyhow::Context` makes.
#[derive(Debug)]
struct Context {
    words: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words)
    }
}

impl Error for Context {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&**self.source.as_ref()?)
    }
}

/// What `#[error(transparent)]` of thiserror makes: it says what the error says, and has the error's source.
#[derive(Debug)]
struct Shown(Misconfigured);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Shown {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[derive(Debug)]
struct PanicsAtItsSource;

impl fmt::Display for PanicsAtItsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unsound")
    }
}

impl Error for PanicsAtItsSource {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        panic!("no source")
    }
}

#[track_caller]
fn assert_fails(report: &Report, exit_code: u8, cause: &str) {
    assert_eq!(report.exit_code, exit_code, "{report}");
    assert_eq!(report.failures[0].cause(), cause);
}

/// E1, S4: the start fails as for any other error, but for the code.
#[tokio::test(start_paused = true)]
async fn a_resource_that_finds_the_configuration_wrong_exits_78() {
    let stage = Stage::new();
    let report = stage.failed_start::<Port>().await;
    assert_eq!(failures(&report), ["`Port` could not be acquired"]);
    assert_fails(&report, 78, "PORT=\"abc\": not a number");
    assert!(stage.log.has("released Db"));
    assert!(report.to_string().contains("exit code:     78"), "{report}");
}

/// E1.
#[tokio::test(start_paused = true)]
async fn an_error_may_be_made_one_by_map_err() {
    let stage = Stage::new();
    assert_fails(&stage.failed_start::<Parsed>().await, 78, "invalid digit found in string");
}

/// E1.
#[tokio::test(start_paused = true)]
async fn a_source_that_finds_the_configuration_wrong_exits_78() {
    let stage = Stage::new();
    let report = stage.failed_start::<InContext>().await;
    assert_fails(&report, 78, "cannot listen: PORT=\"abc\": not a number");
}

/// E1.
#[tokio::test(start_paused = true)]
async fn an_error_of_anyhow_may_hold_it() {
    let stage = Stage::new();
    assert_fails(&stage.failed_start::<Anyhow>().await, 78, "PORT=\"abc\": not a number");
    let report = stage.failed_start::<AnyhowInContext>().await;
    assert_fails(&report, 78, "cannot listen: PORT=\"abc\": not a number");
}

/// E1.
#[tokio::test(start_paused = true)]
async fn a_transparent_wrapper_does_not_hide_it() {
    let stage = Stage::new();
    assert_fails(&stage.failed_start::<Transparent>().await, 78, "PORT=\"abc\": not a number");
}

/// E1.
#[tokio::test(start_paused = true)]
async fn any_other_error_exits_1() {
    let stage = Stage::new();
    assert_fails(&stage.failed_start::<Unreachable>().await, 1, "cannot connect");
}

/// E3: the source of an error is the user's code.
#[tokio::test(start_paused = true)]
async fn an_error_whose_source_panics_exits_1() {
    let stage = Stage::new();
    let report = stage.failed_start::<Unsound>().await;
    assert_eq!(failures(&report), ["`Unsound` could not be acquired"]);
    assert_eq!(report.exit_code, 1);
}

/// S6: what is tolerated does not count.
#[tokio::test(start_paused = true)]
async fn an_optional_resource_that_finds_the_configuration_wrong_is_tolerated() {
    let stage = Stage::new();
    let report = stage.stop::<Lenient>().await;
    assert!(report.failures[0].is_tolerated());
    assert_fails(&report, 0, "PORT=\"abc\": not a number");
}

/// S6.
#[tokio::test(start_paused = true)]
async fn a_skippable_resource_that_finds_the_configuration_wrong_exits_78() {
    let stage = Stage::new();
    assert_fails(&stage.failed_start::<Strict>().await, 78, "PORT=\"abc\": not a number");
}

/// E1: of several codes, 78 wins.
#[tokio::test(start_paused = true)]
async fn it_wins_over_a_cut_off() {
    let stage = Stage::new();
    stage.release::<Db>(hangs());
    let report = stage.failed_start::<Port>().await;
    assert_ne!(report.resource("Db").unwrap().outcome, Outcome::Clean);
    assert_eq!(report.exit_code, 78, "{report}");
}

/// E1.
#[tokio::test(start_paused = true)]
async fn it_wins_over_an_insisting_signal() {
    let stage = Stage::new();
    stage.task::<Db>("pool", takes(5_000));
    let report = stage
        .run::<Db>(async |app| {
            app.fail(mistake());
            sleep(secs(1)).await;
            app.deliver(Signal::Interrupt);
        })
        .await;
    assert_eq!(report.exit_code, 78, "{report}");
}

/// E1: also where a body reads the configuration.
#[tokio::test(start_paused = true)]
async fn a_body_that_finds_the_configuration_wrong_exits_78() {
    let stage = Stage::new();
    let report = stage.builder::<Db>().run(async |_: App| Err::<(), _>(mistake())).await;
    assert_fails(&report, 78, "PORT=\"abc\": not a number");
}
